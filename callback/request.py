"""What is asked for and what is kept: wishes, callbacks, attempts. Pure; times are UTC, seconds as floats."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from callback.state import State


class Source(StrEnum):
    """Where a wish came from."""

    IVR = "ivr"
    PAGE = "page"
    API = "api"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    DIRECT = "direct"  # the service itself, such as from a final notice


class Mode(StrEnum):
    """Who is on the telephone first."""

    AGENT_FIRST = "agent_first"
    CUSTOMER_FIRST = "customer_first"


class Result(StrEnum):
    """What became of an attempt."""

    BRIDGED = "bridged"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"  # the network could not
    INVALID = "invalid"  # there is no such number
    MACHINE = "machine"
    NOT_CONFIRMED = "not_confirmed"  # somebody else, or nobody who pressed the key
    POSTPONED = "postponed"  # by the customer's key
    CANCELLED = "cancelled"  # by the customer's key
    ABANDONED = "abandoned"  # the customer hung up while waiting for an agent
    AGENT_GONE = "agent_gone"  # no agent in time for a customer who had answered
    BRIDGE_FAILED = "bridge_failed"
    MERGED = "merged"  # the customer phoned in meanwhile
    UNKNOWN = "unknown"  # the worker was lost and the network cannot tell
    LOST = "lost"  # the worker was lost, the call was ended


@dataclass(frozen=True, slots=True)
class Slot:
    """A bucket of time in which so many callbacks may be promised. ``free`` of ``capacity`` are left."""

    start: datetime
    end: datetime
    capacity: int = 0
    free: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer asks for; the number is E.164.

    ``arrived_at`` is what the place in line goes by: when the customer came into the queue; ``None`` is now.
    Without ``slot`` it is as soon as it is their turn. ``chain_id`` links it with the call it came from.
    ``owner`` is an agent who should make the call. ``key`` is a client's idempotency key, ``body_hash`` what
    came with it, so that the same key with other content is noticed.
    """

    queue: str
    number: str
    source: Source
    arrived_at: datetime | None = None
    slot: Slot | None = None
    zone: str = "UTC"
    language: str = ""
    name: str = ""
    topic: str = ""
    note: str = ""
    consent: bool = False
    priority: int = 0
    skills: Mapping[str, int] = field(default_factory=dict)
    owner: str | None = None
    chain_id: UUID | None = None
    call_id: UUID | None = None
    from_number: str = ""
    key: str = ""
    body_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the rules make of a wish; see ``callback.policy.terms``.

    Dialled not before ``not_before``, given up at ``expires_at``; the customer was promised a call between
    ``promised_from`` and ``promised_until``.
    """

    mode: Mode
    not_before: datetime
    expires_at: datetime
    promised_from: datetime
    promised_until: datetime
    attempts: int = 3
    owner_until: datetime | None = None
    needs: str = "[]"


@dataclass(frozen=True, slots=True)
class Callback:
    """A customer's wish as it stands. ``number`` is empty once it was erased.

    ``attempts`` are those that counted, of ``attempts_max``. ``version`` rises with every change that people
    make, ``fence`` with every claim. ``apologise``: the next call begins with an apology. ``cause`` and
    ``ended_by`` say how it ended.
    """

    callback_id: UUID
    queue: str
    number: str
    source: Source
    mode: Mode
    state: State
    state_since: datetime
    requested_at: datetime
    arrived_at: datetime
    not_before: datetime
    expires_at: datetime
    promised_from: datetime
    promised_until: datetime
    slot_start: datetime | None
    slot_end: datetime | None
    zone: str
    language: str
    name: str
    topic: str
    note: str
    consent: bool
    priority: int
    needs: str
    owner: str | None
    owner_until: datetime | None
    from_number: str
    chain_id: UUID
    call_id: UUID | None
    attempts: int
    attempts_max: int
    bridge_redials: int
    apologise: bool
    version: int
    fence: int
    worker: UUID | None
    lease_until: datetime | None
    ended_at: datetime | None
    ended_by: str
    cause: str
    erased_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker answers for this callback until ``lease_until``, and only with this ``fence``."""

    callback: Callback
    worker: UUID
    fence: int
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One dialling of the customer. Written before the network is asked; ``attempt_id`` is its key there.

    ``call_id`` is our call, ``call_ref`` the network's, empty until it has told. ``counted``: against the
    number of attempts. ``result`` is ``None`` while it is open.
    """

    attempt_id: UUID
    callback_id: UUID
    number_of: int
    fence: int
    worker: UUID
    gateway: str
    call_id: UUID
    call_ref: str
    ring_timeout_s: float
    started_at: datetime
    answered_at: datetime | None
    bridged_at: datetime | None
    ended_at: datetime | None
    result: Result | None
    counted: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a callback's history."""

    event_id: int
    callback_id: UUID
    at: datetime
    step: str
    before: str
    after: str
    by: str
    cause: str
    attempt_id: UUID | None
    data: Mapping[str, object]
