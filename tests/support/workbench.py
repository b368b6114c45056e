"""Workers on one store, an exchange instead of a network, and turns told as the ACD would."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

from callback.options import Options
from callback.ports import Carrier
from callback.request import Callback
from callback.rules import Rules
from callback.state import State
from callback.store import Store
from callback.worker import Worker
from callcenter.errors import StorageError
from support.exchange import Exchange, Line, Plan
from support.scripted import QUICK, Agents, Scripted

FAST = Options(
    lease_s=3,
    poll_s=0.05,
    dial_rate_per_s=1000,
    drain_s=2,
    ask_s=0.02,
    margin_s=2,
    again_s=0.05,
    outages=(StorageError,),
)
PATIENCE_S = 60


class Bench:
    """``network`` is to be called before anybody is dialled; ``rules`` are those of some queues."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.network(Plan())
        self.room = Agents()
        self.rules: dict[str, Rules] = {}

    def network(self, first: Plan, then: Plan | None = None) -> None:
        """What customers do when they are rung up the first time, and later."""
        self.exchange = Exchange(lambda _, nth: first if nth == 0 or then is None else then)
        self.line = Line(self.exchange)

    def rules_of(self, queue: str) -> Rules:
        return self.rules.get(queue, QUICK)

    def worker(self, carrier: Carrier | None = None, options: Options = FAST) -> Worker:
        carrier = carrier or Scripted(self.store, self.line, self.rules_of)
        return Worker(self.store, carrier, self.line, self.room, self.rules_of, uuid4(), options)

    async def until(
        self, callback: Callback | UUID, *states: State, turns: Sequence[Worker] = ()
    ) -> Callback:
        callback_id = callback if isinstance(callback, UUID) else callback.callback_id
        async with asyncio.timeout(PATIENCE_S):
            while (present := await self.store.get(callback_id)).state not in states:
                if present.state is State.DUE:
                    for worker in turns:
                        worker.turn([callback_id])
                await asyncio.sleep(0.02)
        return present
