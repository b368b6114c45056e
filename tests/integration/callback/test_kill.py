"""Workers are killed before and after every commit and every question to the network; nothing comes of it.

``make test-kill`` kills a thousand; ``CALLBACK_KILLS`` says how many.
"""

import asyncio
import os
import random
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

from callback.errors import CallbackError
from callback.request import Callback, Mode, Result
from callback.search import Search
from callback.state import OPEN, TABLE, State, Step
from callback.store import Store
from callback.worker import Worker
from support.claiming import agent_has_come, dialled
from support.doomed import OPTIONS, RING_S, Doomed, Order
from support.exchange import Exchange, ExchangeServer, Line, Plan
from support.numbers import new_number
from support.scripted import LATEST_S, QUICK, Agents, Scripted
from support.wishes import requested

KILLS = int(os.environ.get("CALLBACK_KILLS", "80"))
ABREAST, AT_ONCE = 5, 2
"""So many processes fork so many workers at a time."""

PATIENCE_S = 240
MUST_BE_REACHED = {
    f"{who}, {when}"
    for when in ("before", "after")
    for who in (
        "claims: commit claim",
        "carry: commit step reserve",
        "carry: commit step accept",
        "carry: commit dial",
        "carry: asking dial",
        "carry: commit dialled",
        "carry: commit reached",
        "carry: commit step confirm",
        "carry: commit step wait",
        "carry: commit step bridge",
        "carry: commit over complete",
        "carry: commit over retry",
        "carry: commit over exhaust",
        "settle: asking found",
        "settle: asking cut",
        "settle: commit over retry",
        "settle: commit over complete",
        "settle: commit over exhaust",
        "clock: commit fall_due",
        "clock: commit take_lost",
        "clock: commit release_lost",
    )
}
HARMLESS = ("commit get", "commit now", "commit first_due", "commit open_queues", "commit open_attempt")
"""Nothing is written there."""

PLANS = [
    Plan(),
    Plan(talk_s=0.3),
    Plan(ring_s=0.1),
    Plan("busy"),
    Plan("no_answer", ring_s=0.1),
    Plan("failed"),
    Plan(refused=True),
    Plan(silent=True),
    Plan(never_rings=True),
    Plan(amnesia=True),
    Plan(events="lost"),
    Plan(events="twice"),
    Plan(events="turned"),
    Plan(events="late"),
]
LEADS_TO = {
    "over retry": Plan("busy"),
    "over exhaust": Plan("busy"),
    "step lose": Plan(silent=True),
    "asking cut": Plan(talk_s=3),
    "reached": Plan(),
    "confirm": Plan(),
    "wait": Plan(),
    "bridge": Plan(),
    "over complete": Plan(),
}
"""What a customer does who brings a worker to a point."""


