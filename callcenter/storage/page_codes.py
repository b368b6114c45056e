"""What customers have filled in on their page and what proves their numbers; how often they use the page.

A form's key is known to the browser that has the form; only its SHA-256 is stored. What was filled in holds a
telephone number, so it goes as soon as the request is granted, else half an hour after the last touch.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from callcenter.storage.pool import Database

KEEP_S = 1800.0
KEEP_DONE_S = 86_400.0
CODE_S = 600.0
TRIES = 5
MOST_SENT = 3
RESEND_S = 30.0
HOUR_S = 3600.0
DAY_S = 86_400.0

_COLUMNS = """wish, done, callback_id, proved,
       code_hash IS NOT NULL AND code_expires_at > clock_timestamp() AS has_code"""
# A form that comes again with another number has to prove that one; what was granted stays what it is.
OPEN = f"""
INSERT INTO callcenter.callback_code AS c (key_hash, wish, expires_at)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (key_hash) DO UPDATE
   SET wish = excluded.wish, expires_at = excluded.expires_at,
       proved = c.proved AND c.wish ->> 'number' = excluded.wish ->> 'number',
       code_hash = CASE WHEN c.wish ->> 'number' = excluded.wish ->> 'number' THEN c.code_hash END,
       sent_at = CASE WHEN c.wish ->> 'number' = excluded.wish ->> 'number' THEN c.sent_at END
 WHERE NOT c.done
RETURNING {_COLUMNS}
"""  # noqa: S608  # constants only
GET = f"""
SELECT {_COLUMNS} FROM callcenter.callback_code WHERE key_hash = $1 AND expires_at > clock_timestamp()
"""  # noqa: S608  # constants only
CHOOSE = """
UPDATE callcenter.callback_code SET wish = wish || $2 WHERE key_hash = $1 AND NOT done
"""
FINISH = """
UPDATE callcenter.callback_code
   SET done = true, callback_id = $2, wish = $3, code_hash = NULL,
       expires_at = clock_timestamp() + make_interval(secs => $4)
 WHERE key_hash = $1 AND NOT done
"""
SEND = """
UPDATE callcenter.callback_code
   SET code_hash = $2, code_expires_at = clock_timestamp() + make_interval(secs => $3),
       tries = 0, sent = sent + 1, sent_at = clock_timestamp(),
       expires_at = greatest(expires_at, clock_timestamp() + make_interval(secs => $3))
 WHERE key_hash = $1 AND NOT done AND sent < $4
   AND (sent_at IS NULL OR sent_at < clock_timestamp() - make_interval(secs => $5))
"""
UNSENT = """
UPDATE callcenter.callback_code SET code_hash = NULL, sent_at = NULL WHERE key_hash = $1 AND code_hash = $2
"""
# One statement: of tries that come at the same time each is counted.
TRY = """
UPDATE callcenter.callback_code
   SET tries = tries + 1, proved = code_hash = $2, code_hash = CASE WHEN code_hash <> $2 THEN code_hash END
 WHERE key_hash = $1 AND tries < $3 AND code_hash IS NOT NULL AND code_expires_at > clock_timestamp()
RETURNING proved, $3 - tries AS left
"""
PURGE = "DELETE FROM callcenter.callback_code WHERE expires_at < clock_timestamp()"

ERASE = "DELETE FROM callcenter.callback_code WHERE wish ->> 'number' = $1"

LOCK_USE = "SELECT pg_advisory_xact_lock(hashtextextended(encode($1, 'hex'), 9))"
COUNT_USE = """
SELECT count(*) FROM callcenter.callback_page_use
 WHERE use_hash = $1 AND mark <> $2 AND at > clock_timestamp() - make_interval(secs => $3)
