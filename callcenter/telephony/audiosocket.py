"""Asterisk over AudioSocket: a TCP listener, announcements of calls, and dialling through ARI.

Asterisk has no buffer and no clock for us: what is written is heard at once, and a connection that is
silent in both directions for two seconds is dropped. So from the first moment a frame goes out every
20 ms, silence when there is nothing to say (the leg's pacer does this). The UUID is the only credential
of the TCP side: bind it to a private address.
Source: https://docs.asterisk.org/Configuration/Channel-Drivers/AudioSocket/
"""

import asyncio
import hmac
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, cast
from uuid import UUID

from aiohttp import ClientSession, web

from callcenter import config
from callcenter.errors import (
    GatewayError,
    LegRefusedError,
    NotFoundError,
    OverloadedError,
    ProtocolError,
    StorageError,
)
from callcenter.media.frame import PacedBy
from callcenter.telephony.ari import Ari
from callcenter.telephony.audiosocket_codec import AudioSocketCodec
from callcenter.telephony.handover import Handover
from callcenter.telephony.port import (
    Audio,
    CodecEvent,
    FoundCall,
    LegAcceptor,
    LegEnded,
    LegInfo,
    LegSink,
    LegStarted,
    Sought,
)
from callcenter.telephony.shell import MediaCounters, deliver

log = logging.getLogger(__name__)

CALLS_PATH = "/gateway/asterisk/calls"
UUID_TIMEOUT_S = 5.0
MAX_FIRST_BYTES = 32 * 1024
MAX_STRANGERS = 256
"""Connections that have not shown a UUID that is expected; more are closed at once, so that strangers cannot
take the file descriptors that calls need."""
IDLE_LIMIT_S = 600.0
"""A leg that sends nothing for so long is taken for dead: half-open connections do happen."""
MAX_BACKLOG_BYTES = 32 * 1024
"""About 2 s of audio; more unsent than this and frames are dropped and counted."""
CLOSE_TIMEOUT_S = 2.0
CLOSE_WAIT_S = 5.0
MAX_NUMBER_CHARS = 64

OwnerOf = Callable[[str], Awaitable[UUID | None]]
"""The process that waits for the leg with this UUID; ``None`` where any may take it."""

AnnounceUuid = Callable[[str, str, str, str], Awaitable[None]]
"""(uuid, call_ref, from, to): expect a leg with this UUID. Raises ``LegRefusedError`` if it was announced."""


