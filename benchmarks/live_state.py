"""How soon 500 watchers on real sockets hear of a change in a center of 2,000 agents and 50 queues.

One process serves the live socket from an embedded database, this one changes agents and calls there and
listens on all sockets. A change carries a mark in an agent's reason; the delay runs from before the statement
that makes it until a socket has the message with the mark. First one change at a time, then a storm. What a
state costs is measured beside that, without sockets: reading it, and making the messages for supervisors, who
all see the same, and for 500 agents, each of whom sees other calls.
"""

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import mean
from uuid import UUID, uuid4

import uvloop
from _report import Report, progress
from aiohttp import ClientSession, TCPConnector, WSMsgType, web

from callcenter import config
from callcenter.acd.queues import Queues
from callcenter.acd.waits import WaitTimes
from callcenter.events import Event, EventType
from callcenter.queueing import SkillTree
from callcenter.storage.embedded import EmbeddedPostgres
from callcenter.storage.event_log import EventLog
from callcenter.storage.listener import Listener
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database
from callcenter.storage.queues import QueueRows
from callcenter.storage.wait_estimates import WaitEstimates
from callcenter.web import middleware
from callcenter.web.auth import Authenticator
from callcenter.web.board import Boards
from callcenter.web.feed import LiveFeed
from callcenter.web.live import LiveHub
from callcenter.web.principal import Principal, Role
from callcenter.web.routes.live import LiveRoutes
from callcenter.web.subscription import Interest, Topic

QUEUES = [f"queue-{number}" for number in range(50)]
AGENTS = """
INSERT INTO callcenter.agent (agent_id, name, gateway, address)
SELECT 'agent-' || n, 'Agent ' || n, 'twilio', '' FROM generate_series(1, $1::integer) AS n
"""
SERVE = """
INSERT INTO callcenter.agent_queue (agent_id, queue)
SELECT 'agent-' || n, 'queue-' || (n * 7 + k * 11) % 50
  FROM generate_series(1, $1::integer) AS n, generate_series(0, 2) AS k
"""
CHANGE = """
UPDATE callcenter.agent SET state = 'break', reason = $2, state_since = clock_timestamp() WHERE agent_id = $1
"""
LINE = """
INSERT INTO callcenter.queue_entry (call_id, node_id, queue) VALUES ($1, $1, $2)
"""


@dataclass
class Load:
    """The sizes of a run."""

    agents: int
    watchers: int
    quiet_changes: int
    storm_s: float
    storm_per_s: int


