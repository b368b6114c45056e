"""The trend of daily totals, by statsmodels (extra ``staffing``)."""

import warnings
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import statsmodels.api as sm
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

LONGEST_GROWTH_DAYS = 91
"""A trend is followed so far into the future and then stays where it is."""

MOST_GROWTH = 2.0
"""No trend doubles the calls, or halves them: so few weeks do not tell as much."""


def totals_by_trend(
    totals: Mapping[date, float], weights: Mapping[date, float], wanted: Sequence[date]
) -> dict[date, float]:
    """Foretell the totals of days: log(calls) = weekday + slope · time, a Poisson regression.

    ``weights`` say how much each day of the past counts. Only weekdays that occur in the past may be asked.
    """
    if not wanted:
        return {}
    past = sorted(totals)
    weekdays = sorted({day.weekday() for day in past})
    last = past[-1]
    model = sm.GLM(
        np.array([totals[day] for day in past]),
        _rows(past, weekdays, last),
        family=sm.families.Poisson(),
        var_weights=np.array([weights[day] for day in past]),
    )
    with warnings.catch_warnings():
        # A past without any noise is fitted exactly, which is no harm here.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        fitted = model.fit()
    then = fitted.predict(_rows(wanted, weekdays, last))
    now = fitted.predict(_rows([min(day, _same_weekday(day, last)) for day in wanted], weekdays, last))
    expected = np.clip(then, now / MOST_GROWTH, now * MOST_GROWTH)
    return {day: float(value) for day, value in zip(wanted, expected, strict=True)}


def _same_weekday(day: date, last: date) -> date:
    """The last day of the past that is the same weekday."""
    return last - timedelta(days=(last.weekday() - day.weekday()) % 7)


def _rows(days: Sequence[date], weekdays: Sequence[int], last: date) -> npt.NDArray[np.float64]:
    """One row per day: which weekday it is, and the time in quarters of a year since the last day known."""
    ages = [min((day - last).days, LONGEST_GROWTH_DAYS) / 91 for day in days]
    known = [[float(day.weekday() == one) for one in weekdays] for day in days]
    return np.column_stack([np.array(known), np.array(ages)])