"""
USE = """
INSERT INTO callcenter.callback_page_use AS u (use_hash, mark) VALUES ($1, $2)
ON CONFLICT (use_hash, mark) DO UPDATE SET at = excluded.at
"""
PURGE_USES = (
    "DELETE FROM callcenter.callback_page_use WHERE at < clock_timestamp() - make_interval(secs => $1)"
)


class Tried(StrEnum):
    """What a code that was typed in is worth."""

    RIGHT = "right"
    WRONG = "wrong"
    OVER = "over"  # none is good any more: too many tries, too late, none was sent


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it was filled in, or what is left of it once it is ``done``.

    ``callback_id`` is what came of it and the browser may see. ``proved``: the right code was typed in.
    ``has_code``: one was sent and is good.
    """

    wish: Mapping[str, Any]
    done: bool
    callback_id: UUID | None
    proved: bool
    has_code: bool


class PageCodes:
    """Forms on their way, shared by all processes. ``key`` is what the form carries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, key: str, wish: Mapping[str, Any]) -> Filled:
        """Keep what was filled in; one that is done with stays as it is."""
        row = await self._database.fetchrow(OPEN, _hash(key), dict(wish), KEEP_S)
        return await self._found(key) if row is None else Filled(**row)

    async def find(self, key: str) -> Filled | None:
        """The form of that key, unless it is unknown or forgotten."""
        row = await self._database.fetchrow(GET, _hash(key))
        return None if row is None else Filled(**row)

    async def choose(self, key: str, **changed: Any) -> None:
        """Change some of what was filled in; nothing happens to one that is done with."""
        await self._database.execute(CHOOSE, _hash(key), changed)

    async def finish(self, key: str, callback_id: UUID | None, left: Mapping[str, Any]) -> None:
        """It is done with; ``callback_id`` is what the browser may see, ``left`` is kept of the wish."""
        await self._database.execute(FINISH, _hash(key), callback_id, dict(left), KEEP_DONE_S)

    async def send(self, key: str, code_hash: bytes) -> bool:
        """Make a code the only good one; ``False`` where none may be sent, or not so soon."""
        tag = await self._database.execute(SEND, _hash(key), code_hash, CODE_S, MOST_SENT, RESEND_S)
        return tag == "UPDATE 1"

    async def unsent(self, key: str, code_hash: bytes) -> None:
        """The code did not get away: it is no good, and another may be sent at once."""
        await self._database.execute(UNSENT, _hash(key), code_hash)

    async def try_code(self, key: str, code_hash: bytes) -> tuple[Tried, int]:
        """Whether it is the right one, once; and how many tries are left."""
        row = await self._database.fetchrow(TRY, _hash(key), code_hash, TRIES)
        if row is None:
            return Tried.OVER, 0
        if row["proved"]:
            return Tried.RIGHT, row["left"]
        return (Tried.WRONG, row["left"]) if row["left"] else (Tried.OVER, 0)

    async def erase(self, number: str) -> None:
        """Forget what was filled in for a number; its browser is told that the page is too old."""
        await self._database.execute(ERASE, number)

    async def purge(self) -> int:
        """Forget what is too old; returns how many forms."""
        await self._database.execute(PURGE_USES, DAY_S)
        return int((await self._database.execute(PURGE)).rpartition(" ")[2])

    async def _found(self, key: str) -> Filled:
        return await self.find(key) or Filled({}, True, None, False, False)


class PageUses:
    """Counts what numbers and addresses do on the page, for a day at most."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def allow(self, mark: bytes, *uses: tuple[bytes, int, float]) -> bool:
        """Whether each of ``(use_hash, most, in so many seconds)`` may once more; counted only if all may.

        What comes with the same ``mark`` again is counted once.
        """
        # In one order for all, so that two requests never wait for each other.
        ordered = sorted(uses)
        async with self._database.transaction() as connection:
            for hashed, most, window_s in ordered:
                await connection.execute(LOCK_USE, hashed)
                if await connection.fetchval(COUNT_USE, hashed, mark, window_s) >= most:
                    return False
            for hashed in sorted({hashed for hashed, _, _ in ordered}):
                await connection.execute(USE, hashed, mark)
        return True


def use_hash(kind: str, who: str, secret: bytes) -> bytes:
    """What uses of a number or an address are counted by; it cannot be read without the secret."""
    return hmac.digest(secret, b"callback use v1\0" + f"{kind}:{who}".encode(), "sha256")


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
