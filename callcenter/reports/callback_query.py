"""Reading callbacks: each of their sources in one statement that counts in the database."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from callback.request import Source
from callcenter.config import Metrics, Settings
from callcenter.errors import NotFoundError
from callcenter.reports import callback_sql as sql
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
from callcenter.reports.fcr import WITHHELD
from callcenter.reports.intervals import Interval, parse_interval, reporting_zone, windows
from callcenter.reports.query import Question, read_count
from callcenter.reports.summary import Count
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database

MOST_CHAINS = 10_000

KNOWN = """
SELECT EXISTS (SELECT FROM callcenter.queue WHERE name = $1)
    OR EXISTS (SELECT FROM callback.callback WHERE queue = $1)
    OR EXISTS (SELECT FROM callcenter.call WHERE queue = $1 OR topic = $1)
"""

_COUNTERS = {"ends": ("ended_", ENDS), "results": ("result_", RESULTS)} | {
    "punctuality": ("was_", tuple(PUNCTUALITY)),
    "waits": ("waited_", tuple(WAITS)),
}
_SCOPES = ("place", "queue", "source")


@dataclass(frozen=True, slots=True)
class CallbackQuestion:
    """What a report of callbacks is to show: its range, how it is cut, one queue or all.

    ``chains`` is how many calls that left for a callback are listed, the newest first; with ``all_chains``
    off only those whose customers were not served.
    """

    metrics: Metrics
    since: datetime
    until: datetime
    interval: Interval = Interval.DAY
    queue: str | None = None
    chains: int = 0
    all_chains: bool = True

    @property
    def of_contacts(self) -> Question:
        """The same of the calls that came in."""
        return Question(self.metrics, self.since, self.until, self.interval, self.queue)


class CallbackReports:
    """Answers from the database, each from one snapshot of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def report(self, question: CallbackQuestion) -> CallbackReport:
        """Count; raises ``StorageError``, and ``UsageError`` for too many intervals."""
        zone = reporting_zone(question.metrics.timezone)
        cut = windows(question.since, question.until, question.interval, zone)
        span = question.since, question.until
        values = (*span, [window.start for window in cut], question.queue)
        chained = (
            *(*span, question.queue, timedelta(days=question.metrics.fcr_days)),
            list(WITHHELD),
        )
        rows: dict[tuple[str, str], CallbackFigures] = {}
        async with self._database.snapshot() as connection:
            for place, entered in _entered(await read_count(connection, question.of_contacts)):
                rows[place] = CallbackFigures(entered=entered)
            for statement in (sql.OFFERS, sql.ASKED, sql.ATTEMPTS):
                for place, figures in _placed(await connection.fetch(statement, *values)):
                    rows[place] = rows.get(place, CallbackFigures()) + figures
            chains = {row["queue"]: row for row in await connection.fetch(sql.CHAINS, *chained)}
            listed = (question.all_chains, min(question.chains, MOST_CHAINS))
            found = await connection.fetch(sql.CHAIN_LIST, *chained, *listed) if question.chains else []
        return CallbackReport(
            since=question.since,
            until=question.until,
            zone=zone,
            timezone=question.metrics.timezone,
            interval=question.interval,
            queue=question.queue,
            window_days=question.metrics.fcr_days,
            total=rows.get(("", ""), CallbackFigures()),
            by_queue=_named(rows, "queue"),
            by_source=_named(rows, "source"),
            by_interval=[
                (window, rows.get(("place", str(index)), CallbackFigures()))
                for index, window in enumerate(cut)
            ],
            chains_total=_chain_figures(chains.pop(None)),
            chains_by_queue={queue: _chain_figures(row) for queue, row in sorted(chains.items())},
            chains=[_chain(row) for row in found],
        )


async def read_callbacks(
    settings: Settings,
    *,
    since: datetime,
    until: datetime,
    queue: str | None = None,
    interval: str = "day",
    chains: int = 0,
    all_chains: bool = True,
) -> CallbackReport:
    """Open the database and report [since, until); the schema is brought up to date first.

    Raises ``NotFoundError`` for a queue that has neither settings nor a past, ``UsageError`` for an interval
    that does not exist, ``StorageError``.
    """
    question = CallbackQuestion(
        settings.metrics, since, until, parse_interval(interval), queue, chains, all_chains
    )
    async with Database.open(settings, application_name="callcenter report") as database:
        await Migrations(database).upgrade()
        named = {each.name for each in settings.queues}
        if queue is not None and queue not in named and not await database.fetchval(KNOWN, queue):
            raise NotFoundError(f"no such queue: {queue}")
        return await CallbackReports(database).report(question)


def _entered(count: Count) -> Iterator[tuple[tuple[str, str], int]]:
    """Who came into the queues; all of them on the telephone."""
    total = sum(tally.entered for tally in count.windows)
    yield ("", ""), total
    if total:
        yield ("source", Source.IVR.value), total
    for queue, tally in count.queues.items():
        yield ("queue", queue), tally.entered
    for index, tally in enumerate(count.windows):
        yield ("place", str(index)), tally.entered


def _placed(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[tuple[str, str], CallbackFigures]]:
    """Each row with its place: what it is grouped by, and which one."""
    for row in rows:
        # The bit of a column that is grouped by is 0, the first column's being the highest.
        scope = next(
            (name for bit, name in zip((4, 2, 1), _SCOPES, strict=True) if not row["kind"] & bit), ""
        )
        yield (scope, str(row[scope]) if scope else ""), _figures(dict(row))


def _figures(row: dict[str, Any]) -> CallbackFigures:
    plain = {name: row[name] for name in CallbackFigures.__slots__ if name in row}
    counters: dict[str, Any] = {
        name: +Counter({key: row.get(f"{prefix}{key}", 0) for key in keys})
        for name, (prefix, keys) in _COUNTERS.items()
    }
    return CallbackFigures(**plain, **counters)


def _named(rows: Mapping[tuple[str, str], CallbackFigures], scope: str) -> dict[str, CallbackFigures]:
    return {name: figures for (kind, name), figures in sorted(rows.items()) if kind == scope}


def _chain_figures(row: Mapping[str, Any]) -> ChainFigures:
    p50_s, p90_s = row["after"] or (None, None)
    counts = {how: row[how] for how in sql.HOWS}
    return ChainFigures(**counts, served_s=row["served_s"], after=(p50_s, p90_s))


def _chain(row: Mapping[str, Any]) -> Chain:
    served_call = row["served_call"]
    return Chain(
        call_id=str(row["call_id"]),
        callback_id=None if row["callback_id"] is None else str(row["callback_id"]),
        queue=row["queue"],
        entered_at=row["entered_at"],
        state=row["state"],
        how=row["how"],
        served_at=row["served_at"],
        agent=row["agent"],
        served_by_call=None if served_call is None else str(served_call),
        after_s=row["after_s"],
        attempts=row["attempts"] or 0,
    )
