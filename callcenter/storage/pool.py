"""The way to the database: a pool of connections, errors of our own, and patience during an outage."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Self, TypeVar

import asyncpg

from callcenter.config import Settings
from callcenter.errors import StorageError, UsageError
from callcenter.storage.embedded import EmbeddedPostgres

CONNECT_TIMEOUT_S = 5
ACQUIRE_TIMEOUT_S = 10
COMMAND_TIMEOUT_S = 30
START_TIMEOUT_S = 30
CLOSE_TIMEOUT_S = 10
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0

SERVER_SETTINGS = {
    "timezone": "UTC",
    "statement_timeout": f"{COMMAND_TIMEOUT_S}s",
    # A process that hangs inside a transaction must not keep its locks from the others.
    "idle_in_transaction_session_timeout": "20s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

OUTAGES = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
T = TypeVar("T")

logger = logging.getLogger(__name__)


class Database:
    """A pool of connections to one database; ``jsonb`` columns are Python objects.

    Outside ``acquire``, ``session`` and ``transaction`` no library error comes out: all are
    ``StorageError`` with the library's error as cause. Inside the block the library's own errors are seen,
    so that a caller can catch, say, ``asyncpg.UniqueViolationError``.
    """

    def __init__(self, pool: asyncpg.Pool, url: str, application_name: str) -> None:
        self.pool = pool
        self._url = url
        self._application_name = application_name

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, *, application_name: str = "callcenter") -> AsyncIterator[Self]:
        """Connect to ``database.url``, or to the embedded server under ``data_dir``, until the block ends.

        Raises ``StorageError`` when there is no connection within 30 s, ``UsageError`` for a bad URL.
        """
        async with AsyncExitStack() as stack:
            if settings.database.url is None:
                url = await stack.enter_async_context(EmbeddedPostgres(settings.data_dir))
            else:
                url = settings.database.url.get_secret_value()
            yield await stack.enter_async_context(
                cls.connect(url, pool_size=settings.database.pool_size, application_name=application_name)
            )

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, *, pool_size: int = 10, application_name: str = "callcenter"
    ) -> AsyncIterator[Self]:
        """A pool on a server that runs already."""

        # No connection is kept open for its own sake: the pool would report an outage with tracebacks.
        options = _options(application_name) | {"min_size": 0, "max_size": pool_size, "init": _use_json}
        options["connection_class"] = _Pooled
        try:
            pool = await asyncpg.create_pool(url, **options)
        except (ValueError, asyncpg.ClientConfigurationError) as error:
            raise UsageError(f"database.url: {error}") from error
        try:
            await retrying(lambda: _reach(pool), deadline_s=START_TIMEOUT_S)
            yield cls(pool, url, application_name)
        finally:
            await _close(pool)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the pool; ``StorageError`` when none is free within 10 s.

        A block that is cancelled ends at once, even when the server does not answer: its connection is cut.
        """
        with translated():
            async with self.pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                try:
                    yield connection
                except asyncio.CancelledError:
                    connection.terminate()
                    raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection inside a transaction, committed when the block ends without an error."""
        async with self.acquire() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection whose statements all see the database as it was at the first of them."""
        async with (
            self.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection outside the pool, for what lasts: LISTEN, advisory locks, migrations.

        Its statements have no time limit unless the caller gives one.
        """
        with translated():
            options = _options(self._application_name, statement_timeout="0")
            connection = await asyncpg.connect(self._url, **options | {"command_timeout": None})
            try:
                await _use_json(connection)
                yield connection
            finally:
                await _close_connection(connection)

    async def execute(self, sql: str, *values: object) -> str:
        """Run one statement; returns its command tag, such as ``UPDATE 1``."""
        async with self.acquire() as connection:
            tag: str = await connection.execute(sql, *values)
        return tag

    async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """All rows."""
        async with self.acquire() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(sql, *values)
        return rows

    async def fetchrow(self, sql: str, *values: object) -> asyncpg.Record | None:
        """The first row, if there is one."""
        async with self.acquire() as connection:
            return await connection.fetchrow(sql, *values)

    async def fetchval(self, sql: str, *values: object) -> Any:
        """The first column of the first row."""
        async with self.acquire() as connection:
            return await connection.fetchval(sql, *values)


class _Pooled(asyncpg.Connection):  # type: ignore[misc]  # the library has no types
    """Nothing is set on it for longer than a transaction: putting that back would be one more question."""

    def get_reset_query(self) -> str:
        """None; an open transaction is rolled back without it."""
        return ""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's errors into ``StorageError``, with the error itself as cause."""
    try:
        yield
    except StorageError:
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        # What follows repeats the values, which may be a number or what somebody said: not for the log.
        text = " ".join(str(error).partition("\nDETAIL:")[0].split()) or "no answer in time"
        if isinstance(error, asyncpg.DataError):
            text = text.partition(":")[0]
        raise StorageError(f"database: {text} ({type(error).__name__})") from error


def is_outage(error: BaseException) -> bool:
    """Whether the failure is the connection's or the server's, so that the same again may succeed.

    A broken rule of the schema or a wrong statement is none; nor is a pool that we closed ourselves.
    """
    cause = error.__cause__ if isinstance(error, StorageError) else error
    if isinstance(cause, asyncpg.InterfaceError):
        # asyncpg has one class for "the connection is closed" and for misuse; only the first heals.
        return "connection" in str(cause) and "closed" in str(cause)
    return isinstance(cause, OUTAGES)


async def retrying(operation: Callable[[], Awaitable[T]], *, deadline_s: float) -> T:
    """Run ``operation`` until it succeeds, again after each outage, with growing and scattered pauses.

    The operation must be safe to repeat: an outage can hide that it had succeeded. Other failures are
    raised at once, an outage when ``deadline_s`` has passed.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            with translated():
                return await operation()
        except StorageError as error:
            left_s = end - loop.time()
            if not is_outage(error) or left_s <= 0:
                raise
            logger.info("waiting for the database: %s", error)
        await asyncio.sleep(min(left_s, pause_s * random.uniform(0.5, 1.0)))  # noqa: S311  # scatter, no secret
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _options(application_name: str, **settings: str) -> dict[str, Any]:
    return {
        "timeout": CONNECT_TIMEOUT_S,
        "command_timeout": COMMAND_TIMEOUT_S,
        "server_settings": SERVER_SETTINGS | {"application_name": application_name} | settings,
    }


async def _use_json(connection: asyncpg.Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _reach(pool: asyncpg.Pool) -> None:
    try:
        async with pool.acquire():
            return
    except (ValueError, asyncpg.ClientConfigurationError) as error:
        raise UsageError(f"database.url: {error}") from error


async def _close(pool: asyncpg.Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await pool.close()
    except (TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        logger.info("connections were cut: %s", error or "they did not close in time")
        pool.terminate()


async def _close_connection(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=CLOSE_TIMEOUT_S)
    except (TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        connection.terminate()
