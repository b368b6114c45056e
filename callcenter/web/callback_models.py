"""What the API answers about callbacks, and what webhooks are told. See ``models``.

Whoever may see a callback sees its number, agents too: they are the ones who talk to the customer.
"""

from typing import Any, Self
from uuid import UUID

from callback.deliveries import Delivery, DeliveryState
from callback.request import Attempt as AttemptRecord
from callback.request import Callback as CallbackRecord
from callback.request import Change as ChangeRecord
from callback.state import State
from callcenter.callback_settings import CHANGES
from callcenter.web.models import Answer, Time


class Callback(Answer):
    """One callback. The customer was promised a call between ``promised_from`` and ``promised_until``."""

    callback_id: UUID
    queue: str
    number: str
    name: str
    topic: str
    note: str
    language: str
    consent: bool
    source: str
    mode: str
    state: str
    state_since: Time
    requested_at: Time
    arrived_at: Time
    not_before: Time
    expires_at: Time
    promised_from: Time
    promised_until: Time
    slot_start: Time | None
    slot_end: Time | None
    zone: str
    priority: int
    owner: str | None
    owner_until: Time | None
    from_number: str
    chain_id: UUID
    call_id: UUID | None
    attempts: int
    attempts_max: int
    version: int
    ended_at: Time | None
    ended_by: str
    cause: str
    erased_at: Time | None

    @classmethod
    def of(cls, record: CallbackRecord, **more: Any) -> Self:
        """The record as it is shown."""
        return cls(**{name: getattr(record, name) for name in Callback.model_fields}, **more)


class CallbackPage(Answer):
    """Callbacks, newest request first. ``next_cursor`` is null on the last page."""

    callbacks: list[Callback]
    next_cursor: str | None


class CallbackStanding(Callback):
    """A callback and how it stands in line.

    ``position`` 1 is next, null is not in line; ``next_at`` is the earliest next dialling. ``manage_link`` is
    for the customer: to see, move or cancel it.
    """

    position: int | None
    next_at: Time | None
    attempts_left: int
    may_change: bool
    manage_link: str | None


class CallbackAttempt(Answer):
    """One dialling of the customer. ``result`` is null while it goes on."""

    attempt_id: UUID
    number_of: int
    gateway: str
    call_id: UUID
    started_at: Time
    answered_at: Time | None
    bridged_at: Time | None
    ended_at: Time | None
    result: str | None
    counted: bool

    @classmethod
    def of(cls, record: AttemptRecord) -> Self:
        """The record as it is shown."""
        return cls(**{name: getattr(record, name) for name in cls.model_fields})


class CallbackChange(Answer):
    """One row of a callback's history."""

    event_id: int
    at: Time
    type: str
    before: str
    after: str
    by: str
    cause: str
    attempt_id: UUID | None
    data: dict[str, Any]

    @classmethod
    def of(cls, record: ChangeRecord) -> Self:
        """The record as it is shown."""
        same = {name: getattr(record, name) for name in cls.model_fields if name not in {"type", "data"}}
        return cls(**same, type=type_of(record), data=dict(record.data))


class CallbackDetail(CallbackStanding):
    """A callback with all that happened to it."""

    attempts_made: list[CallbackAttempt]
    history: list[CallbackChange]


class CallbackSlot(Answer):
    """A time that can be chosen, and for how many more."""

    start: Time
    end: Time
    capacity: int
    free: int


class SlotList(Answer):
    """The times of a queue; full ones have ``free`` 0."""

    queue: str
    slots: list[CallbackSlot]


class AbandonedCaller(Answer):
    """Somebody who hung up in a queue and has not been served since; ``calls`` in the span."""

    call_id: UUID
    number: str
    queue: str
    abandoned_at: Time
    waited_s: float
    calls: int


class AbandonedPage(Answer):
    """Such callers, newest first."""

    callers: list[AbandonedCaller]
    next_cursor: str | None


class Erased(Answer):
    """How many callbacks a number was erased from."""

    erased: int


class DoNotCallEntry(Answer):
    """A number that must not be called."""

    number: str
    added_at: Time
    added_by: str
    note: str


class DoNotCallPage(Answer):
    """Numbers that must not be called, in order."""

    numbers: list[DoNotCallEntry]
    next_cursor: str | None


class WebhookDelivery(Answer):
    """One change that a webhook is or was to be told of."""

    delivery_id: int
    webhook: str
    state: str
    tries: int
    made_at: Time
    next_at: Time | None
    done_at: Time | None
    last_error: str
    callback_id: UUID
    event_id: int
    type: str

    @classmethod
    def of(cls, record: Delivery) -> Self:
        """The record as it is shown."""
        return cls(
            delivery_id=record.delivery_id,
            webhook=record.webhook,
            state=record.state,
            tries=record.tries,
            made_at=record.made_at,
            next_at=record.next_at if record.state is DeliveryState.PENDING else None,
            done_at=record.done_at,
            last_error=record.last_error,
            callback_id=record.change.callback_id,
            event_id=record.change.event_id,
            type=type_of(record.change),
        )


class DeliveryPage(Answer):
    """Deliveries, newest first."""

    deliveries: list[WebhookDelivery]
    next_cursor: int | None


class Retried(Answer):
    """How many are tried again."""

    retried: int


class WebhookMessage(Answer):
    """What a webhook is told: what changed, and the callback as it stands when this is sent.

    ``manage_link`` is there while the customer can change it, ``again_link``, to book again, when it ended
    without a conversation. The staff's note is left out.
    """

    id: str
    type: str
    at: Time
    before: str
    after: str
    by: str
    cause: str
    attempt_id: UUID | None
    callback: dict[str, Any]
    manage_link: str | None
    again_link: str | None


def type_of(change: ChangeRecord) -> str:
    """What a change is called, in the log and to webhooks: as ``callback.kind`` in the database says."""
    return f"callback.{change.step if change.step in CHANGES - set(State) else change.after}"
