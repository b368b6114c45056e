import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from callcenter.errors import StorageError
from callcenter.events import Event, EventType
from callcenter.storage.embedded import PostgresServer
from callcenter.storage.event_log import BATCH_SIZE, EventLog
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Call:
    """Writes the events of one call."""

    def __init__(self, append: Callable[[Event], None]) -> None:
        self.call_id = uuid4()
        self.seq = 0
        self._append = append

    def write(
        self, type_: EventType, *, queue: str | None = None, agent: str | None = None, **data: Any
    ) -> None:
        self.seq += 1
        at = START + timedelta(seconds=self.seq)
        self._append(Event(type_, at, self.call_id, self.seq, self.call_id, queue, agent, "caller", data))

    def start(self, node_id: UUID | None = None) -> None:
        self.write(
            EventType.CALL_STARTED,
            direction="inbound",
            gateway="asterisk",
            call_ref="ref-1",
            node_id=str(node_id or uuid4()),
            **{"from": "+15550100", "to": "+15550199"},
        )


def agent_event(agent: str, to: str, at: datetime = START) -> Event:
    return Event(EventType.AGENT_STATE, at, agent=agent, data={"from": "offline", "to": to, "reason": ""})


@pytest.fixture
async def log(database: Database) -> Any:
    async with EventLog(database) as opened:
        yield opened


async def test_events_come_back_as_they_were_given(database: Database, log: EventLog) -> None:
    call = Call(log.append)
    call.start()
    call.write(EventType.IVR_INPUT, node="menu", kind="dtmf", value="2", ref=call.call_id)
    log.append(agent_event("ann", "available"))
    await log.flush()
    rows = await database.fetch("SELECT * FROM callcenter.event ORDER BY event_id")
    assert [(row["type"], row["seq"]) for row in rows] == [
        ("call.started", 1),
        ("ivr.input", 2),
        ("agent.state", None),
    ]
    assert rows[1]["at"] == START + timedelta(seconds=2)
    assert rows[1]["data"] == {"node": "menu", "kind": "dtmf", "value": "2", "ref": str(call.call_id)}
    assert (log.stats.stored, log.stats.pending, log.stats.lost) == (3, 0, 0)


async def test_the_call_row_follows_its_events(database: Database, log: EventLog) -> None:
    call = Call(log.append)
    call.start()
    call.write(EventType.QUEUE_ENTERED, queue="sales", position=1)
    call.write(EventType.QUEUE_ENTERED, queue="support", position=1)
    call.write(EventType.AGENT_CONNECTED, queue="support", agent="ann")
    call.write(EventType.AGENT_CONNECTED, queue="support", agent="bob")
    await log.flush()
    row = await database.fetchrow("SELECT * FROM callcenter.call")
    assert row is not None
    assert (row["queue"], row["agent_id"], row["ended_at"]) == ("support", "bob", None)
    assert (row["from_number"], row["to_number"], row["call_ref"]) == ("+15550100", "+15550199", "ref-1")
    assert row["connected_at"] == START + timedelta(seconds=4)
    call.write(EventType.CALL_ENDED, cause="caller_hangup", outcome="answered")
    await log.flush()
    row = await database.fetchrow("SELECT * FROM callcenter.call")
    assert row is not None
    assert (row["end_cause"], row["outcome"]) == ("caller_hangup", "answered")
    assert row["ended_at"] == START + timedelta(seconds=6)


async def test_each_batch_is_announced(database: Database, database_url: str, log: EventLog) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await asyncpg.connect(database_url)
    await listener.add_listener("event", lambda *message: heard.put_nowait(message[3]))
    call = Call(log.append)
    call.start()
    call.write(EventType.IVR_ENTERED)
    async with asyncio.timeout(5):
        first, last = (await heard.get()).split("..")
    ids = [
        row["event_id"] for row in await database.fetch("SELECT event_id FROM callcenter.event ORDER BY 1")
    ]
    assert [int(first), int(last)] == ids
    await listener.close()


