"""Figures of callbacks as text, JSON, CSV or Parquet."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from callcenter.reports.callback_sql import HOWS
from callcenter.reports.callbacks import (
    ENDS,
    PUNCTUALITY,
    RESULTS,
    WAITS,
    CallbackFigures,
    CallbackReport,
    Chain,
    ChainFigures,
)
from callcenter.reports.intervals import Interval
from callcenter.reports.parquet import write_rows
from callcenter.reports.ratio import Ratio
from callcenter.reports.sections import Fact, Section, Unit, plain
from callcenter.reports.text import section_text

CSV_PLACE = ("scope", "name", "start", "end")
Facts = dict[str, Fact]


def to_json(report: CallbackReport) -> dict[str, Any]:
    """A JSON object; its keys are stable.

    ``since``, ``until``, ``timezone``, ``interval``, ``queue``, ``thresholds`` (``chain_days``); ``total``
    and, by name, ``by_queue`` and ``by_source`` hold figures; ``by_interval`` is a list of these with
    ``start`` and ``end``. Figures: the counts ``entered``, ``offered``, ``accepted``, ``declined``,
    ``asked``, ``dialled``, ``picked_up``, ``bridged``, ``attempts``, ``counted_attempts``,
    ``duplicate_dials``; the ratios ``offer_rate``, ``acceptance``, ``connect``,
    ``attempts_per_completion``, ``on_time``, ``not_late``, ``wait_after_pick_up_s``, ``queue_time_saved_s``
    (its numerator is the time saved together); counts by name in ``ends``, ``results``, ``punctuality`` and
    ``waits_after_pick_up``. ``chains``: ``total``, ``by_queue``, each with the counts by how customers were
    served, the ratios ``served`` and ``served_after_s``, and ``p50_s`` and ``p90_s``; ``list``. A ratio is
    an object of ``value``, ``numerator`` and ``denominator``; ``value`` is ``null`` where there is nothing
    to divide by.
    """
    return {
        "since": _iso(report, report.since),
        "until": _iso(report, report.until),
        "timezone": report.timezone,
        "interval": report.interval.value,
        "queue": report.queue,
        "thresholds": {"chain_days": report.window_days},
        "total": _document(report.total),
        "by_queue": {name: _document(one) for name, one in report.by_queue.items()},
        "by_source": {name: _document(one) for name, one in report.by_source.items()},
        "by_interval": [
            {"start": _iso(report, window.start), "end": _iso(report, window.end), **_document(figures)}
            for window, figures in report.by_interval
        ],
        "chains": {
            "total": _chains(report.chains_total),
            "by_queue": {name: _chains(one) for name, one in report.chains_by_queue.items()},
            "list": [_chain(report, one) for one in report.chains],
        },
    }


def to_csv(report: CallbackReport) -> str:
    """One table: a row each for the total, every queue, source and interval.

    Columns are ``scope``, ``name``, ``start``, ``end``, then the figures of the JSON form with nested keys
    joined by a dot, then those of the chains after ``chains.`` for the total and the queues; a figure without
    value is empty.
    """
    text = io.StringIO()
    rows = list(_table(report))
    writer = csv.DictWriter(text, list(rows[0]), restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: "" if value is None else value for key, value in row.items()})
    return text.getvalue()


def write_parquet(report: CallbackReport, path: Path) -> None:
    """The rows of the CSV form; raises ``UsageError`` where the file cannot be written."""
    rows = list(_table(report))
    write_rows(list(rows[0]), rows, path)


def to_text(report: CallbackReport) -> str:
    """Tables: shares as percent, times as m:ss, ``–`` for what has no value."""
    since, until = (f"{at.astimezone(report.zone):%Y-%m-%d %H:%M}" for at in (report.since, report.until))
    queue = f", queue {report.queue}" if report.queue else ""
    title = f"Callbacks {since} to {until} ({report.timezone}){queue}"
    return "\n\n".join([title, *filter(None, map(section_text, sections(report)))]) + "\n"


def sections(report: CallbackReport) -> tuple[Section, ...]:
    """The tables of the report, to stand by themselves or beside other figures of the same range."""
    shape = "%Y-%m-%d" if report.interval is Interval.DAY else "%Y-%m-%d %H:%M %z"
    intervals = {
        window.start.astimezone(report.zone).strftime(shape): figures
        for window, figures in report.by_interval
        if figures != CallbackFigures()
    }
    total, chains = report.total, report.chains_total
    rows = {"queue": report.by_queue, "source": report.by_source, "interval": intervals}
    counted = {
        "callback_ends": ("What became of callbacks", total.ends, ENDS),
        "callback_results": ("What became of attempts", total.results, RESULTS),
        "callback_punctuality": ("Punctuality", total.punctuality, tuple(PUNCTUALITY)),
        "callback_waits": ("Wait after picking up", total.waits, tuple(WAITS)),
    }
    return (
        Section("callbacks", "Callbacks", {"": _spaced(_facts(total))}),
        *(
            Section(name, title, {"": {key.replace("_", " "): Fact(counts[key]) for key in keys}})
            for name, (title, counts, keys) in counted.items()
            if counts.total()
        ),
        *(
            Section(
                f"callbacks_{scope}",
                f"Callbacks by {scope}",
                {name: _brief(one) for name, one in them.items()},
            )
            for scope, them in rows.items()
        ),
        Section("chains", "Callers who left for a callback", {"": _spaced(_chain_facts(chains))}),
        Section("chain_list", "Calls", {one.call_id: _chain_row(report, one) for one in report.chains}),
    )


# What is told.


def _facts(figures: CallbackFigures) -> Facts:
    return {
        "entered": Fact(figures.entered),
        "offered": Fact(figures.offered),
        "offer_rate": _share(figures.offer_rate),
        "accepted": Fact(figures.accepted),
        "declined": Fact(figures.declined),
        "acceptance": _share(figures.acceptance),
        "asked": Fact(figures.asked),
        "dialled": Fact(figures.dialled),
        "picked_up": Fact(figures.picked_up),
        "bridged": Fact(figures.bridged),
        "connect": _share(figures.connect),
        "attempts": Fact(figures.attempts),
        "counted_attempts": Fact(figures.counted),
        "attempts_per_completion": Fact(figures.attempts_per_completion, Unit.SCORE),
        "on_time": _share(figures.on_time),
        "not_late": _share(figures.not_late),
        "wait_after_pick_up_s": Fact(figures.mean_wait, Unit.SECONDS),
        "queue_time_saved_s": Fact(figures.mean_saved, Unit.SECONDS),
        "duplicate_dials": Fact(figures.duplicates),
    }


def _brief(figures: CallbackFigures) -> Facts:
    """What a row of many holds."""
    return {
        "offered": Fact(figures.offered),
        "acceptance": _share(figures.acceptance),
        "asked": Fact(figures.asked),
        "connect": _share(figures.connect),
        "completed": Fact(figures.ends["completed"]),
        "open": Fact(figures.ends["open"]),
        "attempts": Fact(figures.attempts),
        "on time": _share(figures.on_time),
        "wait": Fact(figures.mean_wait, Unit.SECONDS),
        "saved": Fact(figures.mean_saved, Unit.SECONDS),
        "duplicates": Fact(figures.duplicates),
    }


def _chain_facts(chains: ChainFigures) -> Facts:
    p50_s, p90_s = chains.after
    return {
        "chains": Fact(chains.chains),
        **{how: Fact(getattr(chains, how)) for how in HOWS},
        "served": _share(chains.share),
        "served_after_s": Fact(chains.mean_after, Unit.SECONDS),
        "p50_s": Fact(p50_s, Unit.SECONDS),
        "p90_s": Fact(p90_s, Unit.SECONDS),
    }


def _chain_row(report: CallbackReport, one: Chain) -> Facts:
    return {
        "entered": Fact(f"{one.entered_at.astimezone(report.zone):%Y-%m-%d %H:%M}", Unit.TEXT),
        "queue": Fact(one.queue, Unit.TEXT),
        "served by": Fact(one.how.replace("_", " "), Unit.TEXT),
        "agent": Fact(one.agent, Unit.TEXT),
        "after": Fact(one.after_s, Unit.SECONDS),
        "state": Fact(one.state, Unit.TEXT),
        "attempts": Fact(one.attempts),
    }


def _share(ratio: Ratio) -> Fact:
    return Fact(ratio, Unit.SHARE)


def _spaced(facts: Facts) -> Facts:
    return {name.removesuffix("_s").replace("_", " "): fact for name, fact in facts.items()}


def _document(figures: CallbackFigures) -> dict[str, Any]:
    return {
        **{name: plain(fact) for name, fact in _facts(figures).items()},
        "ends": {name: figures.ends[name] for name in ENDS},
        "results": {name: figures.results[name] for name in RESULTS},
        "punctuality": {name: figures.punctuality[name] for name in PUNCTUALITY},
        "waits_after_pick_up": {name: figures.waits[name] for name in WAITS},
    }


def _chains(chains: ChainFigures) -> dict[str, Any]:
    return {name: plain(fact) for name, fact in _chain_facts(chains).items()}


def _chain(report: CallbackReport, one: Chain) -> dict[str, Any]:
    times = {
        name: None if at is None else _iso(report, at)
        for name, at in (("entered_at", one.entered_at), ("served_at", one.served_at))
    }
    return asdict(one) | times | {"after_s": None if one.after_s is None else round(one.after_s, 3)}


def _table(report: CallbackReport) -> Iterator[dict[str, Any]]:
    whole = (_iso(report, report.since), _iso(report, report.until))

    def row(scope: str, name: str, span: tuple[str, str], *parts: Mapping[str, Any]) -> dict[str, Any]:
        place = dict(zip(CSV_PLACE, (scope, name, *span), strict=True))
        return place | {key: value for part in parts for key, value in _flat(part)}

    yield row(
        *("total", report.queue or "", whole, _document(report.total)),
        {"chains": _chains(report.chains_total)},
    )
    for name, figures in report.by_queue.items():
        chains = report.chains_by_queue.get(name, ChainFigures())
        yield row("queue", name, whole, _document(figures), {"chains": _chains(chains)})
    for name, figures in report.by_source.items():
        yield row("source", name, whole, _document(figures))
    for window, figures in report.by_interval:
        span = _iso(report, window.start), _iso(report, window.end)
        yield row("interval", "", span, _document(figures))


def _flat(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _iso(report: CallbackReport, at: datetime) -> str:
    return at.astimezone(report.zone).isoformat()
