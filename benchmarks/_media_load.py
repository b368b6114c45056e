"""A telephone network of many legs in one process, light enough to load another core to its end.

Every frame carries, in its first nine samples, the number of its leg and its own number. µ-law survives
the way through linear sound and back bit by bit (but for the two codes of zero, of which one is used), so
each frame is known again on the other leg: when it was sent, and whether its sound is still the same.
"""

import asyncio
import itertools
import json
import socket
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast
from urllib.parse import urlsplit
from uuid import uuid4

from aiohttp import ClientSession, TCPConnector, web

from callcenter.simulator.speech import utter
from callcenter.simulator.voices import Voice
from callcenter.simulator.wire import ConnectStream, parse_twiml, signature

FRAME_MS = 20
FRAMES_PER_S = 1000 // FRAME_MS
MARKER_BYTES = 9
LEGS_APART = 37
"""Frames by which each leg is further on in what it says than the one before."""
SOUND_BYTES = 160 - MARKER_BYTES
ANSWER_TIMEOUT_S = 10
DRAIN_S = 0.5
"""How long the last frames are waited for; one that takes longer is lost."""

_SENTENCES = (
    "Good morning, my last bill is much higher than the one before.",
    "I see. Let me have a look at your account, this takes just a moment.",
    "There were two calls to another country in March, that explains the difference.",
)
_DIGITS = tuple(b64encode(bytes(0xF0 | n >> shift & 15 for shift in (8, 4, 0))).decode() for n in range(4096))
_VALUES = {text.encode(): value for value, text in enumerate(_DIGITS)}
_PAYLOAD = b'"payload":"'


def conversation() -> tuple[str, ...]:
    """Speech in base64, frame by frame without the marker's samples: as much talk as silence."""
    voice = Voice("en-us", rate_wpm=165, pitch=50, pitch_range=50, word_gap=0)
    sound = b""
    for sentence in _SENTENCES:
        said = utter(sentence, voice).ulaw.replace(b"\x7f", b"\xff")
        sound += said + bytes([0xFF]) * len(said)
    whole = len(sound) - len(sound) % SOUND_BYTES
    return tuple(b64encode(sound[at : at + SOUND_BYTES]).decode() for at in range(0, whole, SOUND_BYTES))


class Window:
    """What was sent during one stretch of time, and what became of it."""

    def __init__(self) -> None:
        self.in_flight: dict[tuple[int, int], float] = {}
        self.sent = 0
        self.changed = 0
        self.strays = 0
        self.delays_s: list[float] = []

    def arrived(self, leg: int, frame: int, now_s: float) -> None:
        """Take note of a frame; one that is not expected (twice, or of another time) is a stray."""
        sent_s = self.in_flight.pop((leg, frame), None)
        if sent_s is None:
            self.strays += 1
        else:
            self.delays_s.append(now_s - sent_s)


