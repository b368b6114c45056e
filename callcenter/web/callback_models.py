"""The bodies and answers of the API about callbacks. See ``models``.

Whoever may see a callback sees its number, agents too: they are the ones who talk to the customer.
"""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, model_validator

from callback.deliveries import Delivery, DeliveryState
from callback.request import Attempt as AttemptRecord
from callback.request import Callback as CallbackRecord
from callback.request import Change as ChangeRecord
from callback.request import Source
from callback.state import ENDED, OPEN, State
from callcenter.callback_settings import CHANGES
from callcenter.web.models import MAX_PAGE, Answer, Body, Name, Query, Text, Time, plus

Written = Annotated[str, Field(min_length=1, max_length=40)]
"""A telephone number as people write it; the rules make it E.164 or refuse it."""

Zone = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_+/-]*$")]
Language = Annotated[str, Field(pattern=r"^([a-z]{2,3})?$")]
Priority = Annotated[int, Field(ge=-100, le=100)]
Version = Annotated[int, Field(ge=1)]
BodyTime = Annotated[Time, Field(strict=False)]
BodyId = Annotated[UUID, Field(strict=False)]


class AskBody(Body):
    """What is asked for. Without ``slot`` it is as soon as it is the customer's turn."""

    queue: Name | None = None
    number: Written | None = None
    slot: BodyTime | None = None
    zone: Zone = ""
    name: Annotated[Text, Field(max_length=100)] = ""
    topic: Annotated[Text, Field(max_length=100)] = ""
    note: Annotated[Text, Field(max_length=1000)] = ""
    language: Language = ""
    consent: bool = True
    priority: Priority = 0
    owner: Name | None = None


class CallbackBody(AskBody):
    """The same for anybody, or for the caller of the call ``call``, from where the rest is taken."""

    call: BodyId | None = None

    @model_validator(mode="after")
    def _says_whom(self) -> Self:
        if self.call is None and (self.queue is None or self.number is None):
            raise ValueError("queue and number are needed, or call")
        return self


class Versioned(Body):
    """With ``version`` nothing happens when the callback has been changed since; or the header If-Match."""

    version: Version | None = None


class EditBody(Versioned):
    """What is known about it otherwise; what is left out stays."""

    number: Written | None = None
    name: Annotated[Text, Field(max_length=100)] | None = None
    topic: Annotated[Text, Field(max_length=100)] | None = None
    note: Annotated[Text, Field(max_length=1000)] | None = None
    language: Language | None = None
    priority: Priority | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.changes:
            raise ValueError("nothing is to be changed")
        return self

    @property
    def changes(self) -> dict[str, Any]:
        """What is given."""
        return self.model_dump(exclude={"version"}, exclude_none=True)


class MoveBody(Versioned):
    """Another time: the start of a slot, or as soon as it is their turn."""

    slot: BodyTime | None = None
    asap: bool = False
    zone: Zone = ""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.slot is None) != self.asap:
            raise ValueError("exactly one of slot and asap is needed")
        return self


class CancelBody(Versioned):
    """Why it is not wanted any more."""

    cause: Annotated[Text, Field(max_length=200)] = ""


class ReassignBody(Versioned):
    """Who is to make the call: another queue, another agent, or, with ``owner`` null, any agent."""

    queue: Name | None = None
    owner: Name | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.queue is None and "owner" not in self.model_fields_set:
            raise ValueError("queue or owner is needed")
        return self


class NumberBody(Body):
    """A number."""

    number: Written


class DoNotCallBody(NumberBody):
    """A number that must not be called any more, and why."""

    note: Annotated[Text, Field(max_length=200)] = ""


def _states(text: object) -> object:
    """Names of states, of which ``open`` and ``ended`` are several, parted by commas."""
    if not isinstance(text, str):
        return text
    several = {"open": OPEN, "ended": ENDED}
    return {state for name in text.split(",") for state in several.get(name, (name,))}


class CallbackQuery(Query):
    """Which callbacks: those requested in the span that match every filter given."""

    queue: Name | None = None
    state: Annotated[frozenset[State], BeforeValidator(_states)] = frozenset()
    number: Annotated[str, BeforeValidator(plus), Field(pattern=r"^\+?[0-9]{3,20}$")] | None = None
    source: Source | None = None
    owner: Name | None = None
    since: Time | None = None
    until: Time | None = None
    text: str = Field("", max_length=100)
    stranded: bool = False
    cursor: str | None = Field(None, max_length=200)
    limit: int = Field(50, ge=1, le=MAX_PAGE)
    format: Literal["json", "csv"] | None = None


class SlotQuery(Query):
    """Which slots: so many days from ``since`` or now; ``zone`` only says how days are cut."""

    queue: Name
    since: Time | None = None
    days: int | None = Field(None, ge=1, le=90)
    zone: Zone = ""


class AbandonedQuery(Query):
    """Who hung up when in which queue."""

    queue: Name | None = None
    since: Time | None = None
    cursor: str | None = Field(None, max_length=200)
    limit: int = Field(50, ge=1, le=MAX_PAGE)


class DoNotCallQuery(Query):
    """A page of the list, or one number of it."""

    number: Annotated[Written, BeforeValidator(plus)] | None = None
    cursor: str | None = Field(None, max_length=200)
    limit: int = Field(50, ge=1, le=MAX_PAGE)


class DeliveryQuery(Query):
    """Which deliveries."""

    state: DeliveryState | None = None
    webhook: Name | None = None
    callback: UUID | None = None
    cursor: int | None = Field(None, ge=1, le=2**63 - 1)
    limit: int = Field(50, ge=1, le=MAX_PAGE)


class RetryBody(Body):
    """Whose deliveries are tried again; all if nobody is named."""

    webhook: Name | None = None


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
