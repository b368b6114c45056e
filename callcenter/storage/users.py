"""Users and their API tokens. Of a token only the SHA-256 is stored; it carries 256 random bits."""

import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from callcenter.config import Settings
from callcenter.errors import NotFoundError, UsageError
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database

TOKEN_PREFIX = "cc_"  # noqa: S105  # the visible beginning of a token, not a secret
TOKEN_BYTES = 32
ROLES = ("agent", "supervisor", "admin")
USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}")

ADD = "INSERT INTO callcenter.user_account (user_name, role, agent_id) VALUES ($1, $2, $3)"
ISSUE = """
INSERT INTO callcenter.api_token (token_hash, user_name, expires_at)
VALUES ($1, $2, now() + make_interval(days => $3))
"""
LOOK_UP = """
SELECT user_name, role, agent_id FROM callcenter.api_token JOIN callcenter.user_account USING (user_name)
 WHERE token_hash = $1 AND (expires_at IS NULL OR expires_at > now())
"""
REVOKE = "DELETE FROM callcenter.api_token WHERE token_hash = $1"
REVOKE_ALL = "DELETE FROM callcenter.api_token WHERE user_name = $1"
REMOVE = "DELETE FROM callcenter.user_account WHERE user_name = $1"
LIST = """
SELECT user_name, role, agent_id, created_at,
       (SELECT count(*) FROM callcenter.api_token AS token
         WHERE token.user_name = account.user_name AND (expires_at IS NULL OR expires_at > now())) AS tokens
  FROM callcenter.user_account AS account ORDER BY user_name
"""


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """Whose token it is. ``agent_id`` is set where the user is an agent too."""

    user_name: str
    role: str
    agent_id: str | None


@dataclass(frozen=True, slots=True)
class UserRecord:
    """One user; ``tokens`` is how many valid tokens there are."""

    user_name: str
    role: str
    agent_id: str | None
    created_at: datetime
    tokens: int


class Users:
    """The users of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, name: str, *, role: str, agent_id: str | None = None) -> None:
        """Make a user; raises ``UsageError`` for a bad name or role and for a name that is taken."""
        if not USER_NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no user name: letters, digits and _ . @ - only, at most 63")
        if role not in ROLES:
            raise UsageError(f"{role!r} is no role; there are {', '.join(ROLES)}")
        async with self._database.acquire() as connection:
            try:
                await connection.execute(ADD, name, role, agent_id)
            except asyncpg.UniqueViolationError:
                raise UsageError(f"there is already a user {name}") from None

    async def issue_token(self, name: str, *, days: int | None = None) -> str:
        """Make a token and return it, the only time it is seen: ``cc_`` and 43 URL-safe characters.

        It is valid for ``days``, for ever where ``None``. Raises ``NotFoundError`` for an unknown user.
        """
        token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        async with self._database.acquire() as connection:
            try:
                await connection.execute(ISSUE, _hash(token), name, days)
            except asyncpg.ForeignKeyViolationError:
                raise NotFoundError(f"there is no user {name}") from None
        return token

    async def of_token(self, token: str) -> TokenOwner | None:
        """The user of a token; ``None`` for one that is unknown or has expired."""
        row = await self._database.fetchrow(LOOK_UP, _hash(token))
        return None if row is None else TokenOwner(**row)

    async def revoke(self, token: str) -> bool:
        """Make one token invalid; false where there was none."""
        return await self._database.execute(REVOKE, _hash(token)) == "DELETE 1"

    async def revoke_all(self, name: str) -> int:
        """Make all tokens of a user invalid; returns how many there were."""
        tag = await self._database.execute(REVOKE_ALL, name)
        return int(tag.rpartition(" ")[2])

    async def remove(self, name: str) -> None:
        """Remove a user and the user's tokens; raises ``NotFoundError``."""
        if await self._database.execute(REMOVE, name) == "DELETE 0":
            raise NotFoundError(f"there is no user {name}")

    async def all(self) -> list[UserRecord]:
        """All users, by name."""
        return [UserRecord(**row) for row in await self._database.fetch(LIST)]


@asynccontextmanager
async def open_users(settings: Settings) -> AsyncIterator[Users]:
    """The users of the database that the settings name, its schema brought up to date first."""
    async with Database.open(settings) as database:
        await Migrations(database).upgrade()
        yield Users(database)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
