"""Workers in processes of their own, each killed at a point of its own.

``python -m support.doomed`` reads lists of orders, forks a process for each, waits for all of them, and
writes what each one has come to. A point is before or after the commit of a transaction, or a question to the
network; its name says who was at it, and with what. Nothing of the program itself is changed for that.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

import asyncpg

from callback.options import Options
from callback.store import Store
from callback.store.changing import Transaction
from callback.worker import Worker
from callcenter.storage.pool import Database
from support.exchange import FarLine
from support.scripted import QUICK, Agents, Scripted

RING_S = 0.3
OPTIONS = Options(
    at_once=2,
    lease_s=0.6,
    poll_s=0.05,
    dial_rate_per_s=10_000,
    drain_s=0.2,
    ask_s=0.03,
    margin_s=2.5,
    again_s=0.05,
)
_ROLES = {
    "reconcile.py": "settle",
    "scripted.py": "carry",
    "ticking.py": "clock",
    "held.py": "held",
    "worker.py": "claims",
}


@dataclass(frozen=True)
class Order:
    """Work on these callbacks until the first has ended, or for so long.

    ``die_at`` is the point to be killed at, empty for none. There are agents for ``queues`` only.
    """

    url: str
    socket: str
    callback_ids: list[str]
    queues: list[str]
    die_at: str = ""
    seconds: float = 2.0


@dataclass(frozen=True)
class Fate:
    """``killed_at`` is empty for who came to the end; ``points`` are those passed."""

    killed_at: str
    points: list[str] = field(default_factory=list)


class Points:
    """Where a process may be killed."""

    def __init__(self, die_at: str, told: int) -> None:
        self._die_at = die_at
        self._told = told
        self.passed: set[str] = set()

    def around(self, transaction: Transaction) -> Transaction:
        @asynccontextmanager
        async def watched() -> AsyncIterator[asyncpg.Connection]:
            what = _who("commit")
            async with transaction() as connection:
                yield connection
                self._reach(what, "before")
            self._reach(what, "after")

        return watched

    def asked(self, what: str) -> None:
        when, question = what.split()
        self._reach(_who(f"asking {question}"), when)

    def _reach(self, what: str, when: str) -> None:
        point = f"{what}, {when}"
        self.passed.add(point)
        if point == self._die_at:
            os.write(self._told, json.dumps({"killed_at": point}).encode())
            os.kill(os.getpid(), signal.SIGKILL)


def _who(what: str) -> str:
    """Who is about to do it, by the stack: the part of the worker and the method of the store."""
    role = method = ""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if not method and "/callback/store/" in code.co_filename and not code.co_name.startswith("_"):
            step = frame.f_locals.get("step", "")
            method = f" {code.co_name} {step}" if step else f" {code.co_name}"
        role = role or _ROLES.get(Path(code.co_filename).name, "")
        frame = frame.f_back
    return f"{role}: {what}{method}"


def main() -> None:
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        children = [_fork(Order(**order)) for order in json.loads(line)]
        print(json.dumps([_come_to(pid, told) for pid, told in children]), flush=True)  # noqa: T201


def _fork(order: Order) -> tuple[int, int]:
    reading, writing = os.pipe()
    if pid := os.fork():
        os.close(writing)
        return pid, reading
    points = Points(order.die_at, writing)
    try:
        asyncio.run(_live(order, points))
    finally:
        os.write(writing, json.dumps({"killed_at": "", "points": sorted(points.passed)}).encode())
        os._exit(0)


def _come_to(pid: int, told: int) -> dict[str, Any]:
    with os.fdopen(told) as reading:
        text = reading.read()
    os.waitpid(pid, 0)
    answer: dict[str, Any] = json.loads(text)
    return answer


async def _live(order: Order, points: Points) -> None:
    ids = [UUID(text) for text in order.callback_ids]
    async with Database.connect(order.url, pool_size=4) as database:
        plain, store = Store(database.transaction), Store(points.around(database.transaction))
        line = FarLine(order.socket, points.asked)
        carrier = Scripted(store, line, ring_s=RING_S)
        agents = Agents(2, order.queues)
        worker = Worker(store, carrier, line, agents, lambda _: QUICK, uuid4(), OPTIONS)
        async with worker:
            end = asyncio.get_running_loop().time() + order.seconds
            while asyncio.get_running_loop().time() < end:
                if not (await plain.get(ids[0])).is_open:
                    break
                worker.turn(ids)
                await asyncio.sleep(0.03)


class Doomed:
    """``async with Doomed()``: the process that forks, and what its children come to."""

    async def __aenter__(self) -> Self:
        root = Path(__file__).parents[2]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "support.doomed",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
            cwd=root,
            env=os.environ | {"PYTHONPATH": f"{root}:{root / 'tests'}"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def run(self, orders: list[Order]) -> list[Fate]:
        """Have them all carried out at once."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps([asdict(order) for order in orders]).encode() + b"\n")
        return [Fate(**fate) for fate in json.loads(await stdout.readline())]


if __name__ == "__main__":
    main()
