"""The schema's versions: numbered SQL files, each applied once, in order, in a transaction of its own.

A file is ``migrations/NNNN_name.sql``, numbered from 1 without holes. What was applied stands in
``callcenter.migration`` with a checksum, so that a file edited after the fact is noticed. Every program
may call ``upgrade`` at its start: an advisory lock lets one work and the others find it done.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from importlib import resources

import asyncpg

from callcenter.errors import MigrationError
from callcenter.storage.pool import Database

UPGRADE_LOCK = 0x63616C6C_00000001
UPGRADE_TIMEOUT_S = 600
FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

CREATE_TABLE = """
CREATE SCHEMA IF NOT EXISTS callcenter;
CREATE TABLE IF NOT EXISTS callcenter.migration (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
TABLE_EXISTS = "SELECT to_regclass('callcenter.migration') IS NOT NULL"
APPLIED = "SELECT version, name, checksum, applied_at FROM callcenter.migration ORDER BY version"
RECORD = "INSERT INTO callcenter.migration (version, name, checksum) VALUES ($1, $2, $3)"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema as the program carries it."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """One step and when it was applied, ``None`` while it is pending."""

    version: int
    name: str
    applied_at: datetime | None


def bundled() -> list[Migration]:
    """The steps inside this package, in order."""
    found = [
        Migration(int(match[1]), match[2], item.read_text(encoding="utf-8"))
        for item in resources.files("callcenter.storage").joinpath("migrations").iterdir()
        if (match := FILE_NAME.fullmatch(item.name))
    ]
    return sorted(found, key=lambda migration: migration.version)


class Migrations:
    """Brings the schema of one database to the version of this program."""

    def __init__(self, database: Database, steps: list[Migration] | None = None) -> None:
        self._database = database
        self._steps = bundled() if steps is None else steps

    async def status(self) -> list[MigrationStatus]:
        """Every step and when it was applied; changes nothing.

        Raises ``MigrationError`` as ``upgrade`` does.
        """
        async with self._database.acquire() as connection:
            applied = await self._applied(connection)
        return [MigrationStatus(step.version, step.name, applied.get(step.version)) for step in self._steps]

    async def upgrade(self) -> list[Migration]:
        """Apply what is pending and return it.

        Raises ``MigrationError`` when the schema is newer than the program, when a step was edited after
        it had been applied, or when a step fails (the schema then stands before that step).
        """
        done = []
        async with self._database.session() as connection:
            await connection.execute("SELECT pg_advisory_lock($1)", UPGRADE_LOCK, timeout=UPGRADE_TIMEOUT_S)
            await connection.execute(CREATE_TABLE)
            applied = await self._applied(connection)
            for step in self._steps:
                if step.version not in applied:
                    await self._apply(connection, step)
                    done.append(step)
        return done

    async def _applied(self, connection: asyncpg.Connection) -> dict[int, datetime]:
        if not await connection.fetchval(TABLE_EXISTS):
            return {}
        known = {step.version: step for step in self._steps}
        rows = await connection.fetch(APPLIED)
        for row in rows:
            step = known.get(row["version"])
            name = f"{row['version']:04}_{row['name']}"
            if step is None:
                raise MigrationError(
                    f"the database's schema is newer than this program: it has step {name}, "
                    f"the program ends at {max(known, default=0):04}"
                )
            if step.checksum != row["checksum"]:
                raise MigrationError(f"schema step {name} was changed after it had been applied")
        return {row["version"]: row["applied_at"] for row in rows}

    async def _apply(self, connection: asyncpg.Connection, step: Migration) -> None:
        try:
            async with connection.transaction():
                await connection.execute(step.sql, timeout=UPGRADE_TIMEOUT_S)
                await connection.execute(RECORD, step.version, step.name, step.checksum)
        except asyncpg.PostgresError as error:
            raise MigrationError(
                f"schema step {step.version:04}_{step.name} failed: {error.__class__.__name__}: {error}"
            ) from error
