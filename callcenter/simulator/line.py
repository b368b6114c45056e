"""The media side of one simulated telephone: a WebSocket to the service, paced like the real network.

Every 20 ms, on absolute deadlines, one frame goes out (speech or the room's noise) and one frame of what
came in is played into the party's ear; marks return when they are reached.
"""

import asyncio
import os
import socket
from array import array
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import ClientConnectionError, ClientWebSocketResponse, WSCloseCode, WSMsgType

from callcenter.errors import OverloadedError, ProtocolError
from callcenter.simulator.faults import Fault
from callcenter.simulator.playback import Playback, is_voiced
from callcenter.simulator.speech import FRAME_BYTES, FRAME_MS, RATE_HZ, SILENCE_BYTE, Utterance, room_noise
from callcenter.simulator.wire import Clear, MarkRequest, Media, StreamWriter, parse_request

FRAME_S = FRAME_MS / 1000
HEARD_MAX_BYTES = 1800 * RATE_HZ
"""What a party heard is kept for half an hour; later sound is played but not kept."""

GOODBYE_TIMEOUT_S = 3.0
_SAYINGS_MAX = 8
_ROOM = room_noise(seed=1)
_GARBAGE_EVERY = 10
_GARBAGE = ("{not json", "[]", '{"event":"media","media":{"payload":"!!"}}', '{"event":"media"}')


class LineEnd(StrEnum):
    """How a line came to its end."""

    HUNG_UP = "hung_up"  # this party
    CLOSED = "closed"  # the service
    DROPPED = "dropped"  # the network


@dataclass(slots=True, eq=False)
class Saying:
    """A sentence that is being said. ``first_frame`` is the line's frame number it began with."""

    utterance: Utterance
    first_frame: int | None = None
    sent: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def complete(self) -> bool:
        """Whether it was said to its end."""
        return self.sent == len(self.utterance.frames)


@dataclass(slots=True)
class LineFigures:
    """How well the line kept time; for judging the measurements made with it."""

    lateness_ms: "array[float]" = field(default_factory=lambda: array("f"))
    protocol_errors: int = 0
    close_code: int | None = None


