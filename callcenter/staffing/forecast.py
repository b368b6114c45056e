"""How many calls come in each interval of a day to come, from those of days past. Pure.

A day's calls are its total times the part of it that each interval has on that day of the week. The parts
are means over the same weekdays, the latest ones counting most. The total follows the trend where there is
history enough to see one (``trend``), else it is the mean of the same weekdays. Closed days, and days
without a call, are not asked.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from callcenter.errors import UsageError

HALF_LIFE_WEEKS = 8.0
TREND_FROM_DAYS = 28

Totals = Mapping[date, float]
Trend = Callable[[Totals, Mapping[date, float], Sequence[date]], dict[date, float]]
"""Totals and the weight of each day, and the days wanted: their totals."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Calls per interval of each day, and in one line how they were found."""

    days: Mapping[date, tuple[float, ...]]
    method: str


def forecast(
    history: Mapping[date, Sequence[float]],
    wanted: Sequence[date],
    closed: Collection[date] = (),
    trend: Trend | None = None,
) -> Forecast:
    """Foretell the days ``wanted``; without ``trend`` by means of the same weekdays alone.

    Closed days and weekdays that were never open get no calls. Raises ``UsageError`` without any history.
    """
    open_ = {day: counts for day, counts in sorted(history.items()) if day not in closed and sum(counts) > 0}
    if not open_:
        raise UsageError("there is no history of calls to forecast from")
    last = max(open_)
    weights = {day: 0.5 ** ((last - day).days / 7 / HALF_LIFE_WEEKS) for day in open_}
    totals = {day: float(sum(counts)) for day, counts in open_.items()}
    profiles = {weekday: _profile(weekday, open_, weights) for weekday in range(7)}
    asked = [day for day in wanted if day not in closed and profiles[day.weekday()]]
    if trend is not None and len(open_) >= TREND_FROM_DAYS:
        found = trend(totals, weights, asked)
        method = f"weekday and trend by a Poisson regression (statsmodels) over {len(open_)} days"
    else:
        found = {day: _mean(day.weekday(), totals, weights) for day in asked}
        why = "statsmodels is not installed" if trend is None else f"{len(open_)} days are few"
        method = f"weighted mean of the same weekdays over {len(open_)} days ({why})"
    size = max(len(counts) for counts in open_.values())
    nothing = (0.0,) * size
    days = {
        day: tuple(found[day] * part for part in profiles[day.weekday()]) if day in found else nothing
        for day in wanted
    }
    return Forecast(days, method)


def wape(expected: Sequence[float], actual: Sequence[float]) -> float | None:
    """Weighted absolute percentage error: the sum of the errors over the sum of what came."""
    total = sum(actual)
    return sum(abs(e - a) for e, a in zip(expected, actual, strict=True)) / total if total else None


def _profile(
    weekday: int, history: Mapping[date, Sequence[float]], weights: Mapping[date, float]
) -> list[float]:
    """What part of the calls of a weekday comes in each interval; empty where the weekday was never open."""
    days = [day for day in history if day.weekday() == weekday]
    if not days:
        return []
    size = max(len(history[day]) for day in days)
    sums = [0.0] * size
    for day in days:
        for index, count in enumerate(history[day]):
            sums[index] += weights[day] * count
    total = sum(sums)
    return [one / total for one in sums]


def _mean(weekday: int, totals: Totals, weights: Mapping[date, float]) -> float:
    days = [day for day in totals if day.weekday() == weekday]
    return sum(weights[day] * totals[day] for day in days) / sum(weights[day] for day in days)
