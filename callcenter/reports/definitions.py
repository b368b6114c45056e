"""What every figure of a report means.

A *contact* is one stay in a queue; a call that is transferred to a second queue has two, and each queue was
offered one. Counts, times and waits can be added up; ratios cannot, so ``Figures`` holds only the former
and ratios are made from them at the end. Times are added as exact microseconds, so figures of parts, merged
in any order, equal the figures of the whole.

``offered`` is answered + abandoned + left the queue otherwise. Otherwise is every reason but two: contacts
that the queue refused because it was full or closed stand beside it in ``refused``. A contact whose call
broke while the caller waited left the queue otherwise (``failed``): offered, but neither answered nor
abandoned. A contact that reached an agent is answered whatever became of the call. An attended contact, a
caller whom one agent handed to the next in person, was offered to no queue and waited for nobody: it is
handled, but neither offered nor answered. A caller who still waits is not offered yet but ``waiting``.
Outcomes are counted per call and a broken call is ``failed`` there.

Within a threshold means up to and including it. Percentiles are nearest-rank: the smallest value that at
least p % of all values do not exceed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from itertools import chain
from typing import Any

from callcenter.config import Metrics
from callcenter.contact import Contact, ContactEnd
from callcenter.events import LeftReason, Outcome
from callcenter.outcome import abandon_outcome, is_short
from callcenter.reports.ratio import Ratio
from callcenter.timeline import Timeline

REFUSALS = frozenset({LeftReason.FULL, LeftReason.CLOSED})
_ABANDONS = frozenset({Outcome.ABANDONED, Outcome.SHORT_ABANDONED})
_ZERO = timedelta(0)


class ServiceLevel(StrEnum):
    """Which contacts count for, and which against, the promise to answer within T seconds."""

    STANDARD = "standard"
    ANSWERED_ONLY = "answered_only"
    ABANDONS_COUNT_AS_MET = "abandons_count_as_met"
    ABANDONS_IGNORED = "abandons_ignored"
    ABANDONS_NEGATIVE = "abandons_negative"
    ABANDONS_POSITIVE = "abandons_positive"


@dataclass(frozen=True, slots=True)
class Figures:
    """All that is counted of some contacts, calls and agents' time, under given thresholds.

    ``left`` counts by reason those who left the queue neither answered nor by hanging up. ``events`` are
    the contacts that some service levels divide by: answered or abandoned within T, or waited past T
    whatever then happened. ``waits`` are the waits of the answered, ascending. ``bridged_calls`` and
    ``bridged_time`` give the handle time per call, with all its contacts. ``occupied`` is agents' time in
    conversation, on hold and in wrap-up; ``paid`` all their time but offline.
    """

    thresholds: Metrics
    answered: int = 0
    attended: int = 0
    abandoned: int = 0
    short_abandoned: int = 0
    left: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    offers: int = 0
    answered_in_time: int = 0
    abandoned_in_time: int = 0
    past_threshold: int = 0
    waits: tuple[timedelta, ...] = ()
    ring: timedelta = _ZERO
    talk: timedelta = _ZERO
    hold: timedelta = _ZERO
    acw: timedelta = _ZERO
    calls: int = 0
    open_calls: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    bridged_calls: int = 0
    bridged_time: timedelta = _ZERO
    ivr: timedelta = _ZERO
    occupied: timedelta = _ZERO
    available: timedelta = _ZERO
    unavailable: timedelta = _ZERO
    paid: timedelta = _ZERO

    @property
    def offered(self) -> int:
        """Contacts that are through with the queue, one way or another."""
        return self.answered + self.abandoned + self.left.total()

    @property
    def handled(self) -> int:
        """Contacts that reached an agent, from a queue or from another agent."""
        return self.answered + self.attended

    @property
    def events(self) -> int:
        """Contacts on which the promise was kept, or broken, or overtaken by a hang-up."""
        return self.answered_in_time + self.abandoned_in_time + self.past_threshold

    @property
    def aht(self) -> Ratio:
        """Average handle time of a contact, s: talk, hold and wrap-up."""
        return self._per_handled(self.talk + self.hold + self.acw)

    @property
    def aht_per_call(self) -> Ratio:
        """Average handle time of a call, s: its contacts together, however often it was transferred."""
        return Ratio(self.bridged_time.total_seconds(), self.bridged_calls)

    @property
    def att(self) -> Ratio:
        """Average talk time, s."""
        return self._per_handled(self.talk)

    @property
    def average_hold(self) -> Ratio:
        """Average time on hold of all contacts handled, s."""
        return self._per_handled(self.hold)

    @property
    def average_acw(self) -> Ratio:
        """Average wrap-up, s."""
        return self._per_handled(self.acw)

    @property
    def asa(self) -> Ratio:
        """Average speed of answer, s: from queue entry to the agent, ringing included."""
        return Ratio(sum(self.waits, _ZERO).total_seconds(), self.answered)

    def wait_percentile_s(self, percent: int) -> float | None:
        """Nearest-rank percentile (1 to 100) of the waits of the answered; 100 is the longest."""
        return nearest_rank([wait.total_seconds() for wait in self.waits], percent)

    @property
    def abandonment_gross(self) -> Ratio:
        """All who hung up in the queue, of those offered."""
        return Ratio(self.abandoned, self.offered)

    @property
    def abandonment_net(self) -> Ratio:
        """The same without short abandons, on both sides."""
        return Ratio(self.abandoned - self.short_abandoned, self.offered - self.short_abandoned)

    @property
    def answer_rate(self) -> Ratio:
        """Answered, of those offered."""
        return Ratio(self.answered, self.offered)

    @property
    def service_levels(self) -> Mapping[ServiceLevel, Ratio]:
        """Every variant, side by side."""
        met, gone = self.answered_in_time, self.abandoned_in_time
        ended = self.answered + self.abandoned
        return {
            ServiceLevel.STANDARD: Ratio(met, ended - self.short_abandoned),
            ServiceLevel.ANSWERED_ONLY: Ratio(met, self.answered),
            ServiceLevel.ABANDONS_COUNT_AS_MET: Ratio(met + gone, ended),
            ServiceLevel.ABANDONS_IGNORED: Ratio(met, self.events - gone),
            ServiceLevel.ABANDONS_NEGATIVE: Ratio(met, self.events),
            ServiceLevel.ABANDONS_POSITIVE: Ratio(met + gone, self.events),
        }

    def target_met(self, variant: ServiceLevel = ServiceLevel.STANDARD) -> bool | None:
        """Whether a service level reaches the target; ``None`` where it has no value."""
        value = self.service_levels[variant].value
        return None if value is None else value >= self.thresholds.service_level_target

    @property
    def occupancy(self) -> Ratio:
        """Share of the time in which an agent could have worked that was spent working."""
        busy = self.occupied.total_seconds()
        return Ratio(busy, busy + self.available.total_seconds())

    @property
    def shrinkage(self) -> Ratio:
        """Share of paid time in which agents were on a break."""
        return Ratio(self.unavailable.total_seconds(), self.paid.total_seconds())

    def _per_handled(self, time: timedelta) -> Ratio:
        return Ratio(time.total_seconds(), self.handled)


def of_contact(contact: Contact, thresholds: Metrics) -> Figures:
    """Count one contact; a conversation or wrap-up that still runs counts with its time so far."""
    limit_s = thresholds.service_level_s
    answered = contact.ended is ContactEnd.ANSWERED and not contact.attended
    abandoned = contact.ended is ContactEnd.ABANDONED
    refused = contact.left_reason in REFUSALS
    in_time = contact.wait_s <= limit_s
    left = contact.ended in (ContactEnd.LEFT, ContactEnd.FAILED)
    reason = Counter([str(contact.left_reason or ContactEnd.FAILED)] if left else [])
    return Figures(
        thresholds,
        answered=int(answered),
        attended=int(contact.attended),
        abandoned=int(abandoned),
        short_abandoned=int(abandoned and is_short(contact.wait_s, thresholds.short_abandon_s)),
        left=Counter() if refused else reason,
        refused=reason if refused else Counter(),
        waiting=int(contact.ended is ContactEnd.OPEN),
        offers=contact.offers,
        answered_in_time=int(answered and in_time),
        abandoned_in_time=int(abandoned and in_time),
        past_threshold=int(not in_time and not refused),
        waits=(timedelta(seconds=contact.wait_s),) if answered else (),
        ring=timedelta(seconds=contact.ring_s),
        talk=timedelta(seconds=contact.talk_s),
        hold=timedelta(seconds=contact.hold_s),
        acw=timedelta(seconds=contact.acw_s),
    )


def of_call(call: Timeline, thresholds: Metrics) -> Figures:
    """Count a call as a whole: its outcome under these thresholds, its IVR time, its handle time."""
    bridged = [contact for contact in call.contacts if contact.connected_at]
    outcome = call.outcome
    if outcome in _ABANDONS:
        outcome = abandon_outcome(call.wait_s, thresholds.short_abandon_s)
    return Figures(
        thresholds,
        calls=1,
        open_calls=int(outcome is None),
        outcomes=Counter([outcome] if outcome else []),
        bridged_calls=int(bool(bridged)),
        bridged_time=sum((timedelta(seconds=contact.handle_s) for contact in bridged), _ZERO),
        ivr=timedelta(seconds=call.ivr_s),
    )


def merge(parts: Iterable[Figures], thresholds: Metrics) -> Figures:
    """Add figures up. Raises ``ValueError`` for figures that were counted under other thresholds."""
    parts = list(parts)
    if any(part.thresholds is not thresholds and part.thresholds != thresholds for part in parts):
        raise ValueError("figures under different thresholds cannot be added up")
    empty = Figures(thresholds)
    names = [each.name for each in fields(Figures) if each.name != "thresholds"]
    sums = {name: _sum(getattr(empty, name), [getattr(part, name) for part in parts]) for name in names}
    return Figures(thresholds, **sums)


def nearest_rank(ascending: Sequence[float], percent: int) -> float | None:
    """The smallest value that at least ``percent`` % (1 to 100) of all values do not exceed."""
    if not 1 <= percent <= 100:
        raise ValueError(f"a percentile lies between 1 and 100, not at {percent}")
    rank = -(-percent * len(ascending) // 100)
    return ascending[rank - 1] if ascending else None


def _sum(empty: Any, values: list[Any]) -> Any:
    match empty:
        case tuple():
            return tuple(sorted(chain.from_iterable(values)))
        case Counter():
            total: Counter[Any] = Counter()
            for value in filter(None, values):
                total.update(value)
            return total
        case _:
            return sum(values, empty)
