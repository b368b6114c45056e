"""One task that gives every leg of this process its sound in time."""

import asyncio
import heapq
import itertools
import logging
from types import TracebackType
from typing import Protocol, Self

log = logging.getLogger(__name__)

GRID_S = 0.005
"""Legs that are due within this time of each other are served in one round."""


class Paced(Protocol):
    """Something that must be pumped at certain times."""

    async def pump(self, now_s: float) -> float | None:
        """Send what is due; return when to be called next, ``None`` for not until woken."""


class Pacer:
    """Pumps what is due, earliest first. ``async with`` starts and ends the task."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Paced]] = []
        self._number = itertools.count()
        self._due: dict[Paced, int] = {}
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start."""
        self._task = asyncio.create_task(self._run(), name="pacer")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def wake(self, paced: Paced, due_s: float = 0.0) -> None:
        """Pump ``paced`` at ``due_s`` on the loop's clock; a time in the past means at once."""
        number = next(self._number)
        self._due[paced] = number
        heapq.heappush(self._heap, (due_s, number, paced))
        if self._heap[0][1] == number:
            self._woken.set()

    def remove(self, paced: Paced) -> None:
        """Forget ``paced``."""
        self._due.pop(paced, None)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            while self._heap and self._heap[0][0] <= now + GRID_S:
                due_s, number, paced = heapq.heappop(self._heap)
                if self._due.get(paced) != number:
                    continue
                await self._pump(paced, max(now, due_s))
            await self._sleep(loop)

    async def _pump(self, paced: Paced, now: float) -> None:
        number = self._due[paced]
        try:
            due_s = await paced.pump(now)
        except Exception:
            log.exception("a leg could not be given its sound")
            self.remove(paced)
            return
        if due_s is not None and self._due.get(paced) == number:
            self.wake(paced, due_s)

    async def _sleep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._woken.clear()
        if not self._heap:
            await self._woken.wait()
            return
        delay = self._heap[0][0] - loop.time()
        if delay <= GRID_S:
            await asyncio.sleep(0)
            return
        alarm = loop.call_later(delay, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            alarm.cancel()
