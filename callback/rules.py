"""What the settings of a queue mean to its callbacks. Pure; seconds unless a name says otherwise."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from callback.hours import ALWAYS, ANY_TIME, Calendar, Dialling, Period
from callback.numbers import NumberRules
from callback.request import Mode


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

    ``accept`` is whether new ones are taken, ``process`` whether any are dialled. ``closed`` is when somebody
    has closed the queue by hand; ``calendar`` knows it already. ``zone`` is the queue's.
    """

    mode: Mode = Mode.AGENT_FIRST
    accept: bool = True
    process: bool = True
    calendar: Calendar = ALWAYS
    closed: Period | None = None
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
