"""What is recognised next, and what together. Pure: work and the time it takes in, batches out.

Earliest deadline first within finals, then partials, then what can wait. A batch holds work of one lane (the
same beam, the same mode, prompts of one length) and one length of input, because a model's encoder has no
mask. Nothing waits for company: who asks for a batch gets what there is.
"""

import heapq
import itertools
import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from asr.recognizer import Speech, Urgency

T = TypeVar("T")

_NEWEST_SHARE = 0.2
"""How much a measurement counts against those before it."""

_FIRST_S_PER_FRAME = 2e-4
"""Assumed before anything was measured; a model of the size of ``small`` needs about this."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model will take one piece of work: only the same ``lane`` and ``frames`` go together.

    ``frames`` is the padded length of the input in frames of 10 ms.
    """

    lane: Hashable
    frames: int


@dataclass(slots=True, eq=False)
class Job(Generic[T]):
    """One piece of work; ``ticket`` is whatever its owner needs to answer it."""

    speech: Speech
    plan: Plan
    ticket: T
    urgency: Urgency
    is_retry: bool = False
    waits: bool = False
    cost_s: float = 0.0


class Costs:
    """How long one row of a plan takes on one worker, learned from what was measured."""

    def __init__(self) -> None:
        self._row_s: dict[Plan, float] = {}
        self._s_per_frame = _FIRST_S_PER_FRAME

    def row_s(self, plan: Plan) -> float:
        """Seconds per row: measured, or by the length of what was measured."""
        return self._row_s.get(plan, self._s_per_frame * plan.frames)

    def measured(self, plan: Plan, rows: int, seconds: float) -> None:
        """Take note that a batch of ``rows`` took ``seconds``."""
        row_s = seconds / rows
        before = self._row_s.get(plan, row_s)
        self._row_s[plan] = before + _NEWEST_SHARE * (row_s - before)
        self._s_per_frame += _NEWEST_SHARE * (row_s / plan.frames - self._s_per_frame)


@dataclass(slots=True)
class _Bucket(Generic[T]):
    """Work that may go together, the most urgent on top."""

    heap: list[tuple[Urgency, float, int, Job[T]]] = field(default_factory=list)

    def first(self) -> tuple[Urgency, float, int] | None:
        """The rank of the most urgent work that is still wanted."""
        while self.heap and not self.heap[0][3].waits:
            heapq.heappop(self.heap)
        return self.heap[0][:3] if self.heap else None


class Schedule(Generic[T]):
    """All that waits. A batch takes ``batch_s`` at most as far as ``costs`` can tell, and ``max_rows``."""

    def __init__(self, costs: Costs, batch_s: float, max_rows: int) -> None:
        self._costs = costs
        self._batch_s = batch_s
        self._max_rows = max_rows
        self._buckets: dict[Plan, _Bucket[T]] = {}
        self._numbers = itertools.count()
        self._waiting = dict.fromkeys(Urgency, 0)
        self._work_s = dict.fromkeys(Urgency, 0.0)

    def add(self, job: Job[T]) -> None:
        """Let ``job`` wait."""
        bucket = self._buckets.setdefault(job.plan, _Bucket())
        job.waits, job.cost_s = True, self._costs.row_s(job.plan)
        heapq.heappush(bucket.heap, (job.urgency, job.speech.deadline_s, next(self._numbers), job))
        self._count(job, 1)

    def cancel(self, job: Job[T]) -> None:
        """Nobody wants ``job`` any more; one that was taken is not ours to stop."""
        if job.waits:
            job.waits = False
            self._count(job, -1)

    def take(self, idle_workers: int = 1) -> list[Job[T]]:
        """The next batch for one of ``idle_workers``, most urgent first; empty when nothing waits."""
        plan = self._most_urgent()
        if plan is None:
            return []
        heap = self._buckets[plan].heap
        fitting = max(1, min(self._max_rows, int(self._batch_s / self._costs.row_s(plan))))
        count = min(fitting, math.ceil(len(heap) / max(idle_workers, 1)))
        taken: list[Job[T]] = []
        while heap and len(taken) < count:
            job = heapq.heappop(heap)[3]
            if job.waits:
                taken.append(job)
                self.cancel(job)
        if not heap:
            del self._buckets[plan]
        return taken

    def waiting(self, urgency: Urgency) -> int:
        """How much of one urgency waits."""
        return self._waiting[urgency]

    def work_s(self, urgency: Urgency) -> float:
        """How long it will take, in seconds of one worker."""
        return self._work_s[urgency] if self._waiting[urgency] else 0.0

    def _most_urgent(self) -> Plan | None:
        best: tuple[tuple[Urgency, float, int], Plan] | None = None
        for plan, bucket in list(self._buckets.items()):
            first = bucket.first()
            if first is None:
                del self._buckets[plan]
            elif best is None or first < best[0]:
                best = (first, plan)
        return None if best is None else best[1]

    def _count(self, job: Job[T], sign: int) -> None:
        self._waiting[job.urgency] += sign
        self._work_s[job.urgency] += sign * job.cost_s
