"""A telephone network with many callers and agents that costs little: one frame of sound every 200 ms.

It speaks the network's side of the Twilio protocol with the vocabulary of ``callcenter.simulator.wire`` and
keeps its own book of who rang and talked when, to be compared with what the service wrote down. Where the
sound itself matters, a telephone is given ``every_ms=20``.
"""

import asyncio
import base64
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import uuid4

from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    TCPConnector,
    WSMsgType,
    web,
)

from callcenter.simulator.wire import ConnectStream, StreamWriter, parse_twiml, signature

SILENCE = base64.b64encode(b"\xff" * 160).decode()
HTTP_TIMEOUT = ClientTimeout(total=15)


async def first(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def stream_of(twiml: str) -> ConnectStream:
    stream = parse_twiml(twiml)[0]
    assert isinstance(stream, ConnectStream)
    return stream


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass(eq=False)
class Phone:
    """One media stream, seen from the telephone; times are those of the loop's clock."""

    writer: StreamWriter
    payload: str = SILENCE
    every_ms: int = 200
    started_at: float = 0.0
    ended_at: float = 0.0
    frames: int = 0
    arrivals: list[tuple[float, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    keeps_sound: bool = False
    up: asyncio.Event = field(default_factory=asyncio.Event)
    hears: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _socket: ClientWebSocketResponse | None = None
    _hung_up: bool = False

    async def run(self, socket: ClientWebSocketResponse, parameters: dict[str, str]) -> None:
        """Announce the stream, then talk and listen until one side ends it."""
        self._socket, self.started_at = socket, now()
        await self._send(self.writer.connected())
        await self._send(self.writer.start(parameters))
        self.up.set()
        talking = asyncio.create_task(self._talk(), name="phone talks")
        try:
            if not self._hung_up:
                await self._listen(socket)
        finally:
            self.ended_at = now()
            self.over.set()
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
            await socket.close()

    async def press(self, digit: str) -> None:
        await self._send(self.writer.dtmf(digit))

    async def hang_up(self) -> None:
        """End the call from this side."""
        if self._hung_up or self.over.is_set():
            return
        self._hung_up = True
        if self._socket is not None:
            await self._send(self.writer.stop())
            await self._socket.close()

    async def _talk(self) -> None:
        number = 0
        while not self.over.is_set():
            await self._send(self.writer.media(self.payload, number * self.every_ms))
            number += 1
            await asyncio.sleep(self.started_at + number * self.every_ms / 1000 - now())

    async def _listen(self, socket: ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                self.complaints.append(f"{message.type.name} {message.data}")
                return
            data: str = message.data
            if '"mark"' in data[:60]:
                name = data.partition('"name"')[2].split('"')[1]
                for answer in self.writer.marks([name]):
                    await self._send(answer)
            elif '"media"' in data[:60]:
                self.frames += 1
                self.hears.set()
                if self.keeps_sound:
                    self.arrivals.append((now(), data.partition('"payload"')[2].split('"')[1]))

    async def _send(self, text: str) -> None:
        with suppress(ConnectionError, ClientError, RuntimeError):
            assert self._socket is not None
            await self._socket.send_str(text)


@dataclass(eq=False)
class Call:
    """One caller's call: ``status`` is the webhook's answer, ``phone`` the stream once there is one."""

    number: str
    sid: str
    phone: Phone
    status: int = 0
    refused: bool = False
    stream: ConnectStream | None = None


@dataclass(eq=False)
class Desk:
    """One agent's telephone, which rings on ``address`` and is answered after ``ring_s``.

    ``talk_s`` is how long the agent talks to a caller before hanging up, 0 for until the caller does.
    ``clashes`` notes each ring that came while the telephone was in use, which must never happen.
    """

    address: str
    ring_s: float = 0.05
    talk_s: float = 0.0
    every_ms: int = 200
    payload: str = SILENCE
    keeps_sound: bool = False
    rings: int = 0
    answered: int = 0
    clashes: list[str] = field(default_factory=list)
    phone: Phone | None = None
    talks: list[tuple[float, float, str]] = field(default_factory=list)
    in_use_by: str = ""
    talks_to: str = ""


@dataclass(eq=False)
class Dialled:
    """A call that the service asked for."""

    sid: str
    desk: Desk
    caller: str
    stream: ConnectStream
    status_url: str
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    phone: Phone | None = None


class Crowd:
    """The network, for as long as it is entered; ``url`` is its REST interface."""

    def __init__(self, account_sid: str, auth_token: str) -> None:
        self._account_sid = account_sid
        self._auth_token = auth_token
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self.desks: dict[str, Desk] = {}
        self.dialled: dict[str, Dialled] = {}
        self.strangers: list[str] = []
        self._joined: dict[str, asyncio.Event] = {}
        self.url = ""

    async def __aenter__(self) -> Self:
        application = web.Application()
        base = f"/2010-04-01/Accounts/{self._account_sid}"
        application.router.add_post(f"{base}/Calls.json", self._create)
        application.router.add_post(f"{base}/Calls/{{sid}}.json", self._update)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        # Each connection is a fresh one, as of a network with many machines: the service's processes share
        # them.
        connector = TCPConnector(limit=0, force_close=True)
        self._session = await self._stack.enter_async_context(ClientSession(connector=connector))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    def desk(self, address: str, **behaviour: object) -> Desk:
        """Put a telephone on an agent's desk."""
        self.desks[address] = Desk(address, **behaviour)  # type: ignore[arg-type]
        return self.desks[address]

    # Callers.

    async def call(self, service_url: str, number: str, **phone: object) -> Call:
        """Call the service; returns when the stream is up, or refused."""
        call = await self.announce(service_url, number, **phone)
        return call if call.refused else await self.connect(call)

    async def announce(self, service_url: str, number: str, **phone: object) -> Call:
        """Tell the service of a caller, and no more."""
        sid = f"CA{uuid4().hex}"
        call = Call(number, sid, self._phone(sid, phone))
        url = f"{service_url}/gateway/twilio/voice"
        form = {"CallSid": sid, "AccountSid": self._account_sid, "From": number, "To": "+15550100000"}
        try:
            call.status, text = await self.post(url, form)
        except (ClientError, TimeoutError):
            text = ""
        call.refused = call.status != 200
        if not call.refused:
            call.stream = stream_of(text)
        return call

    async def connect(self, call: Call) -> Call:
        """Open the stream that the service asked for; returns when it is up, or refused."""
        assert call.stream is not None
        self._spawn(self._run(call.phone, call.stream), f"caller {call.number}")
        await first(call.phone.up, call.phone.over)
        call.refused = not call.phone.up.is_set()
        return call

    def joined(self, number: str) -> asyncio.Event:
        """Set when an agent hears the caller with this number."""
        return self._joined.setdefault(number, asyncio.Event())

    async def post(self, url: str, form: dict[str, str]) -> tuple[int, str]:
        """Post a signed form, as the network does."""
        headers = {"X-Twilio-Signature": signature(self._auth_token, url, form)}
        async with self._session.post(url, data=form, headers=headers, timeout=HTTP_TIMEOUT) as response:
            return response.status, await response.text()

    def _phone(self, sid: str, settings: dict[str, object]) -> Phone:
        writer = StreamWriter(self._account_sid, sid, f"MZ{uuid4().hex}")
        return Phone(writer, **settings)  # type: ignore[arg-type]

    async def _run(self, phone: Phone, stream: ConnectStream) -> None:
        headers = {"X-Twilio-Signature": signature(self._auth_token, stream.url)}
        try:
            socket = await self._session.ws_connect(stream.url, headers=headers, max_msg_size=0)
            await phone.run(socket, dict(stream.parameters))
        except (ClientError, TimeoutError, ConnectionError):
            pass
        finally:
            phone.over.set()

    def _spawn(self, work: object, name: str) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Agents.

    async def _create(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        desk = self.desks.get(form["To"])
        if desk is None:
            self.strangers.append(form["To"])
            return web.json_response({"message": "no such number"}, status=400)
        stream = stream_of(form["Twiml"])
        dialled = Dialled(f"CA{uuid4().hex}", desk, form["From"], stream, form["StatusCallback"])
        self.dialled[dialled.sid] = dialled
        self._spawn(self._ring(dialled), f"desk {desk.address}")
        return web.json_response({"sid": dialled.sid, "status": "queued"}, status=201)

    async def _update(self, request: web.Request) -> web.Response:
        dialled = self.dialled.get(request.match_info["sid"])
        if dialled is None:
            return web.json_response({"message": "not found"}, status=404)
        dialled.cancelled.set()
        if dialled.phone is not None:
            await dialled.phone.hang_up()
        return web.json_response({"sid": dialled.sid})

    async def _ring(self, dialled: Dialled) -> None:
        desk = dialled.desk
        desk.rings += 1
        if desk.in_use_by:
            desk.clashes.append(f"{desk.address}: {dialled.sid} rang during {desk.in_use_by}")
            await self._tell(dialled, "busy")
            return
        desk.in_use_by = dialled.sid
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(desk.ring_s):
                    await dialled.cancelled.wait()
            if dialled.cancelled.is_set():
                status = "canceled"
            else:
                status = "completed"
                await self._talk(dialled)
        finally:
            desk.in_use_by = ""
        await self._tell(dialled, status)

    async def _talk(self, dialled: Dialled) -> None:
        desk = dialled.desk
        settings = {"every_ms": desk.every_ms, "payload": desk.payload, "keeps_sound": desk.keeps_sound}
        phone = dialled.phone = desk.phone = self._phone(dialled.sid, settings)
        desk.answered += 1
        desk.talks_to = dialled.caller
        self._spawn(self._run(phone, dialled.stream), f"agent {desk.address}")
        await first(phone.hears, phone.over)
        if phone.hears.is_set():
            self.joined(dialled.caller).set()
        with suppress(TimeoutError):
            async with asyncio.timeout(desk.talk_s or None):
                await phone.over.wait()
        await phone.hang_up()
        await phone.over.wait()
        if phone.started_at:
            desk.talks.append((phone.started_at, phone.ended_at, dialled.caller))

    async def _tell(self, dialled: Dialled, status: str) -> None:
        with suppress(ClientError, TimeoutError):
            await self.post(dialled.status_url, {"CallSid": dialled.sid, "CallStatus": status})
