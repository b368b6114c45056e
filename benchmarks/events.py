"""How many events a second the log stores durably, what appending costs, and how long the loop stands still.

The database is the embedded one with its usual settings: every commit waits for the disk. Three runs: a
burst (everything appended at once), a steady stream at the target rate from many calls, and single events
of which each is waited for.
"""

import argparse
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

from _report import Report, progress

from callcenter.config import Settings
from callcenter.events import Event, EventType
from callcenter.storage.event_log import EventLog
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database

CALLS = 200
STEADY_PER_S = 5000
FRAME_S = 0.02


class Traffic:
    """Events of many calls in turn, as a busy process writes them."""

    def __init__(self) -> None:
        self._calls: list[tuple[UUID, list[int]]] = [(uuid4(), [0]) for _ in range(CALLS)]
        self._next = 0

    def event(self) -> Event:
        """The next event of the next call."""
        call_id, seq = self._calls[self._next % CALLS]
        self._next += 1
        seq[0] += 1
        at = datetime.now(UTC)
        if seq[0] == 1:
            data = {
                "direction": "inbound", "gateway": "asterisk", "call_ref": str(call_id),
                "node_id": str(call_id), "from": "+12125550100", "to": "+12125550199",
            }  # fmt: skip
            return Event(EventType.CALL_STARTED, at, call_id, 1, call_id, data=data)
        data = {"node": "menu", "kind": "dtmf", "value": "1"}
        return Event(EventType.IVR_INPUT, at, call_id, seq[0], call_id, leg="caller", data=data)


class Stalls:
    """Measures by how much a sleeping task wakes late: what a 20 ms audio frame would suffer."""

    def __init__(self) -> None:
        self.late_s: list[float] = []

    async def watch(self) -> None:
        """Sleep a frame at a time until cancelled."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(FRAME_S)
            self.late_s.append(time.perf_counter() - began - FRAME_S)


@asynccontextmanager
async def watched() -> AsyncIterator[Stalls]:
    """Measure stalls while the block runs."""
    stalls = Stalls()
    task = asyncio.create_task(stalls.watch(), name="stalls")
    try:
        yield stalls
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def burst(log: EventLog, count: int, report: Report) -> None:
    """Append everything, then wait until it is durable."""
    traffic = Traffic()
    events = [traffic.event() for _ in range(count)]
    began = time.perf_counter()
    for event in events:
        log.append(event)
    appended = time.perf_counter()
    async with watched() as stalls:
        await log.flush()
    took_s = time.perf_counter() - began
    report.add("durable_events_per_s", round(count / took_s), "events/s", ">= 5000")
    report.add("append_cost_us", round(1e6 * (appended - began) / count, 3), "us", "<= 20")
    report.add("burst_loop_stall_max_ms", round(1000 * max(stalls.late_s, default=0.0), 2), "ms", "<= 20")


async def steady(log: EventLog, seconds: float, report: Report) -> None:
    """Append at the target rate for a while."""
    traffic = Traffic()
    append_s = 0.0
    sent = pending_max = 0
    began = time.perf_counter()
    async with watched() as stalls:
        while (elapsed_s := time.perf_counter() - began) < seconds:
            due = int(elapsed_s * STEADY_PER_S) - sent
            events = [traffic.event() for _ in range(due)]
            before = time.perf_counter()
            for event in events:
                log.append(event)
            append_s += time.perf_counter() - before
            sent += due
            pending_max = max(pending_max, log.stats.pending)
            await asyncio.sleep(0.005)
        flushing = time.perf_counter()
        await log.flush()
        flush_s = time.perf_counter() - flushing
    late = sorted(stalls.late_s)
    report.add("steady_rate", round(sent / seconds), "events/s")
    report.add("steady_append_cost_us", round(1e6 * append_s / sent, 3), "us", "<= 20")
    report.add("steady_pending_max", pending_max, "events", "<= 5000")
    report.add("steady_last_flush_ms", round(1000 * flush_s, 2), "ms", "<= 1000")
    report.add("steady_loop_stall_p99_ms", round(1000 * late[int(0.99 * (len(late) - 1))], 2), "ms")
    report.add("steady_loop_stall_max_ms", round(1000 * late[-1], 2), "ms", "<= 20")


async def single(log: EventLog, count: int, report: Report) -> None:
    """Wait for each event before the next."""
    traffic = Traffic()
    took_s = []
    for _ in range(count):
        began = time.perf_counter()
        log.append(traffic.event())
        await log.flush()
        took_s.append(time.perf_counter() - began)
    took_s.sort()
    report.add("acknowledged_p50_ms", round(1000 * took_s[count // 2], 2), "ms")
    report.add("acknowledged_p99_ms", round(1000 * took_s[int(0.99 * (count - 1))], 2), "ms", "<= 100")


async def run(*, quick: bool) -> None:
    """Measure in a database of its own and print the report."""
    report = Report("events")
    with TemporaryDirectory(prefix="callcenter-bench-") as folder:
        async with Database.open(Settings(data_dir=Path(folder))) as database:
            await Migrations(database).upgrade()
            async with EventLog(database) as log:
                progress("burst")
                await burst(log, 20_000 if quick else 100_000, report)
                progress("steady stream")
                await steady(log, 5 if quick else 30, report)
                progress("one at a time")
                await single(log, 200 if quick else 2000, report)
                stats = log.stats
            stored = await database.fetchval("SELECT count(*) FROM callcenter.event")
    report.add("events_lost", stats.lost + stats.rejected, "events", "= 0")
    report.add("events_in_the_log", stored - stats.stored, "events more than counted", "= 0")
    report.print()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, the same code")
    asyncio.run(run(quick=parser.parse_args().quick))


if __name__ == "__main__":
    main()
