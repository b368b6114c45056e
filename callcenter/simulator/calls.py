"""The life of one simulated telephone call: ringing, the service's TwiML, status callbacks, the end."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from uuid import uuid4

from aiohttp import ClientError, ClientSession, ClientTimeout, ClientWSTimeout

from callcenter.errors import ProtocolError
from callcenter.simulator.faults import Fault, NewsFaults
from callcenter.simulator.line import Line, LineEnd
from callcenter.simulator.wire import (
    ConnectStream,
    Dial,
    Hangup,
    Reject,
    StreamWriter,
    Verb,
    parse_twiml,
    signature,
)

log = logging.getLogger(__name__)

WEBHOOK_TIMEOUT_S = 15.0
STATUS_DRAIN_S = 5.0
MAX_MESSAGE_BYTES = 1024 * 1024
LATE_MS = 10.0
"""A frame sent this much after its deadline counts as late."""

_STATUS_QUEUE_MAX = 16


class Status(StrEnum):
    """``CallStatus`` as the network names it."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"
    FAILED = "failed"


OVER = frozenset({Status.COMPLETED, Status.BUSY, Status.NO_ANSWER, Status.CANCELED, Status.FAILED})


@dataclass(frozen=True, slots=True)
class Account:
    """Whose calls they are; the token signs what we send and opens the REST interface."""

    sid: str
    token: str


@dataclass(frozen=True, slots=True)
class Origination:
    """What the service asked for when it had a party dialled."""

    twiml: str = ""
    url: str = ""
    status_url: str = ""
    status_events: frozenset[str] = frozenset({"completed"})
    timeout_s: float = 60.0


@dataclass(slots=True, eq=False)
class PhoneCall:
    """One call as a person with a telephone has it.

    ``connected`` is set when its media stream is up, ``ended`` when it is over, ``broken`` when a stream
    of it died without a word. One that never ``rings`` was accepted and forgotten. ``answer`` and
    ``reject`` matter to a dialled party only.
    """

    from_number: str
    to_number: str
    origination: Origination | None = None
    fault: Fault = Fault.NONE
    sid: str = field(default_factory=lambda: f"CA{uuid4().hex}")
    created_at: float = field(default_factory=time.time)
    status: Status = Status.QUEUED
    line: Line | None = None
    transferred_to: str = ""
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    redirect: list[Verb] | None = None
    hung_up: bool = False
    broken: bool = False
    rings: bool = True
    _decision: asyncio.Event = field(default_factory=asyncio.Event)
    _decided: Status | None = None

    @property
    def direction(self) -> str:
        """``Direction`` as the network names it."""
        return "inbound" if self.origination is None else "outbound-api"

    def answer(self) -> None:
        """Pick up."""
        self._decide(Status.IN_PROGRESS)

    def reject(self) -> None:
        """Refuse: the caller is told that the party is busy."""
        self._decide(Status.BUSY)

    def hang_up(self) -> None:
        """End the call from this party's side, whatever its state."""
        self.hung_up = True
        self._decide(Status.CANCELED)
        if self.line is not None:
            self.line.hang_up()

    def follow(self, verbs: list[Verb]) -> None:
        """Break off what runs and do this instead."""
        self.redirect = verbs
        if self.line is not None:
            self.line.hang_up()

    async def decision(self, timeout_s: float) -> Status:
        """What the dialled party did within ``timeout_s``: answered, refused, was cancelled, or nothing."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._decision.wait()
        except TimeoutError:
            self._decide(Status.NO_ANSWER)
        return self._decided or Status.NO_ANSWER

    def _decide(self, status: Status) -> None:
        if self._decided is None:
            self._decided = status
            self._decision.set()


class StatusReporter:
    """Tells the service about a dialled call, in order and without holding the call up."""

    def __init__(self, network: "Network", call: PhoneCall) -> None:
        self._network = network
        self._call = call
        self._events: asyncio.Queue[str | None] = asyncio.Queue(_STATUS_QUEUE_MAX)
        self._task: asyncio.Task[None] | None = None
        self._sequence = 0

    async def __aenter__(self) -> "StatusReporter":
        self._task = asyncio.create_task(self._post_all(), name=f"status {self._call.sid}")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._events.put_nowait(None)
        assert self._task is not None
        drain_s = STATUS_DRAIN_S + self._network.news_faults.scatter_s
        done, _pending = await asyncio.wait({self._task}, timeout=drain_s)
        if not done:
            self._task.cancel()
            await asyncio.wait({self._task})

    def tell(self, event: str) -> None:
        """Report ``event`` with the call's present status, if the service asked for it."""
        wanted = self._call.origination
        if wanted is not None and wanted.status_url and event in wanted.status_events:
            self._events.put_nowait(str(self._call.status))

    async def _post_all(self) -> None:
        assert self._call.origination is not None
        url = self._call.origination.status_url
        async with asyncio.TaskGroup() as scattered:
            while (status := await self._events.get()) is not None:
                form = self._network.form(self._call) | {
                    "CallStatus": status,
                    "CallbackSource": "call-progress-events",
                    "SequenceNumber": str(self._sequence),
                    "Timestamp": formatdate(),
                }
                self._sequence += 1
                for delay_s in self._network.news_faults.delays(self._call.to_number):
                    if delay_s > 0:
                        scattered.create_task(self._post_later(delay_s, url, form))
                    else:
                        await self._network.post(url, form)

    async def _post_later(self, delay_s: float, url: str, form: dict[str, str]) -> None:
        await asyncio.sleep(delay_s)
        await self._network.post(url, form)


