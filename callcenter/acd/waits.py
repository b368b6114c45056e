"""Estimated waits for the calls of this process, from what the database knew a moment ago.

Who asks gets an answer soon or none: what is known is read at most every two seconds and in one task for
all who ask, the recent past every half minute; a database that is slow or away makes estimates unavailable
and nothing else.
"""

import asyncio
import logging
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self

from callcenter.acd.queues import Queues
from callcenter.acd.wait_time import UNAVAILABLE, AgentGroup, Estimate, Line, Ring, estimate
from callcenter.errors import StorageError
from callcenter.queueing import Queue, SkillTree
from callcenter.storage.wait_estimates import ARRIVALS_MINUTES, Recent, Staff, WaitEstimates, Waiting

log = logging.getLogger(__name__)

FRESH_S = 2.0
HISTORY_FRESH_S = 30.0
READ_TIMEOUT_S = 5.0
ANSWER_WITHIN_S = 0.3
REST_S = 10.0
ENOUGH_CONTACTS = 10


@dataclass(frozen=True, slots=True)
class _Past:
    read_s: float
    recent: Mapping[str, Recent] = field(default_factory=dict)
    arrivals: Sequence[tuple[str, int, int]] = ()


@dataclass(frozen=True, slots=True)
class _Ahead:
    """How many stand before somebody in each queue; ``virtual`` are those of ``all`` who do not hang up.

    ``passed`` are those of the virtual ones who may not be called yet: they stand there and keep nobody
    waiting.
    """

    all: Counter[str] = field(default_factory=Counter)
    virtual: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Present:
    read_s: float
    staff: Sequence[Staff]
    waiting: Sequence[Waiting]


