import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from callback.options import Options
from callback.request import Claim, Mode, Result
from callback.rules import Rules
from callback.state import State, Step
from callback.store import Store
from callback.store.changing import Transaction
from support.claiming import claimed, dialled, run_out
from support.exchange import Plan
from support.scripted import QUICK, Scripted
from support.wishes import BY, requested, steps_of
from support.workbench import FAST, PATIENCE_S, Bench


class Outage:
    """The way to the database, which may be closed."""

    def __init__(self, transaction: Transaction) -> None:
        self.is_on = False
        self._transaction = transaction

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        if self.is_on:
            raise ConnectionRefusedError("the database is away")
        async with self._transaction() as connection:
            yield connection


class Holding:
    """Carries as told and then waits, to be released by the test."""

    def __init__(self, work: Callable[[Claim], Awaitable[Any]]) -> None:
        self._work = work
        self.going = asyncio.Event()
        self.let_go = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def carry(self, claim: Claim) -> None:
        await self._work(claim)
        self.going.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def nothing(_: Claim) -> None:
    pass


async def test_agent_first_to_the_end(bench: Bench) -> None:
    callback = await requested(bench.store)
    async with bench.worker() as worker:
        ended = await bench.until(callback, State.COMPLETED, turns=(worker,))
    assert ended.attempts == 1
    assert bench.exchange.dialled == {callback.number: 1}
    assert worker.carried == 0


async def test_customer_first_to_the_end(bench: Bench) -> None:
    callback = await requested(bench.store, mode=Mode.CUSTOMER_FIRST)
    async with bench.worker():
        await bench.until(callback, State.COMPLETED)
    assert "wait" in await steps_of(bench.store, callback.callback_id)


async def test_it_is_not_dialled_before_its_time(bench: Bench) -> None:
    callback = await requested(bench.store, mode=Mode.CUSTOMER_FIRST, in_s=0.6)
    async with bench.worker():
        await asyncio.sleep(0.3)
        assert not bench.exchange.calls
        ended = await bench.until(callback, State.COMPLETED)
    history = await bench.store.history(ended.callback_id)
    late = next(one.at for one in history if one.step == "dial") - callback.not_before
    assert timedelta(0) < late < timedelta(seconds=1)


async def test_attempts_run_out(bench: Bench) -> None:
    bench.network(Plan("busy"))
    callback = await requested(bench.store, mode=Mode.CUSTOMER_FIRST, attempts=3)
    async with bench.worker():
        ended = await bench.until(callback, State.EXHAUSTED)
    assert ended.attempts == 3
    assert bench.exchange.dialled[callback.number] == 3
    assert [one.result for one in await bench.store.attempts_of(ended.callback_id)] == [Result.BUSY] * 3


async def test_many_workers_dial_each_customer_once(bench: Bench) -> None:
    made = [await requested(bench.store, mode=Mode.CUSTOMER_FIRST) for _ in range(40)]
    async with AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(bench.worker())
        for callback in made:
            await bench.until(callback, State.COMPLETED)
    assert set(bench.exchange.dialled.values()) == {1}
    assert not bench.exchange.double


async def test_customers_are_dialled_no_faster_than_agents_are_free(bench: Bench) -> None:
    made = [await requested(bench.store, mode=Mode.CUSTOMER_FIRST) for _ in range(12)]
    bench.room.free = 3
    bench.rules["sales"] = QUICK
    most = 0
    async with bench.worker(), bench.worker():
        async with asyncio.timeout(PATIENCE_S):
            while await bench.store.pending("sales"):
                most = max(most, await bench.store.in_flight("sales"))
                await asyncio.sleep(0.005)
    assert 0 < most <= 3
    assert len(bench.exchange.calls) == len(made)


async def test_a_queue_that_is_switched_off_dials_nobody(bench: Bench) -> None:
    bench.rules["sales"] = Rules(process=False)
    callback = await requested(bench.store, mode=Mode.CUSTOMER_FIRST)
    async with bench.worker():
        await asyncio.sleep(0.3)
        assert (await bench.store.get(callback.callback_id)).state is State.QUEUED
        bench.rules["sales"] = QUICK
        await bench.until(callback, State.COMPLETED)
    assert await steps_of(bench.store, callback.callback_id) == (
        await steps_of(bench.store, callback.callback_id)
    )


async def test_what_expires_is_not_dialled(bench: Bench) -> None:
    bench.room.free = 0
    callback = await requested(bench.store, mode=Mode.CUSTOMER_FIRST)
    short = await requested(
        bench.store, mode=Mode.CUSTOMER_FIRST, expires_at=callback.not_before + timedelta(seconds=0.4)
    )
    async with bench.worker():
        ended = await bench.until(short, State.EXPIRED)
    assert (ended.ended_by, ended.cause) == ("clock", "expired")
    assert not bench.exchange.calls


