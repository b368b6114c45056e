"""What time brings: callbacks fall due, expire, and lose workers that are not heard of any more.

Any process may do it, one at a time; the others see that somebody does and come back.
"""
# ruff: noqa: S608  # what is put together here are names of columns

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from callback.policy import LOOK_AGAIN, Dial, Expire, PutOff, Reject, Verdict
from callback.request import Callback, Claim
from callback.state import CLAIMED, DIALLED, WAITING, State, Step, names
from callback.store.changing import Part, stepped
from callback.store.rows import callback_of, claim_of, columns_of

Judge = Callable[[Callback, datetime, bool], Verdict]
"""Whether a callback may be dialled now; the last is whether its number is on the do-not-call list. Pure."""


@dataclass(frozen=True, slots=True)
class Fallen:
    """What one look at the clock has brought: which fell ``due``.

    ``next_s``: until the next one is due; ``None``: none waits. ``is_ours`` is false while another process
    looks.
    """

    due: list[UUID] = field(default_factory=list)
    next_s: float | None = None
    is_ours: bool = True


TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('callback.clock', 0))"

# How many more may fall due within a second that ends now.
ALLOWANCE = """
SELECT ceil($1::float8)::integer - count(*)::integer FROM callback.event
WHERE at > clock_timestamp() - interval '1 second' AND step = 'fall_due'
"""

# The first in line first, so that a backlog is worked off in its order.
_JUDGED = f"""
SELECT {columns_of("c")}, clock_timestamp() AS now,
       EXISTS (SELECT FROM callback.do_not_call AS d WHERE d.number = c.number) AS is_forbidden
FROM callback.callback AS c
"""
RIPE = f"""
{_JUDGED}
WHERE c.state IN ('queued', 'scheduled', 'retry_wait') AND c.not_before <= clock_timestamp()
  AND c.expires_at > clock_timestamp() AND c.queue <> ALL ($1::text[])
ORDER BY -c.priority, c.arrived_at, c.callback_id LIMIT $2 FOR UPDATE OF c SKIP LOCKED
"""
STILL_DUE = f"""
{_JUDGED}
WHERE c.state = 'due' AND c.callback_id > $1 ORDER BY c.callback_id LIMIT $2 FOR UPDATE OF c SKIP LOCKED
"""
PUT_OFF = "UPDATE callback.callback SET not_before = $2 WHERE callback_id = $1"
FALL_DUE = """
WITH ripe AS (
    SELECT c.callback_id, c.state FROM callback.callback AS c WHERE c.callback_id = ANY ($1::uuid[])
),
fallen AS (
    UPDATE callback.callback AS c SET state = 'due', state_since = clock_timestamp()
    FROM ripe WHERE c.callback_id = ripe.callback_id
)
INSERT INTO callback.event (callback_id, step, before, after, by)
SELECT callback_id, 'fall_due', state, 'due', 'clock' FROM ripe
"""
NEXT = """
SELECT extract(epoch FROM min(not_before) - clock_timestamp())::float8 FROM callback.callback
WHERE state IN ('queued', 'scheduled', 'retry_wait') AND queue <> ALL ($1::text[])
"""
FIRST_DUE = """
SELECT DISTINCT queue FROM callback.callback WHERE state = 'due' AND mode = 'customer_first' ORDER BY queue
"""

# A batch that steps alike.
_BATCH = """
WITH found AS MATERIALIZED (
    SELECT c.callback_id, c.state FROM callback.callback AS c
    WHERE {which}
    ORDER BY c.callback_id LIMIT $1 FOR UPDATE SKIP LOCKED
),
changed AS (
    UPDATE callback.callback AS c SET {values} FROM found WHERE c.callback_id = found.callback_id
    RETURNING {columns}, found.state AS before
),
noted AS (
    INSERT INTO callback.event (callback_id, step, before, after, by, cause)
    SELECT callback_id, '{step}', before, state, 'clock', '{cause}' FROM changed WHERE before <> state
)
SELECT * FROM changed
"""


def _in(states: Collection[str]) -> str:
    return "(" + ", ".join(f"'{name}'" for name in states) + ")"


