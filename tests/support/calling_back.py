"""A call center that calls back: claims, calls and customers' telephones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from callback.request import Attempt, Callback, Mode, Result
from callback.state import State
from callback.store import Store
from callcenter.call.callback_carrier import CallbackCarrier
from callcenter.storage.closures import Closures, Scope
from support.wishes import requested

LEASE_S = 30.0
SHOWN = "+12025550199"


@dataclass
class CallingBack:
    """``center`` with whatever carries its callbacks."""

    center: Any
    store: Store
    carrier: CallbackCarrier
    worker: UUID = field(default_factory=uuid4)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def wish(self, **values: Any) -> Callback:
        """Somebody wants to be called back; it is due."""
        callback = await requested(self.store, from_number=SHOWN, **values)
        async with self.center.database.transaction() as connection:
            await connection.execute(
                "UPDATE callback.callback SET state = 'due' WHERE callback_id = $1", callback.callback_id
            )
        return await self.store.get(callback.callback_id)

    async def turn(self, callback: Callback) -> None:
        """Claim it as soon as an agent is found, or at once where the customer is dialled first."""
        ids = [callback.callback_id]
        async with asyncio.timeout(5):
            while callback.mode is Mode.AGENT_FIRST and callback.callback_id not in self.center.turns:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        self.center.turns.clear()
        (claim,) = await self.store.claim(self.worker, LEASE_S, ids=ids)
        task = asyncio.create_task(self.carrier.carry(claim))
        self.tasks.add(task)

    async def dialled(self, times: int = 1) -> Any:
        """The customer's telephone that was dialled last."""
        async with asyncio.timeout(5):
            while len(self.center.network.customers) < times:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return self.center.network.customers[-1]

    async def until(self, callback: Callback, *states: State, within_s: float = 5) -> Callback:
        async with asyncio.timeout(within_s):
            while True:
                current = await self.store.get(callback.callback_id)
                if current.state in states:
                    return current
                await asyncio.sleep(0.01)

    async def attempts(self, callback: Callback) -> list[Attempt]:
        return await self.store.attempts_of(callback.callback_id)

    async def result(self, callback: Callback) -> tuple[Result | None, bool]:
        """What became of the last attempt, and whether it counted."""
        last = (await self.attempts(callback))[-1]
        return last.result, last.counted

    async def close_queue(self) -> None:
        """Somebody closes the queue by hand, without saying until when."""
        closures, now = self.center.services.closures, self.center.services.now
        await Closures(self.center.database).close(Scope.QUEUE, "sales", message="", by_whom="ann")
        async with asyncio.timeout(5):
            while closures.of_queue("sales", now()) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def steps(self, callback: Callback) -> list[str]:
        return [change.step for change in await self.store.history(callback.callback_id)]


@asynccontextmanager
async def calling_back(center: Any) -> AsyncIterator[CallingBack]:
    """Carry callbacks until the block ends."""
    services = center.services
    carrier = CallbackCarrier(services, center.supervisor)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(carrier.attached(center.listener))
        made = CallingBack(center, services.callbacks.store, carrier)
        yield made
        for task in made.tasks:
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)
