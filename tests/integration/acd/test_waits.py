"""Estimated waits from real rows."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from callcenter import config
from callcenter.acd.presence import AgentEvent
from callcenter.acd.queues import Queues
from callcenter.acd.wait_time import UNAVAILABLE, Method
from callcenter.acd.waits import WaitTimes
from callcenter.queueing import Skill, SkillTree
from callcenter.storage.listener import Listener
from callcenter.storage.pool import Database
from callcenter.storage.queues import QueueRows
from callcenter.storage.wait_estimates import HISTORY, MadeEstimate, Recent, WaitEstimates

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
async def waits(database: Database) -> AsyncIterator[WaitTimes]:
    async with AsyncExitStack() as stack:
        yield await open_waits(stack, database, config.Queue(name="sales"), config.Queue(name="billing"))


async def open_waits(stack: AsyncExitStack, database: Database, *queues: config.Queue) -> WaitTimes:
    listener = await stack.enter_async_context(Listener(database))
    rows = QueueRows(database)
    await rows.sync(queues)
    known = await stack.enter_async_context(Queues(rows, listener))
    skills = SkillTree({"fr": Skill(), "en": Skill()})
    return await stack.enter_async_context(WaitTimes(WaitEstimates(database), known, skills))


async def contact(database: Database, queue: str = "sales", *, service_s: float, ring_s: float = 4) -> UUID:
    """A contact that has just ended; its ring and all of it took so long."""
    call_id = uuid4()
    for seq, (type_, ago_s) in enumerate(
        [
            ("offer.sent", service_s),
            ("agent.connected", service_s - ring_s),
            ("conversation.ended", 1.0),
            ("acw.ended", 0.0),
        ],
        start=1,
    ):
        await database.execute(
            """
            INSERT INTO callcenter.event (at, type, call_id, seq, chain_id, queue, agent)
            VALUES (now() - make_interval(secs => $1), $2, $3, $4, $3, $5, 'ann')
            """,
            ago_s,
            type_,
            call_id,
            seq,
            queue,
        )
    return call_id


async def stay(
    database: Database,
    queue: str,
    outcome: str,
    waited_s: float,
    priority: int = 0,
) -> None:
    """Somebody who has just ended to wait."""
    now = await database.fetchval("SELECT now()")
    made_at = now - timedelta(seconds=waited_s)
    made = [MadeEstimate(made_at, True, priority, 1, "none", None, None)]
    await WaitEstimates(database).add(uuid4(), queue, made, outcome, now)


async def busy(center: Any, name: str, queues: str = "sales") -> None:
    """An agent who talks."""
    await center.agent(name, queues)
    await center.database.execute(
        "UPDATE callcenter.agent SET state = 'talking', call_id = gen_random_uuid() WHERE agent_id = $1", name
    )


async def test_the_formula_on_rows(center: Any, waits: WaitTimes) -> None:
    for _ in range(10):
        await contact(center.database, service_s=100, ring_s=5)
    # One of four hung up, and they waited 400 s together: a patience of 400 s.
    for outcome, waited_s in (("answered", 100), ("answered", 150), ("left", 50), ("abandoned", 100)):
        await stay(center.database, "sales", outcome, waited_s)
    for name in ("ann", "bob"):
        await busy(center, name)
    first, second = await center.caller(), await center.caller()
    place = (await center.line.entries("sales"))[1]
    made = await waits.of_caller("sales", 0, 2, place.entered_at)
    # An agent every 50 s; with one ahead 1 / (0.02 + 0.0025) s, then 50 s, then a ring of 5 s.
    assert made.method is Method.FORMULA
    assert made.mean_s == pytest.approx(1 / 0.0225 + 50 + 5, rel=1e-3)
    assert made.agents == 2
    newcomer = (await waits.of_newcomers())["sales"]
    assert newcomer.mean_s == pytest.approx(1 / 0.025 + 1 / 0.0225 + 50 + 5, rel=1e-3)
    assert first != second


async def test_callbacks_ahead_are_waited_for_and_do_not_hang_up(center: Any, waits: WaitTimes) -> None:
    for _ in range(10):
        await contact(center.database, service_s=100, ring_s=5)
    await stay(center.database, "sales", "abandoned", 400)
    await busy(center, "ann")
    await center.callback(age_s=20)
    await center.callback(age_s=20, state="retry_wait")
    await center.callback(age_s=-20)
    await center.caller()
    (place,) = [entry for entry in await center.line.entries("sales") if entry.callback_id is None]
    assert place.position == 3
    made = await waits.of_caller("sales", 0, place.position, place.entered_at)
    # One agent every 100 s, and nobody of those ahead gives up.
    assert made.mean_s == pytest.approx(100 + 100 + 100 + 5, rel=1e-3)


async def test_callbacks_that_may_not_be_dialled_yet_are_passed(center: Any, waits: WaitTimes) -> None:
    for _ in range(10):
        await contact(center.database, service_s=100, ring_s=5)
    await busy(center, "ann")
    later = [await center.callback(age_s=20, state="retry_wait") for _ in range(2)]
    await center.callback(age_s=20)
    for callback_id, in_s in zip(later, (30, 300), strict=True):
        await center.database.execute(
            "UPDATE callback.callback SET not_before = now() + make_interval(secs => $2)"
            " WHERE callback_id = $1",
            callback_id,
            float(in_s),
        )
    await center.caller()
    (place,) = [entry for entry in await center.line.entries("sales") if entry.callback_id is None]
    assert place.position == 4
    made = await waits.of_caller("sales", 0, place.position, place.entered_at)
    # The one who may be called in half a minute is waited for.
    assert made.mean_s == pytest.approx(3 * 100 + 5, rel=1e-3)
    assert (await waits.of_newcomers())["sales"].mean_s == pytest.approx(4 * 100 + 5, rel=1e-3)


async def test_who_is_rung_is_not_ahead_and_who_will_leave_is_not_counted_on(
    center: Any, waits: WaitTimes
) -> None:
    for _ in range(10):
        await contact(center.database, service_s=100, ring_s=0)
    await center.agent("ann")
    await busy(center, "bob")
    await busy(center, "cid")
    await center.roster.signal("cid", AgentEvent.SIGN_OUT)
    await center.caller()
    await center.offer()
    entered_at = (await center.line.entries("sales"))[0].entered_at + timedelta(seconds=1)
    made = await waits.of_caller("sales", 0, 2, entered_at)
    # Ann rings for the first one; she and Bob are two who have 100 s.
    assert made.mean_s == pytest.approx(50, rel=1e-3)
    assert made.agents == 2


async def test_an_agent_who_is_free_is_there_at_once(center: Any, waits: WaitTimes) -> None:
    for _ in range(10):
        await contact(center.database, service_s=100, ring_s=5)
    await center.agent("ann")
    made = (await waits.of_newcomers())["sales"]
    assert (made.p50_s, made.p90_s) == (pytest.approx(5, abs=0.2), pytest.approx(5, abs=0.2))


async def test_a_burst_takes_the_free_agents_before_the_rows_say_so(center: Any, waits: WaitTimes) -> None:
    for _ in range(10):
        await contact(center.database, service_s=100, ring_s=5)
    await center.agent("ann")
    now = datetime.now(UTC)
    first = await waits.of_caller("sales", 0, 1, now)
    second = await waits.of_caller("sales", 0, 2, now)
    assert first.mean_s == pytest.approx(5, abs=0.01)
    assert second.mean_s is not None
    assert second.mean_s > 100


async def test_without_enough_contacts_the_last_one_served_counts(center: Any, waits: WaitTimes) -> None:
    await contact(center.database, service_s=100)
    await busy(center, "ann", "sales billing")
    await stay(center.database, "sales", "answered", 90)
    await stay(center.database, "sales", "abandoned", 10)
    found = await waits.of_newcomers()
    assert (found["sales"].method, found["sales"].mean_s) == (Method.LAST_SERVED, pytest.approx(90))
    assert (found["billing"].method, found["billing"].p50_s) == (Method.NONE, None)


async def test_callers_of_higher_priority_are_expected(center: Any, waits: WaitTimes) -> None:
    for _ in range(10):
        await contact(center.database, service_s=100, ring_s=0)
    for _ in range(9):
        await stay(center.database, "sales", "answered", 1, priority=5)
    await busy(center, "ann")
    found = await waits.of_newcomers()
    # Nine in half an hour take 0.005 of the 0.01 agents a second.
    assert found["sales"].mean_s == pytest.approx(200, rel=1e-3)


async def test_agents_without_the_skills_do_not_count(center: Any) -> None:
    async with AsyncExitStack() as stack:
        waits = await open_waits(stack, center.database, config.Queue(name="sales", needs={"fr": 2}))
        for _ in range(10):
            await contact(center.database, service_s=100, ring_s=0)
        await busy(center, "ann")
        await busy(center, "bob")
        assert (await waits.of_newcomers())["sales"] == UNAVAILABLE
        await center.database.execute(
            """UPDATE callcenter.agent SET skills = '{"fr": 2}' WHERE agent_id = 'bob'"""
        )
        waits._forget()
        assert (await waits.of_newcomers())["sales"].agents == 1


async def test_a_burst_costs_one_look(center: Any, waits: WaitTimes, database: Database) -> None:
    await busy(center, "ann")
    looks = []
    fetch = database.fetch

    async def counted(sql: str, *values: object) -> Any:
        looks.append(sql)
        return await fetch(sql, *values)

    database.fetch = counted  # type: ignore[method-assign]
    now = datetime.now(UTC)
    await asyncio.gather(*(waits.of_caller("sales", 0, n, now) for n in range(1, 101)))
    assert len(looks) == 4


async def test_a_database_that_does_not_answer_delays_nobody(
    center: Any, waits: WaitTimes, database: Database
) -> None:
    async with database.transaction() as connection:
        await connection.execute("LOCK TABLE callcenter.queue_entry IN ACCESS EXCLUSIVE MODE")
        begin_s = time.perf_counter()
        assert await waits.of_caller("sales", 0, 1, NOON) == UNAVAILABLE
        assert time.perf_counter() - begin_s < 1.5
    await asyncio.sleep(0.2)
    await busy(center, "ann")
    waits._forget()
    assert (await waits.of_newcomers())["sales"].agents == 1


async def test_the_recent_past_is_read_by_indexes(database: Database) -> None:
    await database.execute(
        """
        INSERT INTO callcenter.agent (agent_id, name, gateway, address)
        SELECT 'a' || n, '', 'twilio', '' FROM generate_series(1, 20) AS n
        """
    )
    await database.execute(
        "INSERT INTO callcenter.agent_queue SELECT 'a' || n, 'q' || n FROM generate_series(1, 20) AS n"
    )
    await database.execute(
        """
        INSERT INTO callcenter.event (at, type, call_id, seq, queue, agent)
        SELECT now() - make_interval(secs => n), step.type, md5(n::text)::uuid, step.seq, 'q' || n % 20, 'ann'
        FROM generate_series(1, 10000) AS n,
             (VALUES ('offer.sent', 1), ('agent.connected', 2), ('acw.ended', 3)) AS step (type, seq)
        """
    )
    await database.execute("ANALYZE callcenter.event")
    plan = await database.fetchval(f"EXPLAIN (FORMAT JSON) {HISTORY}", 200, 4)
    names = set(indexes(plan if isinstance(plan, list) else json.loads(plan)))
    assert {"event_wrapped_up", "event_call_seq", "wait_estimate_recent"} <= names
    assert "seq scan on event" not in names


def indexes(node: Any) -> list[str]:
    found = []
    if isinstance(node, dict):
        if "Index Name" in node:
            found.append(node["Index Name"])
        if node.get("Node Type") == "Seq Scan" and node.get("Relation Name") == "event":
            found.append("seq scan on event")
        for value in node.values():
            found += indexes(value)
    elif isinstance(node, list):
        for value in node:
            found += indexes(value)
    return found


async def test_the_recent_past_as_it_is_read(center: Any, database: Database) -> None:
    await center.agent("ann", idle_s=None)
    for service_s, ring_s in ((90.0, 2.0), (110.0, 6.0)):
        await contact(database, service_s=service_s, ring_s=ring_s)
    await stay(database, "sales", "answered", 30)
    await stay(database, "sales", "abandoned", 70)
    (recent,) = await WaitEstimates(database).history()
    assert recent == Recent(
        "sales", 2, pytest.approx(100, 1e-3), pytest.approx(4, 1e-2), pytest.approx(2, 1e-2), 100, 1, 30
    )


async def test_callbacks_keep_agents_busy_but_ring_longer_than_callers_wait(
    center: Any, database: Database
) -> None:
    await center.agent("ann", idle_s=None)
    await contact(database, service_s=90, ring_s=4)
    call_id = await contact(database, service_s=150, ring_s=30)
    await database.execute(
        """
        INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref, from_number,
                                     to_number, started_at)
        VALUES ($1, $1, $1, 'callback', 'test', 'one', '', '+12025550101', now())
        """,
        call_id,
    )
    (recent,) = await WaitEstimates(database).history()
    assert (recent.contacts, recent.service_s) == (2, pytest.approx(120, 1e-3))
    assert recent.ring_s == pytest.approx(4, 1e-2)


# How right they were.


async def made(
    database: Database, outcome: str, waited_s: float, *, p50_s: float | None, queue: str = "sales"
) -> UUID:
    call_id = uuid4()
    method, p90_s = ("none", None) if p50_s is None else ("formula", 2 * p50_s)
    rows = [
        MadeEstimate(NOON, True, 0, 3, method, p50_s, p90_s),
        MadeEstimate(NOON + timedelta(seconds=30), False, 0, 2, method, p50_s, p90_s, 60, 120),
    ]
    ended_at = NOON + timedelta(seconds=waited_s)
    for _ in range(2):  # as after an outage that hid the first time
        await WaitEstimates(database).add(call_id, queue, rows, outcome, ended_at)
    return call_id


async def test_bias_error_and_coverage_by_hand(database: Database) -> None:
    # At entry 50 to 100 s were told, then again; they waited 40 s and 10 s more, 130 s and 100 s more.
    await made(database, "answered", 40, p50_s=50)
    await made(database, "answered", 130, p50_s=50)
    await made(database, "abandoned", 500, p50_s=50, queue="billing")
    await made(database, "answered", 60, p50_s=None, queue="billing")
    found = await WaitEstimates(database).accuracy(NOON, NOON + timedelta(hours=1))
    total = next(one for one in found if (one.queue, one.method, one.at_entry) == (None, None, None))
    # Errors +10, +40, -80, -50; of the waits 40, 10, 130 and 100 all but 130 are within 100.
    assert (total.estimates, total.told, total.served) == (8, 4, 4)
    assert (total.bias_s, total.mae_s, total.p90_coverage) == (-20, 45, 0.75)
    entry = next(one for one in found if one.at_entry)
    assert (entry.estimates, entry.served, entry.bias_s, entry.p90_coverage) == (4, 2, -35, 0.5)
    billing = next(one for one in found if one.queue == "billing")
    assert (billing.estimates, billing.served, billing.mae_s, billing.p90_coverage) == (4, 0, None, None)
    assert await WaitEstimates(database).accuracy(NOON + timedelta(hours=1), NOON + timedelta(hours=2)) == [
        total.__class__(None, None, None, 0, 0, 0, None, None, None)
    ]
