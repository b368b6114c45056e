"""Twilio's side of the wire, written from its documentation and apart from the service.

The network signs what it sends with Twilio's own package, opens media sockets with the ``websockets``
package, plays what it is sent in real time, returns marks when they are reached, and is asked over REST to
dial, redirect and hang up. What becomes of a dialled telephone is decided by the test.
"""

import asyncio
import base64
import json
import socket
import struct
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Self
from xml.etree import ElementTree

from aiohttp import ClientSession, encode_basic_auth, web
from multidict import MultiDict
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from support.program import ACCOUNT_SID, AUTH_TOKEN, Program
from support.sound import Beat, Ears, Mouth, from_ulaw, to_ulaw

ULAW_FRAME_BYTES = 160
ULAW_SILENCE = 0xFF
CALLED_NUMBER = "+13105550199"
PATIENCE_S = 5.0

_numbers = count(1)


def signature(url: str, form: Mapping[str, str] | None = None, token: str = AUTH_TOKEN) -> str:
    return str(RequestValidator(token).compute_signature(url, dict(form or {})))


def new_sid(prefix: str) -> str:
    return f"{prefix}{next(_numbers):032x}"


def new_number() -> str:
    """A number that no other call has, from the range that belongs to fiction."""
    number = next(_numbers)
    return f"+1{200 + number // 100 % 700}55501{number % 100:02d}"