async def test_a_bad_event_fails_alone_and_its_content_is_not_logged(
    database: Database, log: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    call = Call(log.append)
    call.start()
    for number in range(50):
        call.write(EventType.IVR_INPUT, value="secret\x00words" if number == 20 else "1")
    call.write(EventType.IVR_INPUT, value=float("nan"))
    log.append(Event(EventType.IVR_INPUT, START, call.call_id, None))
    unfinished = Call(log.append)
    unfinished.write(EventType.CALL_STARTED, direction="inbound")
    with caplog.at_level(logging.ERROR):
        await log.flush()
    seqs = [row["seq"] for row in await database.fetch("SELECT seq FROM callcenter.event ORDER BY event_id")]
    assert seqs == [seq for seq in range(1, 52) if seq != 22]
    assert log.stats.rejected == 4
    assert "secret" not in caplog.text
    assert f"number 22 of call {call.call_id}" in caplog.text


async def test_an_event_given_twice_is_stored_once(database: Database, log: EventLog) -> None:
    call = Call(log.append)
    call.start()
    call.seq = 0
    call.start()
    for _ in range(2):
        log.append(agent_event("ann", "available"))
        log.append(agent_event("ann", "break"))
        await log.flush()
    assert await database.fetchval("SELECT count(*) FROM callcenter.event") == 3
    assert log.stats.known == 3


async def test_beyond_its_capacity_the_newest_are_refused_and_counted(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with EventLog(database, capacity=10) as log:
        call = Call(log.append)
        for _ in range(15):
            call.write(EventType.IVR_ENTERED)
        await log.flush()
        assert log.stats.lost == 5
        assert await database.fetchval("SELECT max(seq) FROM callcenter.event") == 10
        assert caplog.text.count("events lost") == 1
        call.write(EventType.IVR_ENTERED)
    assert await database.fetchval("SELECT max(seq) FROM callcenter.event") == 16


async def test_a_closed_log_takes_nothing_and_counts_it(database: Database) -> None:
    log = EventLog(database)
    async with log:
        pass
    Call(log.append).start()
    assert log.stats.lost == 1


async def test_leaving_stores_what_is_pending(database: Database) -> None:
    async with EventLog(database) as log:
        call = Call(log.append)
        for _ in range(3 * BATCH_SIZE + 1):
            call.write(EventType.IVR_ENTERED)
    assert await database.fetchval("SELECT count(*) FROM callcenter.event") == 3 * BATCH_SIZE + 1


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_an_outage_loses_and_doubles_nothing(own_postgres: PostgresServer, mode: Any) -> None:
    async with Database.connect(own_postgres.url) as database:
        await Migrations(database).upgrade()
        async with EventLog(database) as log:
            calls = [Call(log.append) for _ in range(5)]

            async def talk(rounds: int) -> None:
                for number in range(rounds):
                    for call in calls:
                        call.write(EventType.IVR_ENTERED, node=str(number))
                    log.append(agent_event("ann", "available", START + timedelta(milliseconds=len(times))))
                    times.append(number)
                    await asyncio.sleep(0.001)

            times: list[int] = []
            talking = asyncio.create_task(talk(600))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(own_postgres.halt, mode)
            with pytest.raises(StorageError):
                await database.fetchval("SELECT 1")
            await asyncio.sleep(0.5)
            assert log.stats.pending > 0
            await asyncio.to_thread(own_postgres.start)
            await talking
            async with asyncio.timeout(10):
                await log.flush()
            assert (log.stats.lost, log.stats.rejected) == (0, 0)
        for call in calls:
            rows = await database.fetch(
                "SELECT seq FROM callcenter.event WHERE call_id = $1 ORDER BY event_id", call.call_id
            )
            assert [row["seq"] for row in rows] == list(range(1, 601))
        assert await database.fetchval("SELECT count(*) FROM callcenter.event WHERE agent = 'ann'") == 600


async def test_a_lost_answer_to_commit_does_not_double(database: Database, log: EventLog) -> None:
    """The batch is stored, the connection is cut before the writer hears of it."""
    call = Call(log.append)
    for round_ in range(20):
        for _ in range(100):
            call.write(EventType.IVR_ENTERED)
        log.append(agent_event("ann", "available", START + timedelta(seconds=round_)))
        await asyncio.sleep(0.001 * (round_ % 7))
        await database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    async with asyncio.timeout(10):
        await log.flush()
    rows = await database.fetch(
        "SELECT seq FROM callcenter.event WHERE call_id IS NOT NULL ORDER BY event_id"
    )
    assert [row["seq"] for row in rows] == list(range(1, 2001))
    assert await database.fetchval("SELECT count(*) FROM callcenter.event WHERE agent = 'ann'") == 20


APPENDER = """
import asyncio, sys
from datetime import UTC, datetime
from uuid import UUID
from callcenter.events import Event, EventType
from callcenter.storage.event_log import EventLog
from callcenter.storage.pool import Database

async def main():
    call_id = UUID(sys.argv[2])
    async with Database.connect(sys.argv[1]) as database, EventLog(database) as log:
        seq = 0
        while True:
            for _ in range(7):
                seq += 1
                log.append(Event(EventType.IVR_ENTERED, datetime.now(UTC), call_id, seq))
            await log.flush()
            print(seq, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def appender_environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


async def test_what_was_acknowledged_survives_a_kill(
    database: Database, database_url: str, appender_environ: dict[str, str]
) -> None:
    call_id = uuid4()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", APPENDER, database_url, str(call_id),
        stdout=asyncio.subprocess.PIPE, env=appender_environ,
    )  # fmt: skip
    assert process.stdout is not None
    acknowledged = 0
    async with asyncio.timeout(20):
        while acknowledged < 700:
            acknowledged = int(await process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = (await process.stdout.read()).splitlines(keepends=True)
        await process.wait()
    acknowledged = max([acknowledged, *(int(line) for line in rest if line.endswith(b"\n"))])
    rows = await database.fetch(
        "SELECT seq FROM callcenter.event WHERE call_id = $1 ORDER BY event_id", call_id
    )
    seqs = [row["seq"] for row in rows]
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) >= acknowledged
