"""The claims that a worker holds: a task for each, leases renewed together, what is lost cancelled."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from uuid import UUID

from callback.errors import CallbackError, FenceLostError
from callback.options import Options
from callback.request import Claim
from callback.state import CLAIMED, DIALLED, State, Step
from callback.store import Store

log = logging.getLogger(__name__)

Work = Callable[[Claim], Awaitable[None]]


class Held:
    """What one worker answers for."""

    def __init__(self, store: Store, worker: UUID, options: Options) -> None:
        self._store = store
        self._worker = worker
        self._options = options
        self._claims: dict[UUID, Claim] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._left: dict[UUID, Claim] = {}
        self.lost = 0

    def __contains__(self, callback_id: UUID) -> bool:
        return callback_id in self._claims

    def count(self, *, reconciling: bool) -> int:
        """How many are being reconciled, or carried."""
        return sum(
            (claim.callback.state is State.RECONCILING) == reconciling for claim in self._claims.values()
        )

    def start(self, claim: Claim, work: Work) -> None:
        """Do the work in a task of its own; give back afterwards what it has left half done."""
        callback_id = claim.callback.callback_id
        if (older := self._tasks.get(callback_id)) is not None:
            older.cancel()
        self._claims[callback_id] = claim
        task = asyncio.create_task(self._run(claim, work), name=f"callback-{callback_id}")
        self._tasks[callback_id] = task
        task.add_done_callback(lambda done: self._forget(callback_id, claim, done))

    async def renew(self, only: Iterable[UUID] | None = None) -> None:
        """Answer for all of them for longer, and stop the work on those that are somebody else's by now."""
        claims = dict(self._claims)
        if only is not None:
            claims = {key: claims[key] for key in only if key in claims}
        if not claims:
            return
        fences = {callback_id: claim.fence for callback_id, claim in claims.items()}
        kept = await self._store.renew(self._worker, self._options.lease_s, fences)
        for callback_id in claims.keys() - kept:
            if self._claims.get(callback_id) is claims[callback_id]:
                log.info("callback %s: the claim is lost", callback_id)
                self.lost += 1
                del self._claims[callback_id]
                self._tasks[callback_id].cancel()

    async def drain(self) -> None:
        """Give back what was not dialled, wait for the rest, stop what takes too long."""
        for callback_id, claim in list(self._claims.items()):
            if claim.callback.state is State.RECONCILING or not await self._is_dialled(claim):
                self._cancel(callback_id, claim)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=self._options.drain_s)
        for callback_id, claim in list(self._claims.items()):
            log.warning("callback %s: stopped while its customer was on the telephone", callback_id)
            self._cancel(callback_id, claim)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for claim in self._left.values():
            await self._give_back(claim, failed=False)

    def _cancel(self, callback_id: UUID, claim: Claim) -> None:
        self._left[callback_id] = claim
        self._tasks[callback_id].cancel()

    async def _is_dialled(self, claim: Claim) -> bool:
        try:
            callback = await self._store.get(claim.callback.callback_id)
        except Exception:
            log.exception("callback %s: not known whether it was dialled", claim.callback.callback_id)
            return True
        return callback.state not in CLAIMED

    async def _run(self, claim: Claim, work: Work) -> None:
        failed = False
        try:
            await work(claim)
        except FenceLostError as error:
            log.info("callback %s: %s", claim.callback.callback_id, error)
            return
        except Exception:
            log.exception("callback %s: not carried out", claim.callback.callback_id)
            failed = True
        await self._give_back(claim, failed=failed)

    async def _give_back(self, claim: Claim, *, failed: bool) -> None:
        """What is left half done goes on: nobody was dialled, or the network is to be asked.

        Where the database is away the lease runs out, with the same effect.
        """
        callback_id = claim.callback.callback_id
        try:
            callback = await self._store.get(callback_id)
            if (callback.fence, callback.worker) != (claim.fence, claim.worker):
                return
            if callback.state in DIALLED:
                await self._store.step(claim, Step.LOSE, cause="not_recorded")
            elif callback.state in CLAIMED and failed:
                at = await self._store.now() + timedelta(seconds=self._options.again_s)
                await self._store.step(claim, Step.QUEUE, not_before=at, cause="failed")
            elif callback.state in CLAIMED:
                await self._store.step(claim, Step.RELEASE)
        except CallbackError as error:
            log.info("callback %s: %s", callback_id, error)
        except Exception:
            log.exception("callback %s: is left to its lease", callback_id)

    def _forget(self, callback_id: UUID, claim: Claim, done: asyncio.Task[None]) -> None:
        if self._claims.get(callback_id) is claim:
            del self._claims[callback_id]
        if self._tasks.get(callback_id) is done:
            del self._tasks[callback_id]