class MediaStream:
    """One media WebSocket as the network carries it: 20 ms in, 20 ms out, marks, keys.

    ``arrived`` is what came, when it came; ``heard`` what the party heard of it, in real time.
    """

    def __init__(self, ws: ClientConnection, call_sid: str) -> None:
        self.ws = ws
        self.call_sid = call_sid
        self.stream_sid = new_sid("MZ")
        self.mouth = Mouth()
        self.arrived = Ears()
        self.heard = Ears()
        self.marks: list[str] = []
        self.clears = 0
        self.complaints: list[str] = []
        self.over = asyncio.Event()
        self._buffer = bytearray()
        self._due: deque[tuple[int, str]] = deque()
        self._played = 0
        self._received = 0
        self._sequence = count(1)
        self._at_ms = 0
        self._marked = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, parameters: Mapping[str, str]) -> None:
        """Announce the stream and begin to talk and listen."""
        await self.ws.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        body = {
            "accountSid": ACCOUNT_SID,
            "streamSid": self.stream_sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": dict(parameters),
        }
        await self.send("start", body)
        self._tasks = [
            asyncio.create_task(self._talk(), name=f"mouth of {self.stream_sid}"),
            asyncio.create_task(self._listen(), name=f"ear of {self.stream_sid}"),
        ]

    async def send(self, event: str, body: object) -> None:
        message = {
            "event": event,
            "sequenceNumber": str(next(self._sequence)),
            "streamSid": self.stream_sid,
            event: body,
        }
        await self.ws.send(json.dumps(message))

    async def press(self, digit: str) -> None:
        await self.send("dtmf", {"track": "inbound_track", "digit": digit})

    async def mark(self, within_s: float = PATIENCE_S) -> str:
        """Wait until the network has returned one more mark."""
        known = len(self.marks)
        async with asyncio.timeout(within_s):
            await self._marked.wait()
        self._marked.clear()
        return self.marks[known]

    async def hang_up(self) -> None:
        """The party puts the telephone down."""
        await self.send("stop", {"accountSid": ACCOUNT_SID, "callSid": self.call_sid})
        await self.close()

    def reset(self) -> None:
        """Let the connection die at once, without a word (TCP RST)."""
        self._tasks[0].cancel()
        reset(self.ws)

    async def closed(self, within_s: float = PATIENCE_S) -> int | None:
        """Wait until the service has closed the socket; returns the close code."""
        async with asyncio.timeout(within_s):
            await self.over.wait()
        return self.ws.close_code

    async def close(self) -> None:
        for task in self._tasks[:1]:
            task.cancel()
        await self.ws.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.over.set()

    async def _talk(self) -> None:
        beat = Beat()
        while not self.over.is_set():
            frame = self.mouth.frame()
            if frame is not None:
                payload = base64.b64encode(to_ulaw(frame)).decode()
                chunk = str(self._at_ms // 20 + 1)
                media = {
                    "track": "inbound",
                    "chunk": chunk,
                    "timestamp": str(self._at_ms),
                    "payload": payload,
                }
                try:
                    await self.send("media", media)
                    await self._play()
                except ConnectionClosed:
                    return
            else:
                await self._play()
            self._at_ms += 20
            await beat.wait()

    async def _send_media(self, frame: bytes) -> None:
        media = {
            "track": "inbound",
            "chunk": str(self._at_ms // 20 + 1),
            "timestamp": str(self._at_ms),
            "payload": base64.b64encode(to_ulaw(frame)).decode(),
        }
        with suppress(ConnectionClosed):
            await self.send("media", media)

    async def _play(self) -> None:
        frame = bytes(self._buffer[:ULAW_FRAME_BYTES])
        del self._buffer[:ULAW_FRAME_BYTES]
        self._played += len(frame)
        if frame:
            self.heard.hear(from_ulaw(frame))
        while self._due and self._due[0][0] <= self._played:
            await self._return_mark(self._due.popleft()[1])

    async def _return_mark(self, name: str) -> None:
        self.marks.append(name)
        self._marked.set()
        with suppress(ConnectionClosed):
            await self.send("mark", {"name": name})

    async def _listen(self) -> None:
        try:
            with suppress(ConnectionClosed):
                async for message in self.ws:
                    await self._take(message)
        finally:
            self.over.set()

    async def _take(self, text: str | bytes) -> None:
        if isinstance(text, bytes):
            self.complaints.append("a binary message")
            return
        message: dict[str, Any] = json.loads(text)
        if message["streamSid"] != self.stream_sid:
            self.complaints.append("a message for another stream")
        match message["event"]:
            case "media":
                ulaw = base64.b64decode(message["media"]["payload"], validate=True)
                self._buffer += ulaw
                self._received += len(ulaw)
                self.arrived.hear(from_ulaw(ulaw))
            case "mark":
                self._due.append((self._received, message["mark"]["name"]))
            case "clear":
                self.clears += 1
                self._played = self._received
                self._buffer.clear()
                while self._due:
                    await self._return_mark(self._due.popleft()[1])
            case event:
                self.complaints.append(f"event {event}")


def reset(ws: ClientConnection) -> None:
    """End a connection with TCP RST."""
    ws.transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    ws.transport.abort()


@dataclass(frozen=True, slots=True)
class Origination:
    """A request to dial: the form as it came and the call's new sid."""

    sid: str
    form: MultiDict[str]

    @property
    def to(self) -> str:
        return self.form["To"]

    @property
    def stream(self) -> tuple[str, dict[str, str]]:
        return stream_of(self.form["Twiml"])


@dataclass(frozen=True, slots=True)
class Update:
    """A request to change a call: to end it (``Status``) or to redirect it (``Twiml``)."""

    sid: str
    form: MultiDict[str]


def stream_of(twiml: str) -> tuple[str, dict[str, str]]:
    """Address and parameters of the only ``<Connect><Stream>`` of a TwiML document."""
    response = ElementTree.fromstring(twiml)
    assert response.tag == "Response"
    assert [verb.tag for verb in response] == ["Connect"]
    (stream,) = response[0]
    assert stream.tag == "Stream"
    url = stream.attrib["url"]
    assert "?" not in url
    return url, {item.attrib["name"]: item.attrib["value"] for item in stream}


@dataclass
class TwilioNetwork:
    """``async with TwilioNetwork(program, port)``: the REST interface on ``port``, and telephones.

    ``refusals`` gives the status to answer a request to dial with, by the dialled number; 0 for no answer.
    ``nonsense`` gives what to answer instead of the new call's description, ``update_status`` the status to
    answer a request to change a call with.
    """

    program: Program
    port: int
    refusals: dict[str, int] = field(default_factory=dict)
    nonsense: dict[str, str] = field(default_factory=dict)
    update_status: int = 200
    originations: asyncio.Queue[Origination] = field(default_factory=asyncio.Queue)
    updates: list[Update] = field(default_factory=list)
    _streams: list[MediaStream] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        application = web.Application()
        calls = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Calls"
        application.add_routes(
            [web.post(f"{calls}.json", self._create), web.post(calls + "/{sid}.json", self._update)]
        )
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self._session = ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end_all()
        await self._session.close()
        await self._runner.cleanup()

    async def end_all(self) -> None:
        """End what is left of all calls and forget what was asked."""
        await asyncio.gather(*(stream.close() for stream in self._streams))
        self._streams.clear()
        self.updates.clear()
        self.refusals.clear()
        self.nonsense.clear()
        self.update_status = 200
        while not self.originations.empty():
            self.originations.get_nowait()

    # What the network asks the service.

    async def post(
        self, path: str, form: Mapping[str, str], signed: str | None = None
    ) -> tuple[int, str, Mapping[str, str]]:
        """Send a webhook; ``signed`` replaces the right signature, an empty one leaves it out."""
        url = self.program.url + path
        signed = signature(url, form) if signed is None else signed
        headers = {"X-Twilio-Signature": signed} if signed else {}
        async with self._session.post(url, data=form, headers=headers) as answer:
            return answer.status, await answer.text(), dict(answer.headers)

    def voice_form(self, number: str, call_sid: str = "") -> dict[str, str]:
        """The fields of the webhook that announces a call."""
        return {
            "CallSid": call_sid or new_sid("CA"),
            "AccountSid": ACCOUNT_SID,
            "From": number,
            "To": CALLED_NUMBER,
            "Direction": "inbound",
            "CallStatus": "ringing",
        }

    async def announce(self, form: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """Announce a call; returns the address and the parameters of its media stream."""
        status, twiml, headers = await self.post("/gateway/twilio/voice", form)
        assert status == 200, twiml
        assert headers["Content-Type"].startswith("text/xml")
        return stream_of(twiml)

    async def open(self, url: str, signed: str | None = None) -> ClientConnection:
        """Open a media socket; raises ``InvalidStatus`` where it is refused."""
        signed = signature(url) if signed is None else signed
        return await connect(
            url,
            additional_headers={"X-Twilio-Signature": signed} if signed else {},
            compression=None,
            proxy=None,
            ping_interval=None,
            close_timeout=1,
            max_queue=None,
        )

    async def stream(self, url: str, call_sid: str, parameters: Mapping[str, str]) -> MediaStream:
        """Open a media socket and start the stream on it."""
        stream = MediaStream(await self.open(url), call_sid)
        self._streams.append(stream)
        await stream.start(parameters)
        return stream

    async def call(self, number: str) -> MediaStream:
        """Call the service from a number, as far as the running media stream."""
        form = self.voice_form(number)
        url, parameters = await self.announce(form)
        return await self.stream(url, form["CallSid"], parameters)

    # Dialled telephones.

    async def dialled(self, within_s: float = PATIENCE_S) -> Origination:
        """Wait until the service asks to dial."""
        async with asyncio.timeout(within_s):
            return await self.originations.get()

    async def answer(self, origination: Origination) -> MediaStream:
        """The dialled party picks up."""
        url, parameters = origination.stream
        return await self.stream(url, origination.sid, parameters)

    async def report(self, origination: Origination, status: str) -> None:
        """Tell the service what became of a dialled call."""
        path = origination.form["StatusCallback"].removeprefix(self.program.url)
        form = {"CallSid": origination.sid, "AccountSid": ACCOUNT_SID, "CallStatus": status}
        answer, text, _ = await self.post(path, form)
        assert answer == 204, text

    async def updated(self, sid: str, within_s: float = PATIENCE_S) -> MultiDict[str]:
        """Wait until the service asks to change a call."""
        async with asyncio.timeout(within_s):
            while True:
                for update in self.updates:
                    if update.sid == sid:
                        return update.form
                await asyncio.sleep(0.01)

    # The REST interface.

    async def _create(self, request: web.Request) -> web.Response:
        form = await _form(request)
        refusal = self.refusals.get(form["To"])
        origination = Origination(new_sid("CA"), form)
        self.originations.put_nowait(origination)
        if refusal == 0:
            await asyncio.sleep(30)
        if refusal:
            return web.json_response({"code": 20500, "status": refusal}, status=refusal)
        if form["To"] in self.nonsense:
            return web.Response(text=self.nonsense[form["To"]], status=201)
        return web.json_response({"sid": origination.sid, "status": "queued"}, status=201)

    async def _update(self, request: web.Request) -> web.Response:
        sid = request.match_info["sid"]
        form = await _form(request)
        self.updates.append(Update(sid, form))
        if self.update_status >= 400:
            return web.json_response({"code": 20500}, status=self.update_status)
        for stream in self._streams:
            if stream.call_sid == sid and not stream.over.is_set():
                await stream.hang_up()
        return web.json_response({"sid": sid, "status": "completed"})


async def _form(request: web.Request) -> MultiDict[str]:
    expected = encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)
    if request.headers.get("Authorization") != expected:
        raise web.HTTPUnauthorized
    return MultiDict((name, str(value)) for name, value in (await request.post()).items())
