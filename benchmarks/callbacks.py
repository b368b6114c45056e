"""How quickly and how surely callbacks are carried out by many workers on one durable database.

Eight workers in two processes, with the program's own dispatcher and worker, 200 free agents, agents first.
First all callbacks are due at once, and claims are counted; then they fall due one by one at a steady rate,
and the clock of one runs from the moment it may be dialled until its attempt is written, right before the
network would be asked. Conversations are short, so that agents are free again and workers never want for
them. Every dial that a worker asks for is told in the end, so that a customer who is dialled twice is not
unseen. The order in which callbacks are claimed is held against the order in which they stand in line: the
furthest that one is away from its place must not exceed the number of agents, all of whom may be found at
once.

Then the rush hour with and without callbacks, in virtual time: see ``_callback_rush``.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import _callback_rush
from _report import Report, percentile, progress

from callcenter.storage.embedded import EmbeddedPostgres
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database

HERE = Path(__file__).parent
PROCESSES, WORKERS = 2, 8
AGENTS = 200
PER_S = 50
TALK_S = 0.1

MAKE_AGENTS = """
INSERT INTO callcenter.agent (agent_id, name, gateway, address, state)
SELECT 'agent-' || n, 'agent-' || n, 'bench', '+12025550142', 'available' FROM generate_series(1, $1) AS n
"""
SERVE = "INSERT INTO callcenter.agent_queue SELECT agent_id, 'sales' FROM callcenter.agent"
# As Store.request makes them; $2 is the state, $3 how many s from now the first may be dialled, $4 how many s
# lie between two.
MAKE_CALLBACKS = """
INSERT INTO callback.callback
       (callback_id, queue, number, source, mode, state, arrived_at, not_before, expires_at, promised_from,
        promised_until, zone, chain_id, attempts_max)
SELECT gen_random_uuid(), 'sales', '+1' || (201 + n / 100) || '55501' || lpad((n % 100)::text, 2, '0'), 'api',
       'agent_first', $2,
       clock_timestamp() - interval '1 hour' + make_interval(secs => 0.1 * n),
       clock_timestamp() + make_interval(secs => $3::float8 + $4::float8 * n),
       clock_timestamp() + interval '1 day', clock_timestamp(), clock_timestamp(), 'UTC', gen_random_uuid(), 3
FROM generate_series(1, $1) AS n
"""
OPEN = "SELECT count(*) FROM callback.callback WHERE ended_at IS NULL"
CLAIMS = """
WITH line AS (
    SELECT callback_id, row_number() OVER (ORDER BY arrived_at) AS place FROM callback.callback
),
claimed AS (
    SELECT callback_id, min(event_id) AS event_id, min(at) AS at FROM callback.event
    WHERE step = 'claim' GROUP BY callback_id
)
SELECT extract(epoch FROM at)::float8 AS at_s, row_number() OVER (ORDER BY event_id) - place AS behind
FROM line JOIN claimed USING (callback_id) ORDER BY event_id
"""
DELAYS = """
SELECT extract(epoch FROM a.started_at - c.not_before)::float8 AS delay_s
FROM callback.callback AS c JOIN callback.attempt AS a USING (callback_id) WHERE a.number_of = 1
"""
FORGET = "TRUNCATE callback.callback, callcenter.queue_entry CASCADE"


class Workers:
    """The processes; ``dialled`` is what all of them asked of the network, once they have ended."""

    def __init__(self) -> None:
        self._processes: list[asyncio.subprocess.Process] = []
        self.dialled: list[tuple[str, str]] = []

    async def start(self, url: str) -> None:
        """Start all and wait until they are ready."""
        for _ in range(PROCESSES):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(HERE / "_callback_workers.py"),
                url,
                str(TALK_S),
                str(WORKERS // PROCESSES),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 26,
            )
            self._processes.append(process)
        for process in self._processes:
            assert process.stdout is not None
            await process.stdout.readline()

    async def stop(self) -> None:
        """Let them end, and take what they tell."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            assert process.stdout is not None
            self.dialled += [tuple(pair) for pair in json.loads(await process.stdout.readline() or "[]")]
            await process.wait()


@asynccontextmanager
async def workers(url: str) -> AsyncIterator[Workers]:
    """Workers until the block ends."""
    started = Workers()
    try:
        await started.start(url)
        yield started
    finally:
        await started.stop()


async def all_over(database: Database, every_s: float = 0.5) -> None:
    """Wait until no callback is open."""
    shown = 0
    while left := await database.fetchval(OPEN):
        shown += 1
        if shown % 20 == 0:
            progress(f"{left} callbacks are open")
        await asyncio.sleep(every_s)


async def due_at_once(database: Database, url: str, count: int, report: Report) -> None:
    """Claims per second, dials and order where all callbacks are due at once."""
    await database.execute(MAKE_CALLBACKS, count, "due", 0.0, 0.0)
    await database.execute("VACUUM ANALYZE callback.callback, callcenter.queue_entry")
    progress(f"{count} callbacks are due")
    async with workers(url) as started:
        await all_over(database)
    claims = await database.fetch(CLAIMS)
    lasted_s = claims[-1]["at_s"] - claims[0]["at_s"]
    dials = Counter(callback_id for callback_id, _ in started.dialled)
    report.add("workers", WORKERS, f"workers in {PROCESSES} processes")
    report.add("agents", AGENTS, "agents")
    report.add("callbacks_due_at_once", count, "callbacks")
    report.add("claims_per_s", round(len(claims) / lasted_s), "1/s", ">= 200")
    report.add("dials", dials.total(), "dials")
    report.add("duplicate_dials", dials.total() - len(dials), "dials", "= 0")
    report.add("not_dialled", count - len(dials), "callbacks", "= 0")
    furthest = max(abs(row["behind"]) for row in claims)
    report.add("furthest_from_place", furthest, "places", f"<= {AGENTS}")
    await database.execute(FORGET)


async def one_by_one(database: Database, url: str, seconds: float, report: Report) -> None:
    """From due to dialling, at a steady rate."""
    count = int(PER_S * seconds)
    async with workers(url):
        await database.execute(MAKE_CALLBACKS, count, "queued", 2.0, 1 / PER_S)
        await all_over(database)
    delays = [1000 * row["delay_s"] for row in await database.fetch(DELAYS)]
    report.add("due_per_s", PER_S, "1/s")
    report.add("due_to_dial_p50_ms", percentile(delays, 0.5), "ms")
    report.add("due_to_dial_p99_ms", percentile(delays, 0.99), "ms", "<= 1000")
    report.add("dialled_too_early", sum(delay < 0 for delay in delays), "dials", "= 0")
    await database.execute(FORGET)


async def run(quick: bool, report: Report) -> None:
    """Make a database that is as durable as in production, and measure."""
    with tempfile.TemporaryDirectory(prefix="callcenter-bench-") as folder:
        async with EmbeddedPostgres(Path(folder)) as url, Database.connect(url) as database:
            await Migrations(database).upgrade()
            await database.execute(MAKE_AGENTS, AGENTS)
            await database.execute(SERVE)
            await due_at_once(database, url, 1000 if quick else 10_000, report)
            await one_by_one(database, url, 5 if quick else 60, report)


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, within a minute")
    quick = parser.parse_args().quick
    report = Report("callbacks")
    asyncio.run(run(quick, report))
    _callback_rush.add(report, quick=quick)
    report.print()


if __name__ == "__main__":
    main()
