"""What clients send about callbacks: bodies and queries. See ``models``."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, model_validator

from callback.deliveries import DeliveryState
from callback.request import Source
from callback.state import ENDED, OPEN, State
from callcenter.web.models import MAX_PAGE, Body, Name, Query, Text, Time, plus

CAUSE = r"^([a-z][a-z0-9_]{0,39})?$"
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
    """Why it is not wanted any more: a word, as it stays in the log when all that is personal is erased."""

    cause: Annotated[str, Field(pattern=CAUSE)] = ""


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
    text: Annotated[Text, Field(max_length=100)] = ""
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
    cursor: Annotated[str, BeforeValidator(plus), Field(pattern=r"^\+[0-9]{1,20}$")] | None = None
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
