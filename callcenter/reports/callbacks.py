"""What the figures of callbacks mean. Pure.

A callback counts where it was asked for: in that interval, by the queue it belongs to and the way it came.
Offers count where they were made, *entered* where callers came into the queue; who was offered one several
times in a stay is one, and who came into two queues is one in each. ``connect`` is of all that were asked
for, those that are still open included.

*Punctuality* is the moment at which the customer was connected with an agent (or, where that never happened,
first picked up) against the promised window. Who picked up and put it off was promised another window: that
attempt says nothing. The *wait after pick-up* is the customer's, until an agent was there or, where none
came, until the customer or we gave up. *Saved* is what customers did not have to hold: from leaving the queue
for a callback at the same place until they were first dialled.

A *duplicate* is an attempt that was begun while another of the same callback was open, or after the callback
had ended, and every call but the first that the network tells of one attempt. There must be none.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, tzinfo

from callback.request import Result
from callback.state import ENDED, State
from callcenter.reports.intervals import Interval, Window
from callcenter.reports.ratio import Ratio

OPEN = "open"
ENDS = (*(state.value for state in State if state in ENDED), OPEN)
"""What became of a callback, or that it has not ended."""

RESULTS = (*(result.value for result in Result), OPEN)
"""What became of an attempt."""

PUNCTUALITY: Mapping[str, tuple[float | None, float | None]] = {
    "early_over_15_min": (None, -900),
    "early_5_to_15_min": (-900, -300),
    "early_under_5_min": (-300, 0),
    "on_time": (0, 0),
    "late_under_5_min": (0, 300),
    "late_5_to_15_min": (300, 900),
    "late_15_to_60_min": (900, 3600),
    "late_over_60_min": (3600, None),
}
"""Seconds outside of the promised window, above the first and up to the second; early ones are below 0.

Exactly so many minutes early belongs to the shorter bucket, as exactly so many late does.
"""

WAITS: Mapping[str, tuple[float, float | None]] = {
    "under_30_s": (0, 30),
    "30_to_60_s": (30, 60),
    "over_60_s": (60, None),
}
"""Waits after pick-up: from the first, below the second; exactly 60 s is no longer than that."""


@dataclass(frozen=True, slots=True)
class CallbackFigures:
    """Counts of some callbacks, their attempts and offers; can be added up. Times are sums in seconds.

    ``entered`` callers came into the queue, ``offered`` of them were offered a callback, ``accepted`` took
    it. ``asked`` are callbacks, from wherever; ``bridged`` of them spoke with an agent, ``picked_up`` at all.
    """

    entered: int = 0
    offered: int = 0
    accepted: int = 0
    declined: int = 0
    asked: int = 0
    dialled: int = 0
    picked_up: int = 0
    bridged: int = 0
    attempts: int = 0
    counted: int = 0
    saved: int = 0
    saved_s: float = 0.0
    duplicates: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    results: Counter[str] = field(default_factory=Counter)
    punctuality: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)
    waited_s: float = 0.0

    def __add__(self, other: "CallbackFigures") -> "CallbackFigures":
        return CallbackFigures(
            **{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)}
        )

    @property
    def offer_rate(self) -> Ratio:
        """Callers who were offered one, of those who came into the queue."""
        return Ratio(self.offered, self.entered)

    @property
    def acceptance(self) -> Ratio:
        """Callers who took one, of those who were offered it."""
        return Ratio(self.accepted, self.offered)

    @property
    def connect(self) -> Ratio:
        """Callbacks that led to a conversation, of all asked for."""
        return Ratio(self.bridged, self.asked)

    @property
    def attempts_per_completion(self) -> Ratio:
        """All attempts, in vain or not, for each callback that was completed."""
        return Ratio(self.attempts, self.ends[State.COMPLETED.value])

    @property
    def on_time(self) -> Ratio:
        """Customers who were reached within the promised window, of those who were reached."""
        return Ratio(self.punctuality["on_time"], self.punctuality.total())

    @property
    def not_late(self) -> Ratio:
        """The same with those who were reached before it."""
        late = sum(count for name, count in self.punctuality.items() if name.startswith("late"))
        return Ratio(self.punctuality.total() - late, self.punctuality.total())

    @property
    def mean_wait(self) -> Ratio:
        """Seconds that customers waited after picking up."""
        return Ratio(self.waited_s, self.waits.total())

    @property
    def mean_saved(self) -> Ratio:
        """Seconds that a customer who left the queue did not have to hold."""
        return Ratio(self.saved_s, self.saved)


@dataclass(frozen=True, slots=True)
class ChainFigures:
    """Inbound calls that left for a callback, by how the customer was served in the end.

    ``open`` ones may still be. ``after`` holds seconds since the customer had come into the queue: p50 and
    p90 of those who were served; ``served_s`` is their sum.
    """

    callback: int = 0
    merged: int = 0
    later_call: int = 0
    later_callback: int = 0
    open: int = 0
    not_served: int = 0
    served_s: float = 0.0
    after: tuple[float | None, float | None] = (None, None)

    @property
    def served(self) -> int:
        """Those who spoke with an agent in the end."""
        return self.callback + self.merged + self.later_call + self.later_callback

    @property
    def chains(self) -> int:
        """All of them."""
        return self.served + self.open + self.not_served

    @property
    def share(self) -> Ratio:
        """Served, of those of whom it is known by now."""
        return Ratio(self.served, self.served + self.not_served)

    @property
    def mean_after(self) -> Ratio:
        """Seconds until they were served."""
        return Ratio(self.served_s, self.served)


@dataclass(frozen=True, slots=True)
class Chain:
    """One inbound call that left for a callback, and what came of it."""

    call_id: str
    callback_id: str | None
    queue: str
    entered_at: datetime
    state: str | None
    how: str
    served_at: datetime | None
    agent: str | None
    served_by_call: str | None
    after_s: float | None
    attempts: int


@dataclass(frozen=True, slots=True)
class CallbackReport:
    """The callbacks of [since, until); a row of ``by_interval`` for each window, empty ones included.

    ``chains`` are as many as were asked for, ``chains_total`` tells of all.
    """

    since: datetime
    until: datetime
    zone: tzinfo
    timezone: str
    interval: Interval
    queue: str | None
    window_days: float
    total: CallbackFigures
    by_queue: Mapping[str, CallbackFigures]
    by_source: Mapping[str, CallbackFigures]
    by_interval: Sequence[tuple[Window, CallbackFigures]]
    chains_total: ChainFigures
    chains_by_queue: Mapping[str, ChainFigures]
    chains: Sequence[Chain] = ()