@dataclass
class Heard:
    """What the sockets brought: when each mark was set, how late each socket heard it, messages by socket."""

    set_at_s: dict[str, float] = field(default_factory=dict)
    delays_ms: list[float] = field(default_factory=list)
    at_s: list[list[float]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def most_in_a_second(self) -> int:
        """Most messages of any socket within any second."""
        return max(
            sum(1 for other in times[index:] if other - first < 1)
            for times in self.at_s
            for index, first in enumerate(times)
        )


# The service.


async def serve(url: str, pipe: Connection) -> None:
    """The live socket until the other side says that it is enough; then tell the processor time."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        database = await enter(Database.connect(url))
        listener = await enter(Listener(database))
        hub = await enter(LiveHub(await feed_of(stack, database, listener)))
        hub.attach(listener)
        await listener.settled()
        authenticator = Authenticator(principal_of, "")
        app = web.Application(middlewares=[middleware.errors, middleware.sign_in(authenticator)])
        app.add_routes(LiveRoutes(hub, authenticator).routes())
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        pipe.send(runner.addresses[0][1])
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, pipe.recv):
            pipe.send(time.process_time())


async def feed_of(stack: AsyncExitStack, database: Database, listener: Listener) -> LiveFeed:
    """What the service reads the state from, estimates included."""
    queues = await stack.enter_async_context(Queues(QueueRows(database), listener))
    waits = await stack.enter_async_context(WaitTimes(WaitEstimates(database), queues, SkillTree({})))
    return LiveFeed(database, lambda: queues.names, config.Metrics(), waits.of_newcomers)


async def principal_of(token: str) -> Principal:
    """A supervisor, or the agent whom the token names."""
    _, _, agent = token.partition(":")
    return Principal(token, Role.AGENT, agent) if agent else Principal(token, Role.SUPERVISOR)


def run_server(url: str, pipe: Connection) -> None:
    """The child process."""
    uvloop.run(serve(url, pipe))


# The watchers.


async def watch(session: ClientSession, url: str, token: str, heard: Heard, ready: asyncio.Semaphore) -> None:
    """Note when each message comes and which mark it carries."""
    times: list[float] = []
    heard.at_s.append(times)
    headers = {"Authorization": f"Bearer {token}"}
    async with session.ws_connect(f"{url}/api/v1/live", headers=headers, max_msg_size=0) as socket:
        await socket.send_json({"subscribe": ["state"]})
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                return
            now_s = time.perf_counter()
            if not times:
                ready.release()
            times.append(now_s)
            heard.sizes.append(len(message.data))
            place = message.data.find("mark-")
            while place >= 0:
                mark = message.data[place : message.data.index('"', place)]
                if mark in heard.set_at_s:
                    heard.delays_ms.append((now_s - heard.set_at_s[mark]) * 1000)
                place = message.data.find("mark-", place + 1)


# What happens.


class Center:
    """Agents who change and calls that come and go."""

    def __init__(self, database: Database, log: EventLog, load: Load) -> None:
        self._database = database
        self._log = log
        self._load = load
        self._number = 0

    async def change(self, heard: Heard) -> None:
        """One agent is on a break for a reason of its own."""
        self._number += 1
        mark = f"mark-{self._number}"
        agent = f"agent-{self._number * 37 % self._load.agents + 1}"
        heard.set_at_s[mark] = time.perf_counter()
        await self._database.execute(CHANGE, agent, mark)

    async def call(self) -> None:
        """A call comes, waits for a moment and is given up."""
        call_id, queue = uuid4(), QUEUES[self._number % len(QUEUES)]
        await self._write(call_id, 1, EventType.CALL_STARTED, None)
        await self._write(call_id, 2, EventType.QUEUE_ENTERED, queue)
        await self._database.execute(LINE, call_id, queue)
        await asyncio.sleep(0.5)
        await self._database.execute("DELETE FROM callcenter.queue_entry WHERE call_id = $1", call_id)
        await self._write(call_id, 3, EventType.QUEUE_ABANDONED, queue)
        await self._write(call_id, 4, EventType.CALL_ENDED, None)

    async def _write(self, call_id: UUID, seq: int, kind: EventType, queue: str | None) -> None:
        now = await self._database.fetchval("SELECT clock_timestamp()")
        data = {"cause": "caller_hangup", "outcome": "abandoned"} if kind is EventType.CALL_ENDED else {}
        if kind is EventType.CALL_STARTED:
            given = {"direction": "inbound", "gateway": "bench", "call_ref": "x", "from": "+15125550142"}
            data = {**given, "node_id": str(uuid4()), "to": "+15125550100"}
        self._log.append(Event(kind, now, call_id, seq, call_id, queue, data=data))


async def quiet(center: Center, heard: Heard, load: Load) -> None:
    """One change after another, each alone."""
    for _ in range(load.quiet_changes):
        await asyncio.sleep(0.6)
        await center.change(heard)
    await asyncio.sleep(1)


async def storm(center: Center, heard: Heard, load: Load) -> None:
    """Changes at a steady rate, and a call to every fifth."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(load.storm_s * load.storm_per_s)):
            await asyncio.sleep(max(0.0, began + number / load.storm_per_s - time.perf_counter()))
            await center.change(heard)
            if number % 5 == 0:
                tasks.create_task(center.call())
    await asyncio.sleep(1)


# The figures.


async def measure(report: Report, load: Load, folder: Path) -> None:
    """Everything on one embedded database."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(EmbeddedPostgres(folder))
        database = await stack.enter_async_context(Database.connect(url))
        await Migrations(database).upgrade()
        await QueueRows(database).sync([config.Queue(name=name) for name in QUEUES])
        await database.execute(AGENTS, load.agents)
        await database.execute(SERVE, load.agents)
        log = await stack.enter_async_context(EventLog(database))
        center = Center(database, log, load)
        await sockets(report, load, url, center)
        await cost(report, load, stack, database, center)


async def sockets(report: Report, load: Load, url: str, center: Center) -> None:
    """What the watchers hear, and what that costs the service."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=run_server, args=(url, theirs))
    server.start()
    theirs.close()  # so that the end of the service is heard
    loop = asyncio.get_running_loop()
    try:
        address = f"http://127.0.0.1:{await loop.run_in_executor(None, ours.recv)}"
        async with ClientSession(connector=TCPConnector(limit=0)) as session:
            heard, ready = Heard(), asyncio.Semaphore(0)
            watchers = [
                asyncio.create_task(watch(session, address, "cc_supervisor", heard, ready))
                for _ in range(load.watchers)
            ]
            async with asyncio.timeout(60):
                for _ in watchers:
                    await ready.acquire()
            progress(f"{load.watchers} watchers have the whole state")
            report.add("watchers", load.watchers, "")
            report.add("whole_state_kb", round(max(heard.sizes) / 1000, 1), "kB")
            await phase(report, "quiet", quiet, center, heard, load, ours)
            await phase(report, "storm", storm, center, heard, load, ours)
            await asyncio.sleep(0)
            for task in watchers:
                task.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
    finally:
        ours.send(False)
        await loop.run_in_executor(None, server.join, 10)
        server.kill()


async def phase(report: Report, name: str, happen: object, *given: object) -> None:
    """Let it happen and add what was heard."""
    center, heard, load, pipe = given
    assert isinstance(heard, Heard)
    assert isinstance(load, Load)
    assert isinstance(pipe, Connection)
    heard.delays_ms.clear()
    heard.set_at_s.clear()
    heard.sizes.clear()
    for times in heard.at_s:
        times.clear()
    cpu_s, began_s = await processor_s(pipe), time.perf_counter()
    await happen(center, heard, load)  # type: ignore[operator]
    cpu_s, took_s = await processor_s(pipe) - cpu_s, time.perf_counter() - began_s
    expected = len(heard.set_at_s) * load.watchers
    target = "<= 250" if name == "quiet" else None
    report.add(f"push_delay_{name}_p50_ms", round(rank(heard.delays_ms, 0.5), 1), "ms")
    report.add(f"push_delay_{name}_p95_ms", round(rank(heard.delays_ms, 0.95), 1), "ms", target)
    report.add(f"changes_heard_{name}", round(len(heard.delays_ms) / expected, 4), "share")
    report.add(f"messages_in_a_second_{name}_max", heard.most_in_a_second(), "", "<= 4")
    report.add(f"message_{name}_mean_kb", round(mean(heard.sizes) / 1000, 2), "kB")
    report.add(f"service_processor_{name}", round(100 * cpu_s / took_s, 1), "% of a core")


async def processor_s(pipe: Connection) -> float:
    """The service's processor time so far."""
    pipe.send(True)
    return float(await asyncio.get_running_loop().run_in_executor(None, pipe.recv))


async def cost(report: Report, load: Load, stack: AsyncExitStack, database: Database, center: Center) -> None:
    """Milliseconds of processor time per state, by who watches."""
    listener = await stack.enter_async_context(Listener(database))
    feed = await feed_of(stack, database, listener)
    await feed.standing()
    state = frozenset({Topic.STATE})
    supervisor = Interest(state, Principal("sue", Role.SUPERVISOR))
    numbers = range(load.watchers)
    agents = [Interest(state, Principal(f"a{n}", Role.AGENT, f"agent-{n}")) for n in numbers]
    cases: dict[str, Sequence[Interest]] = {"supervisors": [supervisor], "500_agents": agents}
    reading: list[float] = []
    for name, watchers in cases.items():
        boards, making = Boards(), list[float]()
        told = dict.fromkeys(one.audience for one in watchers)
        for number in range(60):
            changed = [f"agent-{(number * 50 + n) % load.agents + 1}" for n in range(50)]
            for agent in changed[:5]:
                await database.execute(CHANGE, agent, f"{name}-{number}")
            began_s = time.process_time()
            standing = await feed.standing(changed)
            read_s = time.process_time()
            boards.show({one.audience: one for one in watchers}, standing)
            for audience in told:
                board = boards.of(audience)
                board.message(told[audience])
                told[audience] = board.version
            if number:  # the first is the whole
                reading.append((read_s - began_s) * 1000)
                making.append((time.process_time() - read_s) * 1000)
        report.add(f"make_state_{name}_ms", round(mean(making), 2), "ms of processor")
    report.add("read_state_ms", round(mean(reading), 2), "ms of processor")


def rank(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run")
    options = parser.parse_args()
    load = Load(2000, 500, 40, 30, 100)
    if options.quick:
        load = Load(2000, 500, 10, 5, 100)
    report = Report("live_state")
    with tempfile.TemporaryDirectory(prefix="callcenter-bench-") as folder:
        uvloop.run(measure(report, load, Path(folder)))
    report.print()


if __name__ == "__main__":
    main()
