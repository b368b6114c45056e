"""What one caller in line is told about the wait, and what came of it."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from callcenter.acd.wait_time import Estimate
from callcenter.acd.wait_words import Announced, announcement, sentence
from callcenter.call.context import CallContext
from callcenter.errors import CallCenterError
from callcenter.queueing import Queue
from callcenter.storage.pool import retrying
from callcenter.storage.wait_estimates import MadeEstimate

log = logging.getLogger(__name__)

STORE_WITHIN_S = 60
MOST_NOTES = 500
"""Of one stay; one that is told the time more often is not noted any more."""

WaitOutcome = Literal["answered", "abandoned", "left", "failed"]


@dataclass(frozen=True, slots=True)
class WaitAnnouncement:
    """An announcement that is ready; ``pcm16`` is empty where there is nothing to say."""

    position: int
    made: Estimate | None = None
    said: Announced | None = None
    pcm16: bytes = b""


class WaitNotes:
    """The estimates of one stay in a queue. None of its methods raises or takes longer than a blink."""

    def __init__(self, context: CallContext, queue: Queue) -> None:
        self._context = context
        self._queue = queue
        self._priority = 0
        self._since: datetime | None = None
        self._said: Announced | None = None
        self._made: list[MadeEstimate] = []
        self._is_over = False

    async def entered(
        self, position: int, priority: int, since: datetime, entered_at: datetime
    ) -> dict[str, Any]:
        """Estimate the wait of one who stands in line as of ``since``; returns data of ``queue.entered``."""
        self._priority, self._since = priority, since
        return self._note(await self.estimate(position), position, entered_at, at_entry=True)

    async def announcement(self, position: int) -> WaitAnnouncement:
        """What may be said now, beside the position: nothing where the wait is not known."""
        if not self._queue.announce_wait:
            return WaitAnnouncement(position)
        made = await self.estimate(position)
        said = announcement(made, self._said)
        pcm16 = b"" if said is None else await self._speak(said)
        return WaitAnnouncement(position, made, said if pcm16 else None, pcm16)

    def told(self, what: WaitAnnouncement) -> dict[str, Any]:
        """It is being said; returns data of ``queue.announced``."""
        if what.made is None:
            return {}
        self._said = what.said or self._said
        return self._note(what.made, what.position, self._context.services.now(), said=what.said)

    def over(self, outcome: WaitOutcome) -> None:
        """The wait has ended; the first outcome counts. What was estimated is stored in the background."""
        if self._is_over:
            return
        self._is_over = True
        if self._made:
            name = f"estimates of call {self._context.call_id}"
            services = self._context.services
            services.background.spawn(self._store(outcome, services.now()), name=name)

    async def estimate(self, position: int) -> Estimate:
        """The wait from now on of somebody at that place in line."""
        assert self._since is not None
        waits = self._context.services.waits
        return await waits.of_caller(self._queue.name, self._priority, position, self._since)

    async def _speak(self, said: Announced) -> bytes:
        try:
            return await self._context.services.prompts.pcm(sentence(said))
        except CallCenterError as error:
            log.warning("call %s: the wait is not announced: %s", self._context.call_id, error)
            return b""

    def _note(
        self,
        made: Estimate,
        position: int,
        made_at: datetime,
        *,
        at_entry: bool = False,
        said: Announced | None = None,
    ) -> dict[str, Any]:
        said_from_s, said_to_s = (None, None) if said is None else (said.from_s, said.to_s)
        note = MadeEstimate(
            made_at,
            at_entry,
            self._priority,
            position,
            made.method.value,
            made.p50_s,
            made.p90_s,
            said_from_s,
            said_to_s,
        )
        if len(self._made) < MOST_NOTES:
            self._made.append(note)
        if made.p50_s is None or made.p90_s is None:
            return {}
        return {"ewt_p50_s": round(made.p50_s, 1), "ewt_p90_s": round(made.p90_s, 1)}

    async def _store(self, outcome: WaitOutcome, ended_at: datetime) -> None:
        rows, call_id, name = self._context.services.wait_estimates, self._context.call_id, self._queue.name
        try:
            await retrying(
                lambda: rows.add(call_id, name, self._made, outcome, ended_at), deadline_s=STORE_WITHIN_S
            )
        except CallCenterError as error:
            log.warning("call %s: its estimated waits are lost: %s", call_id, error)
