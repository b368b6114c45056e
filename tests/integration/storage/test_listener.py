import asyncio
import logging

import pytest

from callcenter.storage.listener import Listener
from callcenter.storage.pool import Database

CUT_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
IS_FREE = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))"


async def test_each_subscriber_hears_its_channel(database: Database) -> None:
    one: asyncio.Queue[str] = asyncio.Queue()
    two: asyncio.Queue[str] = asyncio.Queue()
    async with Listener(database) as listener, asyncio.timeout(5):
        listener.subscribe("event", one.put_nowait)
        await listener.settled()
        listener.subscribe("event", two.put_nowait)
        listener.subscribe("other", two.put_nowait)
        await listener.settled()
        await database.execute("SELECT pg_notify('event', '1..2'), pg_notify('other', 'x')")
        assert [await one.get(), await two.get(), await two.get()] == ["1..2", "1..2", "x"]
        assert one.empty()


async def test_a_failing_subscriber_does_not_harm_the_others(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    def fail(_payload: str) -> None:
        raise ValueError("broken")

    async with Listener(database) as listener, asyncio.timeout(5):
        listener.subscribe("event", fail)
        listener.subscribe("event", heard.put_nowait)
        await listener.settled()
        with caplog.at_level(logging.ERROR):
            await database.execute("SELECT pg_notify('event', 'x')")
            assert await heard.get() == "x"
    assert "a subscriber of event failed" in caplog.text


async def test_it_comes_back_and_says_so(database: Database) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with Listener(database) as listener, asyncio.timeout(10):
        listener.subscribe("event", heard.put_nowait, lambda: heard.put_nowait("resync"))
        await listener.hold("me")
        assert heard.empty()
        await database.execute(CUT_OTHERS)
        assert await heard.get() == "resync"
        await listener.settled()
        assert not await database.fetchval(IS_FREE, "me")
        await database.execute("SELECT pg_notify('event', 'again')")
        assert await heard.get() == "again"
        assert heard.empty()


async def test_a_lock_is_held_by_one(database: Database) -> None:
    async with Listener(database) as one, Listener(database) as two, asyncio.timeout(10):
        await one.hold("key")
        waiting = asyncio.create_task(two.hold("key"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        one.release("key")
        await waiting
        assert not await database.fetchval(IS_FREE, "key")
        two.release("key")
        await two.settled()
        assert await database.fetchval(IS_FREE, "key")