class Ground:
    """Callbacks, an exchange that outlives all workers, and workers to be killed."""

    def __init__(self, store: Store, url: str, socket: Path) -> None:
        self.store = store
        self.exchange = Exchange(self._plan)
        self.line = Line(self.exchange)
        self.killed: Counter[str] = Counter()
        self.points: set[str] = set()
        self._url = url
        self._socket = socket
        self._chosen: Counter[str] = Counter()
        self._plans: dict[str, Plan] = {}

    async def kill_many(self, kills: int) -> None:
        async with Doomed() as doomed:
            # Once without being killed, to learn what points there are; more come to light on the way.
            await self._kill(doomed, [""] * AT_ONCE)
            while self.killed.total() < kills:
                await self._kill(doomed, self._next())

    async def _kill(self, doomed: Doomed, die_at: list[str]) -> None:
        """One worker for each point, each with a callback of its own and what the ones before have left."""
        orders = []
        others = await self.store.find(Search(states=OPEN, limit=50))
        for point in die_at:
            own = await self._asked(point)
            left = random.sample(others, min(2, len(others)))
            ids = [str(one.callback_id) for one in (own, *left)]
            queues = [one.queue for one in (own, *left)]
            orders.append(Order(self._url, str(self._socket), ids, queues, point))
        for fate in await doomed.run(orders):
            self.points |= set(fate.points)
            if fate.killed_at:
                self.killed[fate.killed_at] += 1

    def _next(self) -> list[str]:
        """The points at which the fewest were killed; seldom those that few come to."""
        points = sorted(
            (one for one in self.points | MUST_BE_REACHED if not any(word in one for word in HARMLESS)),
            key=lambda one: self.killed[one] + self._chosen[one] / 2 + random.random(),
        )
        self._chosen.update(points[:AT_ONCE])
        return points[:AT_ONCE]

    def _plan(self, number: str, nth: int) -> Plan:
        planned = self._plans.get(number)
        return planned if planned and nth == 0 else random.Random(f"{number} {nth}").choice(PLANS)

    async def _asked(self, point: str) -> Callback:
        """A callback that brings a worker to the point."""
        mode = random.choice(list(Mode))
        if "reserve" in point or "accept" in point:
            mode = Mode.AGENT_FIRST
        if "confirm" in point or "wait" in point:
            mode = Mode.CUSTOMER_FIRST
        number = new_number()
        for what, plan in LEADS_TO.items():
            if what in point:
                self._plans[number] = plan
        attempts = 1 if "exhaust" in point else 3
        queue = f"queue of {number}"
        # Before what others have left.
        own = await requested(self.store, number, mode=mode, queue=queue, attempts=attempts, priority=1)
        if point.startswith("settle"):
            # Others may be quicker, as they look after all callbacks.
            with suppress(CallbackError):
                await self._lost(own, is_bridged="over complete" in point)
        return own

    async def _lost(self, callback: Callback, *, is_bridged: bool) -> None:
        """Dial, and be heard of no more."""
        await self.store.expedite(callback.callback_id, by="test")
        claims = await self.store.claim(uuid4(), 0.4, ids=[callback.callback_id])
        if not claims:
            return
        if callback.mode is Mode.AGENT_FIRST:
            await agent_has_come(self.store, claims[0])
        latest = asyncio.get_running_loop().time() + LATEST_S
        attempt = await dialled(self.store, claims[0], ring_timeout_s=RING_S)
        if asyncio.get_running_loop().time() > latest:
            return
        plan = self.exchange.dial(attempt.attempt_id, callback.number)
        if is_bridged and not plan.refused:
            await self.store.reached(claims[0], attempt.attempt_id)
            await self.store.step(claims[0], Step.BRIDGE)

    async def survive(self) -> None:
        """Let others finish what was left."""
        async with AsyncExitStack() as stack:
            workers = [await stack.enter_async_context(self._worker()) for _ in range(2)]
            async with asyncio.timeout(PATIENCE_S):
                while left := await self.store.find(Search(states=OPEN, limit=500)):
                    for worker in workers:
                        worker.turn([one.callback_id for one in left if one.state is State.DUE])
                    await asyncio.sleep(0.05)

    def _worker(self) -> Worker:
        carrier = Scripted(self.store, self.line, ring_s=RING_S)
        options = replace(OPTIONS, at_once=50, lease_s=5)
        return Worker(self.store, carrier, self.line, Agents(), lambda _: QUICK, uuid4(), options)


async def test_killed_at_every_point(store: Store, database_url: str, tmp_path: Path) -> None:
    socket = tmp_path / "exchange"
    ground = Ground(store, database_url, socket)
    async with ExchangeServer(ground.exchange, socket):
        async with asyncio.TaskGroup() as group:
            for _ in range(ABREAST):
                group.create_task(ground.kill_many(KILLS))
        await ground.survive()
        await _check(store, ground.exchange)
    kills, points, dials = ground.killed.total(), len(ground.killed), len(ground.exchange.calls)
    print(f"\n{kills} kills at {points} points, {dials} dials")  # noqa: T201
    if KILLS >= 1000:
        assert set(ground.killed) >= MUST_BE_REACHED, MUST_BE_REACHED - set(ground.killed)


async def _check(store: Store, exchange: Exchange) -> None:
    assert not exchange.double
    assert {call.dials for call in exchange.calls.values()} == {1}
    known: set[UUID] = set()
    for callback in await store.find(Search(limit=100_000)):
        assert not callback.is_open
        attempts = await store.attempts_of(callback.callback_id)
        known |= {attempt.attempt_id for attempt in attempts}
        for attempt in attempts:
            assert attempt.ended_at is not None
            was_dialled = attempt.attempt_id in exchange.calls
            assert attempt.counted == was_dialled, attempt
        assert callback.attempts == sum(attempt.counted for attempt in attempts) <= callback.attempts_max
        if callback.state is State.COMPLETED:
            assert attempts[-1].result is Result.BRIDGED
        await _check_history(store, callback)
    assert set(exchange.calls) <= known


async def _check_history(store: Store, callback: Callback) -> None:
    before = ""
    for change in await store.history(callback.callback_id):
        assert change.before == before
        if before:
            step = Step.FALL_DUE if change.step == "expedited" else Step(change.step)
            assert TABLE[State(before)][step] == change.after
        before = change.after
    assert before == callback.state
