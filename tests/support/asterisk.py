"""Asterisk's side of the wire: channels that run ``AudioSocket()``, and ARI, which is asked to dial.

Written from the protocol's documentation and what Asterisk 22 was seen to do, apart from the service. A
channel is as strict as ``res_audiosocket``: an audio frame of no bytes or an unknown kind ends it.
"""

import asyncio
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Self
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from aiohttp import ClientSession, encode_basic_auth, web

from support.program import ANNOUNCE_TOKEN, Program, free_port
from support.sound import FRAME_BYTES, Beat, Ears, Mouth

HANGUP, UUID_KIND, DTMF, AUDIO, ERROR = 0x00, 0x01, 0x03, 0x10, 0xFF
PATIENCE_S = 5.0
CALLED_NUMBER = "+13105550199"
ARI_USER, ARI_PASSWORD = "callcenter", "ari-password-of-the-tests"

_lines = count(1)


def asterisk_settings(**changes: object) -> dict[str, object]:
    """Settings of the gateway for an Asterisk whose ARI has a port of its own."""
    settings = {
        "enabled": True,
        "port": free_port(),
        "token": ANNOUNCE_TOKEN,
        "ari_url": f"http://127.0.0.1:{free_port()}/ari",
        "ari_user": ARI_USER,
        "ari_password": ARI_PASSWORD,
    }
    return settings | changes


def audio_port(program: Program) -> int:
    return int(program.settings["gateways"]["asterisk"]["port"])


def frame(kind: int, payload: bytes = b"") -> bytes:
    return struct.pack(">BH", kind, len(payload)) + payload


class Channel:
    """One channel on AudioSocket: 20 ms of slin out every 20 ms, whatever comes goes to ``ears``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.mouth = Mouth()
        self.ears = Ears()
        self.began = asyncio.get_running_loop().time()
        self.hung_up = False
        self.complaints: list[str] = []
        self.over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def connect(cls, port: int) -> Self:
        """Open the connection; nothing is sent yet."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        channel = cls(reader, writer)
        name = next(_lines)
        channel._tasks.append(asyncio.create_task(channel._listen(), name=f"ear of channel {name}"))
        return channel

    def introduce(self, uuid: UUID) -> None:
        """Send the first frame and begin to talk."""
        self.write(frame(UUID_KIND, uuid.bytes))
        self._tasks.append(asyncio.create_task(self._talk(), name=f"mouth of {uuid}"))

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def press(self, digit: str) -> None:
        self.write(frame(DTMF, digit.encode()))

    def stop_talking(self) -> None:
        """Write nothing any more but what the test writes."""
        for task in self._tasks[1:]:
            task.cancel()

    async def hang_up(self) -> None:
        """The party puts the telephone down: the connection ends and that is all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.writer.close()
        self.over.set()

    def reset(self) -> None:
        """Let the connection die at once (TCP RST)."""
        self.stop_talking()
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def closed(self, within_s: float = PATIENCE_S) -> None:
        """Wait until the service has ended the connection."""
        async with asyncio.timeout(within_s):
            await self.over.wait()

    async def _talk(self) -> None:
        beat = Beat()
        while not self.over.is_set():
            pcm16 = self.mouth.frame()
            if pcm16 is not None:
                self.write(frame(AUDIO, pcm16))
            await beat.wait()

    async def _listen(self) -> None:
        try:
            while True:
                kind, length = struct.unpack(">BH", await self._reader.readexactly(3))
                payload = await self._reader.readexactly(length)
                if kind == HANGUP:
                    self.hung_up = True
                elif kind == AUDIO and length:
                    self.ears.hear(payload)
                    if length != FRAME_BYTES:
                        self.complaints.append(f"an audio frame of {length} bytes")
                else:
                    self.complaints.append(f"kind 0x{kind:02x}, {length} bytes")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            if getattr(error, "partial", b""):
                self.complaints.append("cut in the middle of a frame")
        finally:
            self.stop_talking()
            self.over.set()


@dataclass(frozen=True, slots=True)
class Originate:
    """A request to dial, as ARI got it."""

    query: Mapping[str, str]

    @property
    def uuid(self) -> UUID:
        return UUID(self.query["extension"])


@dataclass
class Asterisk:
    """``async with Asterisk(program)``: the ARI that the program was told of, and channels to its port.

    ``states`` are the channels that were dialled and are not over.
    """

    program: Program
    failures: dict[str, int] = field(default_factory=dict)
    originates: asyncio.Queue[Originate] = field(default_factory=asyncio.Queue)
    deleted: list[str] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    _channels: list[Channel] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.add_routes(
            [
                web.post("/ari/channels", self._originate),
                web.get("/ari/channels/{id}", self._get),
                web.delete("/ari/channels/{id}", self._delete),
            ]
        )
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        port = urlsplit(self.program.settings["gateways"]["asterisk"]["ari_url"]).port
        await web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end_all()
        await self._runner.cleanup()

    async def end_all(self) -> None:
        """End what is left of all channels and forget what was asked."""
        await asyncio.gather(*(channel.hang_up() for channel in self._channels))
        self._channels.clear()
        self.deleted.clear()
        self.failures.clear()
        while not self.originates.empty():
            self.originates.get_nowait()

    async def announce(self, uuid: UUID, number: str) -> None:
        """Tell the service of a call that is about to come."""
        body = {"uuid": str(uuid), "from": number, "to": CALLED_NUMBER}
        headers = {"Authorization": f"Bearer {ANNOUNCE_TOKEN}"}
        url = f"{self.program.url}/gateway/asterisk/calls"
        async with ClientSession() as session, session.post(url, json=body, headers=headers) as answer:
            assert answer.status == 201, await answer.text()

    async def connect(self) -> Channel:
        """A connection that has not said who it is."""
        channel = await Channel.connect(audio_port(self.program))
        self._channels.append(channel)
        return channel

    async def channel(self, uuid: UUID | None = None) -> Channel:
        """A channel with its UUID sent; a random one that nobody announced when none is given."""
        channel = await self.connect()
        channel.introduce(uuid or uuid4())
        return channel

    async def dialled(self, within_s: float = PATIENCE_S) -> Originate:
        """Wait until the service asks to dial."""
        async with asyncio.timeout(within_s):
            return await self.originates.get()

    async def answer(self, originate: Originate) -> Channel:
        """The dialled party picks up and the dialplan runs ``AudioSocket(${EXTEN},...)``."""
        return await self.channel(originate.uuid)

    async def _originate(self, request: web.Request) -> web.Response:
        self._authorize(request)
        self.originates.put_nowait(Originate(dict(request.query)))
        if failure := self.failures.get(request.query["endpoint"]):
            return web.json_response({"message": "Allocation failed"}, status=failure)
        channel = request.query["channelId"]
        if channel in self.states:
            return web.json_response({"message": "Channel with given unique ID already exists"}, status=409)
        self.states[channel] = "Ringing"
        return web.json_response({"id": channel, "state": "Down"})

    async def _get(self, request: web.Request) -> web.Response:
        self._authorize(request)
        channel = request.match_info["id"]
        if channel not in self.states:
            return web.json_response({"message": "Channel not found"}, status=404)
        return web.json_response({"id": channel, "state": self.states[channel]})

    async def _delete(self, request: web.Request) -> web.Response:
        self._authorize(request)
        self.deleted.append(request.match_info["id"])
        self.states.pop(request.match_info["id"], None)
        return web.Response(status=204)

    @staticmethod
    def _authorize(request: web.Request) -> None:
        if request.headers.get("Authorization") != encode_basic_auth(ARI_USER, ARI_PASSWORD):
            raise web.HTTPUnauthorized
