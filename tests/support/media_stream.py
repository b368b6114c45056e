"""One call's media WebSocket, as the network carries it: paced, played in real time, marks returned."""

import asyncio
import base64
import json
import socket
import struct
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from support.numbers import new_sid
from support.program import ACCOUNT_SID
from support.sound import Beat, Ears, Mouth, from_ulaw, to_ulaw

ULAW_FRAME_BYTES = 160
PATIENCE_S = 5.0


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
