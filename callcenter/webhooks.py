"""Webhooks of one process, from what it has already."""

from contextlib import AsyncExitStack

from callback.deliveries import Deliveries, Hook
from callcenter.call.services import CallServices
from callcenter.stores import Stores
from callcenter.web.webhook_messages import WebhookMessages
from callcenter.web.webhook_sender import WebhookSender, WebhookStats


async def open_webhooks(stack: AsyncExitStack, stores: Stores, services: CallServices) -> WebhookStats:
    """Take over who is told of callbacks, and tell them until the stack is closed; returns what was told."""
    hooks, desk = services.settings.callbacks.webhooks, services.callbacks.desk
    deliveries = Deliveries(stores.database.transaction)
    await deliveries.sync([Hook(hook.name, hook.url, hook.steps) for hook in hooks])
    messages = WebhookMessages(desk.get, desk.link)
    sender = WebhookSender(deliveries, hooks, messages.of, stores.listener, services.now)
    await stack.enter_async_context(sender)
    return sender.stats
