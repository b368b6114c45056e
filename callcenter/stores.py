"""The database and what is read and written through it, opened together for one process."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from callcenter import config
from callcenter.acd.queues import Queues
from callcenter.storage.agents import Agents
from callcenter.storage.calls import Calls
from callcenter.storage.clock import DatabaseClock
from callcenter.storage.event_log import EventLog
from callcenter.storage.leg_tokens import LegTokens
from callcenter.storage.listener import Listener
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine
from callcenter.storage.queues import QueueRows
from callcenter.storage.wait_estimates import WaitEstimates


@dataclass(frozen=True, slots=True)
class Stores:
    """What all parts of a process read and write."""

    database: Database
    clock: DatabaseClock
    events: EventLog
    listener: Listener
    agents: Agents
    queue_rows: QueueRows
    queues: Queues
    line: QueueLine
    wait_estimates: WaitEstimates
    calls: Calls
    leg_tokens: LegTokens


async def open_stores(stack: AsyncExitStack, settings: config.Settings) -> Stores:
    """Connect, bring the schema up to date, take over what the settings say; raises ``StorageError``."""
    database = await stack.enter_async_context(Database.open(settings))
    await Migrations(database).upgrade()
    clock = await stack.enter_async_context(DatabaseClock(database))
    events = EventLog(database, capacity=settings.database.event_buffer)
    listener = await stack.enter_async_context(Listener(database))
    agents = Agents(database)
    await agents.sync(settings.staff())
    rows = QueueRows(database)
    await rows.sync(settings.queues)
    queues = await stack.enter_async_context(Queues(rows, listener))
    return Stores(
        database=database,
        clock=clock,
        events=events,
        listener=listener,
        agents=agents,
        queue_rows=rows,
        queues=queues,
        line=QueueLine(database),
        wait_estimates=WaitEstimates(database),
        calls=Calls(database),
        leg_tokens=LegTokens(database),
    )
