"""What webhooks are told of a callback's change.

The customer's number and name are in it, so that whoever hears of it can send the links; the staff's note is
not. It is made when it is sent, so what was erased meanwhile is told to nobody.
"""

from callback.deliveries import Delivery
from callback.links import Purpose
from callback.request import Callback as CallbackRecord
from callback.state import State
from callback.store import Store
from callcenter.callbacks.links import Links
from callcenter.web.callback_models import Callback, WebhookMessage, type_of

AGAIN = frozenset({State.EXHAUSTED, State.EXPIRED})


class WebhookMessages:
    """Makes the bodies of deliveries; ``links`` makes those for the customer."""

    def __init__(self, store: Store, links: Links) -> None:
        self._store = store
        self._links = links

    async def of(self, delivery: Delivery) -> bytes:
        """The body; raises ``NotFoundError`` for a callback that is gone, and ``StorageError``."""
        change = delivery.change
        callback = await self._store.get(change.callback_id)
        message = WebhookMessage(
            id=message_id(delivery),
            type=type_of(change),
            at=change.at,
            before=change.before,
            after=change.after,
            by=change.by,
            cause=change.cause,
            attempt_id=change.attempt_id,
            callback=Callback.of(callback).model_dump(mode="json", exclude={"note"}),
            manage_link=await self._link(callback, Purpose.MANAGE) if callback.is_open else None,
            again_link=await self._link(callback, Purpose.AGAIN) if callback.state in AGAIN else None,
        )
        return message.as_json().encode()

    async def _link(self, callback: CallbackRecord, purpose: Purpose) -> str | None:
        return await self._links.link(callback, purpose) if callback.erased_at is None else None


def message_id(delivery: Delivery) -> str:
    """The same for each try."""
    return f"evt_{delivery.change.event_id}"
