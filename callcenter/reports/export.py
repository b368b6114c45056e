"""A summary as JSON or CSV."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from callcenter.contact import ContactEnd
from callcenter.events import LeftReason, Outcome
from callcenter.reports.definitions import REFUSALS, Figures, Ratio
from callcenter.reports.summary import Summary

PERCENTILES = (50, 90)
CSV_PLACE = ("scope", "name", "start", "end")
_REFUSED = [reason.value for reason in LeftReason if reason in REFUSALS]
_LEFT = [*(reason.value for reason in LeftReason if reason not in REFUSALS), ContactEnd.FAILED.value]


def to_json(summary: Summary) -> dict[str, Any]:
    """A JSON object; its keys are stable.

    ``since``, ``until``, ``timezone``, ``interval``, ``queue``, ``counted_by``, ``thresholds``; ``total``
    and, by name, ``by_queue`` and ``by_agent`` hold figures; ``by_interval`` is a list of figures with
    ``start`` and ``end``. Figures: the counts ``offered``, ``answered``, ``handled``, ``abandoned``,
    ``short_abandoned``, ``waiting``, ``offers``, ``calls``, ``open_calls``; ``left``, ``refused`` (counts by
    reason), ``outcomes`` (all of them); the ratios ``aht_s``, ``aht_per_call_s``, ``att_s``,
    ``average_hold_s``, ``average_acw_s``, ``answer_rate``, ``abandonment_rate`` (``gross``, ``net``),
    ``service_level`` (every variant), ``occupancy``, ``shrinkage``; ``target_met``; ``asa`` (``mean_s``, a
    ratio; ``p50_s``, ``p90_s``, ``max_s``); ``time_s`` (sums). A ratio is an object of ``value``,
    ``numerator`` and ``denominator``, so that rows can be added up; ``value`` is ``null`` where there is
    nothing to divide by. Seconds have three decimals, other ratios four; instants carry the zone's offset.
    """
    return {
        "since": _iso(summary, summary.since),
        "until": _iso(summary, summary.until),
        "timezone": summary.thresholds.timezone,
        "interval": summary.interval.value,
        "queue": summary.queue,
        "counted_by": summary.counted_by.value,
        "thresholds": {
            "service_level_s": summary.thresholds.service_level_s,
            "service_level_target": summary.thresholds.service_level_target,
            "short_abandon_s": summary.thresholds.short_abandon_s,
        },
        "total": _figures(summary.total),
        "by_queue": {name: _figures(figures) for name, figures in summary.by_queue.items()},
        "by_interval": [
            {"start": _iso(summary, window.start), "end": _iso(summary, window.end), **_figures(figures)}
            for window, figures in summary.by_interval
        ],
        "by_agent": {name: _figures(figures) for name, figures in summary.by_agent.items()},
    }


def to_csv(summary: Summary) -> str:
    """One table: a row each for the total, every queue, every interval and every agent.

    Columns are ``scope``, ``name``, ``start``, ``end``, then the figures of the JSON form with nested keys
    joined by a dot; a figure without value is empty.
    """
    text = io.StringIO()
    header = [*CSV_PLACE, *(key for key, _ in _flat(_figures(summary.total)))]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for place, figures in _rows(summary):
        values = dict(_flat(_figures(figures)))
        writer.writerow(
            [*place, *("" if values[key] is None else values[key] for key in header[len(CSV_PLACE) :])]
        )
    return text.getvalue()


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        **_counts(figures),
        "aht_s": _ratio(figures.aht, 3),
        "aht_per_call_s": _ratio(figures.aht_per_call, 3),
        "att_s": _ratio(figures.att, 3),
        "average_hold_s": _ratio(figures.average_hold, 3),
        "average_acw_s": _ratio(figures.average_acw, 3),
        "asa": {
            "mean_s": _ratio(figures.asa, 3),
            **{f"p{percent}_s": _rounded(figures.wait_percentile_s(percent)) for percent in PERCENTILES},
            "max_s": _rounded(figures.wait_percentile_s(100)),
        },
        "answer_rate": _ratio(figures.answer_rate, 4),
        "abandonment_rate": {
            "gross": _ratio(figures.abandonment_gross, 4),
            "net": _ratio(figures.abandonment_net, 4),
        },
        "service_level": {name.value: _ratio(level, 4) for name, level in figures.service_levels.items()},
        "target_met": figures.target_met(),
        "occupancy": _ratio(figures.occupancy, 4),
        "shrinkage": _ratio(figures.shrinkage, 4),
        "time_s": {
            "wait": _rounded(figures.asa.numerator),
            "ring": _seconds(figures.ring),
            "talk": _seconds(figures.talk),
            "hold": _seconds(figures.hold),
            "acw": _seconds(figures.acw),
            "ivr": _seconds(figures.ivr),
            "occupied": _seconds(figures.occupied),
            "available": _seconds(figures.available),
            "unavailable": _seconds(figures.unavailable),
            "paid": _seconds(figures.paid),
        },
    }


def _counts(figures: Figures) -> dict[str, Any]:
    return {
        "offered": figures.offered,
        "answered": figures.answered,
        "handled": figures.handled,
        "abandoned": figures.abandoned,
        "short_abandoned": figures.short_abandoned,
        "left": {reason: figures.left[reason] for reason in _LEFT},
        "refused": {reason: figures.refused[reason] for reason in _REFUSED},
        "waiting": figures.waiting,
        "offers": figures.offers,
        "calls": figures.calls,
        "open_calls": figures.open_calls,
        "outcomes": {outcome.value: figures.outcomes[outcome] for outcome in Outcome},
    }


def _ratio(ratio: Ratio, digits: int) -> dict[str, float | None]:
    return {
        "value": _rounded(ratio.value, digits),
        "numerator": _rounded(ratio.numerator),
        "denominator": _rounded(ratio.denominator),
    }


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)


def _seconds(time: timedelta) -> float:
    return round(time.total_seconds(), 3)


def _flat(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _rows(summary: Summary) -> Iterator[tuple[tuple[str, str, str, str], Figures]]:
    whole = (_iso(summary, summary.since), _iso(summary, summary.until))
    yield ("total", summary.queue or "", *whole), summary.total
    for name, figures in summary.by_queue.items():
        yield ("queue", name, *whole), figures
    for window, figures in summary.by_interval:
        yield ("interval", "", _iso(summary, window.start), _iso(summary, window.end)), figures
    for name, figures in summary.by_agent.items():
        yield ("agent", name, *whole), figures


def _iso(summary: Summary, at: datetime) -> str:
    return at.astimezone(summary.zone).isoformat()
