"""Following rows that others change: a notification says at once that they did, polling makes sure."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from callcenter.storage.listener import Listener


class Following:
    """``async with Following(...)``: calls ``look`` after each notification and at least every ``poll_s``.

    What ``look`` raises ends the following; an outage is its own business.
    """

    def __init__(
        self, listener: Listener, channel: str, look: Callable[[], Awaitable[None]], poll_s: float
    ) -> None:
        self._listener = listener
        self._channel = channel
        self._look = look
        self._poll_s = poll_s
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._listener.subscribe(self._channel, lambda _: self._changed.set(), self._changed.set)
        self._task = asyncio.create_task(self._follow(), name=f"following {self._channel}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._changed.wait()
            self._changed.clear()
            await self._look()
