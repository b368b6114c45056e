"""Where the service listens, under which addresses it is reached, and where it keeps files."""

import socket
from pathlib import Path
from uuid import UUID

from callcenter import config
from callcenter.errors import UsageError
from callcenter.telephony.twilio import Urls

BACKLOG = 1024


def bind(settings: config.Server) -> socket.socket:
    """Bind the listening address for this process alone; raises ``UsageError`` when it is not free."""
    try:
        return socket.create_server((settings.host, settings.port), backlog=BACKLOG)
    except OSError as error:
        raise UsageError(
            f"server.port: cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        ) from None


def bind_shared(settings: config.Server) -> socket.socket:
    """Bind the listening address so that other processes may bind it too; raises ``UsageError``."""
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        shared = socket.socket(family, kind, protocol)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(address)
    except OSError as error:
        raise UsageError(f"server.port: cannot listen on {host}:{port}: {error.strerror}") from None
    return shared


def urls(settings: config.Server, sock: socket.socket, node_id: UUID) -> Urls:
    """Say where the networks reach us: as the settings tell, else at the socket's own address."""
    host, port = sock.getsockname()[:2]
    here = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104
    public = settings.public_url.rstrip("/") or here
    return Urls(public=public, node=settings.node_url.rstrip("/") or public, node_id=node_id)


def private_folder(folder: Path) -> Path:
    """Make a folder that no other account can enter; one that exists keeps the rights it was given."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"data_dir: {folder}: {error.strerror}") from None
    return folder
