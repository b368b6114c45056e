"""The outbox of webhooks: who is to be told of which change, how often that was tried, and what came of it.

Rows are made by a trigger in the transaction of the change, so none is lost. Whoever claims one has it for
a lease; the number of the try is the fence: only the newest try writes what came of it. So everything is told
at least once, and twice only where a sender was lost between sending and writing that down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from callback.errors import NotFoundError, TransitionError
from callback.request import Change
from callback.store.changing import Transaction

PATIENCE_TRIES = 3
"""An event waits for those before it of the same callback until they have been tried so often."""

SYNC = """
INSERT INTO callback.webhook AS w (name, url, steps)
SELECT n ->> 'name', n ->> 'url', ARRAY(SELECT jsonb_array_elements_text(n -> 'steps'))
  FROM unnest($1::jsonb[]) AS n
ON CONFLICT (name) DO UPDATE SET url = excluded.url, steps = excluded.steps, enabled = true
"""
FORGET = "UPDATE callback.webhook SET enabled = false WHERE enabled AND NOT name = ANY ($1::text[])"
CLAIM = """
WITH ready AS (
    SELECT d.delivery_id FROM callback.delivery AS d
     WHERE d.webhook = $1 AND d.state = 'pending' AND d.next_at <= clock_timestamp()
       -- in order, unless what comes before is hard to deliver
       AND NOT EXISTS (SELECT FROM callback.delivery AS b
                        WHERE b.callback_id = d.callback_id AND b.webhook = d.webhook
                          AND b.delivery_id < d.delivery_id AND b.state = 'pending' AND b.tries < $4)
     ORDER BY d.next_at, d.delivery_id LIMIT $2 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE callback.delivery AS d
       SET tries = d.tries + 1, next_at = clock_timestamp() + make_interval(secs => $3)
      FROM ready WHERE d.delivery_id = ready.delivery_id
    RETURNING d.*
)
SELECT d.*, e.at, e.step, e.before, e.after, e.by, e.cause, e.attempt_id, e.data
  FROM claimed AS d JOIN callback.event AS e USING (event_id) ORDER BY d.delivery_id
"""
DELIVERED = """
UPDATE callback.delivery SET state = 'delivered', done_at = clock_timestamp(), last_error = ''
 WHERE delivery_id = $1 AND tries = $2 AND state = 'pending'
"""
FAILED = """
UPDATE callback.delivery
   SET last_error = $3, next_at = clock_timestamp() + make_interval(secs => coalesce($4::float8, 0)),
       state = CASE WHEN $4 IS NULL THEN 'dead' ELSE 'pending' END,
       done_at = CASE WHEN $4 IS NULL THEN clock_timestamp() END
 WHERE delivery_id = $1 AND tries = $2 AND state = 'pending'
"""
GIVE_BACK = """
UPDATE callback.delivery AS d SET tries = d.tries - 1, next_at = clock_timestamp()
  FROM unnest($1::bigint[], $2::integer[]) AS held (delivery_id, tries)
 WHERE d.delivery_id = held.delivery_id AND d.tries = held.tries AND d.state = 'pending'
"""
LIST = """
SELECT d.*, e.at, e.step, e.before, e.after, e.by, e.cause, e.attempt_id, e.data
  FROM callback.delivery AS d JOIN callback.event AS e USING (event_id)
 WHERE ($1::text IS NULL OR d.state = $1) AND ($2::text IS NULL OR d.webhook = $2)
   AND ($3::uuid IS NULL OR d.callback_id = $3) AND ($4::bigint IS NULL OR d.delivery_id < $4)
 ORDER BY d.delivery_id DESC LIMIT $5
"""
STATE = "SELECT state FROM callback.delivery WHERE delivery_id = $1 FOR UPDATE"
AGAIN = """
UPDATE callback.delivery SET state = 'pending', tries = 0, next_at = clock_timestamp(), done_at = NULL
 WHERE state = 'dead' AND ($1::bigint IS NULL OR delivery_id = $1) AND ($2::text IS NULL OR webhook = $2)
"""
TELL = "SELECT pg_notify('callback_delivery', '')"
PURGE = """
DELETE FROM callback.delivery WHERE delivery_id = ANY (ARRAY(
    SELECT delivery_id FROM callback.delivery
     WHERE done_at < clock_timestamp() - make_interval(days => $1) LIMIT $2))
"""
WAITING = """
SELECT w.name, count(*) FILTER (WHERE d.state = 'pending') AS pending,
       count(*) FILTER (WHERE d.state = 'dead') AS dead
  FROM callback.webhook AS w LEFT JOIN callback.delivery AS d ON d.webhook = w.name AND d.state <> 'delivered'
 WHERE w.enabled GROUP BY w.name ORDER BY w.name
