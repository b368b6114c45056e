"""What is closed at the moment, by somebody's decision: rows, and what every process knows of them."""

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Self

from callcenter.errors import StorageError
from callcenter.storage.following import Following
from callcenter.storage.listener import Listener
from callcenter.storage.pool import Database

POLL_S = 0.5

MAX_MESSAGE_LENGTH = 500
"""Characters of what callers hear."""

# One that is still in force keeps its beginning.
CLOSE = """
INSERT INTO callcenter.closure AS c (scope, name, message, by_whom, until) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (scope, name) DO UPDATE
SET message = excluded.message, by_whom = excluded.by_whom, until = excluded.until,
    since = CASE WHEN c.until <= clock_timestamp() THEN clock_timestamp() ELSE c.since END
RETURNING scope, name, message, since, by_whom, until
"""
OPEN = """
DELETE FROM callcenter.closure
 WHERE scope = $1 AND name = $2
RETURNING until IS NULL OR until > clock_timestamp()
"""
IN_FORCE = """
SELECT scope, name, message, since, by_whom, until FROM callcenter.closure
 WHERE until IS NULL OR until > clock_timestamp() ORDER BY scope, name
"""

logger = logging.getLogger(__name__)


class Scope(StrEnum):
    """What a closure is for."""

    ALL = "all"  # every new call and every queue
    QUEUE = "queue"  # callers who enter one queue
    FLOW = "flow"  # new calls of one flow


@dataclass(frozen=True, slots=True)
class Closure:
    """One decision to close. ``name`` is the queue's or the flow's, empty for all.

    ``message`` is what callers hear, empty for a sentence of our own; ``until`` is ``None`` for one that
    lasts until somebody opens again.
    """

    scope: Scope
    name: str
    message: str
    since: datetime
    by_whom: str
    until: datetime | None


class Closures:
    """The closures of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def close(
        self, scope: Scope, name: str, *, message: str, by_whom: str, until: datetime | None = None
    ) -> Closure:
        """Close, or change the message and the end of a closure that is in force."""
        row = await self._database.fetchrow(CLOSE, scope.value, name, message, by_whom, until)
        assert row is not None
        return Closure(**{**row, "scope": Scope(row["scope"])})

    async def open(self, scope: Scope, name: str) -> bool:
        """Open again; false where it was not closed."""
        return bool(await self._database.fetchval(OPEN, scope.value, name))

    async def in_force(self) -> tuple[Closure, ...]:
        """All closures whose time is not over."""
        rows = await self._database.fetch(IN_FORCE)
        return tuple(Closure(**{**row, "scope": Scope(row["scope"])}) for row in rows)


class ClosureBoard:
    """``async with``: what is closed, as this process last heard; a notification or a poll tells it.

    While the database is away the last known state stands.
    """

    def __init__(self, closures: Closures, listener: Listener, *, poll_s: float = POLL_S) -> None:
        self._closures = closures
        self._following = Following(listener, "closure", self._look, poll_s)
        self._known: tuple[Closure, ...] = ()
        self._is_stale = False

    async def __aenter__(self) -> Self:
        await self._following.__aenter__()
        await self._look()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._following.__aexit__(kind, error, trace)

    def of_call(self, flow: str, now: datetime) -> Closure | None:
        """The closure that a new call of a flow meets, if any."""
        return self._find(now, (Scope.ALL, ""), (Scope.FLOW, flow))

    def of_queue(self, queue: str, now: datetime) -> Closure | None:
        """The closure that a caller meets who enters a queue, if any."""
        return self._find(now, (Scope.ALL, ""), (Scope.QUEUE, queue))

    def _find(self, now: datetime, *places: tuple[Scope, str]) -> Closure | None:
        return next(
            (
                closure
                for closure in self._known
                if (closure.scope, closure.name) in places and (closure.until is None or now < closure.until)
            ),
            None,
        )

    async def _look(self) -> None:
        try:
            known = await self._closures.in_force()
        except StorageError as error:
            if not self._is_stale:
                logger.warning("closures stay as they were last known: %s", error)
            self._is_stale = True
            return
        except Exception:
            logger.exception("closures stay as they were last known")
            return
        if known != self._known:
            logger.info("closed now: %s", ", ".join(map(_label, known)) or "nothing")
        self._known, self._is_stale = known, False


def _label(closure: Closure) -> str:
    return f"{closure.scope} {closure.name}".strip()
