"""What runs in one replica of a cluster: the engine of one process, its answers and its health."""

import asyncio
import dataclasses
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeAlias

from asr.errors import RecognitionError
from asr.recognizer import Recognition, Recognizer, Speech

OpenEngine: TypeAlias = Callable[[], AbstractAsyncContextManager[Recognizer]]
"""Makes an engine that is entered in the replica. Travels there by pickle."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one utterance, and the pace of partials in this replica (see ``Recognizer.pace``).

    Errors are results here: raised in a replica they would be logged by it and arrive wrapped.
    """

    outcome: Recognition | RecognitionError
    pace: float


class Pulse:
    """Whether an engine is alive: it answers, and not only with errors. Pure.

    It is dead when something waits and nothing was answered for ``stall_s``, or after ``failures_max``
    failures without a single success between them, as after an error of a GPU, which only a new process
    gets over.
    """

    def __init__(self, stall_s: float = 120.0, failures_max: int = 20) -> None:
        self._stall_s = stall_s
        self._failures_max = failures_max
        self._waiting = 0
        self._failures = 0
        self._moved_s = 0.0

    def asked(self, now_s: float) -> None:
        """An utterance came."""
        if self._waiting == 0:
            self._moved_s = now_s
        self._waiting += 1

    def answered(self, now_s: float, well: bool | None) -> None:
        """One of them was answered, well or not; ``None``: refused or given up, which tells nothing."""
        self._waiting -= 1
        if well is None:
            return
        self._moved_s = now_s
        self._failures = 0 if well else self._failures + 1

    def trouble(self, now_s: float) -> str:
        """Why the engine is taken for dead; empty while it lives."""
        if self._waiting and now_s - self._moved_s > self._stall_s:
            return f"nothing was recognized for {self._stall_s:.0f} s while {self._waiting} utterances wait"
        if self._failures >= self._failures_max:
            return f"the last {self._failures} utterances failed"
        return ""


class Replica:
    """An engine and its health. Awaited once made, which raises ``ModelError``.

    The engine is never left: a replica is let go when nothing is asked of it any more, and its process ends.
    """

    async def __init__(self, open_engine: OpenEngine) -> None:  # type: ignore[misc]  # Ray Serve awaits it
        self._pulse = Pulse()
        self._opened = open_engine()  # kept, for a generator that nobody holds is closed
        self._engine = await self._opened.__aenter__()

    async def recognize(self, speech: Speech) -> Answer:
        """Recognize ``speech``, whose ``deadline_s`` is what was left of its time when it was sent."""
        loop = asyncio.get_running_loop()
        if speech.deadline_s > 0:
            speech = dataclasses.replace(speech, deadline_s=loop.time() + speech.deadline_s)
        self._pulse.asked(time.monotonic())
        well: bool | None = None
        try:
            outcome = await self._outcome(speech)
            # Subclasses tell of the utterance or of the load, not of the engine.
            well = True if isinstance(outcome, Recognition) else False if _is_failure(outcome) else None
        finally:
            self._pulse.answered(time.monotonic(), well)
        return Answer(outcome, self._engine.pace())

    async def check_health(self) -> None:
        """Raise ``RuntimeError`` when the engine is dead; Ray Serve asks, and then replaces the replica."""
        trouble = self._pulse.trouble(time.monotonic())
        if trouble:
            raise RuntimeError(trouble)

    async def _outcome(self, speech: Speech) -> Recognition | RecognitionError:
        try:
            return await self._engine.recognize(speech)
        except RecognitionError as error:
            return error.with_traceback(None)


def _is_failure(error: RecognitionError) -> bool:
    return type(error) is RecognitionError
