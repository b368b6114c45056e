"""Carries callbacks out: claims them, has them carried, keeps their leases, cleans up after lost workers.

Any number of workers on any number of machines share the callbacks of one database. A worker that is killed
loses nothing: what it held is found by the others when its lease has run out.
"""

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import UUID

from callback.held import Held
from callback.options import Options, RulesOf
from callback.policy import Dial, Expire, PutOff, Reject, may_dial
from callback.ports import Carrier, Network, Room
from callback.reconcile import Reconciler
from callback.request import Claim
from callback.state import CLAIMED, DIALLED, WAITING, State, Step
from callback.store import Store
from callback.ticking import Ticking

log = logging.getLogger(__name__)

TOGETHER_S = 0.1
"""Changes within so long are one look at the database."""

HESITATION_S = 0.03
_CARRIED = CLAIMED | DIALLED


class Worker:
    """``async with Worker(...)``: claims and carries callbacks until the block ends.

    Agent first it is told whose turn it is (``turn``); customer first it takes what is due, in order, as long
    as customers who are being dialled or wait are fewer than free agents times the queue's pacing. When the
    block ends it claims no more, gives back what was not dialled and waits for the rest, with a bound.
    """

    def __init__(
        self,
        store: Store,
        carrier: Carrier,
        network: Network,
        room: Room,
        rules: RulesOf,
        worker_id: UUID,
        options: Options | None = None,
    ) -> None:
        self._store = store
        self._carrier = carrier
        self._room = room
        self._rules = rules
        self._worker_id = worker_id
        self._options = options = options or Options()
        self._held = Held(store, worker_id, options)
        self._reconciler = Reconciler(store, network, rules, options)
        self._ticking = Ticking(store, rules, worker_id, options, self._room_to_settle, self._settle)
        self._turns: dict[UUID, None] = {}
        self._doubtful: set[UUID] = set()
        self._clock, self._told, self._due = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._doubts = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        loops = {
            "clock": self._tick,
            "turns": self._take_turns,
            "claims": self._claim,
            "leases": self._renew,
            "doubts": self._look,
        }
        self._tasks = [
            asyncio.create_task(self._forever(work), name=f"callback-{name}") for name, work in loops.items()
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        *others, leases, doubts = self._tasks
        await _ended(others)
        # Until all is over the leases go on.
        await self._held.drain()
        await _ended([leases, doubts])

    @property
    def carried(self) -> int:
        """How many callbacks are being carried."""
        return self._held.count(reconciling=False)

    @property
    def lost(self) -> int:
        """How many claims were lost to others so far."""
        return self._held.lost

    @property
    def reconciled(self) -> int:
        """How many attempts of lost workers were brought to their end so far."""
        return self._reconciler.settled

    @property
    def unknown(self) -> int:
        """How many attempts of lost workers came to nobody knows what so far."""
        return self._reconciler.unknown

    def turn(self, callback_ids: Iterable[UUID]) -> None:
        """An agent has been found for each of these: claim and carry them, unless others do.

        Told again and again while nobody has claimed them; what there is no room for is left to that.
        """
        for callback_id in callback_ids:
            if callback_id not in self._held and len(self._turns) < self._options.at_once:
                self._turns[callback_id] = None
        self._told.set()

    def nudge(self) -> None:
        """Something has changed: look at the clock and for what is due now rather than soon."""
        self._clock.set()
        self._due.set()

    def changed(self, callback_id: UUID, state: State) -> None:
        """A callback is in this state by now, as the channel ``callback`` tells."""
        if state in WAITING:
            self._clock.set()
        elif state is State.DUE:
            self._due.set()
        else:
            # Whoever had this turn, somebody was quicker.
            self._turns.pop(callback_id, None)
        if state not in _CARRIED and callback_id in self._held:
            self._doubtful.add(callback_id)
            self._doubts.set()

    def _room_to_carry(self) -> int:
        return self._options.at_once - self._held.count(reconciling=False)

    def _room_to_settle(self) -> int:
        return self._options.at_once - self._held.count(reconciling=True)

    def _settle(self, claim: Claim) -> None:
        self._held.start(claim, self._reconciler.settle)

    async def _tick(self) -> None:
        self._clock.clear()
        await _set_or_timeout(self._clock, await self._ticking.tick())
        await asyncio.sleep(min(TOGETHER_S, self._options.poll_s))

    async def _take_turns(self) -> None:
        await self._told.wait()
        self._told.clear()
        # All workers are told. Not all ask at once, those least who have most to do, and who hears of another
        # one's claim meanwhile does not ask at all.
        share = self._held.count(reconciling=False) / self._options.at_once
        await asyncio.sleep(HESITATION_S * (share + random.random()))  # noqa: S311  # scatter, no secret
        turns, room = list(self._turns), self._room_to_carry()
        self._turns.clear()
        if turns and room > 0:
            await self._start(ids=turns, limit=room)

    async def _claim(self) -> None:
        self._due.clear()
        for queue in await self._store.first_due():
            await self._claim_first(queue)
        await _set_or_timeout(self._due, self._options.poll_s)
        await asyncio.sleep(min(TOGETHER_S, self._options.poll_s))

    async def _claim_first(self, queue: str) -> None:
        rules, room = self._rules(queue), self._room_to_carry()
        if not rules.process or room <= 0:
            return

        async def at_once() -> int:
            return math.floor(rules.pacing * await self._room.free_agents(queue))

        await self._start(queue=queue, at_once=at_once, limit=room)

    async def _start(
        self,
        *,
        limit: int,
        ids: list[UUID] | None = None,
        queue: str | None = None,
        at_once: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        claims = await self._store.claim(
            self._worker_id, self._options.lease_s, ids=ids, queue=queue, at_once=at_once, limit=limit
        )
        for claim in claims:
            self._held.start(claim, self._carry)

    async def _carry(self, claim: Claim) -> None:
        callback = claim.callback
        # The claim was the last change: its time is the database's present.
        verdict = may_dial(callback, self._rules(callback.queue), callback.state_since)
        match verdict:
            case Dial():
                await self._carrier.carry(claim)
            case PutOff(until, cause):
                await self._store.step(claim, Step.QUEUE, not_before=until, cause=cause)
            case Expire(cause):
                await self._store.step(claim, Step.EXPIRE, cause=cause)
            case Reject(cause):
                await self._store.step(claim, Step.REJECT, cause=cause)

    async def _renew(self) -> None:
        # In this order: after an outage there is no time to lose.
        await self._held.renew()
        await asyncio.sleep(self._options.lease_s / 3)

    async def _look(self) -> None:
        await self._doubts.wait()
        self._doubts.clear()
        doubtful, self._doubtful = self._doubtful, set()
        await self._held.renew(doubtful)

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except self._options.outages as error:
                log.warning("callbacks stand still: %s", error)
                await asyncio.sleep(self._options.poll_s)
            except Exception:
                log.exception("callbacks stand still")
                await asyncio.sleep(self._options.poll_s)


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in (tasks := list(tasks)):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _set_or_timeout(event: asyncio.Event, timeout_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
