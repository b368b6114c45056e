"""The whole web side on a real port and a real database; only the call side is a fake."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession, web
from playwright.async_api import Browser, async_playwright

from callcenter.acd.matcher import Matcher
from callcenter.acd.queues import Queues
from callcenter.acd.waits import WaitTimes
from callcenter.callbacks.opening import open_callbacks
from callcenter.config import Agent, Metrics, Queue, Settings
from callcenter.errors import NotFoundError, TransitionError
from callcenter.events import Event, EventType
from callcenter.queueing import Skill, SkillTree
from callcenter.reports.query import Reports
from callcenter.storage.agents import Agents
from callcenter.storage.calls import Calls
from callcenter.storage.clock import DatabaseClock
from callcenter.storage.closures import ClosureBoard, Closures
from callcenter.storage.event_log import EventLog
from callcenter.storage.listener import Listener
from callcenter.storage.messages import Messages
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine
from callcenter.storage.queues import QueueRows
from callcenter.storage.recordings import Recordings
from callcenter.storage.transcripts import Transcripts, TranscriptSegment
from callcenter.storage.users import Users
from callcenter.storage.wait_estimates import WaitEstimates
from callcenter.web.access_log import AccessLog
from callcenter.web.feed import LiveFeed
from callcenter.web.live import LiveHub
from callcenter.web.metrics import ProcessFigures
from callcenter.web.server import WebServices, build_app

CALLER = "+15125550142"


@dataclass
class RecordedControl:
    """The call side: remembers what it was asked, refuses what it was told to refuse."""

    asked: list[tuple[UUID, str, dict[str, str]]] = field(default_factory=list)
    refuse: str = ""

    async def control(self, call_id: UUID, command: str, **arguments: str) -> None:
        if self.refuse == "state":
            raise TransitionError("a call that is queued cannot hold")
        if self.refuse == "gone":
            raise NotFoundError(f"there is no call {call_id} in progress")
        self.asked.append((call_id, command, arguments))


@dataclass
class Floor:
    """The shop floor as the call side would write it."""

    clock: DatabaseClock
    log: EventLog
    transcripts: Transcripts
    line: QueueLine
    messages: Messages
    matcher: Matcher
    node_id: UUID = field(default_factory=uuid4)
    _seq: dict[UUID, int] = field(default_factory=dict)

    async def event(
        self,
        call_id: UUID,
        kind: EventType,
        /,
        *,
        queue: str | None = None,
        agent: str | None = None,
        leg: str | None = None,
        at: datetime | None = None,
        **data: Any,
    ) -> None:
        seq = self._seq[call_id] = self._seq.get(call_id, 0) + 1
        self.log.append(
            Event(
                kind,
                at or self.clock.now(),
                call_id=call_id,
                seq=seq,
                chain_id=call_id,
                queue=queue,
                agent=agent,
                leg=leg,
                data=data,
            )
        )
        await self.log.flush()

    async def start(self, from_: str = CALLER, ago_s: float = 0, direction: str = "inbound") -> UUID:
        call_id = uuid4()
        await self.event(
            call_id,
            EventType.CALL_STARTED,
            at=self.clock.now() - timedelta(seconds=ago_s),
            direction=direction,
            gateway="twilio",
            call_ref=f"CA{call_id.hex}",
            node_id=str(self.node_id),
            **{"from": from_, "to": "+15125550100"},
        )
        return call_id

    async def queued(self, call_id: UUID, queue: str = "sales") -> None:
        await self.line.enter(call_id, self.node_id, Queue(name=queue), 0)
        await self.event(call_id, EventType.QUEUE_ENTERED, queue=queue, position=1, priority=0)

    async def connected(self, call_id: UUID, agent: str = "ann", queue: str = "sales") -> None:
        await self.line.leave(call_id)
        await self.event(call_id, EventType.AGENT_CONNECTED, queue=queue, agent=agent)

    async def saying(self, call_id: UUID, stable: str, volatile: str = "", **more: Any) -> None:
        """What the process that carries the call tells of words while they are said."""
        given = {"call_id": str(call_id), "leg": "caller", "queue": "sales", "agent": "ann", "number": 1}
        times = {"seq": 1, "start_ms": 1000, "end_ms": 1700}
        document = {**given, **times, "stable": stable, "volatile": volatile, **more}
        await self.messages.send("partial", {"partials": [document]})

    async def say(
        self, call_id: UUID, text: str, leg: str = "caller", start_ms: int = 1000, **more: Any
    ) -> UUID:
        segment = TranscriptSegment(
            uuid4(),
            call_id,
            leg,
            "ann" if leg == "agent" else None,
            start_ms,
            start_ms + 900,
            text,
            "en",
            0.9,
            **more,
        )
        await self.transcripts.add([segment])
        await self.event(call_id, EventType.TRANSCRIPT_SEGMENT, leg=leg, segment=str(segment.segment_id))
        return segment.segment_id

    async def end(self, call_id: UUID, cause: str = "caller_hangup", outcome: str = "answered") -> None:
        await self.event(call_id, EventType.CALL_ENDED, cause=cause, outcome=outcome)

    async def answered_call(self, agent: str = "ann", queue: str = "sales") -> UUID:
        call_id = await self.start()
        await self.queued(call_id, queue)
        await self.connected(call_id, agent, queue)
        await self.say(call_id, "I would like a blue one")
        await self.end(call_id)
        return call_id


@dataclass
class Site:
    url: str
    client: ClientSession
    services: WebServices
    control: RecordedControl
    floor: Floor
    tokens: dict[str, str]
    ready: dict[str, bool]

    def auth(self, role: str = "supervisor") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[role]}"}

    async def get(self, path: str, role: str = "supervisor", **params: str) -> tuple[int, Any]:
        async with self.client.get(self.url + path, headers=self.auth(role), params=params) as response:
            return response.status, await response.json()

    async def send(
        self, method: str, path: str, body: Any = None, role: str = "supervisor"
    ) -> tuple[int, Any]:
        headers = self.auth(role)
        async with self.client.request(method, self.url + path, headers=headers, json=body) as response:
            return response.status, await response.json() if response.content_length else None


SETTINGS = Settings(
    skills={"refunds": Skill(), "japanese": Skill()},
    queues=[Queue(name="sales"), Queue(name="support")],
    agents=[
        Agent(id="ann", name="Ann", gateway="twilio", address="+15125550101", queues=["sales"]),
        Agent(id="bob", name="Bob", gateway="twilio", address="+15125550102", queues=["sales", "support"]),
    ],
    metrics=Metrics(service_level_s=20),
)


@pytest.fixture
def demo_token() -> list[str]:
    """Put a token's role here to run the site as the demo does."""
    return []


