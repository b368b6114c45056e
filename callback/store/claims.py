"""Claims: which worker answers for a callback, and what it does with it.

A claim is a lease and a fence, a number that only rises. Whatever a worker writes names its fence, and fails
when somebody has raised it since: another claim, the clock after the lease, a customer who cancels. All of it
may be repeated after an outage that hid its commit.
"""
# ruff: noqa: S608  # what is put together here are names of columns

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from callback.errors import FenceLostError, NotFoundError, RefusedError, TransitionError
from callback.refusal import Refusal
from callback.request import Attempt, Callback, Claim, Result, Slot, Terms
from callback.state import CLAIMED, DIALLED, ENDED, TABLE, State, Step, names
from callback.store.changing import Part, check_allowed, check_slot, local, lock_slot, locked, stepped
from callback.store.rows import ATTEMPT_COLUMNS, attempt_of, claim_of, columns_of

# What others hold is passed over: it is being claimed, or changed, and is looked at again soon.
_CLAIM = f"""
WITH found AS MATERIALIZED (
    SELECT callback_id FROM callback.callback
    WHERE state = 'due' AND expires_at > clock_timestamp() AND {{which}}
    ORDER BY -priority, arrived_at, callback_id LIMIT $3 FOR UPDATE SKIP LOCKED
),
claimed AS (
    UPDATE callback.callback AS c
    SET state = 'claimed', state_since = clock_timestamp(), fence = c.fence + 1, worker = $1,
        lease_until = clock_timestamp() + make_interval(secs => $2)
    FROM found WHERE c.callback_id = found.callback_id
    RETURNING {columns_of("c")}
),
noted AS (
    INSERT INTO callback.event (callback_id, step, before, after, by)
    SELECT callback_id, 'claim', 'due', 'claimed', 'worker' FROM claimed
)
SELECT * FROM claimed ORDER BY -priority, arrived_at, callback_id
"""
CLAIM_THESE = _CLAIM.format(which="callback_id = ANY ($4::uuid[])")
CLAIM_NEXT = _CLAIM.format(which="queue = $4 AND mode = 'customer_first'")

# Who counts what is in flight sees what others have claimed; one for all queues, since they share agents.
LOCK_PACE = "SELECT pg_advisory_xact_lock(hashtextextended('callback.pace', 0))"
IN_FLIGHT = f"""
SELECT count(*) FROM callback.callback
WHERE queue = $1 AND mode = 'customer_first' AND (lease_until IS NOT NULL OR state = 'reconciling')
  AND state = ANY ('{{{",".join(names((CLAIMED | DIALLED | {State.RECONCILING}) - {State.BRIDGED}))}}}')
"""

# In the order of the ids, so that two who lock many rows never wait for each other.
RENEW = """
WITH held AS MATERIALIZED (
    SELECT c.callback_id FROM unnest($3::uuid[], $4::bigint[]) AS mine (callback_id, fence)
    JOIN callback.callback AS c USING (callback_id)
    WHERE c.fence = mine.fence AND (c.worker = $1 OR c.worker IS NULL)
    ORDER BY c.callback_id FOR UPDATE OF c
),
renewed AS (
    UPDATE callback.callback AS c SET lease_until = clock_timestamp() + make_interval(secs => $2)
    FROM held WHERE c.callback_id = held.callback_id AND c.worker = $1
)
SELECT callback_id FROM held
"""

NEW_ATTEMPT = f"""
INSERT INTO callback.attempt
       (attempt_id, callback_id, number_of, fence, worker, gateway, call_id, ring_timeout_s)
SELECT $1, $2, 1 + coalesce(max(number_of), 0), $3, $4, $5, $6, $7
FROM callback.attempt WHERE callback_id = $2
RETURNING {ATTEMPT_COLUMNS}
"""
ATTEMPT = f"SELECT {ATTEMPT_COLUMNS} FROM callback.attempt WHERE attempt_id = $1"
OPEN_ATTEMPT = f"SELECT {ATTEMPT_COLUMNS} FROM callback.attempt WHERE callback_id = $1 AND ended_at IS NULL"
DIALLED_AS = """
UPDATE callback.attempt SET call_ref = $3 WHERE attempt_id = $1 AND fence = $2 RETURNING true
"""
ANSWERED = """
UPDATE callback.attempt SET answered_at = coalesce(answered_at, clock_timestamp()) WHERE attempt_id = $1
"""
BRIDGED = """
UPDATE callback.attempt
SET bridged_at = coalesce(bridged_at, clock_timestamp()),
    answered_at = coalesce(answered_at, clock_timestamp())
WHERE callback_id = $1 AND ended_at IS NULL
"""
# What another worker has begun is ended by who answers for the callback now.
END = """
UPDATE callback.attempt SET ended_at = clock_timestamp(), result = $3, counted = $4
WHERE attempt_id = $1 AND callback_id = $2 AND ended_at IS NULL RETURNING true
"""
GATEWAY_EVENT = """
INSERT INTO callback.gateway_event (attempt_id, event_id, status)
SELECT attempt_id, $2, $3 FROM callback.attempt WHERE attempt_id = $1
ON CONFLICT DO NOTHING RETURNING true
"""
PRESENT = "SELECT clock_timestamp()"

