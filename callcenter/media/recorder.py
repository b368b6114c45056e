"""Recordings written as the calls go, without the disk ever holding up a call.

The event loop only appends to lists in memory; one thread per process does all reading and writing. When
the disk is slow the thread's queue fills, then each recording's list; a recording whose list is full too
fails and says so, and its call goes on. The same holds for a full disk.
"""

import asyncio
import itertools
import logging
import queue
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from callcenter.media.recording_file import Piece, RecordingFile, recover

__all__ = ["AGENT", "CALLER", "Recording", "RecordingWriter", "recover"]

log = logging.getLogger(__name__)

CALLER: Final = 0
"""The left channel."""
AGENT: Final = 1
"""The right channel."""

FLUSH_EVERY_S: Final = 0.5
FLUSH_TURNS: Final = 10
"""In how many parts the recordings are flushed, one after another."""
MAX_WAITING_BYTES: Final = 1024 * 1024
"""What one recording holds while the disk does not take it: 32 s of two channels."""
MAX_JOBS: Final = 1024
SHUTDOWN_TIMEOUT_S: Final = 10.0


class Recording:
    """One recording that is being written; made by ``RecordingWriter.open``."""

    def __init__(
        self, writer: "RecordingWriter", file: RecordingFile, channels: int, on_failed: Callable[[str], None]
    ) -> None:
        self.file = file
        self.failed = False
        self._writer = writer
        self._channels = channels
        self._on_failed = on_failed
        self._waiting: list[Piece] = []
        self._waiting_bytes = 0
        self._done = asyncio.get_running_loop().create_future()

    def write(self, channel: int, pcm16: bytes, position: int) -> None:
        """Put sound on a channel, its first sample at ``position`` on the recording's clock.

        Later sound replaces earlier at the same place; sound more than a second late is left out. After
        ``close`` or a failure nothing happens. Raises ``ValueError`` for half a sample or no such channel.
        """
        if len(pcm16) % 2 or not 0 <= channel < self._channels:
            raise ValueError(f"{len(pcm16)} bytes for channel {channel} of {self._channels}")
        if self.failed or self._done.done():
            return
        self._waiting.append((channel, pcm16, position))
        self._waiting_bytes += len(pcm16)
        if self._waiting_bytes > MAX_WAITING_BYTES:
            self.fail("the disk does not keep up")

    async def close(self) -> float:
        """End the recording when all of it is on disk and return its duration in s; may be called twice."""
        if not self._done.done():
            self.hand_over(last=True)
        return float(await asyncio.shield(self._done))

    def hand_over(self, last: bool = False) -> None:
        """Give what waits to the writer's thread, or keep it when the thread is too far behind."""
        if self._writer.submit(Job(self, self._waiting, last)):
            self._waiting = []
            self._waiting_bytes = 0

    def fail(self, reason: str) -> None:
        """Give up the rest of the recording and tell its owner, once."""
        if self.failed:
            return
        self.failed = True
        self._waiting = []
        self._waiting_bytes = 0
        log.warning("recording %s failed: %s", self.file.path.name, reason)
        asyncio.get_running_loop().call_soon(self._on_failed, reason)

    def done(self, duration_s: float) -> None:
        """Note that the file is closed."""
        if not self._done.done():
            self._done.set_result(duration_s)


@dataclass(frozen=True, slots=True)
class Job:
    """What the thread does next for one recording; ``last`` closes the file."""

    recording: Recording
    pieces: Iterable[Piece]
    last: bool


class RecordingWriter:
    """The writer of all recordings of a process; ``async with`` runs its thread.

    Leaving it closes the recordings that are still open, within ``SHUTDOWN_TIMEOUT_S``.
    """

    def __init__(self, flush_every_s: float = FLUSH_EVERY_S, max_jobs: int = MAX_JOBS) -> None:
        self._flush_every_s = flush_every_s
        self._max_jobs = max_jobs
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._open: dict[Recording, int] = {}
        self._turns = itertools.cycle(range(FLUSH_TURNS))
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._stopped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flusher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start the thread and the flushing."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        self._flusher = asyncio.create_task(self._flush(), name="recorder flush")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what is open and stop the thread, unless the disk hangs."""
        assert self._flusher is not None
        self._flusher.cancel()
        try:
            async with asyncio.timeout(SHUTDOWN_TIMEOUT_S):
                await asyncio.gather(*(recording.close() for recording in self._open))
                self._jobs.put(None)
                await self._stopped.wait()
        except TimeoutError:
            log.error("the disk hangs; %d recordings were not closed", len(self._open))
        else:
            self._thread.join()

    def open(self, path: Path, channels: int, on_failed: Callable[[str], None]) -> Recording:
        """Begin a recording of 1 or 2 channels in the new file ``path``; folders are made as needed.

        Nothing is touched here; if the file cannot be made or written, ``on_failed`` is called with the
        reason, once, on the event loop.
        """
        if channels not in (1, 2):
            raise ValueError(f"{channels} channels; a recording has 1 or 2")
        recording = Recording(self, RecordingFile(path, channels), channels, on_failed)
        self._open[recording] = next(self._turns)
        recording.hand_over()
        return recording

    def submit(self, job: Job) -> bool:
        """Queue a job for the thread; false when it is too far behind, except for last jobs."""
        if not job.last and self._jobs.qsize() >= self._max_jobs:
            return False
        self._jobs.put(job)
        return True

    async def _flush(self) -> None:
        """Hand over what waits, in turns: all at once the event loop would have to wait for the thread."""
        for turn in itertools.cycle(range(FLUSH_TURNS)):
            await asyncio.sleep(self._flush_every_s / FLUSH_TURNS)
            for recording, its_turn in self._open.items():
                if its_turn == turn:
                    recording.hand_over()

    def _closed(self, recording: Recording) -> None:
        self._open.pop(recording, None)
        recording.done(recording.file.duration_s)

    # On the thread.

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._do(job)
        self._tell(self._stopped.set)

    def _do(self, job: Job) -> None:
        file = job.recording.file
        try:
            file.add(job.pieces)
            if job.last:
                file.close()
        except OSError as error:
            self._give_up(job.recording, error.strerror or "the disk failed")
        except Exception:
            log.exception("recording %s", file.path.name)
            self._give_up(job.recording, "internal error")
        if job.last:
            self._tell(lambda: self._closed(job.recording))

    def _give_up(self, recording: Recording, reason: str) -> None:
        with suppress(OSError):
            recording.file.close()
        self._tell(lambda: recording.fail(reason))

    def _tell(self, callback: Callable[[], object]) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop is gone when a hung disk comes back after shutdown
            self._loop.call_soon_threadsafe(callback)
