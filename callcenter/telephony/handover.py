"""Gives a connection that reached the wrong process of this machine to the one that carries the call.

The processes of ``serve --processes N`` share one listening address, so the kernel deals connections out
at random, but the leg of an agent must reach the process that carries the caller. The connection itself
is handed over (``SCM_RIGHTS``, see unix(7)) together with the bytes already read from it, so nothing is
relayed afterwards.
"""

import asyncio
import hashlib
import logging
import os
import socket
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from callcenter.errors import LegRefusedError, UsageError

log = logging.getLogger(__name__)

MAX_HEAD_BYTES = 64 * 1024
BACKLOG = 1024
"""How many connections may wait for a process that is busy at the moment."""
READ_TIMEOUT_S = 5.0
BIND_ATTEMPTS = 3

MAX_FOLDER_BYTES = 60
"""A socket's name adds 38 bytes to its folder's; macOS takes 104 in all, Linux 108."""

ProtocolFactory = Callable[[], asyncio.Protocol]


class Handover:
    """One end of the exchange per process. ``async with`` opens and removes the process's own socket.

    ``data_dir`` is what the processes of one machine have in common; sockets lie in a folder of the
    temporary directory that belongs to this account alone.
    """

    def __init__(self, data_dir: Path, node_id: UUID) -> None:
        digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
        self._folder = _short_folder(f"callcenter-run-{os.geteuid()}-{digest}")
        self._node_id = node_id
        self._factories: dict[str, ProtocolFactory] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None
        self.given = 0

    async def __aenter__(self) -> Self:
        """Open the socket."""
        self._socket = self._bound()
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._accept, self._socket)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the socket."""
        assert self._socket is not None
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        self._path(self._node_id).unlink(missing_ok=True)
        with suppress(OSError):  # others are still there
            self._folder.rmdir()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def receive(self, kind: str, factory: ProtocolFactory) -> None:
        """Serve connections of ``kind`` that others hand over with protocols of ``factory``."""
        self._factories[kind] = factory

    def give(self, node_id: UUID, kind: str, transport: asyncio.WriteTransport, head: bytes) -> None:
        """Hand a connection over with what was read from it, and let go of it.

        Raises ``LegRefusedError`` when that process is not on this machine or does not take it.
        """
        connection = transport.get_extra_info("socket")
        message = f"{kind} {len(head)}".encode() + b"\0" + head
        if connection is None or len(message) > MAX_HEAD_BYTES:
            raise LegRefusedError("the connection cannot be handed over")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sender:
                sender.setblocking(False)
                sender.connect(str(self._path(node_id)))
                sent = socket.send_fds(sender, [message], [connection.fileno()])
        except OSError:
            raise LegRefusedError("the process that expects this leg is not on this machine") from None
        if sent < len(message):
            raise LegRefusedError("the connection cannot be handed over")
        transport.abort()
        self.given += 1

    def _path(self, node_id: UUID) -> Path:
        return self._folder / f"{node_id.hex}.sock"

    def _bound(self) -> socket.socket:
        for _ in range(BIND_ATTEMPTS):
            self._make_folder()
            # A stream, since Linux lets no more than ten datagrams wait by default: a burst would be lost.
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.setblocking(False)
            try:
                listener.bind(str(self._path(self._node_id)))
            except FileNotFoundError:  # whoever left last has just removed the folder
                listener.close()
                continue
            listener.listen(BACKLOG)
            return listener
        raise UsageError(f"{self._folder} was removed again and again")

    def _make_folder(self) -> None:
        in_the_way = UsageError(f"{self._folder} is in the way: it must be a folder of this account alone")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except FileExistsError:
            raise in_the_way from None
        found = self._folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise in_the_way

    def _accept(self, listener: socket.socket) -> None:
        try:
            sender, _ = listener.accept()
        except OSError as error:
            log.warning("a connection could not be taken over: %s", error.strerror)
            return
        task = asyncio.create_task(self._take_over(sender), name="connection taken over")
        self._tasks.add(task)
        task.add_done_callback(self._taken_over)

    def _taken_over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a connection could not be taken over: %s", error)

    async def _take_over(self, sender: socket.socket) -> None:
        descriptors: list[int] = []
        with sender:
            sender.setblocking(False)
            try:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    message = await _read_all(sender, descriptors)
            except BaseException:
                _close_all(descriptors)
                raise
        title, _, head = message.partition(b"\0")
        kind, _, length = title.decode(errors="replace").partition(" ")
        factory = self._factories.get(kind)
        if len(descriptors) != 1 or factory is None or length != str(len(head)):
            _close_all(descriptors)
            return
        connection = socket.socket(fileno=descriptors[0])
        connection.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: _HeadFirst(factory(), head), connection
        )


class _HeadFirst(asyncio.Protocol):
    """Gives a connection's protocol what was read before the connection came here, then steps aside.

    Both happen while the connection is announced, since event loops read on right after that: uvloop before
    ``connect_accepted_socket`` returns.
    """

    def __init__(self, protocol: asyncio.Protocol, head: bytes) -> None:
        self._protocol = protocol
        self._head = head

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.set_protocol(self._protocol)
        self._protocol.connection_made(transport)
        self._protocol.data_received(self._head)


async def _read_all(sender: socket.socket, descriptors: list[int]) -> bytes:
    """Read to the end of what was sent; ``descriptors`` gets the files that came with it."""
    message = b""
    while len(message) <= MAX_HEAD_BYTES:
        await _readable(sender)
        try:
            piece, files, _, _ = socket.recv_fds(sender, MAX_HEAD_BYTES, 1)
        except BlockingIOError:
            continue
        descriptors += files
        if not piece:
            break
        message += piece
    return message


async def _readable(channel: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(channel.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(channel.fileno())


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _short_folder(name: str) -> Path:
    """A folder of the temporary directory, or of ``/tmp`` where that is too deep for a Unix socket's path."""
    folder = Path(tempfile.gettempdir()) / name
    return folder if len(os.fsencode(folder)) <= MAX_FOLDER_BYTES else Path("/tmp") / name  # noqa: S108
