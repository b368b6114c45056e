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
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    async def __aenter__(self) -> Self:
        """Open the socket."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        found = self._folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise UsageError(f"{self._folder} is in the way: it must be a folder of this account alone")
        self._socket.setblocking(False)
        self._socket.bind(str(self._path(self._node_id)))
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)
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

    def give(self, node_id: UUID, kind: str, transport: asyncio.BaseTransport, head: bytes) -> None:
        """Hand a connection over with what was read from it, and let go of it.

        Raises ``LegRefusedError`` when that process is not on this machine or does not take it.
        """
        connection = transport.get_extra_info("socket")
        message = kind.encode() + b"\0" + head
        if connection is None or len(message) > MAX_HEAD_BYTES:
            raise LegRefusedError("the connection cannot be handed over")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.connect(str(self._path(node_id)))
                socket.send_fds(sender, [message], [connection.fileno()])
        except OSError:
            raise LegRefusedError("the process that expects this leg is not on this machine") from None
        assert isinstance(transport, asyncio.Transport)
        transport.abort()

    def _path(self, node_id: UUID) -> Path:
        return self._folder / f"{node_id.hex}.sock"

    def _readable(self) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._socket, MAX_HEAD_BYTES + 64, 1)
        except OSError as error:
            log.warning("a connection could not be taken over: %s", error.strerror)
            return
        kind, _, head = message.partition(b"\0")
        factory = self._factories.get(kind.decode(errors="replace"))
        if not descriptors or factory is None:
            for descriptor in descriptors:
                os.close(descriptor)
            return
        task = asyncio.create_task(self._take(factory, descriptors[0], head), name="connection taken over")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _take(factory: ProtocolFactory, descriptor: int, head: bytes) -> None:
        connection = socket.socket(fileno=descriptor)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        _, protocol = await loop.connect_accepted_socket(factory, connection)
        protocol.data_received(head)