class AudioSocketLeg:
    """One AudioSocket connection, as the call sees it."""

    def __init__(
        self, writer: asyncio.StreamWriter, codec: AudioSocketCodec, counters: MediaCounters
    ) -> None:
        self.info = LegInfo(leg_id="", gateway="asterisk", call_ref="", token="", paced_by=PacedBy.US)
        self._writer = writer
        self._codec = codec
        self._counters = counters

    @property
    def transport(self) -> asyncio.Transport:
        """The connection itself."""
        return cast(asyncio.Transport, self._writer.transport)

    def started(self, event: LegStarted) -> None:
        """Take over who the leg is."""
        self.info = LegInfo(
            leg_id=event.stream_ref,
            gateway="asterisk",
            call_ref=event.call_ref,
            token=event.stream_ref,
            paced_by=PacedBy.US,
        )

    async def send_audio(self, pcm16: bytes) -> None:
        """Write one frame, or drop and count it while the peer does not read."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            self._counters.dropped += 1
            return
        self._counters.frames_out += 1
        transport.write(self._codec.audio(pcm16))

    async def send_mark(self, name: str) -> bool:
        """There are no marks; the playout model goes by the clock."""
        return False

    async def send_clear(self) -> None:
        """Nothing is buffered at the peer."""

    async def close(self) -> None:
        """Say hang up and close; the dialplan goes on behind ``AudioSocket()``."""
        transport = self._writer.transport
        if not transport.is_closing():
            transport.write(self._codec.hangup())
            transport.close()
            # A peer that does not read would keep what is unsent, and with it the connection, for ever.
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, transport.abort)


@dataclass(slots=True)
class AudioSocketGateway(AbstractAsyncContextManager["AudioSocketGateway"]):
    """The TCP listener, the announcement route, and ARI for dialling agents.

    ``async with`` opens and closes the listener; ``session`` is the HTTP client for ARI. Without ``listens``
    legs come in only by way of another process on this machine that does.
    """

    settings: config.Asterisk
    session: ClientSession
    accept: LegAcceptor
    announce: AnnounceUuid
    owner_of: OwnerOf
    node_id: UUID
    handover: Handover
    reuse_port: bool = False
    listens: bool = True
    name: str = "asterisk"
    counters: MediaCounters = field(default_factory=MediaCounters)
    _server: asyncio.Server | None = None
    _connections: dict[asyncio.Task[None], AudioSocketLeg] = field(default_factory=dict)
    _strangers: int = 0
    _ari: Ari = field(init=False)

    def __post_init__(self) -> None:
        self._ari = Ari(self.settings, self.session)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        """Listen."""
        self.handover.receive("audiosocket", self._protocol)
        if not self.listens:
            return self
        self._server = await asyncio.start_server(
            self._connected, self.settings.host, self.settings.port, reuse_port=self.reuse_port or None
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and end the connections that are left."""
        if self._server is not None:
            self._server.close()
        left = dict(self._connections)
        await asyncio.gather(*(leg.close() for leg in left.values()))
        if left:
            await asyncio.wait(list(left), timeout=CLOSE_WAIT_S)

    def routes(self) -> list[web.RouteDef]:
        """The HTTP routes to serve."""
        return [web.post(CALLS_PATH, self._announced)]

    # Announcement.

    async def _announced(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        wanted = self.settings.token.get_secret_value()
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), wanted.encode()):
            self.counters.refused += 1
            return _refuse(401, "unauthorized", "the bearer token is wrong or missing")
        announcement = _read_announcement(await request.read())
        if isinstance(announcement, web.Response):
            return announcement
        uuid, from_number, to_number = announcement
        try:
            await self.announce(uuid, uuid, from_number, to_number)
        except LegRefusedError:
            return _refuse(409, "announced_before", "this UUID was announced before", "uuid")
        except NotFoundError as error:
            return _refuse(404, "no_route", str(error), "to")
        except (StorageError, OverloadedError):
            return _refuse(503, "unavailable", "the service cannot take a call now")
        return web.json_response({"uuid": uuid}, status=201)

    # Media.

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), self._connected)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name("audiosocket connection")
        _tune(writer)
        codec = AudioSocketCodec()
        leg = AudioSocketLeg(writer, codec, self.counters)
        self._connections[task] = leg
        task.add_done_callback(lambda ended: self._connections.pop(ended, None))
        try:
            await self._serve(reader, codec, leg)
        finally:
            await leg.close()

    async def _serve(
        self, reader: asyncio.StreamReader, codec: AudioSocketCodec, leg: AudioSocketLeg
    ) -> None:
        if self._strangers >= MAX_STRANGERS:
            self.counters.refused += 1
            leg.transport.abort()
            return
        self._strangers += 1
        try:
            begun = await self._begin(reader, codec, leg)
        except (ProtocolError, LegRefusedError, StorageError, OverloadedError) as error:
            self.counters.refused += 1
            log.warning("audiosocket: a connection was closed at its start: %s", error)
            return
        finally:
            self._strangers -= 1
        if begun is None:
            return
        sink, early = begun
        reason = "lost"
        try:
            reason = await self._listen(reader, codec, sink, early)
        except ProtocolError as error:
            self.counters.protocol_errors += 1
            reason = "protocol error"
            log.warning("audiosocket: leg %s: %s", leg.info.leg_id, error)
        finally:
            sink.on_ended(reason)

    async def _begin(
        self, reader: asyncio.StreamReader, codec: AudioSocketCodec, leg: AudioSocketLeg
    ) -> tuple[LegSink, list[CodecEvent]] | None:
        """Take the UUID; ``None`` when the leg was handed to the process that waits for it."""
        head = b""
        try:
            async with asyncio.timeout(UUID_TIMEOUT_S):
                events: list[CodecEvent] = []
                while not events:
                    data = await reader.read(MAX_FIRST_BYTES)
                    if not data:
                        raise ProtocolError("the connection ended before its UUID")
                    head += data
                    events = list(codec.receive(data))
        except TimeoutError:
            raise ProtocolError(f"no UUID within {UUID_TIMEOUT_S:g} s") from None
        except OSError as error:
            raise ProtocolError(f"the connection broke before its UUID: {error.strerror}") from None
        first, *early = events
        if not isinstance(first, LegStarted):
            raise ProtocolError("the first frame is not the UUID")
        leg.started(first)
        # What comes meanwhile must stay in the socket: it is read by the process that the leg belongs to.
        leg.transport.pause_reading()
        owner = await self.owner_of(leg.info.token)
        if owner not in (None, self.node_id):
            assert owner is not None
            self.handover.give(owner, "audiosocket", leg.transport, head)
            return None
        leg.transport.resume_reading()
        return await self.accept(leg), early

    async def _listen(
        self, reader: asyncio.StreamReader, codec: AudioSocketCodec, sink: LegSink, early: list[CodecEvent]
    ) -> str:
        events: list[CodecEvent] = early
        while True:
            for event in events:
                if isinstance(event, Audio):
                    self.counters.frames_in += 1
                    await sink.on_audio(event.pcm16, event.at_ms)
                elif isinstance(event, LegEnded):
                    return event.reason
                else:
                    deliver(event, sink)
            try:
                async with asyncio.timeout(IDLE_LIMIT_S):
                    data = await reader.read(4096)
            except TimeoutError:
                return "silent"
            except OSError:
                return "lost"
            if not data:
                return "closed"
            events = list(codec.receive(data))

    # Dialling through ARI.

    async def originate(
        self, to: str, from_number: str, token: str, ring_timeout_s: float, attempt_id: UUID | None = None
    ) -> str:
        """Dial ``to``, an endpoint such as ``PJSIP/alice`` or a customer's number."""
        return await self._ari.dial(to, from_number, token, ring_timeout_s, attempt_id)

    async def find(self, sought: Sought) -> FoundCall:
        """What became of a customer's call."""
        return await self._ari.find(sought)

    async def transfer(self, call_ref: str, to: str) -> None:
        """Not possible: the channel belongs to the dialplan, which ARI cannot redirect."""
        raise GatewayError("asterisk: a call on AudioSocket cannot be transferred by this service")

    async def hangup(self, call_ref: str) -> None:
        """Hang up a channel that was dialled by ``originate``."""
        await self._ari.hang_up(call_ref)


def _tune(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _read_announcement(text: bytes) -> tuple[str, str, str] | web.Response:
    """Return UUID and both numbers, or what is wrong with them."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return _refuse(400, "bad_json", "the body is not JSON")
    if not isinstance(body, dict):
        return _refuse(422, "bad_body", "the body must be an object with uuid, from and to")
    numbers = {name: body.get(name, "") for name in ("from", "to")}
    for name, value in numbers.items():
        if not isinstance(value, str) or len(value) > MAX_NUMBER_CHARS or not value.isprintable():
            message = f"a number must be a string of at most {MAX_NUMBER_CHARS} printable characters"
            return _refuse(422, "bad_number", message, name)
    try:
        uuid = str(UUID(str(body.get("uuid", ""))))
    except ValueError:
        return _refuse(422, "bad_uuid", "uuid must be a UUID", "uuid")
    return uuid, numbers["from"], numbers["to"]


def _refuse(status: int, code: str, message: str, field_name: str | None = None) -> web.Response:
    error = {"code": code, "message": message} | ({"field": field_name} if field_name else {})
    return web.json_response({"error": error}, status=status)
