"""What would be if: the planned days tried in virtual time, with more or fewer agents, calls, seconds."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from callcenter.errors import UsageError
from callcenter.simulation import AgentModel, DayModel, LogNormal, QueueModel, Rings, Simulation
from callcenter.simulation.result import together
from callcenter.staffing.plan import Need, Wish

QUEUE = "queue"
ENOUGH_CALLS = 20_000
MOST_CALLS = 200_000
MOST_DAYS = 50
MOST_AGENTS = 20_000
HANDLE_TIME_CV = 1.0
"""Handle times are log-normal with a standard deviation as large as their mean."""

_CHANGE = re.compile(r"(agents|calls|aht|patience)=([+-]?)(\d{1,9}(?:\.\d{1,6})?)(%?)")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing changed: by so much, by so many percent, or to so much."""

    what: str
    sign: str = "+"
    amount: float = 0.0
    is_percent: bool = False

    @classmethod
    def parse(cls, text: str) -> "Change":
        """Read ``agents=+2``, ``calls=+10%``, ``aht=240`` or ``patience=-30``; raises ``UsageError``."""
        match = _CHANGE.fullmatch(text)
        if match is None or (match[4] and not match[2]):
            raise UsageError(
                f"what-if: {text!r} is no change (write agents=+2, calls=+10%, aht=240, patience=-30)"
            )
        return cls(match[1], match[2], float(match[3]), bool(match[4]))

    def apply(self, value: float) -> float:
        """The value changed, never below 0."""
        step = value * self.amount / 100 if self.is_percent else self.amount
        return self.amount if not self.sign else max(0.0, value + (step if self.sign == "+" else -step))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one scenario over ``days`` simulated days; ``None`` where nobody called."""

    name: str
    days: int
    calls: int
    service_level: float | None
    asa_s: float | None
    abandonment: float | None
    occupancy: float | None
    intervals: tuple[float | None, ...]


def try_out(
    needs: Sequence[Need], interval_s: float, wish: Wish, changes: Sequence[str], seed: int = 1
) -> list[Outcome]:
    """The plan as it is, then each of the changes; all of them meet the same callers where they can.

    Raises ``UsageError`` for a change that cannot be read and for more calls than can be tried.
    """
    parsed = [(text, [Change.parse(part) for part in text.split(",")]) for text in changes]
    calls = sum(need.calls for need in needs)
    days = max(1, min(MOST_DAYS, math.ceil(ENOUGH_CALLS / max(calls, 1))))
    scenarios = [("as planned", list[Change]()), *parsed]
    return [_outcome(name, of, needs, interval_s, wish, days, seed) for name, of in scenarios]


def _outcome(
    name: str,
    changes: Sequence[Change],
    needs: Sequence[Need],
    interval_s: float,
    wish: Wish,
    days: int,
    seed: int,
) -> Outcome:
    model = _model(changes, needs, interval_s, wish)
    result = together(Simulation(model, seed + day).run() for day in range(days))
    levels = [each.service_level(wish.within_s) for each in result.by_interval(interval_s, len(needs))]
    return Outcome(
        name,
        days,
        result.offered,
        result.service_level(wish.within_s),
        result.asa_s,
        result.abandonment,
        result.occupancy,
        tuple(levels),
    )


def _model(changes: Sequence[Change], needs: Sequence[Need], interval_s: float, wish: Wish) -> DayModel:
    agents, calls = [float(need.agents) for need in needs], [need.calls for need in needs]
    for change in changes:
        match change.what:
            case "agents":
                agents = [change.apply(count) if count else 0.0 for count in agents]
            case "calls":
                calls = [change.apply(count) for count in calls]
            case "aht":
                wish = replace(wish, aht_s=change.apply(wish.aht_s))
            case _:
                if wish.patience_s is None:
                    raise UsageError("what-if: the patience cannot change, as none is given (--patience)")
                wish = replace(wish, patience_s=change.apply(wish.patience_s))
    if wish.aht_s <= 0 or wish.patience_s == 0:
        raise UsageError("what-if: handle time and patience must stay above 0 s")
    if sum(calls) > MOST_CALLS or max(agents, default=0) > MOST_AGENTS:
        raise UsageError(f"what-if: more than {MOST_CALLS} calls or {MOST_AGENTS} agents cannot be tried")
    patience_s = math.inf if wish.patience_s is None else wish.patience_s
    queue = QueueModel(QUEUE, tuple(calls), LogNormal(wish.aht_s, HANDLE_TIME_CV), patience_s=patience_s)
    staff = staffed([round(count) for count in agents], interval_s)
    return DayModel((queue,), staff, interval_s, Rings(mean_s=1e-9))


def staffed(counts: Sequence[int], interval_s: float) -> tuple[AgentModel, ...]:
    """Agents of whom so many are there in each interval; who goes finishes the call first."""
    return tuple(
        AgentModel(f"agent-{number:05}", frozenset([QUEUE]), _shifts(number, counts, interval_s))
        for number in range(max(counts, default=0))
    )


def _shifts(number: int, counts: Sequence[int], interval_s: float) -> tuple[tuple[float, float], ...]:
    shifts: list[tuple[float, float]] = []
    for index, count in enumerate(counts):
        if number >= count:
            continue
        start_s, end_s = index * interval_s, (index + 1) * interval_s
        if shifts and shifts[-1][1] == start_s:
            start_s = shifts.pop()[0]
        shifts.append((start_s, end_s))
    return tuple(shifts)
