"""The terminal while the day goes on: a live picture, or lines where nobody could watch one."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from callcenter.demo.board import Board
from callcenter.demo.live_view import draw, spoken_text, step_line
from callcenter.simulator.world import Progress

REFRESH_S = 0.25


class Screen:
    """Takes messages of the live socket and steps of the simulation, and shows them while entered.

    ``elapsed_s`` tells how long the demo has run. ``first_word_s`` is when the first words came.
    """

    def __init__(
        self, console: Console, url: str, calls: int, elapsed_s: Callable[[], float], *, plain: bool
    ) -> None:
        self._console = console
        self._url = url
        self._calls = calls
        self._elapsed_s = elapsed_s
        self._board = Board()
        self._live = None if plain else Live(console=console, auto_refresh=False, transient=True)
        self._drawing: asyncio.Task[None] | None = None
        self.first_word_s: float | None = None

    async def __aenter__(self) -> Self:
        if self._live is not None:
            self._live.start()
            self._drawing = asyncio.create_task(self._draw(self._live), name="live view")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawing is not None:
            self._drawing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._drawing
        if self._live is not None:
            self._live.stop()

    def take(self, message: Mapping[str, Any]) -> None:
        """Take a message of the live socket."""
        spoken = self._board.take(message)
        if spoken is None:
            return
        if self.first_word_s is None:
            self.first_word_s = self._elapsed_s()
        if self._live is None:
            self._line(Text.assemble(spoken_text(spoken), ("  (transcript)", "dim")))

    def step(self, progress: Progress) -> None:
        """Take a step of the simulation."""
        line = step_line(progress.who, progress.what, progress.text)
        if self._live is None:
            self._line(Text(line))
        else:
            self._board.steps.append(line)

    def _line(self, text: Text) -> None:
        text.no_wrap = True
        self._console.print(
            Text.assemble(f"{self._elapsed_s():6.1f} ", text), soft_wrap=True, highlight=False
        )

    async def _draw(self, live: Live) -> None:
        while True:
            live.update(draw(self._board, self._url, self._calls, self._elapsed_s(), datetime.now(UTC)))
            live.refresh()
            await asyncio.sleep(REFRESH_S)
