from datetime import timedelta

from callcenter.storage.clock import DatabaseClock
from callcenter.storage.pool import Database


async def test_it_tells_the_databases_time(database: Database) -> None:
    async with DatabaseClock(database) as clock:
        before = await database.fetchval("SELECT clock_timestamp()")
        now = clock.now()
        after = await database.fetchval("SELECT clock_timestamp()")
    tolerance = timedelta(milliseconds=5)
    assert before - tolerance <= now <= after + tolerance
    assert now.utcoffset() == timedelta(0)


async def test_no_two_times_are_equal(database: Database) -> None:
    async with DatabaseClock(database) as clock:
        times = [clock.now() for _ in range(1000)]
    assert len(set(times)) == 1000
    assert times == sorted(times)
