"""A summary as JSON or CSV."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from callcenter.contact import ContactEnd
from callcenter.events import CALLBACK_OUTCOMES, LeftReason, Outcome
from callcenter.reports.definitions import Figures
from callcenter.reports.sections import flat, to_document
from callcenter.reports.summary import Summary
from callcenter.reports.tally import REFUSALS

PERCENTILES = (50, 90)
CSV_PLACE = ("scope", "name", "start", "end")
_REFUSED = [reason.value for reason in LeftReason if reason in REFUSALS]
_OUTCOMES = [outcome for outcome in Outcome if outcome not in CALLBACK_OUTCOMES]
_LEFT = [*(reason.value for reason in LeftReason if reason not in REFUSALS), ContactEnd.FAILED.value]


def to_json(summary: Summary) -> dict[str, Any]:
    """A JSON object; its keys are stable.

    ``since``, ``until``, ``timezone``, ``interval``, ``queue``, ``counted_by``, ``thresholds``; ``total``
    and, by name, ``by_queue``, ``by_hour`` (``00`` to ``23``) and ``by_agent`` hold figures; ``by_interval``
    is a list of figures with ``start`` and ``end``. Figures: the counts ``offered``, ``answered``,
    ``handled``, ``abandoned``, ``short_abandoned``, ``waiting``, ``offers``, ``calls``, ``open_calls``;
    ``left``, ``refused`` (counts by reason), ``outcomes`` (all that a call can have that came in); the
    ratios ``aht_s``, ``aht_per_call_s``, ``att_s``, ``average_hold_s``, ``average_acw_s``,
    ``answer_rate``, ``abandonment_rate`` (``gross``, ``net``), ``service_level`` (every variant),
    ``occupancy``, ``shrinkage``; ``target_met``; ``asa`` (``mean_s``, a
    ratio; ``p50_s``, ``p90_s``, ``max_s``); ``time_s`` (sums). A ratio is an object of ``value``,
    ``numerator`` and ``denominator``, so that rows can be added up; ``value`` is ``null`` where there is
    nothing to divide by. ``sections`` hold what others add, by name: ``title`` and ``rows``.
    Seconds have three decimals, other ratios four; instants carry the zone's offset.
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
        "by_hour": {f"{hour:02}": _figures(figures) for hour, figures in summary.by_hour.items()},
        "by_agent": {name: _figures(figures) for name, figures in summary.by_agent.items()},
        "sections": {section.name: to_document(section) for section in summary.sections},
    }


def to_csv(summary: Summary) -> str:
    """One table: a row each for the total, every queue, interval, hour, agent, and row of another section.

    Columns are ``scope``, ``name``, ``start``, ``end``, then the figures of the JSON form with nested keys
    joined by a dot, then the facts of each section after its name and a dot; what has no value is empty.
    """
    text = io.StringIO()
    header, rows = table(summary)
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: "" if value is None else value for key, value in row.items()})
    return text.getvalue()


def table(summary: Summary) -> tuple[list[str], list[dict[str, Any]]]:
    """The columns of the CSV form, and its rows by column; what a row does not have is left out."""
    rows = [
        {**dict(zip(CSV_PLACE, place, strict=True)), **dict(_flat(_figures(figures)))}
        for place, figures in _rows(summary)
    ]
    header = list(rows[0])
    for section in summary.sections:
        found = list(flat(section))
        header += found[0][1] if found else ()
        whole = (_iso(summary, summary.since), _iso(summary, summary.until))
        rows += [
            {**dict(zip(CSV_PLACE, (section.name, name, *whole), strict=True)), **values}
            for name, values in found
        ]
    return header, rows


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        **_counts(figures),
        "aht_s": figures.aht.parts(3),
        "aht_per_call_s": figures.aht_per_call.parts(3),
        "att_s": figures.att.parts(3),
        "average_hold_s": figures.average_hold.parts(3),
        "average_acw_s": figures.average_acw.parts(3),
        "asa": {
            "mean_s": figures.asa.parts(3),
            **{f"p{percent}_s": _rounded(figures.wait_percentile_s(percent)) for percent in PERCENTILES},
            "max_s": _rounded(figures.wait_percentile_s(100)),
        },
        "answer_rate": figures.answer_rate.parts(4),
        "abandonment_rate": {
            "gross": figures.abandonment_gross.parts(4),
            "net": figures.abandonment_net.parts(4),
        },
        "service_level": {name.value: level.parts(4) for name, level in figures.service_levels.items()},
        "target_met": figures.target_met(),
        "occupancy": figures.occupancy.parts(4),
        "shrinkage": figures.shrinkage.parts(4),
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
        "outcomes": {outcome.value: figures.outcomes[outcome] for outcome in _OUTCOMES},
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
    for hour, figures in summary.by_hour.items():
        yield ("hour", f"{hour:02}", *whole), figures
    for name, figures in summary.by_agent.items():
        yield ("agent", name, *whole), figures


def _iso(summary: Summary, at: datetime) -> str:
    return at.astimezone(summary.zone).isoformat()
