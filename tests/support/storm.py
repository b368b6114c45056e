"""Throws garbage at a service: ``python storm.py HTTP_PORT AUDIO_PORT CONNECTIONS``.

A program of its own, so that the noise it makes does not disturb the clock of the test that measures.
"""

import asyncio
import os
import struct
import sys
from collections.abc import Callable
from contextlib import suppress

AT_ONCE = 50
PATIENCE_S = 2.0

UPGRADE = (
    b"GET /gateway/twilio/media HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
HTTP_GARBAGE: list[Callable[[], bytes]] = [
    lambda: os.urandom(200),
    lambda: b"GET / HTTP/9.9\r\n\r\n",
    lambda: b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    lambda: b"POST /gateway/twilio/voice HTTP/1.1\r\nHost: here\r\nContent-Length: -1\r\n\r\n",
    lambda: b"POST /gateway/twilio/voice HTTP/1.1\r\nHost: here\r\nContent-Length: 9999\r\n\r\nCallSid=",
    lambda: b"POST /gateway/asterisk/calls HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer \xff\r\n\r\n",
    lambda: UPGRADE + b"\r\n",
    lambda: UPGRADE + b"X-Twilio-Signature: \xff\xfe\r\n\r\n" + os.urandom(100),
]
AUDIO_GARBAGE: list[Callable[[], bytes]] = [
    lambda: os.urandom(200),
    lambda: b"GET / HTTP/1.1\r\n\r\n",
    lambda: struct.pack(">BH", 0x01, 16) + os.urandom(16) + os.urandom(100),
    lambda: struct.pack(">BH", 0x01, 16) + os.urandom(7),
    lambda: struct.pack(">BH", 0x10, 320) + bytes(320),
    lambda: b"",
]


async def throw(port: int, garbage: bytes) -> None:
    """One connection: send, wait a moment for what comes of it, leave."""
    with suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(garbage)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S / 10):
                await reader.read(4096)
        writer.transport.abort()


async def storm(http_port: int, audio_port: int, connections: int) -> None:
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        kinds, port = ((HTTP_GARBAGE, http_port), (AUDIO_GARBAGE, audio_port))[number % 2]
        async with limit:
            await throw(port, kinds[number // 2 % len(kinds)]())

    await asyncio.gather(*(one(number) for number in range(connections)))


if __name__ == "__main__":
    asyncio.run(storm(*map(int, sys.argv[1:4])))