@dataclass(slots=True)
class NetworkFigures:
    """What went wrong between the network and the service, and how well the network itself kept time."""

    failed_posts: int = 0
    failed_streams: int = 0
    bad_twiml: int = 0
    protocol_errors: int = 0
    frames_sent: int = 0
    gap_frames: int = 0
    late_frames: int = 0
    lateness_worst_ms: float = 0.0


class Network:
    """Runs calls against the service. ``session`` belongs to the caller."""

    def __init__(self, account: Account, session: ClientSession) -> None:
        self._account = account
        self._session = session
        self.figures = NetworkFigures()
        self.news_faults = NewsFaults()

    async def run_inbound(self, call: PhoneCall, webhook_url: str) -> None:
        """Announce a caller to the service and do what it answers, to the end of the call."""
        try:
            call.status = Status.RINGING
            verbs = await self.fetch(webhook_url, call)
            if isinstance(verbs[0], Reject):
                call.status = Status.BUSY if verbs[0].reason == "busy" else Status.FAILED
                return
            call.status = Status.IN_PROGRESS
            await self._perform(call, verbs)
        except ProtocolError as error:
            self.figures.bad_twiml += 1
            call.status = Status.FAILED
            log.warning("call %s failed: %s", call.sid, error)
        finally:
            self._over(call)

    async def run_outbound(self, call: PhoneCall) -> None:
        """Ring a party that the service had dialled and, once answered, do what it said."""
        request = call.origination
        assert request is not None
        async with StatusReporter(self, call) as reporter:
            try:
                reporter.tell("initiated")
                call.status = Status.RINGING
                reporter.tell("ringing")
                call.status = await call.decision(request.timeout_s)
                if call.status is Status.IN_PROGRESS:
                    reporter.tell("answered")
                    verbs = (
                        parse_twiml(request.twiml) if request.twiml else await self.fetch(request.url, call)
                    )
                    await self._perform(call, verbs)
            except ProtocolError as error:
                self.figures.bad_twiml += 1
                call.status = Status.FAILED
                log.warning("call %s failed: %s", call.sid, error)
            finally:
                self._over(call)
                reporter.tell("completed")

    def description(self, call: PhoneCall) -> dict[str, str | None]:
        """A call as the REST interface describes it."""
        began = call.line is not None
        return {
            "sid": call.sid,
            "account_sid": self._account.sid,
            "status": str(call.status),
            "direction": call.direction,
            "from": call.from_number,
            "to": call.to_number,
            "date_created": formatdate(call.created_at),
            "start_time": formatdate(call.created_at) if began else None,
            "parent_call_sid": None,
            "answered_by": None,
        }

    def form(self, call: PhoneCall) -> dict[str, str]:
        """The fields that every request about a call carries."""
        return {
            "CallSid": call.sid,
            "AccountSid": self._account.sid,
            "From": call.from_number,
            "To": call.to_number,
            "Direction": call.direction,
            "CallStatus": str(call.status),
        }

    async def post(self, url: str, form: dict[str, str]) -> str | None:
        """POST a signed form; the answer's body, ``None`` where the service failed (logged and counted)."""
        headers = {"X-Twilio-Signature": signature(self._account.token, url, form)}
        timeout = ClientTimeout(total=WEBHOOK_TIMEOUT_S)
        try:
            async with self._session.post(url, data=form, headers=headers, timeout=timeout) as response:
                body = await response.text()
                if response.status < 300:
                    return body
                log.warning("%s answered %d", url, response.status)
        except (ClientError, TimeoutError) as error:
            log.warning("%s did not answer: %s", url, type(error).__name__)
        self.figures.failed_posts += 1
        return None

    async def fetch(self, url: str, call: PhoneCall) -> list[Verb]:
        """The service's instructions for a call. Raises ``ProtocolError`` where there are none."""
        body = await self.post(url, self.form(call))
        verbs = parse_twiml(body) if body is not None else []
        if not verbs:
            raise ProtocolError("the service gave no instructions")
        return verbs

    async def _perform(self, call: PhoneCall, verbs: Sequence[Verb]) -> None:
        waiting = deque(verbs)
        while waiting:
            match waiting.popleft():
                case ConnectStream() as stream:
                    end = await self._stream(call, stream)
                    call.broken = call.broken or end is LineEnd.DROPPED
                    if call.redirect is not None:
                        waiting, call.redirect = deque(call.redirect), None
                    elif end is LineEnd.HUNG_UP:
                        return
                case Dial(number):
                    call.transferred_to = number
                    return
                case Hangup() | Reject():
                    return

    async def _stream(self, call: PhoneCall, stream: ConnectStream) -> LineEnd:
        headers = {"X-Twilio-Signature": signature(self._account.token, stream.url)}
        try:
            socket = await self._session.ws_connect(
                stream.url,
                headers=headers,
                timeout=ClientWSTimeout(ws_close=2.0),
                autoclose=False,
                max_msg_size=MAX_MESSAGE_BYTES,
            )
        except (ClientError, TimeoutError) as error:
            self.figures.failed_streams += 1
            log.warning("stream of call %s was refused: %s", call.sid, type(error).__name__)
            return LineEnd.DROPPED
        async with socket:
            writer = StreamWriter(self._account.sid, call.sid, f"MZ{uuid4().hex}")
            call.line = Line(socket, writer, call.fault)
            if call.hung_up:
                call.line.hang_up()
            try:
                return await call.line.run(stream.parameters, call.connected)
            finally:
                self._note(call.line)

    def _note(self, line: Line) -> None:
        lateness = line.figures.lateness_ms
        self.figures.protocol_errors += line.figures.protocol_errors
        self.figures.frames_sent += len(lateness)
        self.figures.gap_frames += line.gap_frames
        self.figures.late_frames += sum(late > LATE_MS for late in lateness)
        self.figures.lateness_worst_ms = max(self.figures.lateness_worst_ms, *lateness, 0.0)

    @staticmethod
    def _over(call: PhoneCall) -> None:
        if call.status not in OVER:
            call.status = Status.COMPLETED
        call.ended.set()
