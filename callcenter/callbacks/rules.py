"""What the settings of queues mean to their callbacks; the one place where settings become rules."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from callback.hours import ALWAYS, MINUTES_OF_DAY, Calendar, Dialling, Period
from callback.numbers import NumberRules
from callback.request import Mode
from callback.rules import AtClose, RetryRules, Rules, SlotRules
from callcenter.acd.queues import Queues
from callcenter.callback_settings import ANYWHERE, CallbackRules
from callcenter.config import Settings
from callcenter.queueing import Queue, needs_of
from callcenter.storage.closures import Closure, ClosureBoard

BACK = timedelta(days=8)
AHEAD = timedelta(days=100)
"""How far the opening hours are known: beyond the last slot that any settings allow."""

LATEST = datetime.max.replace(tzinfo=UTC)

_E164 = re.compile(r"\+[0-9]{3,15}")
_SEPARATORS = re.compile(r"[ ()./-]")

GONE = Rules(accept=False, process=False)
"""Of a queue that does not exist any more: nothing is taken, nobody is dialled."""


@dataclass(frozen=True, slots=True)
class _Known:
    queue: Queue
    day: datetime
    closure: Closure | None
    rules: Rules


class RuleBook:
    """The rules of each queue as they are now."""

    def __init__(
        self, queues: Queues, settings: Settings, closures: ClosureBoard, now: Callable[[], datetime]
    ) -> None:
        self._queues = queues
        self._settings = settings
        self._closures = closures
        self._now = now
        self._known: dict[str, _Known] = {}

    @property
    def names(self) -> list[str]:
        """The queues that there are."""
        return self._queues.names

    def queue(self, name: str) -> Queue:
        """The queue itself; raises ``NotFoundError``."""
        return self._queues.get(name)

    def of(self, name: str) -> Rules:
        """How a queue calls back; ``GONE`` for one that does not exist."""
        queue = self._queues.find(name)
        if queue is None:
            self._known.pop(name, None)
            return GONE
        now = self._now()
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        closure = self._closures.of_queue(name, now)
        known = self._known.get(name)
        if known is None or (known.queue, known.day, known.closure) != (queue, day, closure):
            known = _Known(queue, day, closure, rules_of(queue.callback, self._settings, day, closure))
            self._known[name] = known
        return known.rules


def rules_of(
    settings: CallbackRules, whole: Settings, day: datetime, closure: Closure | None = None
) -> Rules:
    """What the settings of a queue mean around ``day``."""
    zone = zone_of(settings, whole)
    closed = None if closure is None else Period(closure.since, closure.until or LATEST)
    return Rules(
        mode=Mode(settings.mode),
        accept=settings.enabled and settings.accept,
        process=settings.process,
        calendar=_calendar(settings, day) if closed is None else _calendar(settings, day).without(closed),
        closed=closed,
        dialling=Dialling(_minute(settings.dial_from), _minute(settings.dial_until)),
        numbers=number_rules(settings, whole),
        slots=SlotRules(**settings.slots.model_dump(), zone=zone),
        retry=RetryRules(**settings.retry.model_dump()),
        zone=zone,
        offer_after_s=settings.offer_after_s,
        key=settings.key,
        attempts=settings.attempts,
        ring_s=settings.ring_s,
        earliest_s=settings.earliest_s,
        pacing=settings.pacing,
        detect_machine=settings.machine.detect,
        machine=_machine(settings),
        machine_message=settings.machine.message,
        confirm_key=settings.confirm_key,
        confirm_s=settings.confirm_s,
        snooze_s=settings.snooze_s,
        stop_before_close_s=settings.stop_before_close_s,
        at_close=AtClose(settings.at_close),
        max_pending=settings.max_pending,
        max_wait_s=settings.max_wait_s,
        wait_cap_s=settings.wait_cap_s,
        owner_wait_s=settings.owner_wait_s,
        owner_absent=settings.owner_absent,
        from_number=settings.from_number,
    )


def needs(queue: Queue, skills: Mapping[str, int]) -> str:
    """What a callback of the queue needs of an agent, as the line keeps it."""
    return json.dumps(needs_of(queue, skills))


def zone_of(settings: CallbackRules, whole: Settings) -> str:
    """The queue's time zone: its own, else that of its opening hours, else that of the reports."""
    return settings.zone or (settings.plan.zone if settings.plan else whole.metrics.timezone)


def number_rules(settings: CallbackRules, whole: Settings) -> NumberRules:
    """Which numbers a queue calls: of its own country alone, unless the settings say more."""
    regions = settings.regions or [settings.region]
    return NumberRules(
        region=settings.region,
        regions=frozenset() if ANYWHERE in regions else frozenset(regions),
        own=_own_numbers(settings, whole),
        refused=tuple(whole.callbacks.refused),
    )


def _own_numbers(settings: CallbackRules, whole: Settings) -> frozenset[str]:
    """Where we would call ourselves: what the settings say, what our flows answer, what agents answer."""
    known = [
        settings.from_number,
        whole.gateways.twilio.from_number,
        *(route.number for route in whole.routes),
        *(agent.address for agent in whole.agents),
    ]
    numbers = (_SEPARATORS.sub("", one) for one in known)
    return frozenset({*whole.callbacks.own_numbers, *filter(_E164.fullmatch, numbers)})


def _machine(settings: CallbackRules) -> Literal["retry", "message_retry", "message_complete"]:
    """Without a message there is none to leave."""
    return settings.machine.then if settings.machine.message else "retry"


def _calendar(settings: CallbackRules, day: datetime) -> Calendar:
    if settings.plan is None:
        return ALWAYS
    opened = settings.plan.periods(day - BACK, day + AHEAD)
    return Calendar(tuple(Period(start, end) for start, end in opened))


def _minute(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return min(int(hour) * 60 + int(minute), MINUTES_OF_DAY)
