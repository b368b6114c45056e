"""What webhooks are told of a callback's change.

The customer's number and name are in it, so that whoever hears of it can send the links; the staff's note is
not. It is made when it is sent, so what was erased meanwhile is told to nobody.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from callback.deliveries import Delivery
from callback.links import Purpose
from callback.request import Callback as CallbackRecord
from callback.state import State
from callcenter.web.callback_models import Callback, WebhookMessage, type_of

AGAIN = frozenset({State.EXHAUSTED, State.EXPIRED})


Get = Callable[[UUID], Awaitable[CallbackRecord]]
Link = Callable[[CallbackRecord, Purpose], Awaitable[str]]


class WebhookMessages:
    """Makes the bodies of deliveries; ``get`` reads a callback, ``link`` makes a link for the customer."""

    def __init__(self, get: Get, link: Link) -> None:
        self._get = get
        self._link_to = link

    async def of(self, delivery: Delivery) -> bytes:
        """The body; raises ``NotFoundError`` for a callback that is gone, and ``StorageError``."""
        change = delivery.change
        callback = await self._get(change.callback_id)
        message = WebhookMessage(
            id=message_id(delivery),
            type=type_of(change),
            at=change.at,
            before=change.before,
            after=change.after,
            by=change.by,
            cause=change.cause,
            attempt_id=change.attempt_id,
            callback=_told(callback),
            manage_link=await self._link(callback, Purpose.MANAGE) if callback.is_open else None,
            again_link=await self._link(callback, Purpose.AGAIN) if callback.state in AGAIN else None,
        )
        return message.as_json().encode()

    async def _link(self, callback: CallbackRecord, purpose: Purpose) -> str | None:
        return await self._link_to(callback, purpose) if callback.erased_at is None else None


def _told(callback: CallbackRecord) -> dict[str, Any]:
    """The callback without the note; one that is erased while it is being dialled still has its number."""
    told = Callback.of(callback).model_dump(mode="json", exclude={"note"})
    return told if callback.erased_at is None else told | {"number": ""}


def message_id(delivery: Delivery) -> str:
    """The same for each try."""
    return f"evt_{delivery.change.event_id}"
