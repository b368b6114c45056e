"""Services and workers of the soak test: processes of their own on one database, killed and started again."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from _report import progress

CALLCENTER = Path(sys.executable).with_name("callcenter")
READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 40.0


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Process:
    """``callcenter serve`` or ``worker`` with settings of its own in ``folder``."""

    folder: Path
    name: str
    command: str
    settings: dict[str, Any]
    starts: int = 0
    child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.settings['server']['port']}"

    async def start(self) -> None:
        """Start it and wait until it is ready; raises ``RuntimeError`` with its last words."""
        self._spawn()
        self.starts += 1
        await self._until_ready()

    async def revive(self) -> None:
        """Start it where it was killed, and wait until it is ready either way, so that it can be stopped."""
        if self.child is None or self.child.poll() is not None:
            await self.start()
        else:
            await self._until_ready()

    async def _until_ready(self) -> None:
        assert self.child is not None
        until = time.monotonic() + READY_TIMEOUT_S
        while not await asyncio.to_thread(self._is_ready):
            if self.child.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.name} did not start: {self.log[-500:]}")
            await asyncio.sleep(0.1)

    def _spawn(self) -> None:
        config = self.folder / f"{self.name}.yaml"
        config.write_text(yaml.safe_dump(self.settings))
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.child = subprocess.Popen(
                [str(CALLCENTER), self.command, "--config", str(config)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.child is not None
        os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    async def stop(self) -> int:
        """Ask it to end; its exit status, -9 where it had to be killed."""
        if self.child is None or self.child.poll() is not None:
            return 0
        self.child.terminate()
        try:
            return await asyncio.to_thread(self.child.wait, STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            progress(f"{self.name} does not stop and is killed")
            self.kill()
            return -signal.SIGKILL

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / f"{self.name}.log").read_text(errors="replace")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False
