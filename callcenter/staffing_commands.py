"""``callcenter staffing``: forecast, plan, what-if, picture."""

import asyncio
import json
import math
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib.util import find_spec
from typing import Any
from zoneinfo import ZoneInfo

from callcenter.config import Settings
from callcenter.errors import NotFoundError, UsageError
from callcenter.staffing.erlang import agents_needed, with_shrinkage
from callcenter.staffing.forecast import Trend, forecast
from callcenter.staffing.history import History, read_csv
from callcenter.staffing.plan import Need, Wish, plan
from callcenter.staffing.what_if import Outcome, try_out
from callcenter.storage.arrivals import Arrivals
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database
from callcenter.storage.queues import QueueRows

MOST_DAYS = 92
MOST_WEEKS = 520
STEADY_INTERVALS = 12
"""Where the load is given for any interval, what-if tries so many alike in a row."""


@dataclass(frozen=True, slots=True)
class _Past:
    """What is known of the past."""

    history: History
    aht_s: float | None = None
    patience_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    needs: list[Need]
    outcomes: list[Outcome]
    wish: Wish
    interval_s: float
    method: str


def run(settings: Settings, options: Namespace) -> str:
    """Do what the command line asks; returns what is to be printed. Raises ``UsageError``."""
    if options.plot is not None:
        _plotting().check_plot(options.plot)
    zone = ZoneInfo(settings.metrics.timezone)
    minutes = int(options.interval)
    _check(_wish(settings, options, _Past({}, aht_s=1.0)))
    if options.calls is not None:
        if not (0 <= options.calls <= 1e6):
            raise UsageError(f"--calls must be between 0 and 1000000, not {options.calls:g}")
        day = _days(options, zone)[0]
        past = _Past({})
        starts, calls = [datetime.combine(day, time(), zone)], [float(options.calls)]
        method = "calls as given"
    else:
        days = _days(options, zone)
        past = _past(settings, options, zone, minutes)
        found = forecast(past.history, days, _closed(options), _trend())
        starts, calls = _intervals(found.days, minutes, zone)
        method = found.method
    wish = _wish(settings, options, past)
    needs = plan(starts, calls, minutes * 60, wish)
    outcomes: list[Outcome] = []
    if options.what_if:
        tried = needs if options.calls is None else needs * STEADY_INTERVALS
        outcomes = try_out(tried, minutes * 60, wish, options.what_if, options.seed)
    made = _Plan(needs, outcomes, wish, minutes * 60, method)
    if options.plot is not None:
        title = f"{options.queue or 'all queues'}: {method}"
        interval = timedelta(minutes=minutes)
        _plotting().draw(options.plot, needs, interval, wish.target, outcomes, title)
    return json.dumps(_as_json(made), indent=2) + "\n" if options.json else _as_text(made)


# What is asked.


def _wish(settings: Settings, options: Namespace, past: _Past) -> Wish:
    aht_s = options.aht if options.aht is not None else past.aht_s
    if aht_s is None:
        raise UsageError("--aht is needed: there is no contact to measure the handle time of")
    metrics = settings.metrics
    return Wish(
        aht_s,
        metrics.service_level_target if options.target is None else options.target,
        metrics.service_level_s if options.within is None else options.within,
        options.patience if options.patience is not None else past.patience_s,
        options.shrinkage,
    )


def _check(wish: Wish) -> None:
    """Say what is wrong with the numbers before anything takes time."""
    agents_needed(0, wish.aht_s, wish.target, wish.within_s, wish.patience_s)
    with_shrinkage(0, wish.shrinkage)


def _days(options: Namespace, zone: ZoneInfo) -> list[date]:
    tomorrow = datetime.now(UTC).astimezone(zone).date() + timedelta(days=1)
    first = tomorrow if options.since is None else _day(options.since, "--from")
    last = first if options.until is None else _day(options.until, "--to")
    if last < first:
        raise UsageError(f"the range is empty: from {first} to {last}")
    if (last - first).days >= MOST_DAYS:
        raise UsageError(f"the range is longer than {MOST_DAYS} days")
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{name}: {text!r} is no day (write it like 2026-11-30)") from None


def _closed(options: Namespace) -> set[date]:
    return {_day(text.strip(), "--closed") for text in options.closed.split(",") if text.strip()}


def _trend() -> Trend | None:
    if find_spec("statsmodels") is None:
        return None
    from callcenter.staffing.trend import totals_by_trend

    return totals_by_trend


def _plotting() -> Any:
    if find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib: pip install 'callcenter[staffing]'")
    from callcenter.staffing import plot

    return plot


def _past(settings: Settings, options: Namespace, zone: ZoneInfo, minutes: int) -> _Past:
    if options.csv is not None:
        return _Past(read_csv(options.csv, minutes, zone, options.queue))
    if not 1 <= options.weeks <= MOST_WEEKS:
        raise UsageError(f"--weeks must be between 1 and {MOST_WEEKS}, not {options.weeks}")
    return asyncio.run(_stored(settings, options, zone, minutes))


