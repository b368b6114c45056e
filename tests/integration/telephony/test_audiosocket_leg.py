"""An AudioSocket connection whose far end has stopped reading, and one that comes and goes."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import uvloop
from aiohttp import ClientSession
from pydantic import SecretStr

from callcenter import config
from callcenter.media.frame import FRAME_BYTES
from callcenter.telephony import audiosocket
from callcenter.telephony.audiosocket import AudioSocketGateway
from callcenter.telephony.handover import Handover
from callcenter.telephony.port import Leg, LegSink

UUID_FRAME = b"\x01\x00\x10" + UUID(int=7).bytes
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    def on_loop(work: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(work)

    return on_loop


class Sink:
    """Takes what a leg says."""

    def __init__(self) -> None:
        self.sound = b""
        self.keys = ""
        self.ended: list[str] = []
        self.over = asyncio.Event()

    async def on_audio(self, pcm16: bytes, at_ms: int | None) -> None:
        assert at_ms is None
        self.sound += pcm16

    def on_dtmf(self, digit: str) -> None:
        self.keys += digit

    def on_mark(self, name: str) -> None:
        raise AssertionError("there are no marks")

    def on_ended(self, reason: str) -> None:
        self.ended.append(reason)
        self.over.set()


class Listener:
    """The gateway, with one sink per leg that came in; ``taking_s`` is how long that takes."""

    def __init__(self, folder: Path, taking_s: float = 0.0) -> None:
        self.legs: asyncio.Queue[tuple[Leg, Sink]] = asyncio.Queue()
        self._folder = folder
        self._taking_s = taking_s
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> AudioSocketGateway:
        session = await self._stack.enter_async_context(ClientSession())
        node_id = uuid4()
        handover = await self._stack.enter_async_context(Handover(self._folder, node_id))
        settings = config.Asterisk(port=0, token=SecretStr("0123456789abcdef"))
        gateway = AudioSocketGateway(
            settings, session, self._accept, self._announce, self._owner, node_id, handover
        )
        return await self._stack.enter_async_context(gateway)

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _accept(self, leg: Leg) -> LegSink:
        await asyncio.sleep(self._taking_s)
        sink = Sink()
        self.legs.put_nowait((leg, sink))
        return sink

    async def _owner(self, _token: str) -> UUID | None:
        await asyncio.sleep(self._taking_s)
        return None

    async def _announce(self, *_: str) -> None:
        raise AssertionError("nothing is announced here")


def connect(port: int) -> socket.socket:
    """A peer with a small window, so that it is full soon."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect(("127.0.0.1", port))
    peer.setblocking(False)
    return peer


def test_a_peer_that_does_not_read(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for it, what it misses is counted, and hanging up gets rid of it."""
    monkeypatch.setattr(audiosocket, "CLOSE_TIMEOUT_S", 0.1)

    async def work() -> None:
        listener = Listener(tmp_path)
        async with asyncio.timeout(5), listener as gateway:
            with connect(gateway.port) as peer:
                await asyncio.get_running_loop().sock_sendall(peer, UUID_FRAME)
                leg, sink = await listener.legs.get()
                began = time.monotonic()
                while gateway.counters.dropped < 100:
                    await leg.send_audio(bytes(FRAME_BYTES))
                    await asyncio.sleep(0)
                assert time.monotonic() - began < 2
                await leg.close()
                await leg.close()
                await sink.over.wait()
                assert sink.ended == ["closed"]
                await leg.send_audio(bytes(FRAME_BYTES))

    run(work())


def test_what_comes_while_the_leg_is_taken_in_is_not_lost(run: Run, tmp_path: Path) -> None:
    async def work() -> None:
        listener = Listener(tmp_path, taking_s=0.05)
        async with asyncio.timeout(5), listener as gateway:
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(UUID_FRAME + b"\x03\x00\x011" + b"\x10\x01\x40" + bytes([1, 0]) * 100)
            await asyncio.sleep(0.02)
            writer.write(bytes([1, 0]) * 60 + b"\x03\x00\x012")
            await asyncio.sleep(0.05)
            writer.write(b"\x03\x00\x013")
            writer.close()
            leg, sink = await listener.legs.get()
            await sink.over.wait()
            assert (sink.keys, sink.sound, sink.ended) == ("123", bytes([1, 0]) * 160, ["closed"])
            assert leg.info.leg_id == leg.info.token == str(UUID(int=7))

    run(work())


@pytest.mark.parametrize("taking_s", [0.0, 0.02])
def test_a_peer_that_is_gone_at_once(run: Run, tmp_path: Path, taking_s: float) -> None:
    async def work() -> None:
        listener = Listener(tmp_path, taking_s)
        async with asyncio.timeout(5), listener as gateway:
            for _ in range(20):
                _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                writer.write(UUID_FRAME)
                writer.transport.abort()
            for _ in range(20):
                leg, sink = await listener.legs.get()
                await leg.send_audio(bytes(FRAME_BYTES))
                await sink.over.wait()
                assert len(sink.ended) == 1

    run(work())


def test_legs_are_ended_when_the_gateway_closes(run: Run, tmp_path: Path) -> None:
    async def work() -> None:
        listener = Listener(tmp_path)
        async with asyncio.timeout(5):
            async with listener as gateway:
                reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                writer.write(UUID_FRAME)
                _, sink = await listener.legs.get()
            assert sink.ended == ["closed"]
            assert await reader.read() == b"\x00\x00\x00"
            writer.close()

    run(work())
