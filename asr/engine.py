"""One model for everybody: what all legs say is recognised together, the most urgent first.

The loop keeps the schedule; worker threads run batches, one at a time each. An idle worker starts at once on
whatever waits, so there is no window of time to fill a batch: batches grow by themselves when it is busy.
"""

import asyncio
import dataclasses
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from asr.errors import ClosedSpeechError, OverloadedSpeechError, RecognitionError
from asr.ladder import PACES, Ladder, LadderSettings, Rung
from asr.recognizer import Recognition, Speech, Urgency
from asr.schedule import Costs, Job, Plan, Schedule
from asr.spool import Spool

logger = logging.getLogger(__name__)

_NICE = 5
_BUSY_OVER_S = 3.0


@dataclass(frozen=True, slots=True)
class Retry:
    """In place of a result: what came out is not to be trusted; try again at full context.

    ``rest`` is what can be kept of it where that does not help.
    """

    rest: Recognition | None = None


Outcome: TypeAlias = Recognition | Retry | RecognitionError


class SpeechModel(Protocol):
    """A model that recognises several utterances at once. ``run`` is called in several threads."""

    def load(self) -> None:
        """Load it; blocking. Raises ``ModelError``."""

    def close(self) -> None:
        """Free the memory."""

    def plan(self, speech: Speech, *, full: bool) -> Plan:
        """How ``speech`` is to be taken, at full context or not. Raises ``RecognitionError``."""

    def run(self, batch: Sequence[Speech], plan: Plan) -> list[Outcome]:
        """Recognise utterances of one plan; one outcome for each."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """``batch_s`` is how long a batch may take, ``max_rows`` what it may hold; more needs more memory.

    ``spool_folder`` takes sound that waits for long (``None``: the system's folder for temporary files).
    """

    workers: int = 1
    batch_s: float = 0.3
    max_rows: int = 8
    drain_timeout_s: float = 10.0
    spool_folder: Path | None = None
    ladder: LadderSettings = field(default_factory=LadderSettings)


@dataclass(frozen=True, slots=True)
class EngineStats:
    """``waiting`` (of which ``put_off`` on disk), ``running`` and ``rung`` now, the others since the start.

    ``retries`` were tried again at full context, ``partials_shed`` not at all, ``words_later`` are finals
    without word times, ``finals_later`` are finals that were put off, ``climbs`` counts how often each rung
    of the ladder was reached. ``rows`` in ``batches`` took ``busy_s``.
    """

    waiting: int = 0
    put_off: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    retries: int = 0
    partials: int = 0
    partials_shed: int = 0
    words_later: int = 0
    finals_later: int = 0
    batches: int = 0
    rows: int = 0
    busy_s: float = 0.0
    rung: int = 0
    climbs: tuple[int, ...] = (0,) * len(Rung)


@dataclass(slots=True)
class _Ticket:
    result: asyncio.Future[Recognition]
    place: tuple[int, int] | None = None


class _Busy:
    """The share of the workers' time that is spent, over the last few seconds."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._share = 0.0
        self._running = 0
        self._at_s = 0.0

    def changed(self, now_s: float, running: int) -> float:
        """From now on ``running`` workers have something to do; returns the share until now."""
        kept = 2.0 ** (-(now_s - self._at_s) / _BUSY_OVER_S)
        self._share = kept * self._share + (1 - kept) * self._running / self._workers
        self._running, self._at_s = running, now_s
        return self._share


class SpeechEngine:
    """The ``Recognizer`` of one process. Entering loads the model in a thread and raises ``ModelError``.

    Leaving finishes what waits, for ``drain_timeout_s`` at most; what is left fails with
    ``ClosedSpeechError``.
    """

    def __init__(self, model: SpeechModel, settings: EngineSettings | None = None) -> None:
        self._model = model
        self._settings = settings or EngineSettings()
        self._costs = Costs()
        self._schedule: Schedule[_Ticket] = Schedule(
            self._costs, self._settings.batch_s, self._settings.max_rows
        )
        self._ladder = Ladder(self._settings.ladder)
        self._busy = _Busy(self._settings.workers)
        self._spool = Spool(self._settings.spool_folder)
        self._running: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._woken = self._open = False
        self._count = EngineStats()

    async def __aenter__(self) -> Self:
        workers = self._settings.workers
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="asr", initializer=_give_way)
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._model.load)
        except BaseException:
            self._threads.shutdown(wait=False)
            raise
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        try:
            async with asyncio.timeout(self._settings.drain_timeout_s):
                await self._idle.wait()
        except TimeoutError:
            logger.warning("%d utterances were not recognised before the end", self.stats().waiting)
        finally:
            self._abandon_the_rest()
            await asyncio.gather(*self._running, return_exceptions=True)
            await asyncio.to_thread(self._threads.shutdown)
            self._spool.close()
            await asyncio.to_thread(self._model.close)

    async def recognize(self, speech: Speech) -> Recognition:
        """See ``Recognizer.recognize``."""
        if not self._open:
            raise ClosedSpeechError("the recognizer is closed")
        job = Job(
            speech,
            self._model.plan(speech, full=False),
            _Ticket(asyncio.get_running_loop().create_future()),
            speech.urgency,
        )
        self._give_way_by_rung(job, self._look())
        self._idle.clear()
        self._schedule.add(job)
        self._wake()
        try:
            return await job.ticket.result
        finally:
            self._drop(job)

    def pace(self) -> float:
        """How many times longer than usual partials should be apart; infinite: there are none now."""
        return PACES.get(self._look(), float("inf"))

    def stats(self) -> EngineStats:
        """Figures for metrics and readiness."""
        waiting = {urgency: self._schedule.waiting(urgency) for urgency in Urgency}
        return dataclasses.replace(
            self._count,
            waiting=sum(waiting.values()),
            put_off=self._spool.held,
            running=len(self._running),
            rung=int(self._look()),
            climbs=tuple(self._ladder.climbs.values()),
        )

    # Pressure.

    def _look(self) -> Rung:
        """On which rung of the ladder we are now."""
        now_s = time.monotonic()
        busy = self._busy.changed(now_s, len(self._running))
        return self._ladder.update(now_s, self._schedule.work_s(Urgency.FINAL) / self._settings.workers, busy)

    def _give_way_by_rung(self, job: Job[_Ticket], rung: Rung) -> None:
        """Make ``job`` less than it was asked to be where too much waits."""
        if job.urgency is Urgency.PARTIAL:
            self._add(partials=1)
            if rung >= Rung.NO_PARTIALS:
                self._add(partials_shed=1)
                raise OverloadedSpeechError("no partials at the moment")
        elif job.urgency is Urgency.FINAL:
            if rung >= Rung.WORD_TIMES_LATER and job.speech.with_words:
                self._add(words_later=1)
                job.speech = dataclasses.replace(job.speech, with_words=False)
                job.plan = self._model.plan(job.speech, full=False)
            if rung >= Rung.FINALS_LATER:
                self._put_off(job)

    def _put_off(self, job: Job[_Ticket]) -> None:
        self._add(finals_later=1)
        job.urgency = Urgency.LATER
        try:
            job.ticket.place = self._spool.put(job.speech.pcm16)
        except OSError as error:
            logger.error("speech that has to wait stays in memory: %s", error.strerror)
            return
        job.speech = dataclasses.replace(job.speech, pcm16=b"")

    # The work.

    def _wake(self) -> None:
        """Hand out work when all that came in this turn of the loop is there."""
        if not self._woken:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._hand_out)

    def _hand_out(self) -> None:
        self._woken = False
        while (idle := self._settings.workers - len(self._running)) > 0:
            batch = self._schedule.take(idle)
            if not batch:
                break
            task = asyncio.create_task(self._work(batch), name=f"recognizing {len(batch)}")
            self._running.add(task)
            task.add_done_callback(self._finished)
        self._look()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._look()
        if self._running or any(self._schedule.waiting(urgency) for urgency in Urgency):
            self._wake()
        else:
            self._idle.set()

    async def _work(self, batch: list[Job[_Ticket]]) -> None:
        plan = batch[0].plan
        batch = [job for job in batch if self._fetched(job)]
        if not batch:
            return
        began_s = time.monotonic()
        outcomes = await self._run([job.speech for job in batch], plan)
        spent_s = time.monotonic() - began_s
        self._costs.measured(plan, len(batch), spent_s)
        self._add(batches=1, rows=len(batch), busy_s=spent_s)
        for job, outcome in zip(batch, outcomes, strict=True):
            self._answer(job, outcome)

    def _fetched(self, job: Job[_Ticket]) -> bool:
        """Have the sound of ``job`` in memory, where it was put off; false where it cannot be read."""
        if job.ticket.place is None:
            return True
        place, job.ticket.place = job.ticket.place, None
        try:
            job.speech = dataclasses.replace(job.speech, pcm16=self._spool.take(place))
        except OSError as error:
            self._answer(job, RecognitionError(f"speech that was put off is lost: {error.strerror}"))
            return False
        return True

    async def _run(self, batch: list[Speech], plan: Plan) -> list[Outcome]:
        """The outcomes of a batch; where it fails as a whole each row is tried alone, so one fails alone."""
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, self._model.run, batch, plan
            )
        except RecognitionError as error:
            return [error] * len(batch)
        except Exception as error:
            if len(batch) == 1:
                logger.exception("recognition failed")
                return [RecognitionError(f"recognition failed: {type(error).__name__}")]
        return [outcome for speech in batch for outcome in await self._run([speech], plan)]

    def _answer(self, job: Job[_Ticket], outcome: Outcome) -> None:
        result = job.ticket.result
        if result.done():
            return
        match outcome:
            case Retry() if not job.is_retry:
                self._add(retries=1)
                job.is_retry, job.plan = True, self._model.plan(job.speech, full=True)
                self._schedule.add(job)
            case Retry(Recognition() as rest):
                self._answer(job, rest)
            case Retry():
                self._add(failed=1)
                result.set_exception(RecognitionError("the model repeated itself"))
            case RecognitionError():
                self._add(failed=1)
                result.set_exception(outcome)
            case Recognition():
                self._add(done=1)
                degraded = job.urgency is not job.speech.urgency
                result.set_result(dataclasses.replace(outcome, degraded=degraded) if degraded else outcome)

    def _drop(self, job: Job[_Ticket]) -> None:
        """Nobody waits for ``job`` any more; does nothing for one that was answered."""
        self._schedule.cancel(job)
        if job.ticket.place is not None:
            job.ticket.place = None
            self._spool.forget()
        if not self._running and not any(self._schedule.waiting(urgency) for urgency in Urgency):
            self._idle.set()

    def _abandon_the_rest(self) -> None:
        while batch := self._schedule.take():
            for job in batch:
                if not job.ticket.result.done():
                    job.ticket.result.set_exception(ClosedSpeechError("the recognizer was closed"))

    def _add(self, **counts: float) -> None:
        self._count = dataclasses.replace(
            self._count, **{name: getattr(self._count, name) + more for name, more in counts.items()}
        )


def _give_way() -> None:
    """Let calls go before recognition; CTranslate2's threads inherit the priority of the one that loads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
