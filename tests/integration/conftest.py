"""One PostgreSQL for the whole run, one fresh database per test, copied from a migrated template."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from callcenter.storage.embedded import PostgresServer
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of the run's own server; its ``postgres`` database stays empty."""
    with _server(durable=False) as server:
        yield server.url


def database_named(postgres_url: str, name: str) -> str:
    return postgres_url.replace("@/postgres?", f"@/{name}?")


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A durable server for one test, which may halt and start it at will."""
    with _server(durable=True) as server:
        yield server


@contextmanager
def _server(*, durable: bool) -> Iterator[PostgresServer]:
    # Not pytest's folder: under root each run closes that one to the account of every other run's server.
    with TemporaryDirectory(prefix="callcenter-test-") as folder:
        server = PostgresServer(Path(folder), durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def _template(postgres_url: str) -> str:
    async def make() -> None:
        admin = await asyncpg.connect(postgres_url)
        await admin.execute("CREATE DATABASE template_callcenter")
        await admin.close()
        async with Database.connect(database_named(postgres_url, "template_callcenter")) as database:
            await Migrations(database).upgrade()

    asyncio.run(make())
    return "template_callcenter"


@pytest.fixture
async def empty_database_url(postgres_url: str) -> AsyncIterator[str]:
    """A database without our schema."""
    async with _copy_of("template0", postgres_url) as url:
        yield url


@pytest.fixture
async def database_url(postgres_url: str, _template: str) -> AsyncIterator[str]:
    """A database with the schema and no rows."""
    async with _copy_of(_template, postgres_url) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.connect(database_url, pool_size=5) as opened:
        yield opened


class _copy_of:  # noqa: N801  # reads as a function in ``async with``
    def __init__(self, template: str, postgres_url: str) -> None:
        self._template = template
        self._server_url = postgres_url
        self._name = f"test_{next(_numbers)}"

    async def __aenter__(self) -> str:
        await self._admin(f"CREATE DATABASE {self._name} TEMPLATE {self._template} STRATEGY file_copy")
        return database_named(self._server_url, self._name)

    async def __aexit__(self, *_: object) -> None:
        await self._admin(f"DROP DATABASE {self._name} WITH (FORCE)")

    async def _admin(self, statement: str) -> None:
        admin = await asyncpg.connect(self._server_url)
        try:
            await admin.execute(statement)
        finally:
            await admin.close()
