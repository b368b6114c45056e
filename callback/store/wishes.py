"""Asking to be called back: each wish is granted once."""
# ruff: noqa: S608  # what is put together here are names of columns

from uuid import UUID, uuid4

import asyncpg

from callback.errors import RefusedError
from callback.refusal import Refusal
from callback.request import Callback, Slot, Terms, Wish
from callback.state import State
from callback.store.changing import (
    Part,
    check_allowed,
    check_slot,
    local,
    lock_slot,
    locked,
)
from callback.store.rows import COLUMNS, callback_of

# A second request with the same key waits here until the first one has committed.
TAKE_KEY = """
INSERT INTO callback.idempotency (client, key, body_hash, callback_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (client, key) DO NOTHING RETURNING callback_id
"""
KEY = "SELECT body_hash, callback_id FROM callback.idempotency WHERE client = $1 AND key = $2"
POINT_KEY = """
UPDATE callback.idempotency SET callback_id = $3, created = false WHERE client = $1 AND key = $2
"""

OPEN = f"SELECT {COLUMNS} FROM callback.callback WHERE queue = $1 AND number = $2 AND ended_at IS NULL"

# The history begins with two rows: what was wished for, and where that led.
INSERT = f"""
WITH made AS (
    INSERT INTO callback.callback
           (callback_id, queue, number, source, mode, state, arrived_at, not_before, expires_at,
            promised_from, promised_until, slot_start, slot_end, slot_local, zone, language, name, topic,
            note, consent, priority, needs, owner, owner_until, from_number, chain_id, call_id, attempts_max)
    VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, clock_timestamp()), $8, $9, $10, $11, $12, $13, $14, $15,
            $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)
    ON CONFLICT (queue, number) WHERE ended_at IS NULL DO NOTHING
    RETURNING {COLUMNS}
),
noted AS (
    INSERT INTO callback.event (callback_id, step, before, after, by, data)
    SELECT made.callback_id, change.step, change.before, change.after, $29,
           CASE WHEN change.n = 1 THEN jsonb_build_object('source', made.source, 'mode', made.mode)
                ELSE '{{}}' END
      FROM made, LATERAL (VALUES
           (1, 'request', '', 'requested'),
           (2, CASE made.state WHEN 'queued' THEN 'queue' ELSE 'schedule' END, 'requested', made.state)
      ) AS change (n, step, before, after)
     ORDER BY change.n
)
SELECT * FROM made
"""

TRIES = 5


class Wishes(Part):
    """Part of the store: what customers ask for."""

    async def request(
        self, wish: Wish, terms: Terms, *, by: str, connection: asyncpg.Connection | None = None
    ) -> tuple[Callback, bool]:
        """Keep the wish; returns its callback, and whether it is a new one.

        An open callback of the number in the queue is returned as it is. So is what the same ``key`` of the
        same ``by`` has led to, whatever became of it. Raises ``RefusedError`` for a number on the
        do-not-call list, a slot without room, and a key that came with another body; ``connection``, whose
        transaction this joins, must then be rolled back.
        """
        async with self._within(connection) as own:
            callback_id = uuid4()
            if wish.key and (known := await _by_key(own, wish, by, callback_id)) is not None:
                return await locked(own, known), False
            await check_allowed(own, wish.number)
            await lock_slot(own, wish.slot)
            callback, is_new = await _made(own, callback_id, wish, terms, by)
            if wish.key and not is_new:
                await own.execute(POINT_KEY, by, wish.key, callback.callback_id)
            return callback, is_new


async def _by_key(connection: asyncpg.Connection, wish: Wish, by: str, callback_id: UUID) -> UUID | None:
    if await connection.fetchval(TAKE_KEY, by, wish.key, wish.body_hash, callback_id) is not None:
        return None
    row = await connection.fetchrow(KEY, by, wish.key)
    if row["body_hash"] != wish.body_hash:
        raise RefusedError(Refusal.KEY_REUSED, "this key came with another request before", "key")
    known: UUID = row["callback_id"]
    return known


async def _made(
    connection: asyncpg.Connection, callback_id: UUID, wish: Wish, terms: Terms, by: str
) -> tuple[Callback, bool]:
    for _ in range(TRIES):
        # Looked for first, so that who has one already is not told that the slot is full.
        row = await connection.fetchrow(OPEN, wish.queue, wish.number)
        if row is not None:
            return callback_of(row), False
        await check_slot(connection, wish.queue, wish.slot)
        row = await connection.fetchrow(INSERT, *_values(callback_id, wish, terms), by)
        if row is not None:
            return callback_of(row), True
        # Somebody was quicker; theirs is there to be seen, unless it has ended meanwhile.
    raise RefusedError(Refusal.TOO_MANY, "too many requests for this number at once", "number")


def _values(callback_id: UUID, wish: Wish, terms: Terms) -> tuple[object, ...]:
    slot: Slot | None = wish.slot
    state = State.QUEUED if slot is None else State.SCHEDULED
    start, end = (None, None) if slot is None else (slot.start, slot.end)
    return (
        callback_id,
        wish.queue,
        wish.number,
        wish.source.value,
        terms.mode.value,
        state.value,
        wish.arrived_at,
        terms.not_before,
        terms.expires_at,
        terms.promised_from,
        terms.promised_until,
        start,
        end,
        local(start, wish.zone),
        wish.zone,
        wish.language,
        wish.name,
        wish.topic,
        wish.note,
        wish.consent,
        wish.priority,
        terms.needs,
        wish.owner,
        terms.owner_until,
        wish.from_number,
        wish.chain_id or callback_id,
        wish.call_id,
        terms.attempts,
    )
