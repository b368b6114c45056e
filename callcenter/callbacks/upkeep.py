"""What callbacks need now and then besides their clock; any number of processes may do it."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from callback import policy, slots
from callback.errors import CallbackError
from callback.policy import OwnerVerdict
from callback.request import Slot, Wish
from callback.store import Store
from callcenter.callbacks.rules import RuleBook
from callcenter.callbacks.strays import Strays
from callcenter.errors import StorageError

EVERY_S = 15.0
DRIFT_EVERY = 240
"""Times between two looks at what zone data have done to chosen times: an hour."""

UNLIMITED = 1_000_000
"""Room in a slot for one who was promised it and whose wall clock has changed."""

log = logging.getLogger(__name__)


class Upkeep:
    """Owners who did not come, queues that are gone, chosen times whose zone has changed its rules."""

    def __init__(self, store: Store, rules: RuleBook, strays: Strays, now: Callable[[], datetime]) -> None:
        self._store = store
        self._rules = rules
        self._strays = strays
        self._now = now

    async def keep(self) -> None:
        """Do it until cancelled; an outage is waited out."""
        turn = 0
        while True:
            try:
                await self.once(drift=turn % DRIFT_EVERY == 0)
            except StorageError as error:
                log.warning("callbacks are not kept in order: %s", error)
            except Exception:
                log.exception("callbacks are not kept in order")
            turn += 1
            await asyncio.sleep(EVERY_S)

    async def once(self, *, drift: bool = True) -> None:
        """All of it once."""
        await self._strays.rehome()
        for callback_id in await self._store.owner_overdue():
            await self._give_up_owner(callback_id)
        if drift:
            await self._follow_zones()

    async def _give_up_owner(self, callback_id: UUID) -> None:
        try:
            callback = await self._store.get(callback_id)
            verdict = policy.owner_verdict(callback, self._rules.of(callback.queue), self._now())
            if verdict is OwnerVerdict.CANCEL:
                await self._store.cancel(
                    callback_id, by="clock", cause="owner_absent", version=callback.version
                )
            elif verdict is OwnerVerdict.ANYBODY:
                await self._store.reassign(callback_id, by="clock", owner="", version=callback.version)
        except CallbackError as error:
            log.info("callback %s keeps its owner: %s", callback_id, error)

    async def _follow_zones(self) -> None:
        """Chosen times are what the customer's wall clock shows, also after its zone has other rules."""
        for callback_id, start, local, zone in await self._store.scheduled():
            now_at = slots.drifted(start, local, zone)
            if now_at is None:
                continue
            try:
                await self._shift(callback_id, now_at)
            except CallbackError as error:
                log.info("callback %s stays at its instant: %s", callback_id, error)

    async def _shift(self, callback_id: UUID, start: datetime) -> None:
        callback = await self._store.get(callback_id)
        rules = self._rules.of(callback.queue)
        slot = Slot(start, start + timedelta(minutes=rules.slots.minutes), UNLIMITED)
        wish = Wish(callback.queue, callback.number, callback.source, slot=slot, zone=callback.zone)
        terms = policy.terms(wish, rules, self._now(), policy.UNKNOWN_WAIT)
        await self._store.move(callback_id, terms, slot, by="clock", version=callback.version)