class Line:
    """One media stream, from ``connected`` to ``stop``.

    ``say``, ``hang_up`` and ``drop`` return at once; ``run`` lives as long as the line. ``started_at`` is
    the loop's time of the first frame; frame n, sent or heard, belongs to ``started_at`` + n · 20 ms.
    """

    def __init__(self, ws: ClientWebSocketResponse, writer: StreamWriter, fault: Fault = Fault.NONE) -> None:
        self._ws = ws
        self._writer = writer
        self._fault = fault
        self._playback = Playback()
        self._sayings: deque[Saying] = deque()
        self._heard = bytearray()
        self._end: LineEnd | None = None
        self._lost = False
        self.started_at = 0.0
        self.frame = 0
        self.voiced_frames = 0
        self.quiet_frames = 0
        self.figures = LineFigures()

    @property
    def gap_frames(self) -> int:
        """Frames of silence heard because the next piece of sound came late."""
        return self._playback.gap_frames

    async def run(self, parameters: Mapping[str, str], announced: asyncio.Event) -> LineEnd:
        """Announce the stream, set ``announced``, then talk and listen until one side ends it."""
        self.started_at = asyncio.get_running_loop().time()
        name = f"line {self._writer.stream_sid}"
        tasks = [
            asyncio.create_task(self._clock(parameters, announced), name=f"{name} clock"),
            asyncio.create_task(self._listen(), name=f"{name} ear"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._lost:
                # The service may have said goodbye just before our frame could not be sent.
                await asyncio.wait({tasks[1]}, timeout=GOODBYE_TIMEOUT_S)
        finally:
            tasks[0].cancel()
            await self._ws.close()
            tasks[1].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for saying in self._sayings:
                saying.done.set()
        for result in results:
            if isinstance(result, Exception):
                raise result
        return self._ended()

    def _ended(self) -> LineEnd:
        if self._end is None:
            lost = self.figures.close_code in (None, WSCloseCode.ABNORMAL_CLOSURE)
            self._end = LineEnd.DROPPED if lost else LineEnd.CLOSED
        return self._end

    def say(self, utterance: Utterance) -> Saying:
        """Begin with the next frame, or after what is being said already."""
        if len(self._sayings) >= _SAYINGS_MAX:
            raise OverloadedError("too many sentences are waiting to be said on one line")
        saying = Saying(utterance)
        if self._end is not None:
            saying.done.set()
        else:
            self._sayings.append(saying)
        return saying

    async def press(self, digit: str) -> None:
        """Press a key."""
        await self._send(self._writer.dtmf(digit))

    def hang_up(self) -> None:
        """End the line from this side; ``stop`` goes out within 20 ms."""
        self._end = self._end or LineEnd.HUNG_UP

    def drop(self) -> None:
        """Let the connection die without a word, as a broken network does."""
        self._end = self._end or LineEnd.DROPPED
        transport_socket = self._ws.get_extra_info("socket")
        if transport_socket is not None:
            with socket.socket(fileno=os.dup(transport_socket.fileno())) as same:
                same.shutdown(socket.SHUT_RDWR)

    def time_of(self, frame: int) -> float:
        """The loop's time at which ``frame`` is due."""
        return self.started_at + frame * FRAME_S

    def heard(self, since: float, until: float) -> bytes:
        """What was played between two moments of the loop's clock, µ-law."""
        first = max(int((since - self.started_at) * RATE_HZ), 0)
        return bytes(self._heard[first : max(int((until - self.started_at) * RATE_HZ), 0)])

    def heard_last(self, seconds: float) -> bytes:
        """The latest sound, µ-law."""
        return bytes(self._heard[-int(seconds * RATE_HZ) :])

    async def _clock(self, parameters: Mapping[str, str], announced: asyncio.Event) -> None:
        await self._send(self._writer.connected())
        await self._send(self._writer.start(parameters))
        announced.set()
        loop = asyncio.get_running_loop()
        while self._end is None and not self._lost:
            wait_s = self.time_of(self.frame) - loop.time()
            await asyncio.sleep(max(wait_s, 0.0))
            self.figures.lateness_ms.append((loop.time() - self.time_of(self.frame)) * 1000)
            payload = self._next_payload()
            if self._fault is not Fault.NO_MEDIA:
                await self._send(self._writer.media(payload, self.frame * FRAME_MS))
            if self._fault is Fault.GARBAGE and self.frame % _GARBAGE_EVERY == 0:
                await self._send_garbage()
            await self._play()
            self.frame += 1
        if self._end is LineEnd.HUNG_UP:
            await self._send(self._writer.stop())

    def _next_payload(self) -> str:
        if not self._sayings:
            return _ROOM[self.frame % len(_ROOM)]
        saying = self._sayings[0]
        if saying.first_frame is None:
            saying.first_frame = self.frame
        payload = saying.utterance.frames[saying.sent]
        saying.sent += 1
        if saying.complete:
            self._sayings.popleft().done.set()
        elif self._fault is Fault.DROP_MID_WORD and saying.sent >= len(saying.utterance.frames) // 2:
            self.drop()
        return payload

    async def _play(self) -> None:
        frame, marks = self._playback.play()
        if len(self._heard) < HEARD_MAX_BYTES:
            self._heard += frame
        if is_voiced(frame):
            self.voiced_frames += 1
            self.quiet_frames = 0
        else:
            self.quiet_frames += 1
        for message in self._writer.marks(marks):
            await self._send(message)

    async def _listen(self) -> None:
        try:
            await self._hear()
        finally:
            # As the service said it: our own goodbye may come too late for its connection.
            self.figures.close_code = self._ws.close_code

    async def _hear(self) -> None:
        async for message in self._ws:
            if message.type is not WSMsgType.TEXT:
                self.figures.protocol_errors += 1
                continue
            try:
                request = parse_request(message.data, self._writer.stream_sid)
            except ProtocolError:
                self.figures.protocol_errors += 1
                continue
            match request:
                case Media(ulaw):
                    self._playback.feed(ulaw)
                case MarkRequest(name):
                    await self._send_marks(self._playback.mark(name))
                case Clear():
                    await self._send_marks(self._playback.clear())

    async def _send_marks(self, names: list[str]) -> None:
        for message in self._writer.marks(names):
            await self._send(message)

    async def _send_garbage(self) -> None:
        number = self.frame // _GARBAGE_EVERY
        if number % (len(_GARBAGE) + 1) == len(_GARBAGE):
            await self._ws.send_bytes(bytes([SILENCE_BYTE]) * FRAME_BYTES)
        else:
            await self._send(_GARBAGE[number % (len(_GARBAGE) + 1)])

    async def _send(self, text: str) -> None:
        try:
            await self._ws.send_str(text)
        except (ConnectionError, ClientConnectionError, RuntimeError):
            self._lost = True
