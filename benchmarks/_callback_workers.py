"""One of the processes that carry callbacks in the benchmark: dispatcher and workers as in the program.

What is missing is calls: agents answer at once, customers are reached at once, and conversations last as long
as they are told to. ``python _callback_workers.py URL TALK_S WORKERS`` runs until its standard input is
closed, then writes what it has asked the network to dial, as pairs of callback and attempt.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID, uuid4

from callback.options import Options
from callback.ports import Fate, Found
from callback.request import Attempt, Callback, Claim, Result
from callback.rules import Rules
from callback.state import State, Step
from callback.store import Store
from callback.worker import Worker
from callcenter.acd.dispatcher import Dispatcher, Offer, TurnGoneError
from callcenter.acd.policy import QueueRule
from callcenter.errors import StorageError
from callcenter.queueing import Queue
from callcenter.storage.agents import Agents
from callcenter.storage.listener import Listener
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine

QUEUE = Queue(name="sales")
RATE_PER_S = 100_000
RELEASE = """
UPDATE callcenter.agent SET state = 'available', call_id = NULL, offer_id = NULL, node_id = NULL,
       state_since = clock_timestamp()
WHERE agent_id = $1 AND state = 'talking'
"""


class Carrier:
    """Takes the turn, and the customer through all states."""

    def __init__(self, store: Store, database: Database, dispatcher: Dispatcher, talk_s: float) -> None:
        self._store = store
        self._database = database
        self._dispatcher = dispatcher
        self._talk_s = talk_s
        self.dialled: list[tuple[str, str]] = []

    async def carry(self, claim: Claim) -> None:
        """``callback.ports.Carrier``."""
        call_id, callback = uuid4(), claim.callback
        try:
            async with self._dispatcher.take_turn(callback.callback_id, call_id, QUEUE) as ticket:
                offer = await ticket.offer()
                await self._store.step(claim, Step.RESERVE)
                await self._dispatcher.ringing(offer)
                if not await ticket.accepted(offer):
                    return
        except TurnGoneError:
            return
        await self._talk(claim, call_id)
        await self._database.execute(RELEASE, offer.agent_id)

    async def _talk(self, claim: Claim, call_id: UUID) -> None:
        attempt_id = uuid4()
        await self._store.step(claim, Step.ACCEPT)
        await self._store.dial(
            claim, attempt_id=attempt_id, gateway="bench", call_id=call_id, ring_timeout_s=20
        )
        self.dialled.append((str(claim.callback.callback_id), str(attempt_id)))
        await self._store.reached(claim, attempt_id)
        await self._store.step(claim, Step.BRIDGE)
        await asyncio.sleep(self._talk_s)
        await self._store.over(claim, attempt_id, Result.BRIDGED, Step.COMPLETE, counted=True)


class NoNetwork:
    """``callback.ports.Network``; nothing is lost here."""

    async def fate(self, callback: Callback, attempt: Attempt) -> Found:
        """Nobody can tell."""
        return Found(Fate.UNKNOWN)

    async def hang_up(self, attempt: Attempt, call_ref: str) -> None:
        """Nothing to do."""


class NoRoom:
    """``callback.ports.Room``; agents come first here."""

    async def free_agents(self, queue: str) -> int:
        """None."""
        return 0


class Workers:
    """The workers of this process, each with connections of its own."""

    def __init__(self) -> None:
        self._workers: list[Worker] = []
        self.carriers: list[Carrier] = []

    @asynccontextmanager
    async def one(self, url: str, talk_s: float, dispatcher: Dispatcher) -> AsyncIterator[None]:
        """One more until the block ends."""
        options = Options(at_once=60, dial_rate_per_s=RATE_PER_S, outages=(StorageError,))
        async with Database.connect(url, pool_size=4) as database:
            store = Store(database.transaction)
            carrier = Carrier(store, database, dispatcher, talk_s)
            self.carriers.append(carrier)
            worker = Worker(store, carrier, NoNetwork(), NoRoom(), lambda _: Rules(), uuid4(), options)
            async with worker:
                self._workers.append(worker)
                yield

    def turn(self, callback_id: UUID, _: Offer) -> None:
        """An agent has been found."""
        for worker in self._workers:
            worker.turn([callback_id])

    def changed(self, payload: str) -> None:
        """What the channel ``callback`` tells."""
        told = json.loads(payload)
        for worker in self._workers:
            worker.changed(UUID(told["callback_id"]), State(told["state"]))

    def nudge(self) -> None:
        """What was told may have been missed."""
        for worker in self._workers:
            worker.nudge()


async def run(url: str, talk_s: float, count: int) -> Workers:
    """Carry until the standard input is closed."""
    workers, rules = Workers(), {QUEUE.name: QueueRule()}
    async with (
        Database.connect(url, pool_size=6) as database,
        Listener(database) as listener,
        Dispatcher(
            QueueLine(database),
            Agents(database),
            listener,
            uuid4(),
            rules=lambda: rules,
            on_turn=workers.turn,
        ) as dispatcher,
        AsyncExitStack() as stack,
    ):
        listener.subscribe("callback", workers.changed, workers.nudge)
        for _ in range(count):
            await stack.enter_async_context(workers.one(url, talk_s, dispatcher))
        await listener.settled()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
    return workers


def main() -> None:
    """Run one process."""
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "ERROR"))
    workers = asyncio.run(run(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
    print(json.dumps([pair for carrier in workers.carriers for pair in carrier.dialled]), flush=True)


if __name__ == "__main__":
    main()