async def test_no_more_fall_due_than_the_rate_allows(bench: Bench) -> None:
    made = [await requested(bench.store) for _ in range(30)]
    options = Options(poll_s=0.05, dial_rate_per_s=10)
    async with bench.worker(options=options), bench.worker(options=options):
        for callback in made:
            await bench.until(callback, State.DUE)
    times = sorted([(await bench.store.get(callback.callback_id)).state_since for callback in made])
    for first, eleventh in zip(times, times[10:], strict=False):
        assert eleventh - first > timedelta(seconds=0.95)
    assert times[-1] - times[0] < timedelta(seconds=10)


async def test_nobody_dialled_is_given_back_when_a_worker_closes(bench: Bench) -> None:
    holding = Holding(lambda claim: bench.store.step(claim, Step.RESERVE))
    callback = await requested(bench.store)
    async with bench.worker(holding) as worker:
        await bench.until(callback, State.AGENT_RESERVED, turns=(worker,))
        await holding.going.wait()
    assert holding.cancelled.is_set()
    assert (await bench.store.get(callback.callback_id)).state is State.DUE
    assert "not_recorded" not in await steps_of(bench.store, callback.callback_id)


async def test_a_conversation_is_waited_for_when_a_worker_closes(bench: Bench) -> None:
    bench.network(Plan(talk_s=0.5))
    callback = await requested(bench.store, mode=Mode.CUSTOMER_FIRST)
    async with bench.worker():
        await bench.until(callback, State.BRIDGED)
    assert (await bench.store.get(callback.callback_id)).state is State.COMPLETED


async def test_what_takes_too_long_at_closing_is_left_to_others(bench: Bench) -> None:
    bench.network(Plan(talk_s=2))
    callback = await requested(bench.store, mode=Mode.CUSTOMER_FIRST)
    options = replace(FAST, drain_s=0.2)
    async with bench.worker(options=options):
        await bench.until(callback, State.BRIDGED)
    assert (await bench.store.get(callback.callback_id)).state is State.RECONCILING
    async with bench.worker():
        await bench.until(callback, State.COMPLETED)
    assert bench.exchange.dialled == {callback.number: 1}


async def test_who_cancels_stops_the_worker(bench: Bench) -> None:
    holding = Holding(lambda claim: bench.store.step(claim, Step.RESERVE))
    callback = await requested(bench.store)
    async with bench.worker(holding) as worker:
        await bench.until(callback, State.AGENT_RESERVED, turns=(worker,))
        await holding.going.wait()
        await bench.store.cancel(callback.callback_id, by=BY)
        worker.changed(callback.callback_id, State.CANCELLED)
        async with asyncio.timeout(0.9):
            await holding.cancelled.wait()
        assert worker.lost == 1
    assert (await bench.store.get(callback.callback_id)).state is State.CANCELLED


async def test_the_work_after_the_end_is_not_stopped(bench: Bench) -> None:
    async def end(claim: Claim) -> None:
        await bench.store.step(claim, Step.CANCEL)

    holding = Holding(end)
    callback = await requested(bench.store)
    async with bench.worker(holding) as worker:
        await bench.until(callback, State.CANCELLED, turns=(worker,))
        worker.changed(callback.callback_id, State.CANCELLED)
        await asyncio.sleep(0.5)
        assert not holding.cancelled.is_set()
        assert worker.lost == 0
        holding.let_go.set()


