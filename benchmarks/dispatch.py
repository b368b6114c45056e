"""How quickly a free agent gets the next caller, with two dispatchers on one durable database.

500 agents in eight queues, 2,000 callers waiting all the time. Agents become free at a steady rate, seven
times what 500 agents with calls of three minutes make. The clock runs from before the agent's release is
asked of the database until the ticket of the caller, on whichever dispatcher, has the offer.
"""

import argparse
import asyncio
import itertools
import random
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from _report import Report, percentile, progress

from callcenter import config
from callcenter.acd.dispatcher import Dispatcher
from callcenter.acd.presence import AgentEvent
from callcenter.acd.roster import Roster
from callcenter.storage.agents import Agents
from callcenter.storage.embedded import EmbeddedPostgres
from callcenter.storage.listener import Listener
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine

QUEUES = [config.Queue(name=f"queue-{number}", max_length=100_000) for number in range(8)]
HOT_SHARE = """
SELECT relname, n_tup_hot_upd::float8 / nullif(n_tup_upd, 0) AS share FROM pg_stat_user_tables
WHERE relname IN ('agent', 'queue_entry')
"""


@dataclass
class Load:
    """The sizes of a run."""

    agents: int
    callers: int
    freed_per_s: float
    seconds: float


@dataclass
class Measured:
    """What was seen: agents who talk, since when an agent is free, and how long each waited."""

    talking: deque[tuple[str, UUID]] = field(default_factory=deque)
    free_at_s: dict[str, float] = field(default_factory=dict)
    delays_ms: list[float] = field(default_factory=list)
    served: int = 0


async def caller(dispatcher: Dispatcher, queue: config.Queue, seen: Measured) -> None:
    """Wait, be offered, be accepted."""
    async with dispatcher.wait(uuid4(), queue, random.choice([0, 0, 0, 1])) as ticket:
        while True:
            offer = await ticket.offer()
            free_at_s = seen.free_at_s.pop(offer.agent_id, None)
            if free_at_s is not None:
                seen.delays_ms.append((time.perf_counter() - free_at_s) * 1000)
            if await dispatcher.ringing(offer) and await ticket.accepted(offer):
                break
    seen.served += 1
    seen.talking.append((offer.agent_id, ticket.call_id))


async def callers(dispatchers: Iterator[Dispatcher], seen: Measured) -> None:
    """One place in line after another."""
    while True:
        await caller(next(dispatchers), random.choice(QUEUES), seen)


async def measure(url: str, load: Load) -> Measured:
    """Run the load on a migrated database."""
    seen = Measured()
    async with AsyncExitStack() as stack:
        dispatchers = []
        for _ in range(2):
            database = await stack.enter_async_context(Database.connect(url, pool_size=10))
            listener = await stack.enter_async_context(Listener(database))
            dispatchers.append(
                await stack.enter_async_context(
                    Dispatcher(QueueLine(database), Agents(database), listener, uuid4())
                )
            )
            await listener.settled()
        tasks = [
            asyncio.create_task(callers(itertools.cycle(dispatchers[i % 2 :]), seen), name=f"caller-{i}")
            for i in range(load.callers)
        ]
        line = QueueLine(database)
        while len(await line.entries()) < load.callers:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        progress(f"{load.callers} callers wait")
        await everybody_talks(Agents(database), load, seen)
        progress(f"{load.agents} agents talk")
        await free_steadily(dispatchers, load, seen)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return seen


async def everybody_talks(agents: Agents, load: Load, seen: Measured) -> None:
    """Sign all agents in and let each get a call; not measured."""
    await agents.sync(
        [
            config.Agent(
                id=f"agent-{number}",
                address="+12025550142",
                queues=[queue.name for queue in random.sample(QUEUES, random.randint(1, 4))],
            )
            for number in range(load.agents)
        ]
    )
    roster = Roster(agents)
    for number in range(load.agents):
        await roster.signal(f"agent-{number}", AgentEvent.SIGN_IN)
    while len(seen.talking) < load.agents:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def free_steadily(dispatchers: list[Dispatcher], load: Load, seen: Measured) -> None:
    """Release the agent who has talked longest, at even intervals."""
    begin_s = time.perf_counter()
    releases: set[asyncio.Task[None]] = set()
    for number in range(int(load.seconds * load.freed_per_s)):
        await asyncio.sleep(max(0.0, begin_s + number / load.freed_per_s - time.perf_counter()))
        agent_id, call_id = seen.talking.popleft()
        seen.free_at_s[agent_id] = time.perf_counter()
        release = dispatchers[number % 2].release(agent_id, call_id)
        task = asyncio.create_task(release, name=f"release-{agent_id}")
        releases.add(task)
        task.add_done_callback(releases.discard)
    await asyncio.sleep(2)


async def run(load: Load, report: Report) -> None:
    """Make a database that is as durable as in production, and measure."""
    with tempfile.TemporaryDirectory(prefix="callcenter-bench-") as folder:
        async with EmbeddedPostgres(Path(folder)) as url, Database.connect(url) as database:
            await Migrations(database).upgrade()
            seen = await measure(url, load)
            hot = await database.fetch(HOT_SHARE)
    report.add("agents", load.agents, "agents")
    report.add("callers_waiting", load.callers, "callers")
    report.add("agents_freed", load.freed_per_s, "agents/s")
    report.add("free_to_offer_p50_ms", percentile(seen.delays_ms, 0.5), "ms")
    report.add("free_to_offer_p99_ms", percentile(seen.delays_ms, 0.99), "ms", "<= 50")
    report.add("free_to_offer_max_ms", percentile(seen.delays_ms, 1), "ms")
    report.add("freed_without_offer", len(seen.free_at_s), "agents", "= 0")
    for row in hot:
        report.add(f"hot_updates_{row['relname']}", round(row["share"], 3), "share of updates")


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, within a minute")
    quick = parser.parse_args().quick
    random.seed(1)
    report = Report("dispatch")
    asyncio.run(run(Load(100, 400, 20, 10) if quick else Load(500, 2000, 20, 60), report))
    report.print()


if __name__ == "__main__":
    main()