"""


class DeliveryState(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"  # given up; may be tried again by hand


@dataclass(frozen=True, slots=True)
class Hook:
    """A receiver as the database knows it; ``kinds`` of changes it wants to hear of, none is all."""

    name: str
    url: str
    kinds: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One change that one receiver is to be told of. ``tries`` are those begun; ``next_at`` is the next."""

    delivery_id: int
    webhook: str
    state: DeliveryState
    tries: int
    made_at: datetime
    next_at: datetime
    done_at: datetime | None
    last_error: str
    change: Change


class Deliveries:
    """The outbox of one database."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def sync(self, hooks: Sequence[Hook]) -> None:
        """Take over who is told from now on. Others keep what was delivered and are told nothing more."""
        rows = [{"name": hook.name, "url": hook.url, "steps": list(hook.kinds)} for hook in hooks]
        async with self._transaction() as connection:
            await connection.execute(SYNC, rows)
            await connection.execute(FORGET, [hook.name for hook in hooks])

    async def claim(self, webhook: str, limit: int, lease_s: float) -> list[Delivery]:
        """Begin a try of at most ``limit`` deliveries; nobody else begins one before the lease is over."""
        async with self._transaction() as connection:
            rows = await connection.fetch(CLAIM, webhook, limit, lease_s, PATIENCE_TRIES)
        return [_delivery(row) for row in rows]

    async def delivered(self, delivery: Delivery) -> None:
        """The receiver has it."""
        async with self._transaction() as connection:
            await connection.execute(DELIVERED, delivery.delivery_id, delivery.tries)

    async def failed(self, delivery: Delivery, error: str, again_in_s: float | None) -> None:
        """The receiver does not have it; without ``again_in_s`` it is given up."""
        async with self._transaction() as connection:
            await connection.execute(FAILED, delivery.delivery_id, delivery.tries, error, again_in_s)

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Let somebody else begin at once, as if these tries had never begun."""
        ids, tries = [one.delivery_id for one in deliveries], [one.tries for one in deliveries]
        async with self._transaction() as connection:
            await connection.execute(GIVE_BACK, ids, tries)
            await connection.execute(TELL)

    async def listed(
        self,
        *,
        state: DeliveryState | None = None,
        webhook: str | None = None,
        callback_id: UUID | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        """Deliveries, newest first; ``after`` is the id of the last one of the page before."""
        async with self._transaction() as connection:
            rows = await connection.fetch(LIST, state, webhook, callback_id, after, limit)
        return [_delivery(row) for row in rows]

    async def again(self, delivery_id: int) -> None:
        """Try one again that was given up; raises ``NotFoundError``, ``TransitionError`` for another one."""
        async with self._transaction() as connection:
            state = await connection.fetchval(STATE, delivery_id)
            if state is None:
                raise NotFoundError(f"there is no delivery {delivery_id}")
            if state != DeliveryState.DEAD:
                raise TransitionError(f"delivery {delivery_id} is {state}: only a dead one is tried again")
            await connection.execute(AGAIN, delivery_id, None)
            await connection.execute(TELL)

    async def all_again(self, webhook: str | None = None) -> int:
        """Try all again that were given up; returns how many."""
        async with self._transaction() as connection:
            tag: str = await connection.execute(AGAIN, None, webhook)
            await connection.execute(TELL)
        return int(tag.split()[-1])

    async def purge(self, days: int, limit: int = 10_000) -> int:
        """Forget what was delivered or given up so long ago, a part at a time; returns how many."""
        async with self._transaction() as connection:
            tag: str = await connection.execute(PURGE, days, limit)
        return int(tag.split()[-1])

    async def waiting(self) -> Mapping[str, tuple[int, int]]:
        """How many are pending and how many are dead, by receiver."""
        async with self._transaction() as connection:
            rows = await connection.fetch(WAITING)
        return {row["name"]: (row["pending"], row["dead"]) for row in rows}


def _delivery(row: Mapping[str, Any]) -> Delivery:
    return Delivery(
        delivery_id=row["delivery_id"],
        webhook=row["webhook"],
        state=DeliveryState(row["state"]),
        tries=row["tries"],
        made_at=row["made_at"],
        next_at=row["next_at"],
        done_at=row["done_at"],
        last_error=row["last_error"],
        change=Change(
            event_id=row["event_id"],
            callback_id=row["callback_id"],
            at=row["at"],
            step=row["step"],
            before=row["before"],
            after=row["after"],
            by=row["by"],
            cause=row["cause"],
            attempt_id=row["attempt_id"],
            data=row["data"],
        ),
    )
