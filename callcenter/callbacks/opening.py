"""Callbacks put together for one process, from what it has already."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from callback.store import Store
from callcenter.acd.queues import Queues
from callcenter.acd.waits import WaitTimes
from callcenter.callbacks.desk import CallbackDesk
from callcenter.callbacks.granting import Granting
from callcenter.callbacks.links import Links
from callcenter.callbacks.rules import RuleBook
from callcenter.callbacks.strays import Strays
from callcenter.callbacks.upkeep import Upkeep
from callcenter.config import Settings
from callcenter.storage.closures import ClosureBoard
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine
from callcenter.storage.queues import QueueRows


@dataclass(frozen=True, slots=True)
class Callbacks:
    """``store`` is for workers, ``desk`` for everybody, ``upkeep.keep()`` runs as long as the process."""

    store: Store
    rules: RuleBook
    desk: CallbackDesk
    upkeep: Upkeep


def open_callbacks(
    database: Database,
    queues: Queues,
    line: QueueLine,
    settings: Settings,
    waits: WaitTimes,
    closures: ClosureBoard,
    now: Callable[[], datetime],
) -> Callbacks:
    """Put them together; ``closures`` tell which queues somebody has closed, ``now`` is the database's."""
    store = Store(database.transaction)
    rules = RuleBook(queues, settings, closures, now)
    strays = Strays(store, rules, QueueRows(database))
    desk = CallbackDesk(
        store=store,
        database=database,
        line=line,
        granting=Granting(rules, store, waits, now),
        links=Links(store, settings, now),
        strays=strays,
        now=now,
    )
    return Callbacks(store, rules, desk, Upkeep(store, rules, strays, now))
