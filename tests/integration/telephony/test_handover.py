"""Connections that go from one process's event loop to another's, with everything that was said on them.

Both ends live in this process; the exchange between them is the real one, over Unix sockets.
"""

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
import uvloop

from callcenter.errors import LegRefusedError, UsageError
from callcenter.telephony import handover
from callcenter.telephony.handover import Handover

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    def on_loop(work: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(work)

    return on_loop


class Echo(asyncio.Protocol):
    """Answers what it gets, with a letter before the first."""

    def __init__(self) -> None:
        self.received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None, "bytes came before the connection"
        self.received += data
        self._transport.write(data)


class Door:
    """A server that reads a little of each connection and gives it away."""

    def __init__(self, giver: Handover, to: UUID, kind: str = "echo", head_bytes: int = 10) -> None:
        self._giver, self._to, self._kind, self._head_bytes = giver, to, kind, head_bytes
        self.refused = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(self._head_bytes)
        transport = cast(asyncio.Transport, writer.transport)  # uvloop's is no subclass
        transport.pause_reading()
        head += bytes(reader._buffer)  # type: ignore[attr-defined]
        try:
            self._giver.give(self._to, self._kind, transport, head)
        except LegRefusedError:
            self.refused += 1
            writer.write(b"refused")
            writer.close()


@asynccontextmanager
async def two(folder: Path) -> AsyncIterator[tuple[Handover, Handover, UUID]]:
    """Giver, taker, and the taker's id."""
    taker_id = uuid4()
    async with Handover(folder, uuid4()) as giver, Handover(folder, taker_id) as taker:
        taker.receive("echo", Echo)
        yield giver, taker, taker_id


async def echoed(port: int, data: bytes) -> bytes:
    """Send ``data`` in two parts right after each other and read as much."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data[:10])
    await asyncio.sleep(0)
    writer.write(data[10:])
    try:
        async with asyncio.timeout(5):
            return await reader.readexactly(len(data))
    except asyncio.IncompleteReadError as error:
        return error.partial
    finally:
        writer.close()
        await writer.wait_closed()


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_nothing_is_lost_and_the_order_is_kept(run: Run, tmp_path: Path) -> None:
    async def work() -> None:
        async with two(tmp_path) as (giver, _, taker_id), Door(giver, taker_id).opened() as port:
            for size in (10, 11, 5000, 50_000):
                data = os.urandom(size)
                assert await echoed(port, data) == data
            assert giver.given == 4

    run(work())


def test_a_burst(run: Run, tmp_path: Path) -> None:
    """More at once than a queue of datagrams would hold, each with more bytes on its way."""

    async def work() -> None:
        async with two(tmp_path) as (giver, _, taker_id), Door(giver, taker_id).opened() as port:
            sent = [os.urandom(50) for _ in range(90)]
            assert await asyncio.gather(*(echoed(port, data) for data in sent)) == sent

    before = open_files()
    run(work())
    assert open_files() <= before + 2


def test_the_longest_head(run: Run, tmp_path: Path) -> None:
    async def work() -> None:
        async with two(tmp_path) as (giver, _, taker_id):
            longest = handover.MAX_HEAD_BYTES - 100
            async with Door(giver, taker_id, head_bytes=longest).opened() as port:
                data = os.urandom(longest)
                assert await echoed(port, data) == data
            too_long = Door(giver, taker_id, head_bytes=handover.MAX_HEAD_BYTES)
            async with too_long.opened() as port:
                assert await echoed(port, bytes(handover.MAX_HEAD_BYTES)) == b"refused"

    run(work())


def test_nobody_of_that_name(run: Run, tmp_path: Path) -> None:
    """The connection stays with who has it, who can still answer."""

    async def work() -> None:
        async with two(tmp_path) as (giver, _, _):
            door = Door(giver, uuid4())
            async with door.opened() as port:
                assert await echoed(port, bytes(10)) == b"refused"
            assert (door.refused, giver.given) == (1, 0)

    run(work())


def test_a_kind_that_nobody_serves(run: Run, tmp_path: Path) -> None:
    async def work() -> None:
        async with (
            two(tmp_path) as (giver, _, taker_id),
            Door(giver, taker_id, kind="other").opened() as port,
        ):
            assert await echoed(port, bytes(10)) == b""

    run(work())


@pytest.mark.parametrize("data", [b"", b"\0", b"echo", b"echo 5\0abc", b"echo 3\0abc", b"\xff" * 70_000])
def test_garbage_on_the_exchange_itself(
    run: Run, tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No descriptor, a wrong length, too much: nothing is served and nothing is left open."""
    monkeypatch.setattr(handover, "READ_TIMEOUT_S", 0.2)

    async def work() -> None:
        async with two(tmp_path) as (giver, taker, taker_id):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
                stranger.connect(str(taker._path(taker_id)))
                await asyncio.get_running_loop().run_in_executor(None, push, stranger, data)
            async with Door(giver, taker_id).opened() as port:
                assert await echoed(port, b"still here") == b"still here"

    before = open_files()
    run(work())
    assert open_files() <= before + 2


def push(stranger: socket.socket, data: bytes) -> None:
    stranger.settimeout(1)
    try:
        stranger.sendall(data)
    except OSError:
        return


def test_who_says_nothing_is_let_go(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "READ_TIMEOUT_S", 0.05)

    async def work() -> None:
        async with two(tmp_path) as (_, taker, taker_id):
            reader, writer = await asyncio.open_unix_connection(str(taker._path(taker_id)))
            async with asyncio.timeout(1):
                assert await reader.read() == b""
            writer.close()

    run(work())


def test_a_connection_that_is_gone_already(run: Run, tmp_path: Path) -> None:
    async def work() -> None:
        async with two(tmp_path) as (giver, _, taker_id), Door(giver, taker_id).opened() as port:
            for _ in range(20):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(bytes(20))
                writer.transport.abort()
            assert await echoed(port, b"still here") == b"still here"

    before = open_files()
    run(work())
    assert open_files() <= before + 2


async def test_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    node_id = uuid4()
    async with Handover(tmp_path, node_id) as one:
        path = one._path(node_id)
        assert path.is_socket()
        assert path.parent.stat().st_mode & 0o777 == 0o700
        async with Handover(tmp_path, uuid4()):
            pass
        assert path.is_socket()
    assert not path.parent.exists()


async def test_the_folder_may_vanish_under_a_newcomer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever leaves last removes the folder, maybe just after the next one has found it."""
    one = Handover(tmp_path, uuid4())
    make, vanishings = one._make_folder, iter([True, False, True, True, True])

    def make_and_vanish() -> None:
        make()
        if next(vanishings):
            one._folder.rmdir()

    monkeypatch.setattr(one, "_make_folder", make_and_vanish)
    async with one:
        assert len(list(one._folder.iterdir())) == 1
    with pytest.raises(UsageError, match="again and again"):
        async with one:
            pass


@pytest.mark.parametrize("obstacle", ["open to others", "a link", "a file"])
async def test_a_folder_that_others_could_use_is_refused(tmp_path: Path, obstacle: str) -> None:
    one = Handover(tmp_path, uuid4())
    folder = one._folder
    match obstacle:
        case "open to others":
            folder.mkdir(mode=0o755)
        case "a link":
            (tmp_path / "elsewhere").mkdir(mode=0o700)
            folder.symlink_to(tmp_path / "elsewhere")
        case "a file":
            folder.touch()
    try:
        with pytest.raises(UsageError, match="is in the way"):
            async with one:
                pass
    finally:
        folder.rmdir() if folder.is_dir() and not folder.is_symlink() else folder.unlink()