EXPIRE = _BATCH.format(
    which="c.ended_at IS NULL AND c.expires_at <= clock_timestamp()"
    f" AND c.state IN {_in([*names(WAITING), 'due'])}",
    values="state = 'expired', state_since = clock_timestamp(), ended_at = clock_timestamp(),"
    " ended_by = 'clock', cause = 'expired'",
    columns=columns_of("c"),
    step="expire",
    cause="expired",
)
# Its worker finds the fence gone, should it only have slept.
RELEASE_LOST = _BATCH.format(
    which=f"c.lease_until < clock_timestamp() AND c.state IN {_in(names(CLAIMED))}",
    values="state = 'due', state_since = clock_timestamp(), fence = c.fence + 1, worker = NULL,"
    " lease_until = NULL",
    columns=columns_of("c"),
    step="release",
    cause="worker_lost",
)
TAKE_LOST = _BATCH.format(
    which=f"(c.lease_until < clock_timestamp() AND c.state IN {_in(names(DIALLED))}"
    " OR c.state = 'reconciling' AND (c.lease_until < clock_timestamp()) IS NOT FALSE)",
    values="state = 'reconciling', state_since = CASE found.state WHEN 'reconciling' THEN c.state_since"
    " ELSE clock_timestamp() END, fence = c.fence + 1, worker = $2,"
    " lease_until = clock_timestamp() + make_interval(secs => $3)",
    columns=columns_of("c"),
    step="lose",
    cause="worker_lost",
)


class Clock(Part):
    """Part of the store: what happens by itself."""

    async def fall_due(
        self, limit: int, paused: Collection[str], *, rate_per_s: float, judge: Judge
    ) -> Fallen:
        """Let those be dialled whose time has come, at most ``limit`` and ``rate_per_s`` over all processes.

        ``judge`` is asked about each; what may not be dialled waits on or ends. Nothing of the queues
        ``paused``.
        """
        async with self._within() as connection:
            if not await connection.fetchval(TRY_LOCK):
                return Fallen(is_ours=False)
            next_s = await connection.fetchval(NEXT, list(paused))
            if next_s is None or next_s > 0:
                return Fallen(next_s=next_s)
            limit = min(limit, await connection.fetchval(ALLOWANCE, rate_per_s))
            rows = await connection.fetch(RIPE, list(paused), limit) if limit > 0 else []
            due = []
            for row in rows:
                callback, now = callback_of(row), row["now"]
                verdict = judge(callback, now, row["is_forbidden"])
                if isinstance(verdict, Dial):
                    due.append(callback.callback_id)
                else:
                    await _put_away(connection, callback, verdict, now)
            if due:
                await connection.execute(FALL_DUE, due)
            return Fallen(due, await connection.fetchval(NEXT, list(paused)))

    async def review(self, limit: int, after: UUID, judge: Judge) -> UUID | None:
        """Ask ``judge`` again about those that are due and that nobody has taken: hours end, switches are
        turned.

        Goes through them by id; returns where to go on, ``None`` at the end.
        """
        async with self._within() as connection:
            rows = await connection.fetch(STILL_DUE, after, limit)
            for row in rows:
                verdict = judge(callback_of(row), row["now"], row["is_forbidden"])
                if not isinstance(verdict, Dial):
                    await _put_away(connection, callback_of(row), verdict, row["now"])
        return rows[-1]["callback_id"] if len(rows) == limit else None

    async def expire(self, limit: int) -> list[Callback]:
        """End those that wait, and were not carried out in time; returns them."""
        async with self._within() as connection:
            return [callback_of(row) for row in await connection.fetch(EXPIRE, limit)]

    async def release_lost(self, limit: int) -> list[Callback]:
        """Give back what workers had that are not heard of any more, where nobody was dialled."""
        async with self._within() as connection:
            return [callback_of(row) for row in await connection.fetch(RELEASE_LOST, limit)]

    async def first_due(self) -> list[str]:
        """The queues in which somebody is due whose customer is dialled first."""
        async with self._within() as connection:
            return [row["queue"] for row in await connection.fetch(FIRST_DUE)]

    async def take_lost(self, worker: UUID, lease_s: float, limit: int) -> list[Claim]:
        """Take over, to find out what became of it, what such workers had dialled."""
        async with self._within() as connection:
            return [claim_of(row) for row in await connection.fetch(TAKE_LOST, limit, worker, lease_s)]


async def _put_away(
    connection: asyncpg.Connection, before: Callback, verdict: PutOff | Expire | Reject, now: datetime
) -> None:
    match verdict:
        case PutOff(until) if before.state in WAITING and until <= now + LOOK_AGAIN:
            # Asked again soon, and again: not worth a line of its history each time.
            await connection.execute(PUT_OFF, before.callback_id, until)
        case PutOff(until, cause):
            step = Step.SCHEDULE if before.state is State.SCHEDULED else Step.QUEUE
            await stepped(connection, before, step, {"not_before": until}, by="clock", cause=cause)
        case Expire(cause):
            await stepped(connection, before, Step.EXPIRE, {}, by="clock", cause=cause)
        case Reject(cause):
            await stepped(connection, before, Step.REJECT, {}, by="clock", cause=cause)
