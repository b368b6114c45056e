"""The triggers that keep the line and the log in step with callbacks, whoever else touches them."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from uuid import UUID, uuid4

import asyncpg
import pytest

from callback.errors import CallbackError
from callback.request import Mode, Result
from callback.search import Search
from callback.state import TABLE, State, Step
from callback.store import Store
from callcenter import config
from callcenter.acd.matcher import Matcher
from callcenter.acd.presence import AgentEvent
from callcenter.acd.roster import Roster
from callcenter.queueing import SkillTree
from callcenter.storage.agents import Agents
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine
from support.claiming import agent_has_come, claimed, dialled, dialling, fall_due
from support.wishes import BY, requested

IN_LINE = {State.QUEUED, State.DUE, State.RETRY_WAIT}
TURN_TAKEN = {State.CLAIMED, State.AGENT_RESERVED}


async def entry(database: Database, callback_id: UUID) -> asyncpg.Record | None:
    row: asyncpg.Record | None = await database.fetchrow(
        "SELECT * FROM callcenter.queue_entry WHERE callback_id = $1", callback_id
    )
    return row


@pytest.mark.parametrize("mode", list(Mode))
async def test_the_entry_follows_the_state(store: Store, database: Database, mode: Mode) -> None:
    callback = await requested(store, mode=mode, priority=2)
    row = await entry(database, callback.callback_id)
    assert row is not None
    assert (row["entered_at"], row["priority"], row["ready"]) == (callback.arrived_at, 2, False)
    entry_id = row["entry_id"]

    await fall_due(store)
    row = await entry(database, callback.callback_id)
    assert row is not None
    assert row["ready"] == (mode is Mode.AGENT_FIRST)

    (claim,) = await store.claim(uuid4(), 30, ids=[callback.callback_id])
    row = await entry(database, callback.callback_id)
    assert row is not None
    assert not row["ready"]
    if mode is Mode.AGENT_FIRST:
        await agent_has_come(store, claim)
    attempt = await dialled(store, claim)
    assert await entry(database, callback.callback_id) is None

    await store.over(
        claim, attempt.attempt_id, Result.BUSY, Step.RETRY, counted=True, not_before=await store.now()
    )
    row = await entry(database, callback.callback_id)
    assert row is not None
    assert (row["entered_at"], row["priority"], row["ready"]) == (callback.arrived_at, 2, False)
    assert row["entry_id"] > entry_id
    await store.cancel(callback.callback_id, by=BY)
    assert await entry(database, callback.callback_id) is None


async def test_changes_are_events_of_the_call_center(store: Store, database: Database) -> None:
    claim, attempt = await dialling(store)
    await store.over(claim, attempt.attempt_id, Result.INVALID, Step.REJECT, counted=False, cause="number")
    rows = await database.fetch(
        "SELECT type, queue, data FROM callcenter.event WHERE chain_id = $1 ORDER BY event_id",
        claim.callback.chain_id,
    )
    assert [row["type"] for row in rows] == [
        f"callback.{name}" for name in ("requested", "queued", "due", "claimed", "dialing", "rejected")
    ]
    assert {row["queue"] for row in rows} == {"sales"}
    last = rows[-1]["data"]
    assert (last["callback"], last["from"], last["to"]) == (
        str(claim.callback.callback_id),
        "dialing",
        "rejected",
    )
    assert (last["cause"], last["result"], last["counted"]) == ("number", "invalid", False)
    assert last["attempt"] == str(attempt.attempt_id)


async def test_a_change_that_is_undone_leaves_no_trace(store: Store, database: Database) -> None:
    claim = await claimed(store)

    class UndoneError(Exception):
        pass

    with suppress(UndoneError):
        async with database.transaction() as connection:
            await store.merge(claim.callback.callback_id, by=BY, call_id=uuid4(), connection=connection)
            raise UndoneError

    assert await entry(database, claim.callback.callback_id) is not None
    assert not await database.fetchval("SELECT count(*) FROM callcenter.event WHERE type = 'callback.merged'")


class Crowd:
    """Workers, agents, matchers, customers and staff who do all at once what they do."""

    def __init__(self, store: Store, database: Database, seed: int) -> None:
        self.store = store
        self.random = random.Random(seed)
        self.line = QueueLine(database)
        self.agents = Agents(database)
        self.roster = Roster(self.agents)
        self.matcher = Matcher(self.line, dict, SkillTree({}))
        self.ids: list[UUID] = []
        self.node_id = uuid4()
        self.done: Counter[str] = Counter()

    async def act(self) -> None:
        act = self.random.choice(
            [self.work, self.work, self.work, self.match, self.match, self.change, self.clock, self.ask]
        )
        with suppress(CallbackError):
            await act()
            self.done[act.__name__] += 1

    def one(self) -> UUID:
        return self.random.choice(self.ids)

    async def ask(self) -> None:
        self.ids.append((await requested(self.store, mode=self.random.choice(list(Mode)))).callback_id)

    async def clock(self) -> None:
        await fall_due(self.store)
        await self.store.release_lost(10)
        await self.store.expire(10)

    async def match(self) -> None:
        for offer in await self.matcher.match():
            if offer.callback_id is None:
                await self.line.leave(offer.call_id, [offer])
                continue
            if not await self.store.claim(self.node_id, 5, ids=[offer.callback_id]):
                continue
            call_id = uuid4()
            await self.line.take_turn(offer.callback_id, call_id, self.node_id)
            await self.line.leave(call_id, [offer])

    async def work(self) -> None:
        for claim in await self.store.claim(uuid4(), 5, ids=self.random.sample(self.ids, 3), limit=2):
            await self.store.renew(claim.worker, 5, {claim.callback.callback_id: claim.fence})
            if claim.callback.mode is Mode.AGENT_FIRST:
                await self.store.step(claim, Step.RESERVE)
                if self.random.random() < 0.4:
                    await self.store.step(claim, Step.RELEASE)
                    continue
                await self.store.step(claim, Step.ACCEPT)
            attempt = await dialled(self.store, claim)
            step = self.random.choice([Step.RETRY, Step.RETRY, Step.EXHAUST])
            await self.store.over(
                claim, attempt.attempt_id, Result.BUSY, step, counted=True, not_before=await self.store.now()
            )

    async def change(self) -> None:
        callback_id = self.one()
        match self.random.randrange(6):
            case 0:
                await self.store.edit(callback_id, by=BY, priority=self.random.randrange(5))
            case 1:
                await self.store.cancel(callback_id, by=BY)
            case 2:
                await self.store.merge(callback_id, by=BY, call_id=uuid4())
            case 3:
                await self.store.expedite(callback_id, by=BY)
            case 4:
                await self.store.reassign(callback_id, by=BY, owner=self.random.choice(["a1", ""]))
            case _:
                await self.store.erase((await self.store.get(callback_id)).number, by=BY)


@pytest.mark.parametrize("seed", range(3))
async def test_nobody_waits_for_another_in_a_circle(store: Store, database: Database, seed: int) -> None:
    """A deadlock would come out as ``StorageError``."""
    crowd = Crowd(store, database, seed)
    for number in range(4):
        agent_id = f"a{number}"
        await crowd.agents.create(
            config.Agent(id=agent_id, name=agent_id, address="+12025550142", queues=["sales"])
        )
        await crowd.roster.signal(agent_id, AgentEvent.SIGN_IN)
    for _ in range(15):
        await crowd.ask()

    async def busy() -> None:
        for _ in range(25):
            await crowd.act()

    async with asyncio.timeout(50):
        await asyncio.gather(*(busy() for _ in range(12)))

    assert min(crowd.done[name] for name in ("work", "match", "change", "clock", "ask")) > 0
    await _consistent(store, database)


async def _consistent(store: Store, database: Database) -> None:
    entries = {
        row["callback_id"]: row
        for row in await database.fetch("SELECT * FROM callcenter.queue_entry WHERE callback_id IS NOT NULL")
    }
    for callback in await store.find(Search(limit=10_000)):
        row = entries.pop(callback.callback_id, None)
        assert (row is not None) == (callback.state in IN_LINE | TURN_TAKEN), callback.state
        if row is not None:
            ready = callback.state is State.DUE and callback.mode is Mode.AGENT_FIRST
            assert row["ready"] == ready, callback.state
            assert row["entered_at"] == callback.arrived_at
        if row is not None and callback.state in IN_LINE:
            # Of a turn that is taken the entry follows when it is given back.
            assert row["priority"] == callback.priority
        before = ""
        for change in await store.history(callback.callback_id):
            assert change.before == before
            before = change.after
            if change.before and change.step in set(Step):
                assert TABLE[State(change.before)][Step(change.step)] == change.after
        assert before == callback.state
    assert not entries