async def test_a_failing_carrier_is_tried_again_after_a_while(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    failures = 0

    class Failing(Scripted):
        async def carry(self, claim: Claim) -> None:
            nonlocal failures
            failures += 1
            if failures <= 2:
                raise OSError("no sockets")
            await super().carry(claim)

    callback = await requested(bench.store, mode=Mode.CUSTOMER_FIRST)
    with caplog.at_level(logging.ERROR):
        async with bench.worker(Failing(bench.store, bench.line)):
            ended = await bench.until(callback, State.COMPLETED)
    assert ended.attempts == 1
    assert failures == 3


async def test_a_carrier_that_fails_after_dialling_is_asked_after(bench: Bench) -> None:
    class Failing(Scripted):
        async def carry(self, claim: Claim) -> None:
            attempt = await dialled(bench.store, claim)
            await bench.line.dial(attempt.attempt_id, claim.callback.number)
            if bench.exchange.dialled[claim.callback.number] == 1:
                raise OSError("lost")
            await bench.store.over(claim, attempt.attempt_id, Result.INVALID, Step.REJECT, counted=False)

    callback = await requested(bench.store, mode=Mode.CUSTOMER_FIRST)
    async with bench.worker(Failing(bench.store, bench.line)):
        await bench.until(callback, State.REJECTED)
    first, _ = await bench.store.attempts_of(callback.callback_id)
    assert (first.result, first.counted) == (Result.LOST, True)
    assert not bench.exchange.double
    steps = await steps_of(bench.store, callback.callback_id)
    assert steps[steps.index("lose") + 1] == "retry"


async def test_a_lease_that_runs_out_is_noticed(bench: Bench) -> None:
    """The machine slept for longer than the lease, and somebody else has it by now."""
    holding = Holding(nothing)
    callback = await requested(bench.store)
    async with bench.worker(holding) as worker:
        await bench.until(callback, State.CLAIMED, turns=(worker,))
        await holding.going.wait()
        await run_out(bench.store, callback.callback_id)
        async with asyncio.timeout(20):
            await holding.cancelled.wait()
    assert "release" in await steps_of(bench.store, callback.callback_id)


async def test_an_outage_longer_than_the_lease_loses_nothing(bench: Bench) -> None:
    """Nobody could renew: whoever still holds a claim does so before it is given to others."""
    holding = Holding(nothing)
    callback = await requested(bench.store)
    outage = Outage(bench.store._transaction)
    bench.store = Store(outage.transaction)
    options = replace(FAST, outages=(ConnectionError,))
    async with bench.worker(holding, options) as worker, bench.worker(holding, options):
        await bench.until(callback, State.CLAIMED, turns=(worker,))
        await holding.going.wait()
        outage.is_on = True
        await asyncio.sleep(2 * FAST.lease_s)
        outage.is_on = False
        await asyncio.sleep(FAST.lease_s)
        assert not holding.cancelled.is_set()
        assert (await bench.store.get(callback.callback_id)).state is State.CLAIMED
    assert "worker_lost" not in [one.cause for one in await bench.store.history(callback.callback_id)]


@asynccontextmanager
async def left_dialling(bench: Bench, plan: Plan, *steps: Step, ask: bool = True) -> AsyncIterator[UUID]:
    """A callback whose worker died after it had dialled, and a worker that finds it."""
    bench.network(plan, Plan())
    claim = await claimed(bench.store, mode=Mode.CUSTOMER_FIRST)
    attempt_id = uuid4()
    await bench.store.dial(claim, attempt_id=attempt_id, gateway="test", call_id=uuid4(), ring_timeout_s=0.2)
    if ask:
        bench.exchange.dial(attempt_id, claim.callback.number)
    for step in steps:
        if step is Step.ANSWER:
            await bench.store.reached(claim, attempt_id)
        else:
            await bench.store.step(claim, step)
    await run_out(bench.store, claim.callback.callback_id)
    async with bench.worker():
        yield claim.callback.callback_id


@pytest.mark.parametrize(
    ("plan", "steps", "ask", "result", "counted"),
    [
        (Plan(), (), False, Result.LOST, False),
        (Plan("busy"), (), True, Result.BUSY, True),
        (Plan("no_answer"), (), True, Result.NO_ANSWER, True),
        (Plan("failed"), (), True, Result.FAILED, True),
        (Plan(talk_s=9), (), True, Result.LOST, True),
        (Plan(talk_s=9), (Step.ANSWER, Step.WAIT), True, Result.LOST, True),
        (Plan(never_rings=True), (), True, Result.NO_ANSWER, True),
        (Plan(amnesia=True), (), True, Result.UNKNOWN, True),
    ],
    ids=["never", "busy", "no-answer", "failed", "talking", "waiting", "never-rings", "amnesia"],
)
async def test_a_lost_worker_that_had_dialled(
    bench: Bench, plan: Plan, steps: tuple[Step, ...], ask: bool, result: Result, counted: bool
) -> None:
    async with left_dialling(bench, plan, *steps, ask=ask) as callback_id:
        await bench.until(callback_id, State.COMPLETED)
    first, second = await bench.store.attempts_of(callback_id)
    assert (first.result, first.counted) == (result, counted)
    assert second.result is Result.BRIDGED
    assert first.ended_at is not None
    assert first.ended_at < second.started_at
    if not plan.amnesia:
        assert not bench.exchange.double


async def test_a_conversation_that_outlives_its_worker_is_no_retry(bench: Bench) -> None:
    async with left_dialling(bench, Plan(talk_s=0.5), Step.ANSWER, Step.BRIDGE) as callback_id:
        await bench.until(callback_id, State.COMPLETED)
    (only,) = await bench.store.attempts_of(callback_id)
    assert (only.result, only.counted) == (Result.BRIDGED, True)


async def test_an_unknown_fate_is_an_alert(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        async with left_dialling(bench, Plan(amnesia=True)) as callback_id:
            await bench.until(callback_id, State.COMPLETED)
    assert any("fate unknown" in record.message for record in caplog.records)
