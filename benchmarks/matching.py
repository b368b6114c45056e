"""How quickly and how surely callers are matched in a large center, by two matchers on one durable database.

2,000 agents with skills in 50 queues of all strategies, 10,000 callers waiting all the time, who need skills
that relax with waiting. Agents become free one by one at a steady rate; the clock of a match runs from the
moment the agent is free in the database until the offer is. Then as many agents as can be matched are free
all the time, and matches are counted. An assignment is whole: the offer is accepted, later the agent is
released and a new caller comes. Every pair is held against who is busy, so that nobody is assigned twice
unseen.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from _report import Report, percentile, progress

from callcenter.acd.matcher import Matcher, rule_of
from callcenter.queueing import Queue, Relaxation, SkillTree, Strategy, needs_of
from callcenter.storage.embedded import EmbeddedPostgres
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import Offer, QueueLine

SKILLS = [f"skill-{number}" for number in range(12)]
NODE = uuid4()

# What ends a conversation without a wrap-up, for many agents at once.
RELEASE = """
UPDATE callcenter.agent SET state = 'available', call_id = NULL, offer_id = NULL, node_id = NULL,
       state_since = clock_timestamp()
WHERE agent_id = ANY ($1) AND state = 'talking'
"""
AGENTS = """
INSERT INTO callcenter.agent (agent_id, name, gateway, address, state, skills, call_id)
SELECT id, id, 'twilio', '+12025550142', 'talking', skills, gen_random_uuid()
FROM unnest($1::text[], $2::jsonb[]) AS given (id, skills)
"""
SERVE = "INSERT INTO callcenter.agent_queue SELECT * FROM unnest($1::text[], $2::text[])"
CALLERS = """
INSERT INTO callcenter.queue_entry (call_id, node_id, queue, priority, needs, entered_at)
SELECT gen_random_uuid(), $1, queue, priority, needs, entered_at
FROM unnest($2::text[], $3::integer[], $4::text[], $5::timestamptz[])
     AS given (queue, priority, needs, entered_at)
"""


@dataclass
class Center:
    """The sizes, the queues, and what every assignment is held against."""

    agents: int
    queues: int
    waiting: int
    busy: dict[str, UUID] = field(default_factory=dict)
    served: set[UUID] = field(default_factory=set)
    talking: deque[str] = field(default_factory=deque)
    twice: int = 0
    assigned: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(1)
        self.lines = [self._queue(number) for number in range(self.queues)]

    def _queue(self, number: int) -> Queue:
        needs = {skill: self.random.randint(1, 3) for skill in self.random.sample(SKILLS, number % 3)}
        relax = [Relaxation(after_s=60, needs=dict.fromkeys(needs, 1)), Relaxation(after_s=300)]
        return Queue(
            name=f"queue-{number:02d}",
            strategy=list(Strategy)[number % len(Strategy)],
            weight=1 + number % 2,
            needs=needs,
            relax=relax if needs else [],
            ring_at_most=3,
        )

    def take(self, offer: Offer) -> None:
        """Note an assignment; one who is busy or served already is counted."""
        self.assigned += 1
        self.twice += offer.agent_id in self.busy or offer.call_id in self.served
        self.busy[offer.agent_id] = offer.call_id
        self.served.add(offer.call_id)
        self.talking.append(offer.agent_id)

    def release(self, count: int) -> list[str]:
        """Who hangs up next, the longest conversation first."""
        names = [self.talking.popleft() for _ in range(min(count, len(self.talking)))]
        for name in names:
            self.busy.pop(name, None)
        return names

    async def fill(self, database: Database) -> None:
        """Make everybody."""
        names = [f"agent-{number:04d}" for number in range(self.agents)]
        levels = [
            {skill: self.random.randint(1, 3) for skill in self.random.sample(SKILLS, 4)} for _ in names
        ]
        await database.execute(AGENTS, names, levels)
        pairs = [
            (name, queue.name)
            for name in names
            for queue in self.random.sample(self.lines, self.random.randint(1, 5))
        ]
        await database.execute(SERVE, *map(list, zip(*pairs, strict=True)))
        await self.enter(database, self.waiting, spread_s=600)
        self.talking.extend(names)
        self.busy.update((name, uuid4()) for name in names)

    async def enter(self, database: Database, count: int, spread_s: float = 0) -> None:
        """New callers, who came in up to ``spread_s`` ago."""
        if not count:
            return
        now = datetime.now(UTC)
        queues = self.random.choices(self.lines, k=count)
        priorities = self.random.choices([0, 0, 0, 1], k=count)
        needs = [json.dumps(needs_of(queue, {})) for queue in queues]
        ages = [now - timedelta(seconds=self.random.uniform(0, spread_s)) for _ in queues]
        await database.execute(CALLERS, NODE, [queue.name for queue in queues], priorities, needs, ages)


async def accept(center: Center, line: QueueLine, offers: list[Offer]) -> list[Offer]:
    """The first telephone of each offer is answered."""
    first = {offer.offer_id: offer for offer in reversed(offers)}
    taken = []
    for offer in first.values():
        if await line.accept(offer):
            center.take(offer)
            taken.append(offer)
    return taken


async def one_by_one(center: Center, database: Database, rate: float, seconds: float) -> list[float]:
    """Delays in ms from an agent's freedom to the offer, at a steady rate."""
    line = QueueLine(database)
    matcher = _matcher(center, line)
    delays, begin_s = [], time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, begin_s + number / rate - time.perf_counter()))
        await database.execute(RELEASE, center.release(1))
        free_s = time.perf_counter()
        offers = await matcher.match()
        if offers:
            delays.append((time.perf_counter() - free_s) * 1000)
        taken = await accept(center, line, offers)
        await center.enter(database, len(taken))
    return delays


