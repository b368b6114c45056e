"""A carrier that takes callbacks through all states, with an exchange instead of calls."""

import asyncio
import random
from collections.abc import Collection
from uuid import UUID, uuid4

from callback.options import RulesOf
from callback.outcome import after_attempt
from callback.ports import Fate
from callback.request import Claim, Mode, Result
from callback.rules import RetryRules, Rules
from callback.state import Step
from callback.store import Store
from support.exchange import OVER, Line, RefusedByNetworkError

LOOK_S = 0.01
RING_S = 2.0
LATEST_S = 0.8
"""How long after the attempt was written the network may be asked to dial: less than a worker that reconciles
waits (``Options.margin_s``) before it believes that nobody was."""

QUICK = Rules(
    retry=RetryRules(
        busy_s=0.05, no_answer_s=0.05, machine_s=0.05, failed_s=0.05, not_confirmed_s=0.05, jitter=0
    ),
    earliest_s=0.05,
)
"""Hours always, retries at once."""

_RESULTS = {Fate.BUSY: Result.BUSY, Fate.NO_ANSWER: Result.NO_ANSWER, Fate.FAILED: Result.FAILED}


class Scripted:
    """Agents always accept; customers do what the exchange has planned."""

    def __init__(
        self, store: Store, line: Line, rules: RulesOf = lambda _: QUICK, ring_s: float = RING_S
    ) -> None:
        self._store = store
        self._line = line
        self._rules = rules
        self._ring_s = ring_s
        self.carried: list[UUID] = []

    async def carry(self, claim: Claim) -> None:
        self.carried.append(claim.callback.callback_id)
        if claim.callback.mode is Mode.AGENT_FIRST:
            await self._store.step(claim, Step.RESERVE)
            await self._store.step(claim, Step.ACCEPT)
        attempt_id = uuid4()
        latest = asyncio.get_running_loop().time() + LATEST_S
        await self._store.dial(
            claim, attempt_id=attempt_id, gateway="test", call_id=uuid4(), ring_timeout_s=self._ring_s
        )
        try:
            if asyncio.get_running_loop().time() > latest:
                await self._over(claim, attempt_id, Result.LOST, dialled=False)
            else:
                await self._dialled(claim, attempt_id)
        except BaseException:
            await self._line.cut(attempt_id)
            raise

    async def _dialled(self, claim: Claim, attempt_id: UUID) -> None:
        try:
            await self._line.dial(attempt_id, claim.callback.number)
        except RefusedByNetworkError:
            await self._over(claim, attempt_id, Result.FAILED, dialled=False)
            return
        except TimeoutError:
            await self._store.step(claim, Step.LOSE, cause="no_answer_from_network")
            return
        await self._store.dialled(claim, attempt_id, f"ref {attempt_id}")
        fate = await self._until(attempt_id, {Fate.TALKING, *OVER})
        if fate not in (Fate.TALKING, Fate.ANSWERED):
            await self._over(claim, attempt_id, _RESULTS[fate])
            return
        await self._store.reached(claim, attempt_id)
        if claim.callback.mode is Mode.CUSTOMER_FIRST:
            await self._store.step(claim, Step.CONFIRM)
            await self._store.step(claim, Step.WAIT)
        await self._store.step(claim, Step.BRIDGE)
        await self._until(attempt_id, OVER)
        await self._over(claim, attempt_id, Result.BRIDGED)

    async def _until(self, attempt_id: UUID, fates: set[Fate] | frozenset[Fate]) -> Fate:
        """By what is told, and by asking, should that not come; rings in vain for so long."""
        end = asyncio.get_running_loop().time() + self._ring_s
        look = 0
        while Fate.TALKING not in fates or asyncio.get_running_loop().time() < end:
            look += 1
            for event_id, status in await self._line.told(attempt_id):
                is_new = await self._store.gateway_event(attempt_id, event_id, status)
                if is_new and Fate(status) in fates:
                    return Fate(status)
            if look % 3 == 0 and (fate := await self._line.found(attempt_id)) in fates:
                return fate
            await asyncio.sleep(LOOK_S)
        await self._line.cut(attempt_id)
        return Fate.NO_ANSWER

    async def _over(self, claim: Claim, attempt_id: UUID, result: Result, *, dialled: bool = True) -> None:
        callback = await self._store.get(claim.callback.callback_id)
        following = after_attempt(
            result,
            callback,
            self._rules(callback.queue),
            await self._store.now(),
            random.random(),
            dialled=dialled,
        )
        await self._store.over(
            claim,
            attempt_id,
            result,
            following.step,
            counted=following.counted,
            not_before=following.not_before,
            cause=following.cause,
            apologise=following.apologise or None,
        )


class Agents:
    """``callback.ports.Room``: so many are free, whatever happens, for all queues or some."""

    def __init__(self, free: int = 100, queues: Collection[str] | None = None) -> None:
        self.free = free
        self._queues = queues

    async def free_agents(self, queue: str) -> int:
        return self.free if self._queues is None or queue in self._queues else 0
