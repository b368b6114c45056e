import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from callcenter.events import Event, EventType
from callcenter.storage.calls import Calls
from callcenter.storage.event_log import EventLog
from callcenter.storage.pool import Database
from callcenter.storage.recordings import Recordings
from callcenter.storage.recovery import Recovery

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
T = EventType


async def write(database: Database, node_id: UUID, *types: EventType, agent: str = "ann") -> UUID:
    call_id = uuid4()
    async with EventLog(database) as log:
        for seq, type_ in enumerate(types, start=1):
            data = {}
            if type_ is T.CALL_STARTED:
                data = {
                    "direction": "inbound", "gateway": "asterisk", "call_ref": "r", "node_id": str(node_id),
                    "from": "+15550100", "to": "+15550199",
                }  # fmt: skip
            at = START + timedelta(seconds=seq)
            log.append(Event(type_, at, call_id, seq, call_id, "sales", agent, data=data))
    return call_id


@pytest.fixture
async def dead(database: Database) -> UUID:
    node_id = uuid4()
    await database.execute(
        "INSERT INTO callcenter.node (node_id, url, host, pid, seen_at) VALUES ($1, '', 'h', 1, $2)",
        node_id,
        START + timedelta(seconds=30),
    )
    return node_id


async def agent(database: Database, name: str, state: str, call_id: UUID, node_id: UUID) -> None:
    await database.execute(
        "INSERT INTO callcenter.agent (agent_id, name, gateway, address, state, call_id, node_id)"
        " VALUES ($1, $1, 'asterisk', $1, $2, $3, $4)",
        name, state, call_id, node_id,
    )  # fmt: skip


async def test_calls_end_where_their_process_was_last_seen(database: Database, dead: UUID) -> None:
    talking = await write(database, dead, T.CALL_STARTED, T.QUEUE_ENTERED, T.AGENT_CONNECTED, T.HOLD_STARTED)
    waiting = await write(database, dead, T.CALL_STARTED, T.QUEUE_ENTERED)
    other = await write(database, uuid4(), T.CALL_STARTED)
    done = await Recovery(database, uuid4()).recover_node(dead)
    assert set(done.calls) == {talking, waiting}
    calls = Calls(database)
    events = await calls.events(talking)
    assert [event.type for event in events[4:]] == [T.HOLD_ENDED, T.CONVERSATION_ENDED, T.CALL_ENDED]
    assert [event.seq for event in events] == [1, 2, 3, 4, 5, 6, 7]
    record = await calls.get(talking)
    assert (record.ended_at, record.end_cause, record.outcome) == (
        START + timedelta(seconds=30), "failed", "failed",
    )  # fmt: skip
    assert (await calls.get(other)).ended_at is None


async def test_agents_are_free_and_callers_out_of_the_line(database: Database, dead: UUID) -> None:
    talking = await write(database, dead, T.CALL_STARTED, T.AGENT_CONNECTED)
    wrapping = await write(
        database, dead, T.CALL_STARTED, T.AGENT_CONNECTED, T.CONVERSATION_ENDED, T.CALL_ENDED, T.ACW_STARTED,
        agent="bob",
    )  # fmt: skip
    other = uuid4()
    await agent(database, "ann", "talking", talking, dead)
    await agent(database, "bob", "wrap_up", wrapping, dead)
    await agent(database, "cy", "talking", uuid4(), other)
    for node_id in (dead, other):
        await database.execute(
            "INSERT INTO callcenter.queue_entry (call_id, node_id, queue) VALUES ($1, $2, 'sales')",
            uuid4(), node_id,
        )  # fmt: skip
    await Recovery(database, uuid4()).recover_node(dead)
    rows = await database.fetch("SELECT agent_id, state, call_id FROM callcenter.agent ORDER BY 1")
    assert [(row["agent_id"], row["state"]) for row in rows] == [
        ("ann", "available"), ("bob", "available"), ("cy", "talking"),
    ]  # fmt: skip
    assert await database.fetchval("SELECT array_agg(node_id) FROM callcenter.queue_entry") == [other]
    assert (await Calls(database).events(wrapping))[-1].type is T.ACW_ENDED
    changes = await database.fetch(
        "SELECT agent, data FROM callcenter.event WHERE type = 'agent.state' ORDER BY agent"
    )
    assert [(row["agent"], row["data"]["from"], row["data"]["to"]) for row in changes] == [
        ("ann", "talking", "available"), ("bob", "wrap_up", "available"),
    ]  # fmt: skip


async def test_several_at_once_do_it_once(database: Database, dead: UUID) -> None:
    ids = [await write(database, dead, T.CALL_STARTED, T.AGENT_CONNECTED) for _ in range(5)]
    for call_id in ids:
        await Recordings(database).open(
            recording_id=uuid4(), call_id=call_id, node_id=dead, kind="conversation",
            path=f"{call_id}.wav", channels=2, offset_ms=0,
        )  # fmt: skip
    done = await asyncio.gather(*(Recovery(database, uuid4()).recover_node(dead) for _ in range(3)))
    assert sorted(call_id for one in done for call_id in one.calls) == sorted(ids)
    assert sum(len(one.recordings) for one in done) == 5
    for call_id in ids:
        assert [event.type for event in await Calls(database).events(call_id)][2:] == [
            T.CONVERSATION_ENDED, T.CALL_ENDED,
        ]  # fmt: skip
    again = await Recovery(database, uuid4()).recover_node(dead)
    assert (again.calls, again.recordings) == ((), ())


async def test_late_events_of_a_process_thought_dead_change_nothing(database: Database, dead: UUID) -> None:
    call_id = await write(database, dead, T.CALL_STARTED)
    await Recovery(database, uuid4()).recover_node(dead)
    async with EventLog(database) as log:
        data = {"cause": "completed", "outcome": "self_served"}
        log.append(Event(T.CALL_ENDED, START, call_id, 2, call_id, data=data))
        await log.flush()
        assert log.stats.known == 1
    assert (await Calls(database).get(call_id)).outcome == "failed"
