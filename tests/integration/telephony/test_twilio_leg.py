"""A media socket whose far end has stopped reading."""

import asyncio
import json
import socket

from aiohttp import web

from callcenter.telephony.port import LegStarted
from callcenter.telephony.shell import MediaCounters
from callcenter.telephony.twilio import TwilioLeg
from callcenter.telephony.twilio_codec import TwilioCodec

START = json.dumps(
    {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": "MZ1",
        "start": {
            "streamSid": "MZ1",
            "accountSid": "AC1",
            "callSid": "CA1",
            "tracks": ["inbound"],
            "customParameters": {"token": "t"},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        },
    }
)
CHUNK = bytes(1600)
UPGRADE = (
    b"GET /media HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def test_a_peer_that_does_not_read_is_never_waited_for() -> None:
    """Once the connection is paused, what is sent waits, now and then, and with it the sound of all legs."""
    counters, done = MediaCounters(), asyncio.get_running_loop().create_future()

    async def media(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False, timeout=0.01)
        await ws.prepare(request)
        assert request.transport is not None
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        codec = TwilioCodec()
        (started,) = codec.receive(START)
        assert isinstance(started, LegStarted)
        leg = TwilioLeg(ws, codec, counters)
        leg.started(started, request.transport)
        try:
            async with asyncio.timeout(1):
                while counters.dropped < 3:
                    await leg.send_audio(CHUNK)
                await leg.send_mark("p1")
                await leg.send_clear()
            assert not request.protocol.writing_paused
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)
        request.transport.abort()
        return ws

    application = web.Application()
    application.router.add_get("/media", media)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await web.SockSite(runner, listening).start()
    peer = socket.create_connection(listening.getsockname())
    try:
        peer.sendall(UPGRADE)
        await done
    finally:
        peer.close()
        await runner.cleanup()
