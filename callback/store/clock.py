"""What time brings: callbacks fall due, expire, and lose workers that are not heard of any more.

Any process may do it, one at a time; the others see that somebody does and come back.
"""
# ruff: noqa: S608  # what is put together here are names of columns

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from callback.request import Callback, Claim
from callback.state import CLAIMED, DIALLED, WAITING, Step, names
from callback.store.changing import Part, stepped
from callback.store.rows import callback_of, claim_of, columns_of


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a callback whose time has come: ``FALL_DUE``, or another step and why.

    With ``QUEUE`` and ``SCHEDULE`` it waits on until ``not_before``.
    """

    step: Step = Step.FALL_DUE
    cause: str = ""
    not_before: datetime | None = None


DUE = Verdict()
Judge = Callable[[Callback, datetime], Verdict]
"""What becomes of a callback now; pure."""


@dataclass(frozen=True, slots=True)
class Fallen:
    """What one look at the clock has brought. ``next_s``: until the next one is due; ``None``: none waits.

    ``is_ours`` is false while another process looks.
    """

    due: list[UUID] = field(default_factory=list)
    others: list[Callback] = field(default_factory=list)
    next_s: float | None = None
    is_ours: bool = True


TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('callback.clock', 0))"

# How many more may fall due within a second that ends now.
ALLOWANCE = """
SELECT ceil($1::float8)::integer - count(*)::integer FROM callback.event
WHERE at > clock_timestamp() - interval '1 second' AND step = 'fall_due'
"""

# The first in line first, so that a backlog is worked off in its order.
RIPE = f"""
SELECT {columns_of("c")}, clock_timestamp() AS now,
       EXISTS (SELECT FROM callback.do_not_call AS d WHERE d.number = c.number) AS is_forbidden
FROM callback.callback AS c
WHERE c.state IN ('queued', 'scheduled', 'retry_wait') AND c.not_before <= clock_timestamp()
  AND c.expires_at > clock_timestamp() AND c.queue <> ALL ($1::text[])
ORDER BY -c.priority, c.arrived_at, c.callback_id LIMIT $2 FOR UPDATE OF c SKIP LOCKED
"""
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

# A batch that steps alike; {fence} is raised where a worker had it.
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
    which=f"c.ended_at IS NULL AND c.expires_at <= clock_timestamp() AND c.state IN {_in([*names(WAITING), 'due'])}",
    values="state = 'expired', state_since = clock_timestamp(), ended_at = clock_timestamp(),"
    " ended_by = 'clock', cause = 'expired'",
    columns=columns_of("c"),
    step="expire",
    cause="expired",
)
# Its worker finds the fence gone, should it only have slept.
RELEASE_LOST = _BATCH.format(
    which=f"c.lease_until < clock_timestamp() AND c.state IN {_in(names(CLAIMED))}",
    values="state = 'due', state_since = clock_timestamp(), fence = c.fence + 1, worker = NULL, lease_until = NULL",
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

        ``judge`` says what becomes of each; who is on the do-not-call list is rejected. Nothing of the queues
        ``paused``.
        """
        async with self._within() as connection:
            if not await connection.fetchval(TRY_LOCK):
                return Fallen(is_ours=False)
            limit = min(limit, await connection.fetchval(ALLOWANCE, rate_per_s))
            rows = await connection.fetch(RIPE, list(paused), limit) if limit > 0 else []
            due: list[UUID] = []
            others: list[Callback] = []
            for row in rows:
                callback = callback_of(row)
                verdict = _FORBIDDEN if row["is_forbidden"] else judge(callback, row["now"])
                if verdict.step is Step.FALL_DUE:
                    due.append(callback.callback_id)
                    continue
                values = {} if verdict.not_before is None else {"not_before": verdict.not_before}
                others.append(
                    await stepped(connection, callback, verdict.step, values, by="clock", cause=verdict.cause)
                )
            if due:
                await connection.execute(FALL_DUE, due)
            return Fallen(due, others, await connection.fetchval(NEXT, list(paused)))

    async def expire(self, limit: int) -> list[Callback]:
        """End those that wait, and were not carried out in time; returns them."""
        async with self._within() as connection:
            return [callback_of(row) for row in await connection.fetch(EXPIRE, limit)]

    async def release_lost(self, limit: int) -> list[Callback]:
        """Give back what workers had that are not heard of any more, where nobody was dialled."""
        async with self._within() as connection:
            return [callback_of(row) for row in await connection.fetch(RELEASE_LOST, limit)]

    async def take_lost(self, worker: UUID, lease_s: float, limit: int) -> list[Claim]:
        """Take over, to find out what became of it, what such workers had dialled."""
        async with self._within() as connection:
            return [claim_of(row) for row in await connection.fetch(TAKE_LOST, limit, worker, lease_s)]


_FORBIDDEN = Verdict(Step.REJECT, "do_not_call")
