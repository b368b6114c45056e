"""A service process as far as the ACD is concerned, and waiting for what it does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from callcenter import config
from callcenter.acd.dispatcher import Dispatcher
from callcenter.storage.agents import Agents
from callcenter.storage.listener import Listener
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine

SALES = config.Queue(name="sales")


@dataclass
class Node:
    """A service process, as far as the ACD is concerned."""

    node_id: UUID
    database: Database
    dispatcher: Dispatcher

    def wait(self, queue: config.Queue = SALES, priority: int = 0, call_id: UUID | None = None) -> Any:
        return self.dispatcher.wait(call_id or uuid4(), queue, priority)


@asynccontextmanager
async def a_node(url: str, **options: Any) -> AsyncIterator[Node]:
    node_id = uuid4()
    async with (
        Database.connect(url, pool_size=4) as database,
        Listener(database) as listener,
        Dispatcher(QueueLine(database), Agents(database), listener, node_id, **options) as dispatcher,
    ):
        await listener.settled()
        yield Node(node_id, database, dispatcher)


async def soon(true: Callable[[], Any], within_s: float = 5) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(within_s):
        while True:
            outcome = true()
            if await outcome if asyncio.iscoroutine(outcome) else outcome:
                return
            await asyncio.sleep(0.01)
