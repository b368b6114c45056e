"""The rules: what becomes of a wish, when a customer may be dialled, what follows an attempt. Pure.

Everything is asked for ``now``, on the database's clock. What is random is an argument between 0 and 1.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import assert_never

from callback import numbers
from callback.errors import RefusedError
from callback.hours import Calendar, first_chance
from callback.outcome import Next as Next
from callback.outcome import after_attempt as after_attempt
from callback.outcome import counts as counts
from callback.refusal import Refusal
from callback.request import Callback, Slot, Source, Terms, Wish
from callback.rules import UNKNOWN_WAIT as UNKNOWN_WAIT
from callback.rules import AtClose as AtClose
from callback.rules import RetryRules as RetryRules
from callback.rules import Rules as Rules
from callback.rules import SlotRules as SlotRules
from callback.rules import Wait as Wait

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)

LOOK_AGAIN = timedelta(minutes=1)
"""When to ask again where nothing says how long it lasts: a switch, a closure without an end."""

LEAST_WINDOW = timedelta(minutes=5)
"""No customer is promised a call within less."""

STAFF = frozenset({Source.AGENT, Source.SUPERVISOR})
"""Who decides for the house: not held back by how much there is to do, nor by closing time."""


# Whether a wish is granted, and how.


def may_register(wish: Wish, rules: Rules, now: datetime, *, pending: int, wait: Wait) -> None:
    """Raise ``RefusedError`` where the queue takes no such wish now; ``pending`` are its open callbacks.

    What the slot of a wish must be is asked of ``callback.slots``.
    """
    if not rules.accept:
        raise RefusedError(Refusal.NOT_OFFERED, "this queue takes no callbacks at present")
    if wish.source is Source.PAGE and not wish.consent:
        raise RefusedError(Refusal.CONSENT_MISSING, "a consent to being called is needed", "consent")
    if wish.source in STAFF:
        return
    if pending >= rules.max_pending:
        raise RefusedError(Refusal.TOO_MANY, "too many callbacks are waiting")
    if wish.slot is not None:
        return
    period = rules.calendar.at(now)
    if period is None:
        raise RefusedError(Refusal.CLOSED, "closed at present; a time can be chosen")
    if period.end - timedelta(seconds=rules.stop_before_close_s) <= now:
        raise RefusedError(Refusal.CLOSED, "closing soon; a time can be chosen")
    if (wait.p50_s or 0.0) > rules.max_wait_s:
        raise RefusedError(Refusal.TOO_MANY, "the wait is too long; a time can be chosen")


def is_offered_unasked(rules: Rules, wait: Wait) -> bool:
    """Whether a caller hears of callbacks without pressing a key: the wait is known to be long."""
    return wait.p50_s is not None and wait.p50_s > rules.offer_after_s


def terms(wish: Wish, rules: Rules, now: datetime, wait: Wait) -> Terms:
    """What a wish that is granted means: when, until when, and what the customer may be told.

    Raises ``RefusedError`` where the queue is never open while the customer may be dialled.
    """
    if wish.slot is not None:
        found = _at(wish.slot, rules)
    else:
        found = _soon(rules, wish.zone, now, wait, rules.earliest_s)
    if wish.owner is None:
        return found
    return replace(found, owner_until=found.not_before + timedelta(seconds=rules.owner_wait_s))


def moved(callback: Callback, slot: Slot | None, rules: Rules, now: datetime, wait: Wait) -> Terms:
    """Terms of another time: no sooner than somebody who asked now would be served.

    Without ``slot`` it is as soon as it is the callback's turn, at its old place. Raises ``RefusedError``.
    """
    waits_s = wait.p50_s or 0.0
    if slot is None:
        return _soon(rules, callback.zone, now, wait, max(rules.earliest_s, waits_s))
    if slot.start < now + timedelta(seconds=waits_s):
        raise RefusedError(Refusal.TOO_EARLY, "nobody is called so soon at present", "slot")
    return _at(slot, rules)


def snoozed(callback: Callback, rules: Rules, now: datetime, wait: Wait) -> Terms:
    """Terms of a customer who was dialled and wants it later; it is never given up sooner than before."""
    found = _soon(rules, callback.zone, now, wait, max(rules.snooze_s, wait.p50_s or 0.0))
    return replace(found, expires_at=max(found.expires_at, callback.expires_at))


def _at(slot: Slot, rules: Rules) -> Terms:
    period = rules.calendar.at(slot.start)
    end = slot.end if period is None else min(period.end, slot.start + DAY)
    return Terms(
        mode=rules.mode,
        not_before=slot.start,
        expires_at=max(end, slot.end),
        promised_from=slot.start,
        promised_until=slot.end,
        attempts=rules.attempts,
    )


def _soon(rules: Rules, zone: str, now: datetime, wait: Wait, earliest_s: float) -> Terms:
    not_before = first_chance(rules.calendar, rules.dialling, zone, now + timedelta(seconds=earliest_s))
    if not_before is None:
        raise RefusedError(Refusal.CLOSED, "never open at a time at which this number may be called")
    expires_at = _expiry(rules, now, not_before)
    first_s = wait.p50_s or 0.0
    last_s = rules.max_wait_s if wait.p90_s is None else max(wait.p90_s, first_s)
    first, last = (
        max(not_before, _served(rules, zone, now, seconds) or not_before) for seconds in (first_s, last_s)
    )
    promised = window(now, first, last)
    until = min(promised[1], max(expires_at, promised[0] + MINUTE))
    return Terms(
        mode=rules.mode,
        not_before=not_before,
        expires_at=expires_at,
        promised_from=promised[0],
        promised_until=until,
        attempts=rules.attempts,
    )


def _expiry(rules: Rules, now: datetime, not_before: datetime) -> datetime:
    """The end of the next open period, or of the one at hand where nothing is carried over.

    Where a period lasts longer than a day it is a day.
    """
    calendar = rules.calendar
    own = calendar.at(not_before)
    following = calendar.later(now)
    if own is None or own.end > not_before + DAY:
        return not_before + DAY
    if rules.at_close is AtClose.EXPIRE or following is None:
        return own.end
    return min(max(own.end, following.end), max(following.start, not_before) + DAY)


def _served(rules: Rules, zone: str, now: datetime, wait_s: float) -> datetime | None:
    """When somebody's turn comes after so many seconds in which the queue is open."""
    at = _after_open(rules.calendar, now, timedelta(seconds=wait_s))
    return None if at is None else first_chance(rules.calendar, rules.dialling, zone, at)


