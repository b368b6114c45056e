"""What is known of callbacks."""
# ruff: noqa: S608  # what is put together here are names of columns

from datetime import datetime
from uuid import UUID

from callback.errors import NotFoundError
from callback.request import Attempt, Callback, Change
from callback.search import Forbidden, Search
from callback.state import names
from callback.store.changing import IS_FORBIDDEN, Part
from callback.store.rows import ATTEMPT_COLUMNS, CHANGE_COLUMNS, COLUMNS, attempt_of, callback_of, change_of

NOW = "SELECT clock_timestamp()"
GET = f"SELECT {COLUMNS} FROM callback.callback WHERE callback_id = $1"
OPEN_OF = f"""
SELECT {COLUMNS} FROM callback.callback
WHERE number = $1 AND ($2::text IS NULL OR queue = $2) AND ended_at IS NULL ORDER BY requested_at
"""
FIND = f"""
SELECT {COLUMNS} FROM callback.callback
WHERE ($1::text IS NULL OR queue = $1) AND ($2::text[] = '{{}}' OR state = ANY ($2))
  AND ($3::text IS NULL OR number = $3) AND ($4::text IS NULL OR source = $4)
  AND ($5::text IS NULL OR owner = $5)
  AND ($6::timestamptz IS NULL OR requested_at >= $6) AND ($7::timestamptz IS NULL OR requested_at < $7)
  AND ($8::timestamptz IS NULL OR (requested_at, callback_id) < ($8, $9::uuid))
  AND ($11::text[] IS NULL OR queue = ANY ($11))
  AND ($12 = '' OR strpos(lower(concat_ws(' ', name, topic, note)), lower($12)) > 0)
ORDER BY requested_at DESC, callback_id DESC LIMIT $10
"""
HISTORY = f"SELECT {CHANGE_COLUMNS} FROM callback.event WHERE callback_id = $1 ORDER BY event_id"
ATTEMPTS = f"SELECT {ATTEMPT_COLUMNS} FROM callback.attempt WHERE callback_id = $1 ORDER BY number_of"
# As the check for room counts: what was served had its place, what was given up has it no more.
TAKEN = """
SELECT slot_start, count(*) AS taken FROM callback.callback
WHERE queue = $1 AND slot_start >= $2 AND slot_start < $3
  AND state <> ALL ('{cancelled,merged,expired,rejected}')
GROUP BY slot_start
"""
OTHER_CALLS = """
SELECT a.call_ref FROM callback.attempt AS a JOIN callback.callback AS c USING (callback_id)
WHERE c.number = $1 AND a.attempt_id <> $2 AND a.call_ref <> ''
  AND a.started_at > clock_timestamp() - interval '1 day'
"""
OTHER_NUMBER = """
SELECT EXISTS (
    SELECT FROM callback.event
    WHERE callback_id = $1 AND at >= $2 AND step = 'edited' AND data -> 'fields' ? 'number')
"""
PENDING = "SELECT count(*) FROM callback.callback WHERE queue = $1 AND ended_at IS NULL"
FORBIDDEN_NUMBER = "SELECT number, added_at, added_by, note FROM callback.do_not_call WHERE number = $1"
FORBIDDEN = """
SELECT number, added_at, added_by, note FROM callback.do_not_call
WHERE number > $1 ORDER BY number LIMIT $2
"""


class Reading(Part):
    """Part of the store: questions."""

    async def now(self) -> datetime:
        """The database's present."""
        async with self._within() as connection:
            now: datetime = await connection.fetchval(NOW)
        return now

    async def get(self, callback_id: UUID) -> Callback:
        """One callback; raises ``NotFoundError``."""
        async with self._within() as connection:
            row = await connection.fetchrow(GET, callback_id)
        if row is None:
            raise NotFoundError(f"there is no callback {callback_id}")
        return callback_of(row)

    async def open_of(self, number: str, queue: str | None = None) -> list[Callback]:
        """The open callbacks of a number, oldest first: one at most in each queue."""
        async with self._within() as connection:
            return [callback_of(row) for row in await connection.fetch(OPEN_OF, number, queue)]

    async def find(self, wanted: Search) -> list[Callback]:
        """A page of the list."""
        after = (None, None) if wanted.after is None else wanted.after
        async with self._within() as connection:
            rows = await connection.fetch(
                FIND,
                wanted.queue,
                names(wanted.states),
                wanted.number,
                None if wanted.source is None else wanted.source.value,
                wanted.owner,
                wanted.since,
                wanted.until,
                *after,
                wanted.limit,
                None if wanted.queues is None else list(wanted.queues),
                wanted.text,
            )
        return [callback_of(row) for row in rows]

    async def history(self, callback_id: UUID) -> list[Change]:
        """All changes, oldest first."""
        async with self._within() as connection:
            return [change_of(row) for row in await connection.fetch(HISTORY, callback_id)]

    async def attempts_of(self, callback_id: UUID) -> list[Attempt]:
        """All attempts, oldest first."""
        async with self._within() as connection:
            return [attempt_of(row) for row in await connection.fetch(ATTEMPTS, callback_id)]

    async def other_calls(self, number: str, attempt_id: UUID) -> frozenset[str]:
        """The network's names for the calls that other attempts made to a number lately."""
        async with self._within() as connection:
            return frozenset(
                row["call_ref"] for row in await connection.fetch(OTHER_CALLS, number, attempt_id)
            )

    async def has_other_number(self, attempt: Attempt) -> bool:
        """Whether somebody has changed the number since the attempt was made."""
        async with self._within() as connection:
            changed: bool = await connection.fetchval(OTHER_NUMBER, attempt.callback_id, attempt.started_at)
        return changed

    async def taken(self, queue: str, since: datetime, until: datetime) -> dict[datetime, int]:
        """How many places are taken in the slots that begin between the two; those with none are left out."""
        async with self._within() as connection:
            rows = await connection.fetch(TAKEN, queue, since, until)
        return {row["slot_start"]: row["taken"] for row in rows}

    async def pending(self, queue: str) -> int:
        """How many open callbacks a queue has."""
        async with self._within() as connection:
            count: int = await connection.fetchval(PENDING, queue)
        return count

    async def is_forbidden(self, number: str) -> bool:
        """Whether the number is on the do-not-call list."""
        async with self._within() as connection:
            found: bool = await connection.fetchval(IS_FORBIDDEN, number)
        return found

    async def forbidden_number(self, number: str) -> Forbidden | None:
        """What the do-not-call list has of a number."""
        async with self._within() as connection:
            row = await connection.fetchrow(FORBIDDEN_NUMBER, number)
        return None if row is None else Forbidden(**row)

    async def forbidden(self, after: str = "", limit: int = 100) -> list[Forbidden]:
        """A page of the do-not-call list, in the order of the numbers."""
        async with self._within() as connection:
            return [Forbidden(**row) for row in await connection.fetch(FORBIDDEN, after, limit)]
