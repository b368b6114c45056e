"""Who calls: what earlier calls from the same number say."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from callcenter.storage.history import MAX_COUNTED, CallerHistory, History
from callcenter.storage.pool import Database

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
NUMBER = "+12025550142"
CALL = """
INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref, from_number, to_number,
                             queue, agent_id, started_at, ended_at, outcome)
VALUES ($1, $1, $1, 'inbound', 'twilio', '', $2, '', $3, $4, $5, $6, $7)
"""


async def called(
    database: Database,
    days_ago: float,
    *,
    number: str = NUMBER,
    queue: str | None = None,
    agent: str | None = None,
    outcome: str | None = "self_served",
) -> UUID:
    """An earlier call; without an outcome it has not ended."""
    call_id, at = uuid4(), NOW - timedelta(days=days_ago)
    ended_at = at + timedelta(minutes=3) if outcome else None
    await database.execute(CALL, call_id, number, queue, agent, at, ended_at, outcome)
    return call_id


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


async def test_nobody_has_called_before(database: Database, history: History) -> None:
    present = await called(database, 0, outcome=None)
    await called(database, 1, number="+12025550143", agent="bob", outcome="answered")
    await called(database, 0.001, outcome=None)  # beside this one, on another line
    assert await history.of_number(NUMBER, present, NOW, 30) == CallerHistory()


async def test_the_last_call_and_the_last_conversation_may_be_two(
    database: Database, history: History
) -> None:
    await called(database, 9, queue="billing", agent="bob", outcome="answered")
    await called(database, 3, queue="sales", agent="ann", outcome="answered")
    await called(database, 2, queue="support", outcome="abandoned")
    found = await history.of_number(NUMBER, uuid4(), NOW, 30)
    assert found == CallerHistory(3, "ann", "support", "abandoned", NOW - timedelta(days=2))


@pytest.mark.parametrize(("days", "agent"), [(30, "ann"), (4, "ann"), (3, "ann"), (2, "")])
async def test_an_agent_of_long_ago_is_forgotten(
    database: Database, history: History, days: int, agent: str
) -> None:
    await called(database, 3, queue="sales", agent="ann", outcome="answered")
    found = await history.of_number(NUMBER, uuid4(), NOW, days)
    assert (found.calls, found.last_agent, found.last_queue) == (1, agent, "sales")


async def test_later_calls_are_not_earlier_ones(database: Database, history: History) -> None:
    await called(database, -1, agent="eve", outcome="answered")
    assert await history.of_number(NUMBER, uuid4(), NOW, 30) == CallerHistory()


async def test_a_number_that_dials_all_day_is_counted_up_to_a_bound(
    database: Database, history: History
) -> None:
    await called(database, 1, agent="ann", outcome="answered")
    await database.execute(
        "INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref, from_number,"
        " to_number, started_at, ended_at, outcome) SELECT gen_random_uuid(), gen_random_uuid(),"
        " gen_random_uuid(), 'inbound', 'twilio', '', $1, '',"
        " $2::timestamptz - n * interval '1 minute', $2, 'abandoned'"
        " FROM generate_series(1, $3) AS n",
        NUMBER,
        NOW,
        MAX_COUNTED + 500,
    )
    found = await history.of_number(NUMBER, uuid4(), NOW, 30)
    assert (found.calls, found.last_outcome) == (MAX_COUNTED, "abandoned")
