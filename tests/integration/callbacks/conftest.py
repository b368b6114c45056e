"""Callbacks of one process on a database of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from callback.request import Callback, Source
from callcenter import config
from callcenter.acd.queues import Queues
from callcenter.acd.wait_time import Estimate, Method
from callcenter.acd.waits import WaitTimes
from callcenter.callbacks.models import Asked
from callcenter.callbacks.opening import Callbacks, open_callbacks
from callcenter.queueing import Queue, SkillTree
from callcenter.storage.clock import DatabaseClock
from callcenter.storage.closures import ClosureBoard, Closures
from callcenter.storage.listener import Listener
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import Place, QueueLine
from callcenter.storage.queues import QueueRows
from callcenter.storage.wait_estimates import WaitEstimates
from support.numbers import new_number

ALL_DAY = {"dial_from": "00:00", "dial_until": "24:00"}
"""So that tests may run at any time of the day."""


def a_queue(name: str = "sales", **callback: Any) -> Queue:
    whole = {"name": name, "priority": 2, "callback": {"enabled": True, **ALL_DAY, **callback}}
    return Queue.model_validate(whole)


class Waits(WaitTimes):
    """Estimates that tests set; without them those of the ACD."""

    told: dict[str, Estimate] | None = None

    async def of_newcomers(self) -> Any:
        return await super().of_newcomers() if self.told is None else self.told


def wait(p50_s: float, p90_s: float) -> Estimate:
    return Estimate(Method.FORMULA, p50_s, p90_s, p50_s, 1)


@dataclass
class Office:
    """The desk and what it stands on."""

    database: Database
    callbacks: Callbacks
    queues: Queues
    rows: QueueRows
    line: QueueLine
    waits: Waits
    closures: Closures
    board: ClosureBoard
    now: Callable[[], datetime]

    def __post_init__(self) -> None:
        self.desk = self.callbacks.desk
        self.store = self.callbacks.store

    async def put(self, queue: Queue) -> None:
        await self.rows.put(queue)
        await self.queues.renew()

    async def remove(self, name: str) -> None:
        await self.rows.delete(name)
        await self.queues.renew()

    async def asked(self, number: str | None = None, **values: Any) -> Callback:
        """One new callback."""
        callback, is_new = await self.desk.request(asked(number, **values), by="customer")
        assert is_new
        return callback

    async def caller(self, queue: str = "sales") -> UUID:
        call_id = uuid4()
        place = await self.line.enter(call_id, uuid4(), self.queues.get(queue), 3)
        assert isinstance(place, Place)
        return call_id


def asked(number: str | None = None, **values: Any) -> Asked:
    return Asked(**{"queue": "sales", "number": number or new_number(), "source": Source.API, **values})


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        settings = config.Settings.model_validate(
            {
                "queues": [a_queue().model_dump(mode="json"), a_queue("support").model_dump(mode="json")],
                "server": {"public_url": "https://cc.example.com/"},
                "callbacks": {"own_numbers": ["+12025550100"]},
            }
        )
        clock = await enter(DatabaseClock(database))
        listener = await enter(Listener(database))
        rows = QueueRows(database)
        for queue in settings.queues:
            await rows.put(queue)
        queues = await enter(Queues(rows, listener))
        waits = await enter(Waits(WaitEstimates(database), queues, SkillTree({})))
        closures = Closures(database)
        board = await enter(ClosureBoard(closures, listener, poll_s=0.05))
        line = QueueLine(database)
        callbacks = open_callbacks(database, queues, line, settings, waits, board, clock.now)
        yield Office(database, callbacks, queues, rows, line, waits, closures, board, clock.now)
