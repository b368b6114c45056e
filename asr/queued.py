"""One bounded line of utterances for all legs of a process, in order of arrival, before worker threads."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from asr.errors import ClosedSpeechError, OverloadedSpeechError, RecognitionError
from asr.recognizer import Recognition

logger = logging.getLogger(__name__)

BlockingRecognize = Callable[[bytes, str], Recognition]


@dataclass(frozen=True, slots=True)
class QueueStats:
    """``waiting`` and ``running`` now; ``done``, ``failed`` and ``refused`` (queue full) since the start."""

    waiting: int
    running: int
    done: int
    failed: int
    refused: int


@dataclass(slots=True)
class _Job:
    pcm16: bytes
    language: str
    result: asyncio.Future[Recognition]


class QueuedRecognizer:
    """A ``Recognizer`` made of a blocking function that may run in ``workers`` threads at once.

    Leaving the context finishes what waits, for ``drain_timeout_s`` at most; what is left then fails with
    ``ClosedSpeechError``. An utterance that is already in a thread is always waited for.
    """

    def __init__(
        self, recognize: BlockingRecognize, workers: int, max_queued: int, drain_timeout_s: float = 10
    ) -> None:
        self._blocking = recognize
        self._workers = workers
        self._drain_timeout_s = drain_timeout_s
        self._queue: asyncio.Queue[_Job] = asyncio.Queue(max_queued)
        self._tasks: list[asyncio.Task[None]] = []
        self._open = False
        self._running = self._done = self._failed = self._refused = 0

    async def __aenter__(self) -> Self:
        self._threads = ThreadPoolExecutor(self._workers, thread_name_prefix="asr")
        self._tasks = [
            asyncio.create_task(self._work(), name=f"asr worker {number}") for number in range(self._workers)
        ]
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        try:
            async with asyncio.timeout(self._drain_timeout_s):
                await self._queue.join()
        except TimeoutError:
            logger.warning("%d utterances were not recognised before the end", self._queue.qsize())
        finally:
            self._abandon_the_rest()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.to_thread(self._threads.shutdown)

    async def recognize(self, pcm16: bytes, language: str) -> Recognition:
        """See ``Recognizer.recognize``."""
        if not self._open:
            raise ClosedSpeechError("the recognizer is closed")
        job = _Job(pcm16, language, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(job)
        except asyncio.QueueFull:
            self._refused += 1
            raise OverloadedSpeechError(f"{self._queue.maxsize} utterances are waiting") from None
        return await job.result

    def stats(self) -> QueueStats:
        """Figures for metrics and readiness."""
        return QueueStats(self._queue.qsize(), self._running, self._done, self._failed, self._refused)

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            self._running += 1
            try:
                if not job.result.done():
                    await self._run(job)
            finally:
                self._running -= 1
                self._queue.task_done()

    async def _run(self, job: _Job) -> None:
        loop = asyncio.get_running_loop()
        try:
            recognition = await loop.run_in_executor(self._threads, self._blocking, job.pcm16, job.language)
        except asyncio.CancelledError:
            _fail(job, ClosedSpeechError("the recognizer was closed"))
            raise
        except RecognitionError as error:
            self._failed += 1
            _fail(job, error)
        except Exception as error:
            self._failed += 1
            logger.exception("recognition failed")
            _fail(job, RecognitionError(f"recognition failed: {type(error).__name__}"))
        else:
            self._done += 1
            if not job.result.done():
                job.result.set_result(recognition)

    def _abandon_the_rest(self) -> None:
        while not self._queue.empty():
            _fail(self._queue.get_nowait(), ClosedSpeechError("the recognizer was closed"))
            self._queue.task_done()
        for task in self._tasks:
            task.cancel()


def _fail(job: _Job, error: RecognitionError) -> None:
    if not job.result.done():
        job.result.set_exception(error)
