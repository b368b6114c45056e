"""The rules: what becomes of a wish, when a customer may be dialled, what follows an attempt. Pure.

Everything is asked for ``now``, on the database's clock. What is random is an argument between 0 and 1.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from callback.hours import ALWAYS, ANY_TIME, Calendar, Dialling
from callback.numbers import NumberRules
from callback.request import Callback, Mode, Result, Source
from callback.state import Step

DAY = timedelta(days=1)
LOOK_AGAIN = timedelta(minutes=1)
"""When to ask again where nothing says how long it lasts: a switch, a closure without an end."""

STAFF = frozenset({Source.AGENT, Source.SUPERVISOR, Source.DIRECT})
"""Who decides for the house: not held back by how much there is to do."""


class AtClose(StrEnum):
    """What becomes of those who still wait when the queue closes."""

    SERVE = "serve"  # dialled after closing, as long as there are agents
    CARRY_OVER = "carry_over"  # to the next open period
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class RetryRules:
    """How long after an attempt the next one comes, in s; up to ``jitter`` of it is added at random."""

    busy_s: float = 120
    no_answer_s: float = 300
    machine_s: float = 1800
    failed_s: float = 300
    not_confirmed_s: float = 1800
    jitter: float = 0.2


@dataclass(frozen=True, slots=True)
class SlotRules:
    """Buckets of ``minutes`` on the wall clock of ``zone``, each with room for ``capacity``."""

    minutes: int = 15
    capacity: int = 2
    days: int = 14
    lead_s: float = 900
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings of one queue mean. Seconds; see ``callcenter.callback_settings.CallbackRules``.

    ``accept`` is whether new ones are taken, ``process`` whether any are dialled. ``zone`` is the queue's.
    """

    mode: Mode = Mode.AGENT_FIRST
    accept: bool = True
    process: bool = True
    calendar: Calendar = ALWAYS
    dialling: Dialling = ANY_TIME
    numbers: NumberRules = field(default_factory=NumberRules)
    slots: SlotRules = SlotRules()
    retry: RetryRules = RetryRules()
    zone: str = "UTC"
    offer_after_s: float = 180
    key: str = "1"
    attempts: int = 3
    ring_s: float = 20
    earliest_s: float = 60
    pacing: float = 1.0
    detect_machine: bool = False
    machine: Literal["retry", "message_retry", "message_complete"] = "retry"
    machine_message: str = ""
    confirm_key: str = "1"
    confirm_s: float = 15
    snooze_s: float = 600
    stop_before_close_s: float = 120
    at_close: AtClose = AtClose.CARRY_OVER
    max_pending: int = 500
    max_wait_s: float = 7200
    wait_cap_s: float = 60
    owner_wait_s: float = 3600
    owner_absent: Literal["queue", "cancel"] = "queue"
    from_number: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """The estimated wait of who comes now: half are served within ``p50_s``, nine of ten within ``p90_s``.

    ``None`` where nothing can be said.
    """

    p50_s: float | None = None
    p90_s: float | None = None


UNKNOWN_WAIT = Wait()


# Whether it may be dialled.


@dataclass(frozen=True, slots=True)
class Dial:
    """Now."""


@dataclass(frozen=True, slots=True)
class PutOff:
    """Not before ``until``."""

    until: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class Expire:
    """Never any more: its time is over."""

    cause: str


@dataclass(frozen=True, slots=True)
class Reject:
    """Never at all."""

    cause: str


Verdict = Dial | PutOff | Expire | Reject
"""What to do with a callback whose turn it is."""


def may_dial(callback: Callback, rules: Rules, now: datetime, *, forbidden: bool = False) -> Verdict:
    """Asked when a callback falls due and again right before dialling.

    ``forbidden``: the number is on the do-not-call list.
    """
    raise NotImplementedError


# What follows an attempt.


@dataclass(frozen=True, slots=True)
class Next:
    """What is to be done after an attempt; as ``Store.over`` takes it.

    ``counted``: the attempt is one of those that a customer gets. ``not_before`` is set for ``RETRY`` and
    ``SCHEDULE``. ``redial`` is the one that follows a broken connection at once.
    """

    step: Step
    counted: bool
    cause: str = ""
    not_before: datetime | None = None
    apologise: bool = False
    redial: bool = False


def after_attempt(
    result: Result,
    callback: Callback,
    rules: Rules,
    now: datetime,
    random_fraction: float,
    *,
    dialled: bool = True,
    message_left: bool = False,
) -> Next:
    """What follows. ``dialled``: the network took the call; ``message_left``: the machine heard it all."""
    raise NotImplementedError
