"""What every figure of a report means.

A *contact* is one stay in a queue; a call that is transferred to a second queue has two, and each queue was
offered one. Counts, times and waits can be added up (``tally.py``); ratios cannot, so they are made from
them at the end. Times are added as exact microseconds, so figures of parts, merged in any order, equal the
figures of the whole.

``offered`` is answered + abandoned + left the queue otherwise. Otherwise is every reason but two: contacts
that the queue refused because it was full or closed stand beside it in ``refused``. A contact whose call
broke while the caller waited left the queue otherwise (``failed``): offered, but neither answered nor
abandoned. A contact that reached an agent is answered whatever became of the call. One that an agent
handed to the next in person (``attended``) is handled by the next, but no queue was offered it. A caller
who still waits is not offered yet but ``waiting``. Outcomes are counted per call and a broken call is
``failed`` there.

Within a threshold means up to and including it. Percentiles are nearest-rank: the smallest value that at
least p % of all values do not exceed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from callcenter.config import Metrics
from callcenter.contact import Contact
from callcenter.events import Outcome
from callcenter.reports.ratio import Ratio
from callcenter.reports.tally import REFUSALS, Tally
from callcenter.reports.waits import Waits, nearest_rank
from callcenter.timeline import Timeline

__all__ = [
    "REFUSALS",
    "Figures",
    "Ratio",
    "ServiceLevel",
    "merge",
    "nearest_rank",
    "of_call",
    "of_contact",
]


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
    """A tally under given thresholds: all that a report shows of some contacts, calls and agents' time.

    ``left`` counts by reason those who left the queue neither answered nor by hanging up. ``events`` are
    the contacts that some service levels divide by: answered or abandoned within T, or waited past T
    whatever then happened. ``waits`` are the waits of the answered. ``bridged_calls`` and ``bridged_time``
    give the handle time per call, with all its contacts. ``occupied`` is agents' time in conversation, on
    hold and in wrap-up; ``paid`` all their time but offline.
    """

    thresholds: Metrics
    tally: Tally = field(default_factory=Tally)

    @property
    def answered(self) -> int:
        """Contacts that reached an agent out of the queue."""
        return len(self.tally.answered)

    @property
    def attended(self) -> int:
        """Contacts that one agent handed to the next in person."""
        return self.tally.attended

    @property
    def abandoned(self) -> int:
        """Contacts that ended with the caller's hang-up in the queue."""
        return len(self.tally.abandoned)

    @property
    def short_abandoned(self) -> int:
        """Those of them that waited no longer than the threshold; none where it is 0."""
        return self._short(self.tally.abandoned)

    @property
    def left(self) -> Counter[str]:
        """Contacts that left the queue otherwise, by reason."""
        return self.tally.left

    @property
    def refused(self) -> Counter[str]:
        """Contacts that the queue refused, by reason; they stand beside the offered."""
        return self.tally.refused

    @property
    def waiting(self) -> int:
        """Contacts that still wait."""
        return self.tally.waiting

    @property
    def offers(self) -> int:
        """Offers made to agents."""
        return self.tally.offers

    @property
    def answered_in_time(self) -> int:
        """Answered within T."""
        return self.tally.answered.within(self.thresholds.service_level_s)

    @property
    def abandoned_in_time(self) -> int:
        """Abandoned within T."""
        return self.tally.abandoned.within(self.thresholds.service_level_s)

    @property
    def past_threshold(self) -> int:
        """Waited past T, whatever then happened; the refused, who do not wait, are not among them."""
        waits = (self.tally.answered, self.tally.abandoned, self.tally.others)
        return sum(len(some) - some.within(self.thresholds.service_level_s) for some in waits)

    @property
    def waits(self) -> Waits:
        """The waits of the answered."""
        return self.tally.answered

    @property
    def ring(self) -> timedelta:
        """Time agents' telephones rang."""
        return timedelta(microseconds=self.tally.ring_us)

    @property
    def talk(self) -> timedelta:
        """Time in conversation."""
        return timedelta(microseconds=self.tally.talk_us)

    @property
    def hold(self) -> timedelta:
        """Time on hold."""
        return timedelta(microseconds=self.tally.hold_us)

    @property
    def acw(self) -> timedelta:
        """Wrap-up."""
        return timedelta(microseconds=self.tally.acw_us)

    @property
    def calls(self) -> int:
        """Calls that began."""
        return self.tally.calls

    @property
    def open_calls(self) -> int:
        """Those of them that have not ended."""
        return self.tally.open_calls

    @property
    def outcomes(self) -> Counter[Outcome]:
        """What became of the calls that have ended."""
        short = self._short(self.tally.hung_up)
        abandons = {Outcome.ABANDONED: len(self.tally.hung_up) - short, Outcome.SHORT_ABANDONED: short}
        return +Counter({**self.tally.outcomes, **abandons})

    @property
    def bridged_calls(self) -> int:
        """Calls that reached an agent."""
        return self.tally.bridged_calls

    @property
    def ivr(self) -> timedelta:
        """Time calls spent in the flow."""
        return timedelta(microseconds=self.tally.ivr_us)

    @property
    def occupied(self) -> timedelta:
        """Agents' time in conversation, on hold and in wrap-up."""
        return timedelta(microseconds=self.tally.occupied_us)

    @property
    def available(self) -> timedelta:
        """Agents' time ready and idle."""
        return timedelta(microseconds=self.tally.available_us)

    @property
    def unavailable(self) -> timedelta:
        """Agents' time on a break."""
        return timedelta(microseconds=self.tally.unavailable_us)

    @property
    def paid(self) -> timedelta:
        """All of agents' time but offline."""
        return timedelta(microseconds=self.tally.paid_us)

    @property
    def offered(self) -> int:
        """Contacts that are through with the queue, one way or another."""
        return self.answered + self.abandoned + self.left.total()

    @property
    def handled(self) -> int:
        """Contacts that reached an agent, out of the queue or from the hands of another agent."""
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
        return Ratio(timedelta(microseconds=self.tally.bridged_us).total_seconds(), self.bridged_calls)

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
        return Ratio(self.waits.total.total_seconds(), self.answered)

    def wait_percentile_s(self, percent: int) -> float | None:
        """Nearest-rank percentile (1 to 100) of the waits of the answered; 100 is the longest."""
        return self.waits.nearest_rank_s(percent)

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

    def _short(self, waits: Waits) -> int:
        return waits.within(self.thresholds.short_abandon_s) if self.thresholds.short_abandon_s > 0 else 0


def of_contact(contact: Contact, thresholds: Metrics) -> Figures:
    """The figures of one contact."""
    figures = Figures(thresholds)
    figures.tally.add_contact(contact)
    return figures


def of_call(call: Timeline, thresholds: Metrics) -> Figures:
    """The figures of one call as a whole, without its contacts."""
    figures = Figures(thresholds)
    figures.tally.add_call(call)
    return figures


def merge(parts: Iterable[Figures], thresholds: Metrics) -> Figures:
    """Add figures up. Raises ``ValueError`` for figures that were counted under other thresholds."""
    whole = Figures(thresholds)
    for part in parts:
        if part.thresholds is not thresholds and part.thresholds != thresholds:
            raise ValueError("figures under different thresholds cannot be added up")
        whole.tally.add(part.tally)
    return whole
