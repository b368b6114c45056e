"""What goes wrong around workers: clocks, networks, the database."""

import asyncio
import re
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from callback.request import Callback, Mode, Result
from callback.search import Search
from callback.state import OPEN, State
from callback.store import Store
from callcenter.storage.embedded import PostgresServer
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database, retrying
from support.claiming import dialling
from support.exchange import Plan
from support.wishes import requested, some_terms, steps_of
from support.workbench import Bench

ROOT = Path(__file__).parents[3]


def test_no_worker_reads_the_clock_of_its_machine() -> None:
    for path in (ROOT / "callback").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"datetime\.now\(|utcnow\(|time\.time\(|import time\b", text), path


# As another database's clock: what the statements ask is found here before the server's own.
SKEWED = """
CREATE SCHEMA skewed;
CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql
    AS $$ SELECT pg_catalog.clock_timestamp() + interval '{hours} hours' $$;
CREATE FUNCTION skewed.now() RETURNS timestamptz LANGUAGE sql
    AS $$ SELECT pg_catalog.now() + interval '{hours} hours' $$;
DO $do$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = skewed, pg_catalog, public', current_database());
END $do$;
"""


@pytest.mark.parametrize("hours", [-7, 7])
async def test_machines_whose_clocks_are_hours_off(database_url: str, hours: int) -> None:
    """The database's clock decides: two workers hours away from it dial on time."""
    async with Database.connect(database_url, pool_size=1) as before:
        await before.execute(SKEWED.format(hours=hours))
    async with Database.connect(database_url, pool_size=5) as database:
        bench = Bench(Store(database.transaction))
        bench.network(Plan("busy"), Plan())
        now, began = await bench.store.now(), bench.exchange.now()
        callback = await requested(
            bench.store, mode=Mode.CUSTOMER_FIRST, **_terms(now + timedelta(seconds=1))
        )
        short = await requested(
            bench.store,
            mode=Mode.CUSTOMER_FIRST,
            **_terms(now + timedelta(hours=1), expires_at=now + timedelta(seconds=0.5)),
        )
        async with bench.worker(), bench.worker():
            await bench.until(short, State.EXPIRED)
            await bench.until(callback, State.COMPLETED)
        first, _ = bench.exchange.calls.values()
        assert 1 <= first.since - began < 5
        assert not bench.exchange.double


def _terms(start: Any, **values: Any) -> dict[str, Any]:
    terms = some_terms(start)
    kept = ("not_before", "expires_at", "promised_from", "promised_until")
    return {name: getattr(terms, name) for name in kept} | values


@pytest.mark.parametrize("events", ["lost", "twice", "turned", "late"])
async def test_messages_of_the_network_that_go_astray(bench: Bench, events: str) -> None:
    bench.network(Plan(events=events, talk_s=0.2))
    callback = await requested(bench.store, mode=Mode.CUSTOMER_FIRST)
    async with bench.worker():
        ended = await bench.until(callback, State.COMPLETED)
    (attempt,) = await bench.store.attempts_of(callback.callback_id)
    assert (ended.attempts, attempt.result) == (1, Result.BRIDGED)
    assert bench.exchange.dialled == {callback.number: 1}


async def test_a_late_message_changes_nothing(bench: Bench) -> None:
    claim, attempt = await dialling(bench.store)
    ended = await bench.store.merge(claim.callback.callback_id, by="customer", call_id=uuid4())
    async with bench.worker() as worker:
        for event_id, status in [("1", "ringing"), ("2", "talking"), ("2", "talking"), ("3", "busy")]:
            await bench.store.gateway_event(attempt.attempt_id, event_id, status)
            worker.nudge()
        await asyncio.sleep(0.3)
    assert await bench.store.get(ended.callback_id) == ended
    assert not bench.exchange.calls


async def test_a_network_that_takes_the_call_and_never_rings(bench: Bench) -> None:
    bench.network(Plan(never_rings=True), Plan())
    callback = await requested(bench.store, mode=Mode.CUSTOMER_FIRST)
    async with bench.worker():
        await bench.until(callback, State.COMPLETED)
    first, *_, last = await bench.store.attempts_of(callback.callback_id)
    assert (first.result, last.result) == (Result.NO_ANSWER, Result.BRIDGED)
    assert not bench.exchange.double


@pytest.mark.parametrize(
    "plan", [Plan(silent=True), Plan("busy", silent=True), Plan(silent=True, amnesia=True)]
)
async def test_a_network_that_dials_and_does_not_say_so(bench: Bench, plan: Plan) -> None:
    bench.network(plan, Plan())
    callback = await requested(bench.store, mode=Mode.CUSTOMER_FIRST)
    async with bench.worker():
        ended = await bench.until(callback, State.COMPLETED)
    first, second = await bench.store.attempts_of(callback.callback_id)
    assert first.result in (Result.LOST, Result.BUSY, Result.UNKNOWN)
    assert second.result is Result.BRIDGED
    assert ended.attempts == 2
    assert {call.dials for call in bench.exchange.calls.values()} == {1}
    assert not bench.exchange.double
    assert "lose" in await steps_of(bench.store, callback.callback_id)


async def test_a_network_that_is_away_is_waited_for(bench: Bench) -> None:
    """It comes back before what it cannot tell counts as unknown."""
    bench.network(Plan(silent=True), Plan())
    bench.exchange.is_away = True
    callback = await requested(bench.store, mode=Mode.CUSTOMER_FIRST)
    async with bench.worker():
        await bench.until(callback, State.RECONCILING)
        bench.exchange.is_away = False
        await bench.until(callback, State.COMPLETED)
    first, _ = await bench.store.attempts_of(callback.callback_id)
    assert first.result is Result.LOST


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_database_that_goes_away_in_the_middle(own_postgres: PostgresServer, mode: Any) -> None:
    async with Database.connect(own_postgres.url, pool_size=6) as database:
        await Migrations(database).upgrade()
        bench = Bench(Store(database.transaction))
        bench.network(Plan(talk_s=0.2))
        made: list[Callback] = [await requested(bench.store, mode=Mode.CUSTOMER_FIRST) for _ in range(12)]
        bench.room.free = 4
        async with AsyncExitStack() as stack:
            for _ in range(2):
                await stack.enter_async_context(bench.worker())
            for _ in range(3):
                await asyncio.sleep(0.15)
                await asyncio.to_thread(own_postgres.halt, mode)
                await asyncio.sleep(0.2)
                await asyncio.to_thread(own_postgres.start)
            async with asyncio.timeout(90):
                while await _open(bench.store):  # noqa: ASYNC110  # of a database
                    await asyncio.sleep(0.1)
        for callback in made:
            ended = await bench.store.get(callback.callback_id)
            attempts = await bench.store.attempts_of(callback.callback_id)
            assert ended.state in (State.COMPLETED, State.EXHAUSTED)
            assert ended.attempts == sum(one.counted for one in attempts)
        assert {call.dials for call in bench.exchange.calls.values()} == {1}
        assert not bench.exchange.double


async def _open(store: Store) -> list[Callback]:
    return await retrying(lambda: store.find(Search(states=OPEN)), deadline_s=20)
