"""What keeps callbacks in order besides the clock: keys, queues that are gone, times that have drifted."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callback.links import KEY_BYTES
from callback.store.changing import Part

# The first one stands, whoever comes at the same time.
MAKE_KEY = "INSERT INTO callback.signing_key (key) VALUES ($1) ON CONFLICT DO NOTHING"
KEY = "SELECT key FROM callback.signing_key"

BY_KEY = """
SELECT callback_id FROM callback.idempotency WHERE client = $1 AND key = $2 AND body_hash = $3
"""
KEYED = "SELECT body_hash, callback_id, created FROM callback.idempotency WHERE client = $1 AND key = $2"
OLD_KEYS = """
DELETE FROM callback.idempotency WHERE created_at < clock_timestamp() - make_interval(secs => $1)
"""
# With attempts, history, what the network told and what webhooks were told.
OLD = """
DELETE FROM callback.callback WHERE callback_id = ANY (ARRAY(
    SELECT callback_id FROM callback.callback
     WHERE ended_at IS NOT NULL AND requested_at < clock_timestamp() - make_interval(days => $1)
     ORDER BY requested_at LIMIT $2))
"""
OPEN_QUEUES = "SELECT DISTINCT queue FROM callback.callback WHERE ended_at IS NULL"
SCHEDULED = """
SELECT callback_id, slot_start, slot_local, zone FROM callback.callback
WHERE state = 'scheduled' AND slot_local IS NOT NULL AND slot_start > clock_timestamp()
ORDER BY callback_id
"""
OWNED = """
SELECT callback_id FROM callback.callback
WHERE ended_at IS NULL AND owner_until <= clock_timestamp()
  AND state IN ('queued', 'scheduled', 'retry_wait', 'due')
ORDER BY owner_until LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class Keyed:
    """What an idempotency key was used for; ``created``: the callback was made then, not only found."""

    body_hash: bytes
    callback_id: UUID
    created: bool


class Keeping(Part):
    """Part of the store."""

    async def signing_key(self) -> bytes:
        """What signs links, for all processes; made when it is first asked for."""
        async with self._within() as connection:
            key: bytes | None = await connection.fetchval(KEY)
            if key is None:
                await connection.execute(MAKE_KEY, secrets.token_bytes(KEY_BYTES))
                key = await connection.fetchval(KEY)
        assert key is not None
        return key

    async def replayed(self, by: str, key: str, body_hash: bytes) -> UUID | None:
        """The callback that the same request has led to before."""
        async with self._within() as connection:
            found: UUID | None = await connection.fetchval(BY_KEY, by, key, body_hash)
        return found

    async def keyed(self, by: str, key: str) -> Keyed | None:
        """What a key of this client was used for."""
        async with self._within() as connection:
            row = await connection.fetchrow(KEYED, by, key)
        return None if row is None else Keyed(**row)

    async def forget_keys(self, older_than_s: float) -> None:
        """A key that was used so long ago may be used for something else."""
        async with self._within() as connection:
            await connection.execute(OLD_KEYS, older_than_s)

    async def forget_old(self, days: int, limit: int = 1000) -> int:
        """Forget callbacks that were asked for so long ago and have ended, a part at a time; how many."""
        async with self._within() as connection:
            tag: str = await connection.execute(OLD, days, limit)
        return int(tag.split()[-1])

    async def open_queues(self) -> set[str]:
        """The queues that have open callbacks, whether they still exist or not."""
        async with self._within() as connection:
            return {row["queue"] for row in await connection.fetch(OPEN_QUEUES)}

    async def scheduled(self) -> list[tuple[UUID, datetime, datetime, str]]:
        """Chosen times to come: id, instant, what the wall clock was to show, and the zone."""
        async with self._within() as connection:
            return [tuple(row) for row in await connection.fetch(SCHEDULED)]

    async def owner_overdue(self, limit: int = 100) -> list[UUID]:
        """Callbacks that nobody has dialled and for which their owner was waited long enough."""
        async with self._within() as connection:
            return [row["callback_id"] for row in await connection.fetch(OWNED, limit)]
