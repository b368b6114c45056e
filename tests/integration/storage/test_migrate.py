import asyncio

import pytest

from callcenter.errors import MigrationError
from callcenter.storage.migrate import Migration, Migrations, bundled
from callcenter.storage.pool import Database

TABLES = """
SELECT table_name FROM information_schema.tables WHERE table_schema = 'callcenter' ORDER BY 1
"""


async def test_from_empty_and_twice(empty_database_url: str) -> None:
    async with Database.connect(empty_database_url) as database:
        migrations = Migrations(database)
        assert all(step.applied_at is None for step in await migrations.status())
        assert [step.version for step in await migrations.upgrade()] == [step.version for step in bundled()]
        assert await migrations.upgrade() == []
        assert all(step.applied_at is not None for step in await migrations.status())
        tables = {row["table_name"] for row in await database.fetch(TABLES)}
        assert {"call", "event", "agent", "queue_entry", "leg_token", "migration"} <= tables


async def test_two_programs_at_once_apply_each_step_once(empty_database_url: str) -> None:
    async with Database.connect(empty_database_url) as one, Database.connect(empty_database_url) as two:
        done = await asyncio.gather(Migrations(one).upgrade(), Migrations(two).upgrade())
    assert sorted(len(steps) for steps in done) == [0, len(bundled())]


async def test_a_newer_schema_is_refused(database: Database) -> None:
    await database.execute("INSERT INTO callcenter.migration VALUES (999, 'future', 'x')")
    with pytest.raises(MigrationError, match="newer than this program: it has step 0999_future"):
        await Migrations(database).upgrade()
    with pytest.raises(MigrationError, match="newer"):
        await Migrations(database).status()


async def test_an_edited_step_is_refused(database: Database) -> None:
    await database.execute("UPDATE callcenter.migration SET checksum = 'other' WHERE version = 1")
    with pytest.raises(MigrationError, match="0001_spine was changed"):
        await Migrations(database).upgrade()


async def test_a_failing_step_leaves_nothing_of_itself(database: Database) -> None:
    steps = bundled()
    number = steps[-1].version + 1
    bad = Migration(number, "bad", "CREATE TABLE callcenter.half (x int); SELECT 1/0;")
    with pytest.raises(MigrationError, match=f"{number:04}_bad failed"):
        await Migrations(database, [*steps, bad]).upgrade()
    assert await database.fetchval("SELECT to_regclass('callcenter.half')") is None
    assert await Migrations(database, steps).upgrade() == []