@pytest.fixture
def settings() -> Settings:
    return SETTINGS


@pytest.fixture
async def site(
    database: Database, tmp_path: Path, demo_token: list[str], settings: Settings
) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        clock = await enter(DatabaseClock(database))
        log = await enter(EventLog(database))
        listener = await enter(Listener(database))
        rows = QueueRows(database)
        await rows.sync(settings.queues)
        queues = await enter(Queues(rows, listener))
        hub = await enter(LiveHub(LiveFeed(database, lambda: queues.names, settings.metrics)))
        hub.attach(listener)
        await listener.settled()
        agents, users, line = Agents(database), Users(database), QueueLine(database)
        await agents.sync(settings.agents)
        tokens = {}
        for role, agent in (("agent", "ann"), ("supervisor", None), ("admin", None)):
            await users.add(role, role=role, agent_id=agent)
            tokens[role] = await users.issue_token(role)
        waits = await enter(WaitTimes(WaitEstimates(database), queues, SkillTree({})))
        closures = await enter(ClosureBoard(Closures(database), listener))
        control, ready = RecordedControl(), {"model": True}
        services = WebServices(
            settings=settings,
            database=database,
            calls=Calls(database),
            transcripts=Transcripts(database),
            recordings=Recordings(database),
            recordings_dir=tmp_path / "recordings",
            agents=agents,
            queue_line=line,
            queues=queues,
            queue_rows=rows,
            reports=Reports(database),
            waits=waits,
            wait_estimates=WaitEstimates(database),
            users=users,
            hub=hub,
            control=control,
            readiness=lambda: ready,
            node="here",
            figures=lambda: ProcessFigures(calls=3, frames_in=250, audio_dropped_seconds=0.04),
            now=clock.now,
            callbacks=open_callbacks(database, queues, line, settings, waits, closures, clock.now).desk,
            demo_token=tokens[demo_token[0]] if demo_token else None,
        )
        runner = web.AppRunner(build_app(services), access_log_class=AccessLog, shutdown_timeout=2)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        tcp = web.TCPSite(runner, "127.0.0.1", 0)
        await tcp.start()
        port = runner.addresses[0][1]
        client = await enter(ClientSession())
        matcher = Matcher(line, queues.rules, SkillTree({}))
        floor = Floor(clock, log, services.transcripts, line, Messages(database), matcher)
        yield Site(f"http://127.0.0.1:{port}", client, services, control, floor, tokens, ready)


CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOW_TO_INSTALL = (
    "no Chromium found: install it with 'apt-get install -y chromium' (Debian, as root) "
    "or '.venv/bin/playwright install chromium'"
)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A Chromium of the system or, failing that, the one that Playwright installs."""
    async with async_playwright() as playwright:
        system = next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), None)
        executable = system or playwright.chromium.executable_path
        if not Path(executable).exists():
            pytest.fail(HOW_TO_INSTALL, pytrace=False)
        opened = await playwright.chromium.launch(executable_path=executable, args=list(CHROMIUM_ARGUMENTS))
        yield opened
        await opened.close()
