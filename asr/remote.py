"""Asking engines that are elsewhere and may be lost: again after a loss, and never twice at once."""

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from asr.errors import ClosedSpeechError, OverloadedSpeechError, RecognitionError
from asr.recognizer import Recognition, Speech, Urgency
from asr.replica import Answer

logger = logging.getLogger(__name__)

_PACE_HOLDS_S = 5.0


class ReplicaLostError(Exception):
    """The replica that was asked, or the way to it, is gone; another one may be asked."""


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """``asked_max`` is how much is asked at once at most, but for finals, which are never refused.

    An utterance whose replica is lost is asked for again, ``attempts`` times in all, with a pause between
    that doubles from ``first_pause_s`` to ``longest_pause_s``.
    """

    asked_max: int = 256
    attempts: int = 8
    first_pause_s: float = 0.25
    longest_pause_s: float = 5.0


@dataclass(frozen=True, slots=True)
class ClusterStats:
    """``waiting`` now; ``done``, ``failed`` and ``retried`` (asked again after a loss) since the start."""

    waiting: int = 0
    done: int = 0
    failed: int = 0
    retried: int = 0


class RemoteRecognizer:
    """A ``Recognizer`` on top of ``ask``, which asks one replica and may raise ``ReplicaLostError``.

    The speech that ``ask`` gets has what is left of its time as its deadline, for clocks differ.
    """

    def __init__(self, ask: Callable[[Speech], Awaitable[Answer]], settings: RemoteSettings) -> None:
        self._ask_one = ask
        self._settings = settings
        self._asking: set[asyncio.Task[Recognition]] = set()
        self._later = asyncio.Semaphore(max(1, settings.asked_max // 2))
        self._open = True
        self._pace, self._pace_until_s = 1.0, 0.0
        self._count = ClusterStats()

    async def recognize(self, speech: Speech) -> Recognition:
        """See ``Recognizer.recognize``. A partial whose replica is lost is not asked for again."""
        if not self._open:
            raise ClosedSpeechError("the recognizer is closed")
        if speech.urgency is Urgency.PARTIAL and len(self._asking) >= self._settings.asked_max:
            self._add(failed=1)
            raise OverloadedSpeechError("all replicas are busy")
        task = asyncio.create_task(self._ask(speech), name="asking a replica")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        try:
            recognition = await task
        except RecognitionError:
            self._add(failed=1)
            raise
        except asyncio.CancelledError:
            if is_cancelled() or not task.cancelled():
                raise
            self._add(failed=1)
            raise ClosedSpeechError("the recognizer was closed") from None
        self._add(done=1)
        return recognition

    def pace(self) -> float:
        """See ``Recognizer.pace``: what the replica that answered last has said of itself lately."""
        return self._pace if asyncio.get_running_loop().time() < self._pace_until_s else 1.0

    def stats(self) -> ClusterStats:
        """Figures for metrics."""
        return dataclasses.replace(self._count, waiting=len(self._asking))

    async def close(self, timeout_s: float) -> None:
        """Wait for what was asked, ``timeout_s`` at most; the rest fails with ``ClosedSpeechError``."""
        self._open = False
        try:
            if self._asking:
                await asyncio.wait(self._asking, timeout=timeout_s)
        finally:
            late = list(self._asking)
            if late:
                logger.warning("%d utterances were not recognised before the end", len(late))
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _ask(self, speech: Speech) -> Recognition:
        if speech.urgency is not Urgency.LATER:
            return await self._ask_until_answered(speech)
        async with self._later:  # leaves room in the replicas for what cannot wait
            return await self._ask_until_answered(speech)

    async def _ask_until_answered(self, speech: Speech) -> Recognition:
        pause_s = self._settings.first_pause_s
        attempt = 1
        while True:
            try:
                return await self._ask_once(speech)
            except ReplicaLostError as lost:
                if speech.urgency is Urgency.PARTIAL:
                    raise OverloadedSpeechError("its replica was lost") from lost
                if attempt >= self._settings.attempts:
                    raise RecognitionError(f"lost by {attempt} replicas, one after the other") from lost
            attempt += 1
            self._add(retried=1)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, self._settings.longest_pause_s)

    async def _ask_once(self, speech: Speech) -> Recognition:
        loop = asyncio.get_running_loop()
        if speech.deadline_s > 0:
            left_s = max(speech.deadline_s - loop.time(), 0.0)
            speech = dataclasses.replace(speech, deadline_s=left_s)
        answer = await self._ask_one(speech)
        self._pace, self._pace_until_s = answer.pace, loop.time() + _PACE_HOLDS_S
        if isinstance(answer.outcome, ClosedSpeechError):
            raise ReplicaLostError("its engine was closed")
        if isinstance(answer.outcome, RecognitionError):
            raise answer.outcome
        return answer.outcome

    def _add(self, **counts: int) -> None:
        self._count = dataclasses.replace(
            self._count, **{name: getattr(self._count, name) + more for name, more in counts.items()}
        )


def is_cancelled() -> bool:
    """Whether somebody cancelled this task; a library may raise the same error when it gave up by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
