"""How fast reports over a year of calls are, how fast one is recomputed, and what keeping them ready costs.

A year of calls is written into a database of its own, ten to twelve events each and the changes of state of
60 agents beside them, then folded and added up by the code of the service. The events are made inside the
database, because that is quickest; everything after that is what a running service does. Before anything is
asked the database is tidied, as it does by itself within minutes. Just after a million calls were folded at
once the dead marks of all of them make a report over a year take 0.9 s.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from _report import Report, progress

from callcenter.config import Metrics, Settings
from callcenter.events import Event, EventType
from callcenter.reports import CountBy, Interval, Question, Reports, to_json
from callcenter.reports.intervals import midnight
from callcenter.reports.rollups import Rollups
from callcenter.storage.event_batch import store
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database

ZONE = "Europe/Berlin"
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 365
RUNS = 7
BATCH_CALLS = 2000

# One day's calls between 6 and 20 h UTC: 10 queues, 60 agents in two queues each, 80 % answered, 12 %
# abandoned, 4 % that leave by a key and 4 % that only hear the menu; exponential waits with a mean of 25 s.
CALLS = """
CREATE TEMPORARY TABLE day ON COMMIT DROP AS
SELECT gen_random_uuid() AS call_id,
       $1::timestamptz + interval '6 hours' + random() * interval '14 hours' AS at,
       'queue-' || number % 10 AS queue,
       'agent-' || (number % 10 * 6 + floor(12 * random())::integer) % 60 AS agent,
       random() AS kind,
       -25 * ln(1 - random()) AS wait_s, 30 - 200 * ln(1 - random()) AS talk_s, 5 + 40 * random() AS acw_s
  FROM generate_series(1, $2) AS number
"""
ROWS = """
INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref, from_number, to_number,
                             queue, agent_id, started_at, ended_at, outcome)
SELECT call_id, call_id, call_id, 'inbound', 'twilio', call_id::text, '+12025550101', '+12025550199',
       queue, agent, at, at + interval '10 s' + CASE WHEN kind < 0.8 THEN wait_s + talk_s ELSE wait_s END
                              * interval '1 s', 'answered'
  FROM day
"""
EVENTS = """
INSERT INTO callcenter.event (at, type, call_id, seq, chain_id, queue, agent, data)
SELECT at + second * interval '1 s', type, call_id, row_number() OVER (PARTITION BY call_id ORDER BY number),
       call_id, CASE WHEN number BETWEEN 5 AND 10 THEN queue END,
       CASE WHEN number BETWEEN 6 AND 12 AND number <> 11 THEN agent END, data
  FROM day CROSS JOIN LATERAL (VALUES
       (1, 0.0, 'call.started', true, '{"direction": "inbound", "from": "+12025550101"}'),
       (2, 0.5, 'call.answered', true, '{}'),
       (3, 0.5, 'ivr.entered', true, '{"flow": "main", "node": "menu"}'),
       (4, 8, 'ivr.input', true, '{"node": "menu", "kind": "dtmf", "value": "1"}'),
       (5, 10, 'queue.entered', kind < 0.96, '{"position": 1, "priority": 0}'),
       (6, 10 + wait_s * 0.7, 'offer.sent', kind < 0.8, '{}'),
       (7, 10 + wait_s, 'offer.accepted', kind < 0.8, '{}'),
       (8, 10 + wait_s, 'agent.connected', kind < 0.8, '{}'),
       (8, 10 + wait_s, 'queue.abandoned', kind BETWEEN 0.8 AND 0.92, '{"position": 1}'),
       (8, 10 + wait_s, 'queue.left', kind BETWEEN 0.92 AND 0.96, '{"reason": "key"}'),
       (9, 10 + wait_s + talk_s, 'conversation.ended', kind < 0.8, '{"by": "customer"}'),
       (10, 10 + wait_s + talk_s, 'acw.started', kind < 0.8, '{}'),
       (11, 10 + wait_s + CASE WHEN kind < 0.8 THEN talk_s ELSE 0 END, 'call.ended', true,
        '{"cause": "caller_hangup"}'),
       (12, 10 + wait_s + talk_s + acw_s, 'acw.ended', kind < 0.8, '{"disposition": ""}')
       ) AS step (number, second, type, happens, payload)
 CROSS JOIN LATERAL (SELECT payload::jsonb AS data) AS decoded
 WHERE happens
 ORDER BY at