_AHEAD = DIALLED | {State.RECONCILING}


class Claims(Part):
    """Part of the store: what workers do."""

    async def claim(
        self,
        worker: UUID,
        lease_s: float,
        *,
        ids: Sequence[UUID] | None = None,
        queue: str | None = None,
        at_once: Callable[[], Awaitable[int]] | None = None,
        limit: int = 1,
    ) -> list[Claim]:
        """Take what is due: of ``ids``, or the first ones of ``queue`` whose customers are dialled first.

        Of ``queue`` there are then no more than ``at_once`` being carried, by whomever, whose customers do
        not talk to an agent yet. It is asked while nobody else can claim customers to dial first.
        """
        async with self._within() as connection:
            if ids is not None:
                given = (CLAIM_THESE, worker, lease_s, min(limit, len(ids)), list(ids))
                return [claim_of(row) for row in await connection.fetch(*given)]
            if at_once is not None:
                await connection.execute(LOCK_PACE)
                limit = min(limit, await at_once() - await connection.fetchval(IN_FLIGHT, queue))
            if limit <= 0:
                return []
            return [
                claim_of(row) for row in await connection.fetch(CLAIM_NEXT, worker, lease_s, limit, queue)
            ]

    async def in_flight(self, queue: str) -> int:
        """How many are being carried customer first and are not bridged."""
        async with self._within() as connection:
            count: int = await connection.fetchval(IN_FLIGHT, queue)
        return count

    async def renew(self, worker: UUID, lease_s: float, held: Mapping[UUID, int]) -> set[UUID]:
        """Answer for these callbacks, with their fences, for longer.

        Returns those that nobody has taken since: who has ended one, or given it back, is not told that it is
        lost.
        """
        async with self._within() as connection:
            rows = await connection.fetch(RENEW, worker, lease_s, list(held), list(held.values()))
        return {row["callback_id"] for row in rows}

    async def step(
        self,
        claim: Claim,
        step: Step,
        *,
        cause: str = "",
        not_before: datetime | None = None,
        terms: Terms | None = None,
        slot: Slot | None = None,
        apologise: bool | None = None,
        by: str = "worker",
    ) -> Callback:
        """Take a step; raises ``FenceLostError``, ``TransitionError``, for a full slot ``RefusedError``.

        What ends an attempt is not a step alone, but ``over``.
        """
        async with self._within() as connection:
            await lock_slot(connection, slot)
            before = await _held(connection, claim)
            if _is_done(before, step):
                return before
            _check_has(before, claim)
            to = TABLE[before.state].get(step)
            if before.state in _AHEAD and to is not None and to not in _AHEAD:
                await _check_no_attempt(connection, before)
            await check_slot(connection, before.queue, slot, before.callback_id)
            values = _values(before, not_before, terms, slot, apologise)
            after = await stepped(connection, before, step, values, by=by, cause=cause)
            if step is Step.BRIDGE:
                await connection.execute(BRIDGED, before.callback_id)
            return after

    async def dial(
        self,
        claim: Claim,
        *,
        attempt_id: UUID,
        gateway: str,
        call_id: UUID,
        ring_timeout_s: float,
        by: str = "worker",
    ) -> Attempt:
        """The customer is about to be dialled; the network is asked only after this has returned.

        Raises ``FenceLostError``, ``TransitionError``, and ``RefusedError`` for a number that was put on the
        do-not-call list or erased, and a callback that has expired; the claim is still held then.
        """
        async with self._within() as connection:
            before = await _held(connection, claim)
            known = await connection.fetchrow(ATTEMPT, attempt_id)
            if known is not None:
                return attempt_of(known)
            _check_has(before, claim)
            if not before.number:
                raise RefusedError(Refusal.NUMBER_INVALID, "the number was erased", "number")
            await check_allowed(connection, before.number)
            if before.expires_at <= await connection.fetchval(PRESENT):
                raise RefusedError(Refusal.EXPIRED, "the callback has expired")
            await stepped(connection, before, Step.DIAL, {}, by=by, attempt_id=attempt_id)
            row = await connection.fetchrow(
                NEW_ATTEMPT,
                attempt_id,
                claim.callback.callback_id,
                claim.fence,
                claim.worker,
                gateway,
                call_id,
                ring_timeout_s,
            )
            return attempt_of(row)

    async def dialled(self, claim: Claim, attempt_id: UUID, call_ref: str) -> None:
        """The network has begun to dial and calls it ``call_ref``; raises ``FenceLostError``."""
        async with self._within() as connection:
            if not await connection.fetchval(DIALLED_AS, attempt_id, claim.fence, call_ref):
                raise FenceLostError(f"attempt {attempt_id} belongs to another worker")

    async def reached(self, claim: Claim, attempt_id: UUID) -> Callback:
        """Somebody, or something, has answered."""
        async with self._within() as connection:
            before = await _held(connection, claim)
            if _is_done(before, Step.ANSWER):
                return before
            _check_has(before, claim)
            after = await stepped(connection, before, Step.ANSWER, {}, by="worker", attempt_id=attempt_id)
            await connection.execute(ANSWERED, attempt_id)
            return after

    async def over(
        self,
        claim: Claim,
        attempt_id: UUID,
        result: Result,
        step: Step,
        *,
        counted: bool,
        not_before: datetime | None = None,
        cause: str = "",
        apologise: bool | None = None,
        slot: Slot | None = None,
        terms: Terms | None = None,
        by: str = "worker",
    ) -> Callback:
        """The attempt is over, and where that leads: both at once.

        A customer who was erased meanwhile is not tried again. Raises ``FenceLostError``,
        ``TransitionError``, for a full slot ``RefusedError``.
        """
        async with self._within() as connection:
            await lock_slot(connection, slot)
            before = await _held(connection, claim)
            if before.worker != claim.worker or not await connection.fetchval(
                END, attempt_id, before.callback_id, result.value, counted
            ):
                return await _over_before(connection, before, attempt_id, result)
            values: dict[str, object] = {"attempts": before.attempts + counted}
            if result is Result.BRIDGE_FAILED:
                values["bridge_redials"] = before.bridge_redials + 1
            if before.erased_at is not None and TABLE[before.state].get(step) not in ENDED:
                step, cause, slot = Step.EXHAUST, "erased", None
            await check_slot(connection, before.queue, slot, before.callback_id)
            return await stepped(
                connection,
                before,
                step,
                values | _values(before, not_before, terms, slot, apologise),
                by=by,
                cause=cause or result.value,
                attempt_id=attempt_id,
                data={"result": result.value, "counted": counted},
            )

    async def open_attempt(self, callback_id: UUID) -> Attempt | None:
        """The attempt that is not over, where there is one."""
        async with self._within() as connection:
            row = await connection.fetchrow(OPEN_ATTEMPT, callback_id)
        return None if row is None else attempt_of(row)

    async def gateway_event(self, attempt_id: UUID, event_id: str, status: str) -> bool:
        """What the network tells of an attempt; false for what it has told before, or of no attempt."""
        async with self._within() as connection:
            return bool(await connection.fetchval(GATEWAY_EVENT, attempt_id, event_id, status))