async def _stored(settings: Settings, options: Namespace, zone: ZoneInfo, minutes: int) -> _Past:
    today = datetime.now(UTC).astimezone(zone).date()
    until = datetime.combine(today, time(), zone).astimezone(UTC)
    since = datetime.combine(today - timedelta(weeks=options.weeks), time(), zone).astimezone(UTC)
    queue = options.queue
    async with Database.open(settings, application_name="callcenter staffing") as database:
        await Migrations(database).upgrade()
        arrivals = Arrivals(database)
        history = await arrivals.by_interval(since, until, settings.metrics.timezone, minutes, queue)
        known = {record.queue.name for record in await QueueRows(database).all()}
        if queue is not None and not history and queue not in known | {one.name for one in settings.queues}:
            raise NotFoundError(f"no such queue: {queue}")
        if not history:
            raise UsageError(
                f"there are no calls of the last {options.weeks} weeks in the database; give --csv or --calls"
            )
        aht_s = await arrivals.handle_time_s(since, until, queue)
        return _Past(history, aht_s or None, await arrivals.patience_s(since, until, queue))


def _intervals(
    days: Mapping[date, tuple[float, ...]], minutes: int, zone: ZoneInfo
) -> tuple[list[datetime], list[float]]:
    """Each interval of each day that the clocks do not jump over."""
    starts, calls = [], []
    for day, counts in days.items():
        for index, count in enumerate(counts):
            start = datetime.combine(day, time(index * minutes // 60, index * minutes % 60), zone)
            if start.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == start.replace(tzinfo=None):
                starts.append(start)
                calls.append(count)
    return starts, calls


# What is answered.


def _as_json(made: _Plan) -> dict[str, Any]:
    wish = made.wish
    return {
        "method": made.method,
        "interval_s": made.interval_s,
        "aht_s": wish.aht_s,
        "patience_s": wish.patience_s,
        "target": wish.target,
        "within_s": wish.within_s,
        "shrinkage": wish.shrinkage,
        "intervals": [_need_as_json(need) for need in made.needs],
        "paid_hours": _paid_hours(made),
        "what_if": [
            {
                "scenario": one.name,
                "days": one.days,
                "calls": one.calls,
                "service_level": one.service_level,
                "asa_s": one.asa_s,
                "abandonment": one.abandonment,
                "occupancy": one.occupancy,
            }
            for one in made.outcomes
        ],
    }


def _need_as_json(need: Need) -> dict[str, Any]:
    return {
        "start": need.start.isoformat(),
        "calls": round(need.calls, 2),
        "load": round(need.load, 3),
        "agents_erlang_c": need.agents_c,
        "agents_erlang_a": need.agents_a,
        "agents": need.agents,
        "with_shrinkage": need.paid,
        "service_level": need.service_level,
        "wait_s": need.wait_s,
        "abandonment": need.abandonment,
        "occupancy": need.occupancy,
    }


def _paid_hours(made: _Plan) -> float:
    return sum(need.paid for need in made.needs) * made.interval_s / 3600


def _as_text(made: _Plan) -> str:
    wish = made.wish
    patience = "nobody hangs up" if wish.patience_s is None else f"patience {wish.patience_s:.0f} s"
    promise = f"{wish.target:.0%} answered within {wish.within_s:g} s"
    lines = [
        f"calls: {made.method}",
        f"wanted: {promise}; handle time {wish.aht_s:.0f} s, {patience}, shrinkage {wish.shrinkage:.0%}",
    ]
    head = ("interval", "calls", "load", "C", "A", "agents", "paid", "in time", "wait s", "busy")
    lines += _table([head, *(_need_as_cells(need) for need in made.needs if need.calls > 0)])
    lines.append(f"paid hours: {_paid_hours(made):.1f}")
    if made.outcomes:
        days = made.outcomes[0].days
        lines.append(f"what if, simulated {days} times:")
        what = ("scenario", "calls", "in time", "ASA s", "hung up", "busy")
        lines += _table([what, *(_outcome_as_cells(one) for one in made.outcomes)])
    return "\n".join(lines) + "\n"


def _need_as_cells(need: Need) -> tuple[str, ...]:
    return (
        f"{need.start:%Y-%m-%d %H:%M}",
        f"{need.calls:.1f}",
        f"{need.load:.2f}",
        str(need.agents_c),
        "-" if need.agents_a is None else str(need.agents_a),
        str(need.agents),
        str(need.paid),
        f"{need.service_level:.1%}",
        f"{need.wait_s:.1f}" if math.isfinite(need.wait_s) else "-",
        f"{need.occupancy:.0%}",
    )


def _outcome_as_cells(one: Outcome) -> tuple[str, ...]:
    def percent(value: float | None) -> str:
        return "-" if value is None else f"{value:.1%}"

    asa = "-" if one.asa_s is None else f"{one.asa_s:.1f}"
    calls, shares = str(one.calls), (percent(one.abandonment), percent(one.occupancy))
    return one.name, calls, percent(one.service_level), asa, *shares


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
