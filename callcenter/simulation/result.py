"""What came of a simulated day, by the definitions of the reports."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Ended: TypeAlias = Literal["answered", "abandoned", "waiting", "called_back", "unreached"]


@dataclass(frozen=True, slots=True)
class Stay:
    """One caller's stay in a queue; ``wait_s`` to the agent's answer or the hang-up, ringing included.

    ``waiting`` is who waits for ever, because nobody comes any more. Who asked for a callback was on the line
    for ``held_s``, ``None`` for all others, and is ``called_back`` or, after so many ``attempts``,
    ``unreached``.
    """

    queue: str
    entered_s: float
    ended: Ended
    wait_s: float
    handle_s: float = 0.0
    agent_id: str | None = None
    held_s: float | None = None
    attempts: int = 0

    @property
    def on_line_s(self) -> float:
        """How long the caller held the line."""
        return self.wait_s if self.held_s is None else self.held_s


@dataclass(frozen=True, slots=True)
class DayResult:
    """All stays in the order in which they ended, and what agents did with their time."""

    stays: tuple[Stay, ...]
    occupied_s: float = 0.0
    signed_in_s: float = 0.0

    @property
    def offered(self) -> int:
        """Callers who came."""
        return len(self.stays)

    @property
    def answered(self) -> int:
        """Callers who reached an agent while they held the line."""
        return sum(stay.ended == "answered" for stay in self.stays)

    def service_level(self, threshold_s: float, short_abandon_s: float = 0.0) -> float | None:
        """Variant ``standard``: answered within T over all but short abandons; ``None`` without callers.

        Who asked for a callback is neither answered nor abandoned.
        """
        on_line = [stay for stay in self.stays if stay.held_s is None]
        counted = [stay for stay in on_line if stay.ended != "abandoned" or stay.wait_s > short_abandon_s]
        met = sum(stay.ended == "answered" and stay.wait_s <= threshold_s for stay in counted)
        return met / len(counted) if counted else None

    @property
    def asa_s(self) -> float | None:
        """Average speed of answer."""
        waits = [stay.wait_s for stay in self.stays if stay.ended == "answered"]
        return sum(waits) / len(waits) if waits else None

    @property
    def abandonment(self) -> float | None:
        """All who hung up, of all who came."""
        gone = sum(stay.ended == "abandoned" for stay in self.stays)
        return gone / self.offered if self.stays else None

    @property
    def occupancy(self) -> float | None:
        """Share of the time signed in that agents spent ringing, talking and wrapping up."""
        return self.occupied_s / self.signed_in_s if self.signed_in_s else None

    def of(self, wanted: Callable[[Stay], bool]) -> "DayResult":
        """The same for some stays; agents' time is not divided."""
        return DayResult(tuple(stay for stay in self.stays if wanted(stay)))

    def by_interval(self, interval_s: float, count: int) -> Iterator["DayResult"]:
        """One result for each interval, by the time of entry."""
        cut: list[list[Stay]] = [[] for _ in range(count)]
        for stay in self.stays:
            index = int(stay.entered_s // interval_s)
            if index < count:
                cut[index].append(stay)
        return (DayResult(tuple(stays)) for stays in cut)


def together(results: Iterable[DayResult]) -> DayResult:
    """Several days as one."""
    results = list(results)
    return DayResult(
        tuple(stay for result in results for stay in result.stays),
        sum(result.occupied_s for result in results),
        sum(result.signed_in_s for result in results),
    )
