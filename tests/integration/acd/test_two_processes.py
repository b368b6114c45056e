"""Two dispatchers on one database, 50 agents, 500 callers."""

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from callcenter import config
from callcenter.acd.dispatcher import Dispatcher, Refusal
from callcenter.storage.agents import Agents
from callcenter.storage.listener import Listener
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine

AGENTS = 50
CALLERS = 500
SALES = config.Queue(name="sales", max_length=CALLERS)


@dataclass
class Day:
    """What the calls saw."""

    busy: dict[str, UUID] = field(default_factory=dict)
    served: list[int] = field(default_factory=list)
    first_offers: list[int] = field(default_factory=list)
    abandoned: list[int] = field(default_factory=list)


def fate(number: int) -> Refusal | str:
    """What becomes of a caller's first offer."""
    if number % 25 == 7:
        return "abandon"
    if number % 25 == 14:
        return "rejected"
    return "accept"


async def call(dispatcher: Dispatcher, number: int, day: Day, entered: asyncio.Event) -> None:
    async with dispatcher.wait(uuid4(), SALES, 0) as ticket:
        entered.set()
        tries = 0
        while True:
            offer = await ticket.offer()
            tries += 1
            assert offer.call_id == ticket.call_id
            assert offer.agent_id not in day.busy
            day.busy[offer.agent_id] = ticket.call_id
            if tries == 1:
                day.first_offers.append(number)
            assert await dispatcher.ringing(offer)
            if tries == 1 and fate(number) == "abandon":
                day.abandoned.append(number)
                del day.busy[offer.agent_id]
                return
            if tries == 1 and fate(number) == "rejected":
                del day.busy[offer.agent_id]
                await ticket.refused(offer, "rejected")
                continue
            assert await ticket.accepted(offer)
            break
    day.served.append(number)
    await asyncio.sleep(random.uniform(0, 0.02))
    assert await dispatcher.wrap_up(offer.agent_id, ticket.call_id)
    del day.busy[offer.agent_id]
    await dispatcher.release(offer.agent_id, ticket.call_id)


async def test_every_caller_is_served_once_in_order(center: Any, database_url: str) -> None:
    day, tasks = Day(), []
    async with AsyncExitStack() as stack:
        nodes = []
        for _ in range(2):
            database = await stack.enter_async_context(Database.connect(database_url, pool_size=6))
            listener = await stack.enter_async_context(Listener(database))
            nodes.append(
                await stack.enter_async_context(
                    Dispatcher(QueueLine(database), Agents(database), listener, uuid4())
                )
            )
        for number in range(CALLERS):
            entered = asyncio.Event()
            caller = call(nodes[number % 2], number, day, entered)
            tasks.append(asyncio.create_task(caller, name=f"caller-{number}"))
            await entered.wait()
        for number in range(AGENTS):
            await center.agent(f"agent-{number}")
        async with asyncio.timeout(60):
            await asyncio.gather(*tasks)

    expected_gone = [number for number in range(CALLERS) if fate(number) == "abandon"]
    assert sorted(day.abandoned) == expected_gone
    assert sorted(day.served + day.abandoned) == list(range(CALLERS))
    assert await center.line.entries() == []
    assert {agent.state for agent in await center.agents.all()} == {"available"}
    # The two claim at the same time and tell of it in either order; more than that nobody is overtaken.
    overtaken_by = [place - number for place, number in enumerate(day.first_offers)]
    assert max(map(abs, overtaken_by)) <= 4
    await assert_no_agent_was_shared(center)


async def assert_no_agent_was_shared(center: Any) -> None:
    """In the log, each agent goes from state to state without a break, one call at a time."""
    rows = await center.database.fetch(
        "SELECT agent, data FROM callcenter.event WHERE type = 'agent.state' ORDER BY event_id"
    )
    last: dict[str, dict[str, Any]] = {}
    for row in rows:
        data, before = row["data"], last.get(row["agent"])
        if before is not None:
            assert data["from"] == before["to"]
            if data["from"] not in ("available", "offline"):
                assert data["call"] == before["call"]
        last[row["agent"]] = data
    assert len(rows) > 5 * 0.9 * CALLERS
