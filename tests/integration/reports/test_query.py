"""Reports read the log as the database holds it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from callcenter.config import Metrics, Settings
from callcenter.errors import NotFoundError, UsageError
from callcenter.events import EventType, Outcome
from callcenter.reports import Interval, read_summary
from callcenter.reports.query import CALLS, Question, Reports
from callcenter.reports.rows import event_of
from callcenter.storage.pool import Database
from callcenter.timeline import RELEVANT

E = EventType
NINE = datetime(2025, 3, 3, 9, tzinfo=UTC)
TEN = NINE + timedelta(hours=1)
HOUR: Any = {"since": NINE, "until": TEN}

Step = tuple[float, EventType, str | None, str | None, dict[str, Any]]
SERVED: Sequence[Step] = (
    (5, E.QUEUE_ENTERED, "sales", None, {"position": 1, "priority": 0}),
    (6, E.OFFER_SENT, "sales", "bob", {}),
    (9, E.OFFER_ACCEPTED, "sales", "bob", {}),
    (10, E.AGENT_CONNECTED, "sales", "bob", {}),
    (20, E.TRANSCRIPT_SEGMENT, None, None, {"segment": str(uuid4())}),
    (70, E.CONVERSATION_ENDED, "sales", "bob", {"by": "customer"}),
    (70, E.CALL_ENDED, None, None, {"cause": "caller_hangup", "outcome": "answered"}),
    (70, E.ACW_STARTED, "sales", "bob", {}),
    (90, E.ACW_ENDED, "sales", "bob", {"disposition": ""}),
)
MENU_ONLY: Sequence[Step] = ((30, E.CALL_ENDED, None, None, {"cause": "completed"}),)


async def store(database: Database, at: datetime, steps: Sequence[Step]) -> UUID:
    call_id = uuid4()
    start: Step = (0, E.CALL_STARTED, None, None, {"direction": "inbound", "from": "+12025550101"})
    ended = [at + timedelta(seconds=step[0]) for step in steps if step[1] is E.CALL_ENDED]
    await database.execute(
        """
        INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref, from_number,
                                     to_number, started_at, ended_at)
        VALUES ($1, $1, $1, 'inbound', 'test', $2, '+12025550101', '+12025550199', $3, $4)
        """,
        call_id,
        call_id.hex,
        at,
        ended[0] if ended else None,
    )
    for seq, (second, kind, queue, agent, data) in enumerate([start, *steps], start=1):
        await database.execute(
            """
            INSERT INTO callcenter.event (at, type, call_id, seq, chain_id, queue, agent, data)
            VALUES ($1, $2, $3, $4, $3, $5, $6, $7)
            """,
            at + timedelta(seconds=second),
            kind.value,
            call_id,
            seq,
            queue,
            agent,
            data,
        )
    return call_id


async def store_state(database: Database, at: datetime, agent: str, before: str, after: str) -> None:
    await database.execute(
        "INSERT INTO callcenter.event (at, type, agent, data) VALUES ($1, 'agent.state', $2, $3)",
        at,
        agent,
        {"from": before, "to": after, "reason": ""},
    )


async def test_timelines_come_back_by_their_start(database: Database) -> None:
    second = await store(database, NINE + timedelta(minutes=30), MENU_ONLY)
    first = await store(database, NINE, SERVED)
    served, menu = await Reports(database).timelines(NINE, TEN)
    assert (served.call_id, menu.call_id) == (first, second)
    assert (served.outcome, served.from_number) == (Outcome.ANSWERED, "+12025550101")
    (contact,) = served.contacts
    assert (contact.wait_s, contact.ring_s, contact.talk_s, contact.acw_s) == (5, 3, 60, 20)


async def test_the_range_takes_the_calls_that_touch_it(database: Database) -> None:
    inside = {
        await store(database, NINE - timedelta(seconds=60), SERVED),
        await store(database, NINE - timedelta(hours=2), SERVED[:4]),  # still talking
        await store(database, TEN - timedelta(seconds=1), SERVED),
    }
    await store(database, NINE - timedelta(seconds=80), SERVED)
    await store(database, NINE - timedelta(days=2), SERVED[:4])
    await store(database, TEN, SERVED)
    assert {call.call_id for call in await Reports(database).timelines(NINE, TEN)} == inside


async def test_one_queue_takes_the_calls_that_entered_it_or_were_refused(database: Database) -> None:
    sales = await store(database, NINE, SERVED)
    refused: Sequence[Step] = ((5, E.QUEUE_LEFT, "billing", None, {"reason": "full"}), MENU_ONLY[0])
    billing = await store(database, NINE, refused)
    await store(database, NINE, MENU_ONLY)
    reports = Reports(database)
    assert [call.call_id for call in await reports.timelines(NINE, TEN, "sales")] == [sales]
    assert [call.call_id for call in await reports.timelines(NINE, TEN, "billing")] == [billing]
    assert await reports.timelines(NINE, TEN, "'; DROP TABLE callcenter.event; --") == []


async def test_open_calls_count_up_to_now_and_thresholds_apply(database: Database) -> None:
    await store(database, NINE, SERVED[:1])
    (call,) = await Reports(database).timelines(NINE, TEN, now=NINE + timedelta(seconds=65))
    assert (call.outcome, call.contacts[0].wait_s) == (None, 60)
    await store(
        database,
        NINE + timedelta(minutes=1),
        (
            SERVED[0],
            (9, E.QUEUE_ABANDONED, "sales", None, {}),
            (9, E.CALL_ENDED, None, None, {"cause": "caller_hangup"}),
        ),
    )
    outcomes = [
        (await Reports(database).timelines(NINE, TEN, short_abandon_s=threshold))[1].outcome
        for threshold in (6, 0)
    ]
    assert outcomes == [Outcome.SHORT_ABANDONED, Outcome.ABANDONED]


async def test_more_calls_than_one_batch_of_the_cursor(database: Database) -> None:
    await store(database, NINE, SERVED)
    await database.execute(
        """
        WITH copy AS (SELECT gen_random_uuid() AS call_id, number FROM generate_series(1, 400) AS number),
             calls AS (
                 INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref,
                                              from_number, to_number, started_at, ended_at)
                 SELECT copy.call_id, copy.call_id, node_id, direction, gateway, copy.call_id::text,
                        from_number, to_number, started_at + number * interval '1 second', ended_at
                   FROM callcenter.call, copy)
        INSERT INTO callcenter.event (at, type, call_id, seq, chain_id, queue, agent, data)
        SELECT at + number * interval '1 second', type, copy.call_id, seq, copy.call_id, queue, agent, data
          FROM callcenter.event, copy
        """
    )
    calls = await Reports(database).timelines(NINE, TEN)
    assert len(calls) == 401
    assert {(len(call.contacts), call.outcome) for call in calls} == {(1, Outcome.ANSWERED)}
    assert [call.started_at for call in calls] == sorted(call.started_at for call in calls)


async def test_a_short_range_of_a_long_log_is_read_by_index(database: Database) -> None:
    await database.execute(
        """
        INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref, from_number,
                                     to_number, started_at, ended_at)
        SELECT id, id, id, 'inbound', 'test', id::text, '', '', at, at
          FROM (SELECT gen_random_uuid() AS id, $1::timestamptz - n * interval '1 hour' AS at
                  FROM generate_series(1, 5000) AS n) AS past
        """,
        NINE,
    )
    await database.execute(
        """
        INSERT INTO callcenter.event (at, type, call_id, seq)
        SELECT started_at, 'ivr.entered', call_id, n FROM callcenter.call, generate_series(1, 5) AS n
        """
    )
    await database.execute("ANALYZE callcenter.call, callcenter.event")
    types = [kind.value for kind in RELEVANT]
    for queue in (None, "sales"):
        rows = await database.fetch(f"EXPLAIN {CALLS}", NINE, TEN, types, queue)
        plan = "\n".join(row[0] for row in rows)
        assert "call_started_at" in plan
        assert "event_call_seq" in plan
        assert "Seq Scan" not in plan


async def test_a_summary_has_calls_and_agents_time(database: Database) -> None:
    await store(database, NINE, SERVED)
    await store_state(database, NINE - timedelta(hours=1), "bob", "offline", "available")
    await store_state(database, NINE + timedelta(minutes=30), "bob", "available", "talking")
    await store_state(database, NINE - timedelta(days=2), "ann", "offline", "available")
    summary = await Reports(database).summary(Question(Metrics(), **HOUR, interval=Interval.HALF_HOUR))
    assert [figures.offered for _, figures in summary.by_interval] == [1, 0]
    assert summary.by_agent["bob"].occupancy.value == 0.5
    assert summary.by_agent["ann"].available == timedelta(hours=1)  # since two days
    sales = await Reports(database).summary(Question(Metrics(), **HOUR, queue="sales"))
    assert (sales.total.answered, sales.total.occupancy.value) == (1, None)


async def test_a_summary_straight_from_the_settings(database: Database, database_url: str) -> None:
    await store(database, NINE, SERVED)
    settings = Settings.model_validate({"database": {"url": database_url}, "queues": [{"name": "night"}]})
    assert (await read_summary(settings, **HOUR, queue="sales")).total.answered == 1
    assert (await read_summary(settings, **HOUR, queue="night")).total.offered == 0
    with pytest.raises(NotFoundError, match="no such queue: lunch"):
        await read_summary(settings, **HOUR, queue="lunch")
    with pytest.raises(UsageError, match="no such interval: 'week'"):
        await read_summary(settings, **HOUR, interval="week")


async def test_a_payload_may_come_as_text(database: Database) -> None:
    await store(database, NINE, SERVED[:1])
    rows = await database.fetch("SELECT *, data::text AS plain FROM callcenter.event ORDER BY seq")
    for row in rows:
        assert event_of({**row, "data": row["plain"]}) == event_of(row)
        assert event_of(row).data == json.loads(row["plain"])
