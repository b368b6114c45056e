"""Calls from the first frame to the last event, with everything real but the telephones and their network."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from asr import Confirmer, Recognition, Recognizer, Speech, Urgency, Word
from callcenter import config
from callcenter.acd.dispatcher import Dispatcher
from callcenter.acd.presence import AgentEvent
from callcenter.acd.queues import Queues
from callcenter.acd.roster import Roster
from callcenter.acd.waits import WaitTimes
from callcenter.call.background import Background
from callcenter.call.partials import Partials
from callcenter.call.relay import CallRelay
from callcenter.call.services import CallServices
from callcenter.call.signals import Inbox
from callcenter.call.supervisor import CallSupervisor
from callcenter.callbacks.opening import open_callbacks as open_callback_desk
from callcenter.errors import GatewayError
from callcenter.events import Event, EventType
from callcenter.flows import load_flow
from callcenter.lookup import Lookups
from callcenter.media.frame import PacedBy
from callcenter.media.pacer import Pacer
from callcenter.media.prompts import Prompts
from callcenter.media.recorder import RecordingWriter
from callcenter.queueing import SkillTree
from callcenter.storage.agents import AgentRecord, Agents
from callcenter.storage.calls import Calls
from callcenter.storage.clock import DatabaseClock
from callcenter.storage.closures import ClosureBoard, Closures
from callcenter.storage.event_log import EventLog
from callcenter.storage.history import History
from callcenter.storage.leg_tokens import LegTokens
from callcenter.storage.listener import Listener
from callcenter.storage.messages import Messages
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine
from callcenter.storage.queues import QueueRows
from callcenter.storage.recordings import Recordings
from callcenter.storage.transcripts import Transcripts
from callcenter.storage.wait_estimates import WaitEstimates
from callcenter.telephony.port import CallFate, FoundCall, LegInfo, LegSink, Sought
from callcenter.telephony.shell import new_token
from support.calling_back import CallingBack, calling_back

CALLER, AGENT_ADDRESS = "+12025550100", "+12025550142"
FLOW = """
language: en
start: sales
nodes:
  sales:
    {kind: queue, queue: sales, exit_key: "9", key: bye, timeout: message, empty: bye, full: bye, closed: bye}
  message:
    {kind: voicemail, mailbox: sales, next: bye}
  bye:
    {kind: hangup}
"""


async def soon(true: Callable[[], Any], within_s: float = 5) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(within_s):
        while True:
            if true():
                return
            await asyncio.sleep(0.005)


class Telephone:
    """One party's leg (a ``Leg``) and the hand that holds it."""

    def __init__(self, token: str, paced_by: PacedBy = PacedBy.US) -> None:
        self.info = LegInfo(uuid4().hex, "twilio", uuid4().hex, token, paced_by)
        self.heard = 0
        self.sound = bytearray()
        self.closed = asyncio.Event()
        self.sink: LegSink | None = None
        self.is_clearing = asyncio.Event()
        self.may_clear = asyncio.Event()
        self.may_clear.set()

    async def send_audio(self, pcm16: bytes) -> None:
        self.heard += 1
        self.sound += pcm16

    async def send_mark(self, name: str) -> bool:
        return False

    async def send_clear(self) -> None:
        self.is_clearing.set()
        await self.may_clear.wait()

    async def close(self) -> None:
        self.hang_up("closed")

    def hang_up(self, reason: str = "hung up") -> None:
        if not self.closed.is_set():
            self.closed.set()
            if self.sink is not None:
                self.sink.on_ended(reason)


@dataclass
class Customer:
    """A customer's telephone that was dialled."""

    network: "Network"
    to: str
    shown: str
    token: str
    attempt_id: UUID
    ring_s: float

    async def picks_up(self) -> Telephone:
        telephone = Telephone(self.token)
        assert self.network.accept is not None
        telephone.sink = await self.network.accept(telephone)
        return telephone


