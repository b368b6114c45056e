"""How a callback is changed: its row is locked, what may be is asked of the state table, row and history are
written by one statement. Lock order everywhere: slot, callback, then what its triggers touch (entry, agents).
"""
# ruff: noqa: S608  # what is put together here are names of columns

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from callback.errors import NotFoundError, RefusedError, TransitionError, VersionError
from callback.refusal import Refusal
from callback.request import Callback, Slot
from callback.state import CLAIMED, DIALLED, ENDED, State, Step, after
from callback.store.rows import COLUMNS, callback_of

Transaction = Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]
"""A connection inside a transaction, committed when the block ends without an error. Columns of ``jsonb`` are
Python objects. What the connection raises comes out as it is."""

LOCK = f"SELECT {COLUMNS} FROM callback.callback WHERE callback_id = $1 FOR UPDATE"

# One statement, so that no change can be without its row of history.
CHANGE = f"""
WITH changed AS (
    UPDATE callback.callback SET {{columns}} WHERE callback_id = $1 RETURNING {COLUMNS}
),
noted AS (
    INSERT INTO callback.event (callback_id, step, before, after, by, cause, attempt_id, data)
    SELECT callback_id, $2, $3, state, $4, $5, $6, $7 FROM changed
)
SELECT * FROM changed
"""

# All requests for times that begin together come one after the other: who counts sees what others took.
LOCK_SLOT = """
SELECT pg_advisory_xact_lock(hashtextextended('callback.slot ' || extract(epoch FROM $1::timestamptz), 0))
"""
SLOT_TAKEN = """
SELECT count(*) FROM callback.callback
WHERE queue = $1 AND slot_start = $2 AND callback_id IS DISTINCT FROM $3
  AND state <> ALL ('{cancelled,merged,expired,rejected}')
"""
IS_FORBIDDEN = "SELECT EXISTS (SELECT FROM callback.do_not_call WHERE number = $1)"


class _Now:
    """Stands for the present of the database."""


NOW = _Now()


class Part:
    """What the parts of the store have in common."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    @asynccontextmanager
    async def _within(
        self, connection: asyncpg.Connection | None = None
    ) -> AsyncIterator[asyncpg.Connection]:
        if connection is not None:
            yield connection
            return
        async with self._transaction() as own:
            yield own


async def locked(connection: asyncpg.Connection, callback_id: UUID, version: int | None = None) -> Callback:
    """The callback, whose row is ours until the transaction ends."""
    row = await connection.fetchrow(LOCK, callback_id)
    if row is None:
        raise NotFoundError(f"there is no callback {callback_id}")
    callback = callback_of(row)
    if version is not None and version != callback.version:
        raise VersionError(f"callback {callback_id} is in version {callback.version} by now")
    return callback


async def change(
    connection: asyncpg.Connection,
    before: Callback,
    what: str,
    values: Mapping[str, object],
    *,
    by: str,
    cause: str = "",
    attempt_id: UUID | None = None,
    data: Mapping[str, object] | None = None,
) -> Callback:
    """Write ``values`` into the locked row of ``before``, and ``what`` into its history."""
    given: list[object] = [
        before.callback_id,
        what,
        before.state.value,
        by,
        cause,
        attempt_id,
        dict(data or {}),
    ]
    columns = []
    for name, value in values.items():
        if value is NOW:
            columns.append(f"{name} = clock_timestamp()")
        else:
            given.append(value)
            columns.append(f"{name} = ${len(given)}")
    row = await connection.fetchrow(CHANGE.format(columns=", ".join(columns)), *given)
    return callback_of(row)


async def stepped(
    connection: asyncpg.Connection,
    before: Callback,
    step: Step,
    values: Mapping[str, object],
    *,
    by: str,
    cause: str = "",
    what: str = "",
    attempt_id: UUID | None = None,
    data: Mapping[str, object] | None = None,
) -> Callback:
    """Take the step and write ``values`` with it; raises ``TransitionError`` and then has written nothing.

    ``what`` is the name in the history, where it is not the step's own.
    """
    state = after(before.state, step)
    return await change(
        connection,
        before,
        what or step.value,
        entering(before, state, by, cause) | dict(values),
        by=by,
        cause=cause,
        attempt_id=attempt_id,
        data=data,
    )


def entering(before: Callback, state: State, by: str, cause: str) -> dict[str, object]:
    """The columns that the state itself decides."""
    values: dict[str, object] = {"state": state.value, "state_since": NOW}
    if state not in CLAIMED | DIALLED:
        values |= {"worker": None, "lease_until": None}
    if state in ENDED:
        values |= {"ended_at": NOW, "ended_by": by, "cause": cause}
        if before.erased_at is not None:
            values["number"] = ""
    return values


async def unclaimed(connection: asyncpg.Connection, before: Callback, *, by: str) -> Callback:
    """The callback without the worker that has it, who finds its fence gone; nobody was dialled.

    Raises ``TransitionError`` once the customer has been dialled, or when it has ended.
    """
    if before.state in CLAIMED:
        return await stepped(connection, before, Step.RELEASE, {"fence": before.fence + 1}, by=by)
    if before.state in DIALLED | ENDED | {State.RECONCILING}:
        raise TransitionError(f"callback {before.callback_id} is {before.state.value}")
    return before


async def lock_slot(connection: asyncpg.Connection, slot: Slot | None) -> None:
    """Before the callback's row is locked or made."""
    if slot is not None:
        await connection.execute(LOCK_SLOT, slot.start)


async def check_slot(
    connection: asyncpg.Connection, queue: str, slot: Slot | None, but: UUID | None = None
) -> None:
    """Raise ``RefusedError`` when the slot, which is locked, is full without ``but``."""
    if slot is None:
        return
    taken: int = await connection.fetchval(SLOT_TAKEN, queue, slot.start, but)
    if taken >= slot.capacity:
        raise RefusedError(Refusal.SLOT_FULL, "all callbacks of this time are taken", "slot")


async def check_allowed(connection: asyncpg.Connection, number: str) -> None:
    """Raise ``RefusedError`` for a number that may not be called."""
    if await connection.fetchval(IS_FORBIDDEN, number):
        raise RefusedError(Refusal.DO_NOT_CALL, "this number asked not to be called", "number")


def local(at: datetime | None, zone: str) -> datetime | None:
    """The time on the wall clock of ``zone``."""
    return None if at is None else at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