async def _held(connection: asyncpg.Connection, claim: Claim) -> Callback:
    before = await locked(connection, claim.callback.callback_id)
    if before.fence != claim.fence:
        raise FenceLostError(
            f"callback {before.callback_id} was claimed {before.fence - claim.fence} times since"
        )
    return before


def _is_done(before: Callback, step: Step) -> bool:
    """Whether the step was taken by this very claim: its commit was not heard of."""
    if step in TABLE[before.state]:
        return False
    return any(ways.get(step) is before.state for ways in TABLE.values())


def _check_has(before: Callback, claim: Claim) -> None:
    if before.worker != claim.worker:
        raise FenceLostError(f"callback {before.callback_id} was given back")


async def _check_no_attempt(connection: asyncpg.Connection, before: Callback) -> None:
    if await connection.fetchrow(OPEN_ATTEMPT, before.callback_id) is not None:
        raise TransitionError(f"an attempt of callback {before.callback_id} is open")


async def _over_before(
    connection: asyncpg.Connection, before: Callback, attempt_id: UUID, result: Result
) -> Callback:
    row = await connection.fetchrow(ATTEMPT, attempt_id)
    if row is None or row["callback_id"] != before.callback_id:
        raise NotFoundError(f"there is no attempt {attempt_id} of callback {before.callback_id}")
    if row["result"] is None:
        raise FenceLostError(f"callback {before.callback_id} was given back")
    if row["result"] != result.value:
        raise TransitionError(f"attempt {attempt_id} is {row['result']}")
    return before


def _values(
    before: Callback,
    not_before: datetime | None,
    terms: Terms | None,
    slot: Slot | None,
    apologise: bool | None,
) -> dict[str, object]:
    values: dict[str, object] = {}
    if terms is not None:
        values |= {
            "not_before": terms.not_before,
            "expires_at": terms.expires_at,
            "promised_from": terms.promised_from,
            "promised_until": terms.promised_until,
        }
    if not_before is not None:
        values["not_before"] = not_before
    if slot is not None:
        values |= {
            "slot_start": slot.start,
            "slot_end": slot.end,
            "slot_local": local(slot.start, before.zone),
        }
    if apologise is not None:
        values["apologise"] = apologise
    return values
