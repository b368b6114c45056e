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

ProtocolFactory = Callable[[], asyncio.Protocol]


class Handover:
    """One end of the exchange per process. ``async with`` opens and removes the process's own socket.

    ``data_dir`` is what the processes of one machine have in common; sockets lie in a folder of the
    temporary directory that belongs to this account alone.
    """

    def __init__(self, data_dir: Path, node_id: UUID) -> None:
        digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
        self._folder = Path(tempfile.gettempdir()) / f"callcenter-run-{os.geteuid()}-{digest}"
        self._node_id = node_id
        self._factories: dict[str, ProtocolFactory] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # A stream, since Linux lets no more than ten datagrams wait by default: a burst would be lost.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.given = 0

    async def __aenter__(self) -> Self:
        """Open the socket."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        found = self._folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise UsageError(f"{self._folder} is in the way: it must be a folder of this account alone")
        self._socket.setblocking(False)
        self._socket.bind(str(self._path(self._node_id)))
        self._socket.listen(BACKLOG)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._accept)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the socket."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        self._path(self._node_id).unlink(missing_ok=True)
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

    def _accept(self) -> None:
        try:
            sender, _ = self._socket.accept()
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
        _, protocol = await asyncio.get_running_loop().connect_accepted_socket(factory, connection)
        protocol.data_received(head)


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