class Leg(asyncio.Protocol):
    """One media WebSocket, the network's end (RFC 6455), with no more of the protocol than is used here.

    Messages to the server are masked with zeros, which it has to undo like any other mask.
    """

    def __init__(self, number: int, url: str, sound: Sequence[str], headers: Mapping[str, str]) -> None:
        self.number = number
        self.stream_sid = f"MZ{uuid4().hex}"
        self.open = asyncio.get_running_loop().create_future()
        self.closed = False
        self.heard: int | None = None
        self.window: Window | None = None
        self._url = urlsplit(url)
        self._headers = headers
        self._sound = sound
        self._sent = 0
        self._rest = b""
        self._transport: asyncio.WriteTransport | None = None

    async def connect(self) -> None:
        """Open the socket."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, self._url.hostname or "", self._url.port or 80)
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await self.open

    def announce(self, call_sid: str, params: Mapping[str, str]) -> None:
        """Send what comes before the first sound."""
        start = {
            "callSid": call_sid,
            "streamSid": self.stream_sid,
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": dict(params),
        }
        self._write(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        self._write(json.dumps({"event": "start", "streamSid": self.stream_sid, "start": start}))

    def send_frame(self, at_ms: int) -> None:
        """Say the next 20 ms."""
        if self.closed:
            return
        frame = self._sent
        self._sent += 1
        marker = _DIGITS[self.number] + _DIGITS[frame >> 12 & 4095] + _DIGITS[frame & 4095]
        payload = marker + self._said(self.number, frame)
        text = (
            f'{{"event":"media","sequenceNumber":"{frame + 2}","media":{{"track":"inbound",'
            f'"chunk":"{frame + 1}","timestamp":"{at_ms}","payload":"{payload}"}},'
            f'"streamSid":"{self.stream_sid}"}}'
        )
        if self.window is not None:
            self.window.sent += 1
            self.window.in_flight[self.number, frame] = time.perf_counter()
        self._write(text)

    def hang_up(self) -> None:
        """End the call."""
        if not self.closed and self._transport is not None:
            self._write(json.dumps({"event": "stop", "streamSid": self.stream_sid}))
            self._transport.close()

    def _said(self, leg: int, frame: int) -> str:
        return self._sound[(frame + LEGS_APART * leg) % len(self._sound)]

    def _write(self, text: str) -> None:
        assert self._transport is not None
        data = text.encode()
        size = len(data)
        head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2)
        self._transport.write(head + b"\0\0\0\0" + data)

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the WebSocket."""
        self._transport = cast(asyncio.WriteTransport, transport)
        lines = [
            f"GET {self._url.path} HTTP/1.1",
            f"Host: {self._url.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {b64encode(uuid4().bytes).decode()}",
            *(f"{name}: {value}" for name, value in self._headers.items()),
        ]
        self._transport.write("\r\n".join([*lines, "", ""]).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        self.closed = True
        if not self.open.done():
            self.open.set_exception(exc or ConnectionError("closed during the handshake"))

    def data_received(self, data: bytes) -> None:
        """Take the server's answer, then its messages."""
        now_s = time.perf_counter()
        data = self._rest + data
        if not self.open.done():
            data = self._upgraded(data)
        at = 0
        while len(data) - at >= 4:
            size = data[at + 1]
            begin = at + (4 if size == 126 else 2)
            end = begin + (int.from_bytes(data[at + 2 : at + 4]) if size == 126 else size)
            if end > len(data):
                break
            if data[at] == 0x81:
                self._hear(data, begin, end, now_s)
            else:
                self.hang_up()
            at = end
        self._rest = data[at:]

    def _upgraded(self, data: bytes) -> bytes:
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            return data
        if b" 101 " in head:
            self.open.set_result(None)
        else:
            self.open.set_exception(ConnectionError(head.partition(b"\r\n")[0].decode()))
        return rest

    def _hear(self, data: bytes, begin: int, end: int, now_s: float) -> None:
        at = data.find(_PAYLOAD, begin, end) + len(_PAYLOAD)
        leg = _VALUES.get(data[at : at + 4])
        high, low = _VALUES.get(data[at + 4 : at + 8]), _VALUES.get(data[at + 8 : at + 12])
        if leg is None or high is None or low is None:
            return
        self.heard = leg
        if self.window is not None:
            frame = high << 12 | low
            self.window.arrived(leg, frame, now_s)
            sound = data[at + 12 : data.find(b'"', at, end)]
            self.window.changed += sound != self._said(leg, frame).encode()


class Pacer:
    """Sends a frame of every leg each 20 ms, at absolute times, the legs spread evenly over the 20 ms."""

    def __init__(self, legs: Sequence[Leg]) -> None:
        self._legs = legs
        self._began_s = time.perf_counter()
        self.late_s: list[float] = []

    async def run(self, seconds: float) -> None:
        """Send for so long. What is late is sent at once and keeps its time stamp."""
        first = int((time.perf_counter() - self._began_s) * 1000) + 1
        for tick in range(first, first + round(seconds * 1000)):
            late_s = time.perf_counter() - self._began_s - tick / 1000
            if late_s < 0:
                await asyncio.sleep(-late_s)
                late_s = time.perf_counter() - self._began_s - tick / 1000
            self.late_s.append(late_s)
            for leg in self._legs[tick % FRAME_MS :: FRAME_MS]:
                leg.send_frame(tick)

    async def measure(self, seconds: float) -> Window:
        """Send for so long, wait for the last frames, and tell what became of all of them."""
        window = Window()
        for leg in self._legs:
            leg.window = window
        self.late_s.clear()
        await self.run(seconds)
        await asyncio.sleep(DRAIN_S)
        for leg in self._legs:
            leg.window = None
        return window


@dataclass(frozen=True, slots=True)
class Account:
    """What the service must know of the network: its account there, and the port of its REST interface."""

    sid: str
    token: str
    port: int


class Network:
    """Callers who ring the service and the agents whom it has dialled, all of them on loopback."""

    def __init__(self) -> None:
        self.account = Account(f"AC{uuid4().hex}", uuid4().hex, _free_port())
        self._sound = conversation()
        self._numbers = itertools.count()
        self._answering: set[asyncio.Task[None]] = set()
        self._session: ClientSession | None = None
        self.legs: list[Leg] = []

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post(f"/2010-04-01/Accounts/{self.account.sid}/Calls.json", self._dial)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.account.port).start()
        self._session = ClientSession(connector=TCPConnector(limit=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for leg in self.legs:
            leg.hang_up()
        await asyncio.gather(*self._answering, return_exceptions=True)
        assert self._session is not None
        await self._session.close()
        await self._runner.cleanup()

    async def call(self, service_url: str, number: str) -> None:
        """Ring the service from ``number`` and open the stream that it asks for."""
        assert self._session is not None
        url = f"{service_url}/gateway/twilio/voice"
        form = {"CallSid": f"CA{uuid4().hex}", "From": number, "To": "+12025550100"}
        headers = {"X-Twilio-Signature": signature(self.account.token, url, form)}
        async with self._session.post(url, data=form, headers=headers) as response:
            response.raise_for_status()
            await self._follow(await response.text(), form["CallSid"])

    async def join(self, url: str) -> None:
        """Open a stream without any call around it."""
        await self._open(url, {}, f"CA{uuid4().hex}", {})

    async def _follow(self, twiml: str, call_sid: str) -> None:
        (verb,) = parse_twiml(twiml)
        assert isinstance(verb, ConnectStream)
        headers = {"X-Twilio-Signature": signature(self.account.token, verb.url)}
        await self._open(verb.url, headers, call_sid, verb.parameters)

    async def _open(
        self, url: str, headers: Mapping[str, str], call_sid: str, params: Mapping[str, str]
    ) -> None:
        leg = Leg(next(self._numbers), url, self._sound, headers)
        await leg.connect()
        leg.announce(call_sid, params)
        self.legs.append(leg)

    async def _dial(self, request: web.Request) -> web.Response:
        form = await request.post()
        sid = f"CA{uuid4().hex}"
        answering = asyncio.create_task(self._follow(str(form["Twiml"]), sid), name=f"answer {sid}")
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)
        return web.json_response({"sid": sid, "status": "queued"}, status=201)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