@dataclass
class Network:
    """A gateway whose agents pick up at once; ``answers`` holds back what it says to being asked to dial.

    Customers' telephones ring until the test lets them be answered. ``fates`` is what it says of them when it
    is asked, ``GatewayError`` is raised where nothing is said; ``refuses`` is raised instead of dialling,
    ``loses`` after it.
    """

    accept: Callable[..., Any] | None = None
    name: str = "twilio"
    picks_up: bool = True
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    transfers: asyncio.Event = field(default_factory=asyncio.Event)
    tokens: list[str] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    agents: list[Telephone] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    fates: dict[UUID, CallFate | None] = field(default_factory=dict)
    refuses: GatewayError | None = None
    loses: GatewayError | None = None

    async def originate(
        self, to: str, from_number: str, token: str, ring_timeout_s: float, attempt_id: UUID | None = None
    ) -> str:
        if attempt_id is not None:
            if self.refuses is not None:
                raise self.refuses
            self.customers.append(Customer(self, to, from_number, token, attempt_id, ring_timeout_s))
            if self.loses is not None:
                raise self.loses
            return f"customer {attempt_id}"
        self.tokens.append(token)
        if self.picks_up:
            await self.pick_up(token)
        await self.answers.wait()
        return token

    async def find(self, sought: Sought) -> FoundCall:
        fate = self.fates.get(sought.attempt_id, CallFate.RINGING)
        if fate is None:
            raise GatewayError("nothing is said")
        known = any(customer.attempt_id == sought.attempt_id for customer in self.customers)
        return FoundCall(fate, f"customer {sought.attempt_id}" if known else "")

    async def pick_up(self, token: str) -> Telephone:
        telephone = Telephone(token)
        self.agents.append(telephone)
        assert self.accept is not None
        telephone.sink = await self.accept(telephone)
        return telephone

    async def transfer(self, call_ref: str, to: str) -> None:
        self.transfers.set()
        await asyncio.Event().wait()

    async def hangup(self, call_ref: str) -> None:
        self.hung_up.append(call_ref)


@dataclass
class Center:
    database: Database
    services: CallServices
    supervisor: CallSupervisor
    relay: CallRelay
    roster: Roster
    agents: Agents
    calls: Calls
    network: Network
    events: list[Event]
    line: QueueLine
    queue_rows: QueueRows
    listener: Listener
    turns: list[UUID]

    async def call(self, number: str = CALLER) -> Telephone:
        """Somebody calls."""
        token = new_token()
        await self.services.leg_tokens.announce(
            token, kind="caller", gateway="twilio", from_number=number, to_number="+12025550199", ttl_s=60
        )
        caller = Telephone(token)
        caller.sink = await self.supervisor.accept(caller)
        return caller

    async def agent(self, name: str = "alice", queue: str = "sales") -> None:
        await self.agents.create(config.Agent(id=name, address=AGENT_ADDRESS, queues=[queue]))
        await self.roster.signal(name, AgentEvent.SIGN_IN)

    async def look(self, name: str = "alice") -> AgentRecord:
        return await self.agents.get(name)

    async def until(self, state: str, name: str = "alice", within_s: float = 5) -> AgentRecord:
        async with asyncio.timeout(within_s):
            while True:
                if (agent := await self.look(name)).state == state:
                    return agent
                await asyncio.sleep(0.01)

    def inbox(self) -> Inbox:
        """What the only call has yet to hear."""
        (session,) = self.supervisor._sessions.values()
        return session.inbox

    def types(self) -> list[str]:
        return [event.type.value for event in self.events]

    async def dialled(self, times: int) -> None:
        """Wait until so many telephones have been rung."""
        await soon(lambda: len(self.network.tokens) >= times)

    async def command(self, name: str, **arguments: str) -> None:
        """What somebody asks of the only call through the API."""
        await self.relay.control(self.call_id(), name, **arguments)

    def data(self, type_: str) -> list[dict[str, Any]]:
        """The payloads of all events of a type."""
        return [dict(event.data) for event in self.events if event.type.value == type_]

    async def in_line(self, count: int) -> None:
        """Wait until so many stand in line and know it."""
        async with asyncio.timeout(5):
            while len(await self.line.entries()) != count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for entry in await self.line.entries():
            await soon(lambda call_id=entry.call_id: self._entered(call_id))

    def _entered(self, call_id: UUID) -> bool:
        return any(e.call_id == call_id and e.type is EventType.QUEUE_ENTERED for e in self.events)

    async def numbers_in_line(self) -> list[str]:
        """Who waits, in the order in which they are served."""
        numbers = {e.call_id: e.data["from"] for e in self.events if e.type is EventType.CALL_STARTED}
        return [numbers[entry.call_id] for entry in await self.line.entries()]

    def call_id(self) -> UUID:
        call_id = self.events[0].call_id
        assert call_id is not None
        return call_id

    async def stored(self, type_: str) -> None:
        """Wait until the database has an event of the type."""
        async with asyncio.timeout(5):
            while True:
                events = await self.calls.events(self.call_id())
                if type_ in {event.type.value for event in events}:
                    return
                await asyncio.sleep(0.01)

    async def hears_of(self, *types: str) -> None:
        await soon(lambda: set(types) <= set(self.types()))

    async def hears(self, type_: str, times: int) -> None:
        """Wait until something has happened so often."""
        await soon(lambda: self.types().count(type_) >= times)

    async def over(self) -> None:
        await soon(lambda: self.supervisor.calls == 0)