def _after_open(calendar: Calendar, now: datetime, wait: timedelta) -> datetime | None:
    at = calendar.opening(now)
    while at is not None and (period := calendar.at(at)) is not None:
        if wait < period.end - at:
            return at + wait
        wait -= period.end - at
        at = calendar.opening(period.end)
    return None


def window(now: datetime, first: datetime, last: datetime) -> tuple[datetime, datetime]:
    """What a customer is told who will be called between the two: in steps that fit how far away it is.

    Never narrower than ``LEAST_WINDOW``; it may begin a step before ``first``, but not before ``now``.
    """
    step = next((step for limit, step in _STEPS if last - now <= limit), _WIDEST)
    begins = max(_down(first, step), _up(now, MINUTE))
    return begins, max(_up(last, step), begins + max(LEAST_WINDOW, step))


_STEPS = ((timedelta(minutes=30), MINUTE), (timedelta(hours=2), timedelta(minutes=5)))
_WIDEST = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _down(at: datetime, step: timedelta) -> datetime:
    return at - (at - _EPOCH) % step


def _up(at: datetime, step: timedelta) -> datetime:
    return at + (_EPOCH - at) % step


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

    ``forbidden``: the number is on the do-not-call list. How much there is to do plays no part here:
    overload stops the offering, never what was promised.
    """
    if callback.erased_at is not None or not callback.number:
        return Reject("erased")
    if forbidden:
        return Reject(Refusal.DO_NOT_CALL.value)
    refusal = numbers.refusal_of(callback.number, rules.numbers)
    if refusal is not None:
        return Reject(refusal.value)
    if now >= callback.expires_at:
        return Expire("expired")
    if not rules.process:
        return PutOff(now + LOOK_AGAIN, "paused")
    if now < callback.not_before:
        return PutOff(callback.not_before, "early")
    if rules.calendar.at(now) is None:
        return _after_closing(callback, rules, now)
    if not rules.dialling.allows(now, callback.zone):
        return _next_chance(callback, rules, now, "quiet_hours")
    return Dial()


def _after_closing(callback: Callback, rules: Rules, now: datetime) -> Verdict:
    """Those who are left when the queue has closed: served, carried over, or expired.

    What somebody has closed by hand may open again at any moment: they wait.
    """
    if rules.closed is not None and rules.closed.start <= now < rules.closed.end:
        return _next_chance(callback, rules, now, "closed")
    match rules.at_close:
        case AtClose.EXPIRE:
            return Expire("closed")
        case AtClose.SERVE:
            last = rules.calendar.before(now)
            waited = last is not None and callback.not_before < last.end
            if waited and rules.dialling.allows(now, callback.zone):
                return Dial()
            return _next_chance(callback, rules, now, "closed")
        case AtClose.CARRY_OVER:
            return _next_chance(callback, rules, now, "closed")
        case unknown:
            assert_never(unknown)


def _next_chance(callback: Callback, rules: Rules, now: datetime, cause: str) -> Verdict:
    until = first_chance(rules.calendar, rules.dialling, callback.zone, now)
    if until is None:
        # Closed without an end, by somebody who may open again at any moment.
        return PutOff(now + LOOK_AGAIN, cause)
    return PutOff(until, cause) if until < callback.expires_at else Expire(cause)


# Who makes the call.


class OwnerVerdict(StrEnum):
    """What becomes of a callback that an agent of its own should make."""

    WAIT = "wait"
    ANYBODY = "anybody"  # all agents of the queue may make it
    CANCEL = "cancel"


def owner_verdict(callback: Callback, rules: Rules, now: datetime) -> OwnerVerdict:
    """Whether the owner is still waited for; asked while nobody has been dialled."""
    if callback.owner is None or callback.owner_until is None or now < callback.owner_until:
        return OwnerVerdict.WAIT
    return OwnerVerdict.CANCEL if rules.owner_absent == "cancel" else OwnerVerdict.ANYBODY
