"""What is closed, and that every process knows it within a second, also through an outage."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from callcenter.storage.closures import Closure, ClosureBoard, Closures, Scope
from callcenter.storage.embedded import PostgresServer
from callcenter.storage.listener import Listener
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database, retrying

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


async def until(board: ClosureBoard, queue: str, closed: bool, within_s: float = 1) -> Closure | None:
    async with asyncio.timeout(within_s):
        while True:
            found = board.of_queue(queue, datetime.now(UTC))
            if (found is not None) == closed:
                return found
            await asyncio.sleep(0.01)


async def test_closing_changing_and_opening(database: Database) -> None:
    closures = Closures(database)
    first = await closures.close(Scope.QUEUE, "sales", message="Fire drill.", by_whom="ann")
    assert (first.scope, first.name, first.message, first.by_whom, first.until) == (
        Scope.QUEUE,
        "sales",
        "Fire drill.",
        "ann",
        None,
    )
    again = await closures.close(Scope.QUEUE, "sales", message="Still.", by_whom="bob")
    assert (again.message, again.by_whom, again.since) == ("Still.", "bob", first.since)
    assert await closures.in_force() == (again,)
    assert await closures.open(Scope.QUEUE, "sales")
    assert not await closures.open(Scope.QUEUE, "sales")
    assert await closures.in_force() == ()


async def test_a_closure_ends_by_itself_and_begins_anew(database: Database) -> None:
    closures = Closures(database)
    past = datetime.now(UTC) - timedelta(seconds=1)
    ended = await closures.close(Scope.ALL, "", message="", by_whom="ann", until=past)
    assert await closures.in_force() == ()
    begun = await closures.close(Scope.ALL, "", message="", by_whom="ann")
    assert begun.since > ended.since
    assert await closures.in_force() == (begun,)
    await closures.close(Scope.ALL, "", message="", by_whom="ann", until=past)
    assert not await closures.open(Scope.ALL, "")


async def test_which_calls_and_queues_a_closure_meets(database: Database) -> None:
    closures = Closures(database)
    await closures.close(Scope.QUEUE, "sales", message="q", by_whom="ann")
    await closures.close(Scope.FLOW, "main", message="f", by_whom="ann", until=NOW + timedelta(days=3650))
    async with Listener(database) as listener, ClosureBoard(closures, listener) as board:
        await listener.settled()
        assert board.of_call("main", NOW) is not None
        assert board.of_call("main", NOW + timedelta(days=3650)) is None
        assert board.of_call("other", NOW) is None
        assert board.of_queue("sales", NOW) is not None
        assert board.of_queue("main", NOW) is None
        await closures.close(Scope.ALL, "", message="a", by_whom="ann")
        found = await until(board, "support", closed=True)
        assert found is not None
        assert found.message == "a"
        assert board.of_call("other", datetime.now(UTC)) == found


@pytest.mark.parametrize("poll_s", [60.0, 0.1])
async def test_every_process_knows_within_a_second(
    database: Database, database_url: str, poll_s: float
) -> None:
    """By the notification with a poll that is far away, by the poll where no notification comes."""
    closures = Closures(database)
    async with (
        Database.connect(database_url) as other,
        Listener(database) as mine,
        Listener(other) as theirs,
        ClosureBoard(closures, mine, poll_s=poll_s) as here,
        ClosureBoard(Closures(other), theirs, poll_s=poll_s) as there,
    ):
        await mine.settled()
        await theirs.settled()
        if poll_s < 1:
            await database.execute("ALTER TABLE callcenter.closure DISABLE TRIGGER closure_changed")
        for closed in (True, False):
            if closed:
                await closures.close(Scope.ALL, "", message="", by_whom="ann")
            else:
                await closures.open(Scope.ALL, "")
            await until(here, "sales", closed)
            await until(there, "sales", closed)


async def test_an_outage_keeps_what_was_known(own_postgres: PostgresServer) -> None:
    async with Database.connect(own_postgres.url) as database:
        await Migrations(database).upgrade()
        closures = Closures(database)
        await closures.close(Scope.ALL, "", message="Closed.", by_whom="ann")
        async with Listener(database) as listener, ClosureBoard(closures, listener, poll_s=0.05) as board:
            await asyncio.to_thread(own_postgres.stop)
            await asyncio.sleep(0.3)
            assert board.of_queue("sales", NOW) is not None
            await asyncio.to_thread(own_postgres.start)
            await asyncio.sleep(0.3)
            assert board.of_queue("sales", NOW) is not None
            await retrying(lambda: closures.open(Scope.ALL, ""), deadline_s=10)
            await until(board, "sales", closed=False, within_s=10)