class SlowRecognizer:
    """Recognizes nothing until told to, then ``hello``.

    ``busy`` puts off what it hears and the times of its words. ``asked`` counts finals; ``speeches`` has all.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.busy = False
        self.ready = asyncio.Event()
        self.speeches: list[Speech] = []

    async def recognize(self, speech: Speech) -> Recognition:
        self.speeches.append(speech)
        if speech.urgency is Urgency.PARTIAL:
            return Recognition("hel lo", speech.language, 1.0)
        self.asked += speech.urgency is Urgency.FINAL
        await self.ready.wait()
        words = (Word("hello", 0.25, 0.5, 0.875),)
        if speech.urgency is Urgency.LATER:
            return Recognition(speech.text, speech.language, 1.0, words)
        return Recognition("hello", speech.language, 1.0, () if self.busy else words, degraded=self.busy)

    def pace(self) -> float:
        return 1.0


Open = Callable[..., Any]


@pytest.fixture
async def open_center(database_url: str, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens a call center; takes a flow, settings of its queue and a recognizer."""
    async with AsyncExitStack() as stack:

        async def open_(
            flow: str = FLOW,
            recognizer: Recognizer | None = None,
            confirmer: Confirmer | None = None,
            queues: Sequence[str] = ("sales",),
            **queue: Any,
        ) -> Center:
            (tmp_path / "flow.yaml").write_text(flow)
            voices = tmp_path / "voices"
            settings = config.Settings(
                data_dir=tmp_path,
                queues=[config.Queue(name=name, **queue) for name in queues],
                recording=config.Recording(format="wav"),
                prompts=config.Prompts(folder=voices if voices.exists() else None),
            )
            return await _open(stack, database_url, settings, recognizer, confirmer)

        yield open_


async def _open(
    stack: AsyncExitStack,
    url: str,
    settings: config.Settings,
    recognizer: Recognizer | None,
    confirmer: Confirmer | None,
) -> Center:
    enter, node_id, events = stack.enter_async_context, uuid4(), list[Event]()
    database = await enter(Database.connect(url, pool_size=5))
    clock = await enter(DatabaseClock(database))
    log = await enter(EventLog(database))
    listener = await enter(Listener(database))
    agents, network, turns = Agents(database), Network(), list[UUID]()

    def append(event: Event) -> None:
        events.append(event)
        log.append(event)

    rows = QueueRows(database)
    await rows.sync(settings.queues)
    queues = await enter(Queues(rows, listener))
    waits = await enter(WaitTimes(WaitEstimates(database), queues, SkillTree({})))
    closures = await enter(ClosureBoard(Closures(database), listener))
    line = QueueLine(database)
    services = CallServices(
        node_id=node_id,
        settings=settings,
        now=clock.now,
        append=append,
        flows={"*": load_flow(settings.data_dir / "flow.yaml", {queue.name for queue in settings.queues})},
        gateways={"twilio": network},
        background=await enter(Background(1)),
        queues=queues,
        dispatcher=await enter(
            Dispatcher(
                QueueLine(database),
                agents,
                listener,
                node_id,
                rules=queues.rules,
                poll_s=0.1,
                on_turn=lambda callback_id, _offer: turns.append(callback_id),
            )
        ),
        pacer=await enter(Pacer()),
        prompts=await enter(Prompts(settings.prompts, settings.data_dir / "prompts")),
        recorder=await enter(RecordingWriter()),
        recordings_dir=settings.data_dir / "recordings",
        recordings=Recordings(database),
        transcripts=Transcripts(database),
        leg_tokens=LegTokens(database),
        recognizer=recognizer,
        confirmer=confirmer,
        partials=await enter(Partials(Messages(database))),
        waits=waits,
        wait_estimates=WaitEstimates(database),
        look_up=await enter(Lookups(4, {"CRM_TOKEN": "s3cret"})),
        closures=closures,
        history=History(database),
        callbacks=open_callback_desk(database, queues, line, settings, waits, closures, clock.now),
    )
    supervisor = CallSupervisor(services)
    network.accept = supervisor.accept
    network.answers.set()
    calls = Calls(database)
    relay = CallRelay(node_id, supervisor, calls, services.leg_tokens, Messages(database), ["+1"])
    await enter(relay.attached(listener, services.background))
    stack.push_async_callback(supervisor.drain, 0)
    return Center(
        database,
        services,
        supervisor,
        relay,
        Roster(agents),
        agents,
        calls,
        network,
        events,
        QueueLine(database),
        rows,
        listener,
        turns,
    )


@pytest.fixture
def slow_recognizer() -> SlowRecognizer:
    return SlowRecognizer()


CALLBACK_RULES = {"enabled": True, "dial_from": "00:00", "dial_until": "24:00", "earliest_s": 0}


@pytest.fixture
async def open_callbacks(open_center: Open) -> AsyncIterator[Open]:
    """Opens a call center that calls back; takes the queue's rules for callbacks and its other settings."""
    async with AsyncExitStack() as stack:

        async def open_(callback: dict[str, Any] | None = None, **queue: Any) -> CallingBack:
            rules = CALLBACK_RULES | (callback or {})
            center = await open_center(**{"wrap_up_s": 0, "callback": rules} | queue)
            return await stack.enter_async_context(calling_back(center))

        yield open_