class WaitTimes:
    """``async with WaitTimes(...)``: answers until the block ends."""

    def __init__(self, rows: WaitEstimates, queues: Queues, skills: SkillTree) -> None:
        self._rows = rows
        self._queues = queues
        self._skills = skills
        self._past: _Past | None = None
        self._present: _Present | None = None
        self._newcomers: tuple[_Present, Mapping[str, Estimate]] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._learning: asyncio.Task[None] | None = None
        self._resting_until_s = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        tasks = [task for task in (self._reading, self._learning) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def of_caller(self, queue: str, priority: int, position: int, entered_at: datetime) -> Estimate:
        """The wait from now on of somebody in line; at most 0.3 s later, whatever the database does."""
        await self._renew()
        present, past = self._present, self._past
        if present is None or past is None:
            return UNAVAILABLE
        since = entered_at.timestamp()
        offered = sum(
            line.offered for line in present.waiting if line.queue == queue and line.priority >= priority
        )
        ahead = _ahead(present, priority, since)
        known = ahead.all[queue]
        ahead.all[queue] = max(0, position - 1 - offered)
        newcomers = max(0, ahead.all[queue] - known)
        return self._estimate(queue, priority, ahead, present, past, newcomers)

    async def of_newcomers(self) -> Mapping[str, Estimate]:
        """The wait of somebody who would enter each queue now, with the queue's own priority."""
        await self._renew()
        present, past = self._present, self._past
        if present is None or past is None:
            return {}
        if self._newcomers is None or self._newcomers[0] is not present:
            # Many queues with long lines take longer than the audio of calls can wait.
            made = await asyncio.to_thread(self._of_all, self._queues.names, present, past)
            self._newcomers = present, made
        return self._newcomers[1]

    def _of_all(self, names: Sequence[str], present: _Present, past: _Past) -> dict[str, Estimate]:
        found = {}
        for name in names:
            queue = self._queues.find(name)
            priority = queue.priority if queue is not None else 0
            ahead = _ahead(present, priority, float("inf"))
            found[name] = self._estimate(name, priority, ahead, present, past)
        return found

    def _estimate(
        self,
        queue: str,
        priority: int,
        ahead: _Ahead,
        present: _Present,
        past: _Past,
        newcomers: int = 0,
    ) -> Estimate:
        lines = _lines(past, priority, ahead)
        recent = past.recent.get(queue)
        ring, last_served_s = Ring(), None
        if recent is not None:
            last_served_s = recent.last_served_s
            if recent.ring_s is not None and recent.contacts >= ENOUGH_CONTACTS:
                ring = Ring(recent.ring_s, recent.ring_deviation_s or 0.0)
        return estimate(queue, lines, self._groups(present, queue, newcomers), ring, last_served_s)

    def _groups(self, present: _Present, queue: str, newcomers: int) -> list[AgentGroup]:
        """Agents by the queues they can serve; ``newcomers`` in the queue have taken some who were free."""
        agents, free = defaultdict[frozenset[str], int](int), defaultdict[frozenset[str], int](int)
        for staff in present.staff:
            able = self._able(staff)
            taken = min(newcomers, staff.free) if queue in able else 0
            newcomers -= taken
            agents[able] += staff.agents
            free[able] += staff.free - taken
        return [AgentGroup(queues, count, free[queues]) for queues, count in agents.items()]

    def _able(self, staff: Staff) -> frozenset[str]:
        """The agents' queues without those for whose callers they will never have the skills."""
        if not self._with_skills():
            return staff.queues
        skills = self._skills.expand(staff.skills)
        return frozenset(
            name
            for name in staff.queues
            if (queue := self._queues.find(name)) is None
            or all(skills.get(skill, 0) >= level for skill, level in _last_needs(queue).items())
        )

    def _with_skills(self) -> bool:
        found = (self._queues.find(name) for name in self._queues.names)
        return any(queue is not None and _last_needs(queue) for queue in found)

    # Reading.

    async def _renew(self) -> None:
        """Have what is known read again if it is old, and wait a little for it."""
        now_s = asyncio.get_running_loop().time()
        if self._present is not None and now_s - self._present.read_s < FRESH_S:
            return
        if self._reading is None:
            if now_s < self._resting_until_s:
                self._forget()
                return
            self._reading = asyncio.create_task(self._read(now_s), name="what waits are estimated from")
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await asyncio.shield(self._reading)
                return
        self._forget()

    def _forget(self) -> None:
        """What is older than a few seconds says nothing any more."""
        self._present = None

    async def _read(self, now_s: float) -> None:
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                if self._past is None:
                    await self._learn(now_s)
                elif now_s - self._past.read_s >= HISTORY_FRESH_S and self._learning is None:
                    self._learning = asyncio.create_task(self._learn_beside(now_s), name="recent waits")
                staff = await self._rows.staff(with_skills=self._with_skills())
                self._present = _Present(now_s, staff, await self._rows.lines())
        except (StorageError, TimeoutError) as error:
            self._rest(now_s)
            log.warning("waits are not estimated for %d s: %s", REST_S, error or "the database is slow")
        except Exception:
            self._rest(now_s)
            log.exception("waits are not estimated for %d s", REST_S)
        finally:
            self._reading = None

    def _rest(self, now_s: float) -> None:
        self._forget()
        self._resting_until_s = now_s + REST_S

    async def _learn(self, now_s: float) -> None:
        recent = {one.queue: one for one in await self._rows.history()}
        self._past = _Past(now_s, recent, await self._rows.arrivals())

    async def _learn_beside(self, now_s: float) -> None:
        """Nobody waits for this: half a minute more or less makes no other past."""
        try:
            async with asyncio.timeout(HISTORY_FRESH_S):
                await self._learn(now_s)
        except (StorageError, TimeoutError) as error:
            log.warning("waits are estimated from an older past: %s", error or "the database is slow")
        finally:
            self._learning = None


def _last_needs(queue: Queue) -> Mapping[str, int]:
    """What the queue needs of an agent in the end."""
    return queue.relax[-1].needs if queue.relax else queue.needs


def _ahead(present: _Present, priority: int, since: float) -> _Ahead:
    """Who waits in each queue and stands before somebody who came then."""
    ahead = _Ahead()
    for line in present.waiting:
        kinds = ((ahead.all, line.entered), (ahead.virtual, line.kept), (ahead.passed, line.passed))
        for counts, entered in kinds:
            if line.priority > priority:
                counts[line.queue] += len(entered)
            elif line.priority == priority:
                counts[line.queue] += bisect_left(entered, since)
    return ahead


def _lines(past: _Past, priority: int, ahead: _Ahead) -> dict[str, Line]:
    volume, overtaking = Counter[str](), Counter[str]()
    for queue, of_priority, callers in past.arrivals:
        volume[queue] += callers
        overtaking[queue] += callers if of_priority > priority else 0
    lines = {}
    for name in {*past.recent, *ahead.all}:
        recent = past.recent.get(name)
        known = recent is not None and recent.contacts >= ENOUGH_CONTACTS
        waited_for = max(0, ahead.all[name] - ahead.passed[name])
        lines[name] = Line(
            waited_for,
            min(ahead.virtual[name] - ahead.passed[name], waited_for),
            service_s=recent.service_s if recent is not None and known else None,
            abandon_per_s=recent.abandoned / recent.waited_s if recent and recent.waited_s else 0.0,
            overtaking_per_s=overtaking[name] / (60 * ARRIVALS_MINUTES),
            volume=volume[name],
        )
    return lines
