import math
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pytest

from callcenter.errors import UsageError
from callcenter.staffing.forecast import forecast, wape
from callcenter.staffing.trend import totals_by_trend

MONDAY = date(2026, 3, 2)
HOLIDAY = date(2026, 4, 6)
WEEKDAY = (1.2, 1.0, 0.95, 1.0, 1.1, 0.5)


def after(weeks: int, days: int = 0) -> date:
    return MONDAY + timedelta(weeks=weeks, days=days)


def test_the_mean_of_the_same_weekdays_by_hand() -> None:
    # The last Monday counts 1, the one before 0.5 ** (1/8) = 0.917.
    history = {after(0): [0.0, 10.0], after(1): [20.0, 10.0]}
    found = forecast(history, [after(2), after(2, 1)])
    weight = 0.5 ** (1 / 8)
    total = (10 * weight + 30) / (weight + 1)
    second = (10 * weight + 10) / (10 * weight + 30)
    assert found.days[after(2)] == pytest.approx((total * (1 - second), total * second))
    assert found.days[after(2, 1)] == (0.0, 0.0)  # never open on a Tuesday
    assert found.method == "weighted mean of the same weekdays over 2 days (statsmodels is not installed)"


def test_closed_days_are_neither_asked_nor_foretold() -> None:
    history = {after(0): [10.0], after(1): [500.0], after(2): [10.0], after(2, 1): [0.0]}
    found = forecast(history, [after(3), after(4)], closed=[after(1), after(4)])
    assert found.days == {after(3): (pytest.approx(10),), after(4): (0.0,)}


def test_a_short_history_says_so() -> None:
    found = forecast({after(0): [10.0]}, [after(1)], trend=totals_by_trend)
    assert found.method == "weighted mean of the same weekdays over 1 days (1 days are few)"


def test_without_history() -> None:
    for history in ({}, {MONDAY: [0.0, 0.0]}):
        with pytest.raises(UsageError, match="there is no history"):
            forecast(history, [after(1)])


def test_a_steady_growth_is_followed_exactly_and_not_for_ever() -> None:
    # Every day 1 % more than a week before; the trend is followed for 13 weeks.
    history = {after(week, day): [100 * 1.01**week] for week in range(10) for day in range(6)}
    found = forecast(history, [after(12), after(60)], trend=totals_by_trend)
    assert found.days[after(12)][0] == pytest.approx(100 * 1.01**12, rel=1e-3)
    assert found.days[after(60)][0] < 100 * 1.01**24
    assert found.method == "weekday and trend by a Poisson regression (statsmodels) over 60 days"


def busy_year(seed: int) -> Iterator[tuple[date, list[float], list[float]]]:
    """Days with what was to be expected and what came: peaks, weekdays, growth, a holiday, closed Sundays."""
    rng = np.random.default_rng(seed)
    for number in range(30 * 7):
        day = MONDAY + timedelta(days=number)
        if day.weekday() == 6 or day == HOLIDAY:
            continue
        level = WEEKDAY[day.weekday()] * 1.01 ** (number / 7)
        hours = [half / 2 for half in range(48)]
        mean = [
            60 * level * (math.exp(-((h - 10.5) ** 2) / 4) + 0.8 * math.exp(-((h - 15) ** 2) / 5))
            for h in hours
        ]
        yield day, mean, [float(count) for count in rng.poisson(mean)]


def test_backtest_on_an_invented_year() -> None:
    days = list(busy_year(7))
    last = days[-1][0] - timedelta(days=27)
    history = {day: calls for day, _, calls in days if day < last}
    rest = [(mean, calls, day) for day, mean, calls in days if day >= last]
    actual = [count for _, calls, _ in rest for count in calls]

    def error(expected: list[float]) -> float:
        found = wape(expected, actual)
        assert found is not None
        return found

    best = error([one for mean, _, _ in rest for one in mean])
    wanted = [day for _, _, day in rest]
    trend = forecast(history, wanted, trend=totals_by_trend)
    simple = forecast(history, wanted)
    with_trend = error([one for day in wanted for one in trend.days[day]])
    by_mean = error([one for day in wanted for one in simple.days[day]])
    # Poisson noise alone is 11.6 %: nobody can be better.
    assert 0.11 < best < 0.12
    assert with_trend < 1.1 * best
    assert with_trend < by_mean < 0.25


def test_a_wild_growth_is_not_believed() -> None:
    history = {after(week, day): [10.0 * 3**week] for week in range(6) for day in range(6)}
    found = forecast(history, [after(9)], trend=totals_by_trend)
    assert found.days[after(9)][0] <= 2.01 * 10 * 3**5


def test_wape_by_hand() -> None:
    assert wape([10, 20], [15, 25]) == 0.25
    assert wape([1], [0]) is None