async def as_many_as_can_be(center: Center, database: Database, assignments: int) -> tuple[float, int]:
    """Assignments per second of two matchers that never want for free agents; and how many there were."""
    begun, begin_s = center.assigned, time.perf_counter()

    async def work() -> None:
        line = QueueLine(database)
        matcher = _matcher(center, line)
        while center.assigned - begun < assignments:
            taken = await accept(center, line, await matcher.match())
            await center.enter(database, len(taken))
            await database.execute(RELEASE, center.release(40))
            if (center.assigned - begun) % 5000 < len(taken):
                progress(f"{center.assigned - begun} assignments")

    async with asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(work())
    made = center.assigned - begun
    return made / (time.perf_counter() - begin_s), made


def _matcher(center: Center, line: QueueLine) -> Matcher:
    rules = {queue.name: rule_of(queue) for queue in center.lines}
    return Matcher(line, lambda: rules, SkillTree({}))


async def run(quick: bool, report: Report) -> None:
    """Make a database that is as durable as in production, and measure."""
    center = Center(400, 20, 2000) if quick else Center(2000, 50, 10_000)
    with tempfile.TemporaryDirectory(prefix="callcenter-bench-") as folder:
        async with EmbeddedPostgres(Path(folder)) as url, Database.connect(url) as database:
            await Migrations(database).upgrade()
            await center.fill(database)
            progress(f"{center.agents} agents talk, {center.waiting} callers wait")
            delays = await one_by_one(center, database, 50, 5 if quick else 60)
            per_s, made = await as_many_as_can_be(center, database, 2000 if quick else 100_000)
            twice = center.twice
    report.add("agents", center.agents, "agents")
    report.add("queues", center.queues, "queues")
    report.add("callers_waiting", center.waiting, "callers")
    report.add("match_p50_ms", percentile(delays, 0.5), "ms")
    report.add("match_p99_ms", percentile(delays, 0.99), "ms", "<= 20")
    report.add("matches_per_s", round(per_s), "1/s", ">= 300")
    report.add("assignments", made, "assignments")
    report.add("assigned_twice", twice, "assignments", "= 0")


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, within a minute")
    quick = parser.parse_args().quick
    report = Report("matching")
    asyncio.run(run(quick, report))
    report.print()


if __name__ == "__main__":
    main()
