"""Processes that use a cluster; what they do is in ``ask_cluster.py``."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

TESTS = Path(__file__).parents[1]


class Asker:
    """A process that uses the cluster until it is let go."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self, within_s: float = 120) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(within_s):
            return (await self.process.stdout.readline()).decode().strip()

    async def let_go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(60):
            await self.process.wait()


@asynccontextmanager
async def asking(*arguments: object, environment: dict[str, str] | None = None) -> AsyncIterator[Asker]:
    """Start one; it ends with the context."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "support.ask_cluster", *map(str, arguments)),
        env=(environment or os.environ) | {"PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Asker(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
