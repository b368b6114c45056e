import asyncio

import asyncpg
import pytest

from callcenter.config import Settings
from callcenter.errors import StorageError, UsageError
from callcenter.storage.embedded import PostgresServer
from callcenter.storage.pool import Database, is_outage, retrying


async def test_jsonb_is_python_objects(database: Database) -> None:
    value = {"a": [1, None, "ü"], "b": {"c": True}}
    assert await database.fetchval("SELECT $1::jsonb", value) == value


async def test_external_by_url(database_url: str) -> None:
    settings = Settings.model_validate({"database": {"url": database_url}})
    async with Database.open(settings, application_name="callcenter-test") as database:
        assert await database.fetchval("SHOW application_name") == "callcenter-test"
        assert await database.fetchval("SHOW timezone") == "UTC"


async def test_a_bad_url_is_the_users_mistake() -> None:
    settings = Settings.model_validate({"database": {"url": "http://somewhere"}})
    with pytest.raises(UsageError, match=r"^database\.url: "):
        async with Database.open(settings):
            pass


async def test_library_errors_are_ours_outside_and_their_own_inside(database: Database) -> None:
    with pytest.raises(StorageError, match="division by zero") as caught:
        await database.fetchval("SELECT 1/0")
    assert isinstance(caught.value.__cause__, asyncpg.DivisionByZeroError)
    async with database.acquire() as connection:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.fetchval("SELECT 1/0")


@pytest.mark.parametrize(
    ("sql", "value"), [("SELECT $1::uuid", "+12025550142"), ("SELECT ($1::text)::uuid", "+12025550142")]
)
async def test_an_error_does_not_repeat_the_value(database: Database, sql: str, value: str) -> None:
    with pytest.raises(StorageError, match=r"invalid input.*\(") as caught:
        await database.fetchval(sql, value)
    assert "5550142" not in str(caught.value)


async def test_a_broken_rule_does_not_repeat_the_row(database: Database) -> None:
    await database.execute("CREATE TABLE t (number text PRIMARY KEY, CHECK (number <> '+12025550142'))")
    with pytest.raises(StorageError, match="violates check constraint") as caught:
        await database.execute("INSERT INTO t VALUES ('+12025550142')")
    assert "5550142" not in str(caught.value)


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    await database.execute("CREATE TABLE t (x int PRIMARY KEY)")

    async def insert_twice() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO t VALUES (1)")
            await connection.execute("INSERT INTO t VALUES (1)")

    with pytest.raises(StorageError):
        await insert_twice()
    assert await database.fetchval("SELECT count(*) FROM t") == 0


async def test_a_broken_rule_is_not_tried_again(database: Database) -> None:
    await database.execute("CREATE TABLE t (x int PRIMARY KEY)")
    tries = 0

    async def insert() -> None:
        nonlocal tries
        tries += 1
        await database.execute("INSERT INTO t VALUES (1), (1)")

    with pytest.raises(StorageError, match="unique constraint"):
        await retrying(insert, deadline_s=10)
    assert tries == 1


async def test_a_closed_pool_is_not_tried_again(database_url: str) -> None:
    async with Database.connect(database_url) as database:
        pass
    async with asyncio.timeout(2):
        with pytest.raises(StorageError, match="pool is clos"):
            await retrying(lambda: database.fetchval("SELECT 1"), deadline_s=60)


async def test_an_outage_is_waited_for(own_postgres: PostgresServer) -> None:
    async with Database.connect(own_postgres.url) as database:
        await database.execute("CREATE TABLE t (x int)")
        await asyncio.to_thread(own_postgres.halt)
        with pytest.raises(StorageError) as caught:
            await database.fetchval("SELECT 1")
        assert is_outage(caught.value)
        with pytest.raises(StorageError):
            await retrying(lambda: database.fetchval("SELECT 1"), deadline_s=0.2)
        write = asyncio.create_task(
            retrying(lambda: database.execute("INSERT INTO t VALUES (1)"), deadline_s=20)
        )
        await asyncio.sleep(0.3)
        await asyncio.to_thread(own_postgres.start)
        await write
        assert await database.fetchval("SELECT count(*) FROM t") == 1
