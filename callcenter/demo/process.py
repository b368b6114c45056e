"""The service as the demo's child: started early, told what to do once that is known, stopped at the end."""

import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import ClientError, ClientSession, ClientTimeout

from callcenter.errors import CallCenterError

log = logging.getLogger(__name__)

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
_POLL_S = 0.05
_LOG_TAIL_BYTES = 4096

_T = TypeVar("_T")


class ServiceProcess:
    """One service in a process of its own, for as long as it is entered.

    It begins with its imports, which take a while, and waits for its orders. ``sock`` is the socket it
    listens on; it is ours until the process has begun. All it writes goes to ``log_file``.
    """

    def __init__(self, sock: socket.socket, log_file: Path) -> None:
        self._sock = sock
        self._log_file = log_file
        host, port = sock.getsockname()[:2]
        self.url = f"http://{host}:{port}"
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        log_fd = os.open(self._log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            # A session of its own: Ctrl-C is for the demo, which ends the service in order.
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "callcenter.demo.serve",
                str(self._sock.fileno()),
                stdin=asyncio.subprocess.PIPE,
                stdout=log_fd,
                stderr=log_fd,
                pass_fds=(self._sock.fileno(),),
                start_new_session=True,
            )
        finally:
            os.close(log_fd)
            self._sock.close()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop the service, by force where it does not listen; may be called twice."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            log.warning("the service did not stop within %g s and is killed", STOP_TIMEOUT_S)
            self._process.kill()
            await self._process.wait()

    async def start(self, config: Path, demo_token: str) -> None:
        """Give the orders and wait until calls may come. Raises ``CallCenterError`` if it does not work."""
        assert self._process is not None
        assert self._process.stdin is not None
        orders = json.dumps({"config": str(config), "demo_token": demo_token})
        self._process.stdin.write(orders.encode() + b"\n")
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await self.guard(self._ready())
        except TimeoutError:
            raise CallCenterError(f"the service was not ready within {READY_TIMEOUT_S:g} s") from None

    async def guard(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do ``work`` as long as the service lives; raises ``CallCenterError`` if it dies."""
        assert self._process is not None
        working = asyncio.create_task(work, name="demo")
        death = asyncio.create_task(self._process.wait(), name="service process")
        try:
            await asyncio.wait({working, death}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise CallCenterError(f"the service ended by itself: {self._last_words()}")
            return working.result()
        finally:
            for task in (working, death):
                task.cancel()
            await asyncio.gather(working, death, return_exceptions=True)

    async def _ready(self) -> None:
        async with ClientSession(timeout=ClientTimeout(total=2)) as session:
            while True:
                try:
                    async with session.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                except (ClientError, TimeoutError):
                    log.debug("the service does not answer yet")
                await asyncio.sleep(_POLL_S)

    def _last_words(self) -> str:
        tail = self._log_file.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
        lines = [line for line in tail.splitlines() if line.strip()]
        return lines[-1].removeprefix("callcenter: ") if lines else "it said nothing"
