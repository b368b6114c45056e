"""Callbacks whose queue was removed: they go where it said, or wait for a supervisor."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace

from callback.errors import CallbackError
from callback.request import Callback
from callback.search import Search
from callback.state import OPEN
from callback.store import Store
from callcenter.callbacks.rules import RuleBook, needs
from callcenter.storage.queues import QueueRows

AT_ONCE = 500
"""So many callbacks of one queue are read at a time."""

log = logging.getLogger(__name__)


class Strays:
    """Finds them, and moves those that have somewhere to go."""

    def __init__(self, store: Store, rules: RuleBook, rows: QueueRows) -> None:
        self._store = store
        self._rules = rules
        self._rows = rows

    async def fallback_of(self, queue: str) -> str | None:
        """The queue that takes the callbacks of one that was removed; ``None`` where there is none."""
        fallbacks, seen = await self._rows.fallbacks(), {queue}
        while (queue := fallbacks.get(queue, "")) and queue not in seen:
            if queue in self._rules.names:
                return queue
            seen.add(queue)
        return None

    async def gone(self) -> frozenset[str]:
        """The queues that do not exist any more and have open callbacks."""
        return frozenset(await self._store.open_queues() - set(self._rules.names))

    async def rehome(self) -> int:
        """Move what has somewhere to go; returns how many. What is being carried out is moved later."""
        moved = 0
        for queue in sorted(await self.gone()):
            home = await self.fallback_of(queue)
            if home is None:
                continue
            need = needs(self._rules.queue(home), {})
            async for callback in self._all_of(queue):
                try:
                    await self._store.reassign(callback.callback_id, by="clock", queue=home, needs=need)
                except CallbackError as error:
                    log.info("callback %s stays in queue %s: %s", callback.callback_id, queue, error)
                else:
                    moved += 1
        return moved

    async def _all_of(self, queue: str) -> AsyncIterator[Callback]:
        wanted = Search(queue=queue, states=OPEN, limit=AT_ONCE)
        while page := await self._store.find(wanted):
            for callback in page:
                yield callback
            wanted = replace(wanted, after=(page[-1].requested_at, page[-1].callback_id))
