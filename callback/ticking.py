"""The clock of a worker: what time brings to all callbacks, whichever worker looks."""

import asyncio
import logging
import math
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from callback.options import Options, RulesOf
from callback.policy import Verdict, may_dial
from callback.request import Callback, Claim
from callback.store import Store

log = logging.getLogger(__name__)

AT_ONCE = 500
"""How many rows one transaction changes at most."""

SOONEST_S = 0.05
REVIEW_S = 30.0


class Ticking:
    """Lets callbacks fall due and expire; gives on what lost workers had. ``lost`` takes those to be settled.

    ``room`` says how many of these there is room for.
    """

    def __init__(
        self,
        store: Store,
        rules: RulesOf,
        worker: UUID,
        options: Options,
        room: Callable[[], int],
        lost: Callable[[Claim], None],
    ) -> None:
        self._store = store
        self._rules = rules
        self._worker = worker
        self._options = options
        self._room = room
        self._lost = lost
        self._paused: set[str] = set()
        self._swept_at = self._reviewed_at = -REVIEW_S
        self._away_since: float | None = None
        self._patient_until = -math.inf

    async def tick(self) -> float:
        """Look once; returns after how many seconds to look again."""
        time = asyncio.get_running_loop().time
        try:
            next_s = await self._look(time)
        except self._options.outages:
            self._be_patient(time())
            raise
        self._away_since = None
        return next_s

    def _be_patient(self, now: float) -> None:
        """Whose lease runs out because the database is away has a moment to renew it when it is back."""
        self._away_since = self._away_since or now
        moment_s = self._options.lease_s / 3
        if now - self._away_since > moment_s:
            self._patient_until = now + moment_s

    async def _look(self, time: Callable[[], float]) -> float:
        if time() - self._swept_at >= self._options.poll_s:
            self._swept_at = time()
            await self._sweep()
        if time() - self._reviewed_at >= REVIEW_S:
            self._reviewed_at = time()
            await self._review()
        fallen = await self._store.fall_due(
            AT_ONCE, self._paused, rate_per_s=self._options.dial_rate_per_s, judge=self._judge
        )
        if fallen.due:
            log.debug("%d callbacks fell due", len(fallen.due))
        if not fallen.is_ours:
            # Whoever looks may have looked before what woke us.
            return min(2 * SOONEST_S, self._options.poll_s)
        next_s = self._options.poll_s if fallen.next_s is None else fallen.next_s
        return min(max(next_s, SOONEST_S), self._options.poll_s)

    async def _sweep(self) -> None:
        self._paused = {name for name in await self._store.open_queues() if not self._rules(name).process}
        for callback in await self._store.expire(AT_ONCE):
            log.info("callback %s expired", callback.callback_id)
        if asyncio.get_running_loop().time() >= self._patient_until:
            await self._find_lost()

    async def _find_lost(self) -> None:
        for callback in await self._store.release_lost(AT_ONCE):
            log.warning("callback %s: its worker was lost before it dialled", callback.callback_id)
        room = self._room()
        claims = await self._store.take_lost(self._worker, self._options.lease_s, room) if room > 0 else []
        for claim in claims:
            log.warning("callback %s: its worker was lost after it had dialled", claim.callback.callback_id)
            self._lost(claim)

    async def _review(self) -> None:
        at: UUID | None = UUID(int=0)
        while at is not None:
            at = await self._store.review(AT_ONCE, at, self._judge)

    def _judge(self, callback: Callback, now: datetime, forbidden: bool) -> Verdict:
        return may_dial(callback, self._rules(callback.queue), now, forbidden=forbidden)