"""
STATES = """
INSERT INTO callcenter.event (at, type, agent, data)
SELECT at + second * interval '1 s', 'agent.state', agent, data::jsonb
  FROM day CROSS JOIN LATERAL (VALUES
       (10 + wait_s, '{"from": "available", "to": "talking", "reason": ""}'),
       (10 + wait_s + talk_s, '{"from": "talking", "to": "wrap_up", "reason": ""}'),
       (10 + wait_s + talk_s + acw_s, '{"from": "wrap_up", "to": "available", "reason": ""}')
       ) AS change (second, data)
 WHERE kind < 0.8
 ORDER BY 1
"""


async def fill(database: Database, calls: int) -> int:
    """Write the year down; the number of events."""
    for number in range(DAYS):
        count = calls * (number + 1) // DAYS - calls * number // DAYS
        async with database.transaction() as connection:
            await connection.execute(CALLS, FIRST + timedelta(days=number), count)
            for statement in (ROWS, EVENTS, STATES):
                await connection.execute(statement)
        if number % 30 == 29:
            progress(f"{number + 1} days written")
    async with database.session() as connection:  # without a limit of time
        await connection.execute("VACUUM ANALYZE callcenter.event")
        await connection.execute("VACUUM ANALYZE callcenter.call")
    found: int = await database.fetchval("SELECT count(*) FROM callcenter.event")
    return found


async def keep(database: Database, report: Report, calls: int) -> None:
    """Fold every call and add up every day, as the service does little by little."""
    rollups = Rollups(database)
    began, done = time.perf_counter(), 0
    while taken := await rollups.settle(BATCH_CALLS):
        done += taken
        if done % (50 * BATCH_CALLS) == 0:
            progress(f"{done} calls folded")
    report.add("calls_folded_per_s", round(calls / (time.perf_counter() - began)), "calls/s")
    began, days = time.perf_counter(), 0
    while added := await rollups.add_up_days(ZoneInfo(ZONE), limit=20):
        days += added
    report.add("add_up_a_day_ms", round(1000 * (time.perf_counter() - began) / days, 1), "ms")


async def tidy(database: Database) -> None:
    """What autovacuum does by itself within minutes, and what a year of calls has long had behind it."""
    began = time.perf_counter()
    async with database.session() as connection:
        await connection.execute("VACUUM (ANALYZE)")
    progress(f"tidied in {time.perf_counter() - began:.0f} s")


async def median_ms(work: Callable[[], Awaitable[Any]]) -> float:
    """The median of several runs, after one that warms up what any second report finds warm."""
    took = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        await work()
        took.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(took[1:]), 1)


def local(month: int, day: int) -> datetime:
    """The beginning of a day of the year."""
    return midnight(datetime(2025, month, day).date(), ZoneInfo(ZONE))


async def ask(database: Database, report: Report) -> None:
    """Reports as users ask for them."""
    reports, metrics = Reports(database), Metrics(timezone=ZONE)
    day = Question(metrics, local(6, 11), local(6, 12), Interval.QUARTER_HOUR)
    year = Question(metrics, local(1, 1), local(12, 31))
    other = Question(metrics.model_copy(update={"service_level_s": 33.3, "short_abandon_s": 4}), *_span(year))
    month = Question(metrics, local(6, 1), local(7, 1), Interval.HALF_HOUR)
    handled = Question(metrics, *_span(year), by=CountBy.HANDLED)
    report.add("day_of_quarter_hours_ms", await median_ms(lambda: reports.summary(day)), "ms", "<= 100")
    report.add("year_by_queue_ms", await median_ms(lambda: reports.summary(year)), "ms", "<= 300")
    report.add("year_with_other_thresholds_ms", await median_ms(lambda: reports.summary(other)), "ms")
    summary = await reports.summary(year)
    began = time.perf_counter()
    to_json(summary)
    report.add("year_as_json_ms", round(1000 * (time.perf_counter() - began), 1), "ms")
    report.add("month_of_half_hours_ms", await median_ms(lambda: reports.summary(month)), "ms")
    report.add("year_by_when_handled_ms", await median_ms(lambda: reports.summary(handled)), "ms")


def _span(question: Question) -> tuple[datetime, datetime]:
    return question.since, question.until


async def recompute(database: Database, report: Report, days: int) -> None:
    """Count some days anew from nothing but their events, and compare with what was added up."""
    reports = Reports(database)
    metrics = Metrics(timezone=ZONE, service_level_s=30, short_abandon_s=3)
    question = Question(metrics, local(6, 1), local(6, 1) + timedelta(days=days))
    began = time.perf_counter()
    folded = await reports.summary_from_events(question)
    took_s = time.perf_counter() - began
    calls = folded.total.calls
    report.add("recomputed_from_events_calls", calls, "calls")
    report.add("recomputed_from_events_per_min", round(60 * calls / took_s), "calls/min", ">= 200000")
    added_up = await reports.summary(question)
    same = (folded.by_queue, folded.by_agent, folded.by_interval) == (
        added_up.by_queue,
        added_up.by_agent,
        added_up.by_interval,
    )
    report.add("recomputed_equals_added_up", int(same), "1 if so", "= 1")


async def cost(database: Database, report: Report, batches: int) -> None:
    """What the marks add to storing events: batches of 250 events of whole calls, with and without."""
    took = {True: 0.0, False: 0.0}
    for number in range(2 * batches):
        marked = number % 2 == 0
        switch = "ENABLE" if marked else "DISABLE"
        await database.execute(f"ALTER TABLE callcenter.event {switch} TRIGGER mark_events")
        events = _batch()
        began = time.perf_counter()
        async with database.transaction() as connection:
            await store(connection, events)
        took[marked] += time.perf_counter() - began
    await database.execute("ALTER TABLE callcenter.event ENABLE TRIGGER mark_events")
    for marked, name in ((False, "store_250_events_without_marks_ms"), (True, "store_250_events_ms")):
        report.add(name, round(1000 * took[marked] / batches, 2), "ms")
    report.add("events_stored_per_s_in_a_full_log", round(250 * batches / took[True]), "events/s", ">= 5000")


def _batch() -> list[Event]:
    """25 calls of ten events each, mixed as a busy process writes them."""
    at, found = datetime.now(UTC), []
    calls = [uuid4() for _ in range(25)]
    kinds = [EventType.CALL_STARTED, EventType.CALL_ANSWERED, EventType.IVR_ENTERED, EventType.IVR_INPUT]
    kinds += [EventType.QUEUE_ENTERED, EventType.OFFER_SENT, EventType.OFFER_ACCEPTED]
    kinds += [EventType.AGENT_CONNECTED, EventType.CONVERSATION_ENDED, EventType.CALL_ENDED]
    for seq, kind in enumerate(kinds, start=1):
        for call_id in calls:
            data = {
                "direction": "inbound", "gateway": "twilio", "call_ref": str(call_id),
                "node_id": str(call_id), "from": "+12025550101", "to": "+12025550199",
                "cause": "agent_hangup", "outcome": "answered",
            }  # fmt: skip
            found.append(Event(kind, at, call_id, seq, call_id, "queue-1", "agent-1", data=data))
    return found


async def run(*, quick: bool, calls: int) -> None:
    """Measure in a database of its own and print the report."""
    report = Report("reports")
    with TemporaryDirectory(prefix="callcenter-bench-") as folder:
        async with Database.open(Settings(data_dir=Path(folder))) as database:
            await Migrations(database).upgrade()
            progress(f"writing {calls} calls")
            began = time.perf_counter()
            report.add("calls", calls, "calls")
            report.add("events", await fill(database, calls), "events")
            progress(f"written in {time.perf_counter() - began:.0f} s")
            await keep(database, report, calls)
            await tidy(database)
            await ask(database, report)
            await recompute(database, report, 10 if quick else 30)
            await cost(database, report, 20 if quick else 200)
    report.print()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="30,000 calls, the same code")
    parser.add_argument("--calls", type=int, metavar="N", help="calls in the year (default: 1,000,000)")
    options = parser.parse_args()
    calls = options.calls or (30_000 if options.quick else 1_000_000)
    asyncio.run(run(quick=options.quick, calls=calls))


if __name__ == "__main__":
    main()
