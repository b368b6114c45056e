"""What staffing learns from the database."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from callcenter.storage.arrivals import Arrivals
from callcenter.storage.pool import Database
from callcenter.storage.wait_estimates import MadeEstimate, WaitEstimates

BERLIN = "Europe/Berlin"
SINCE, UNTIL = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


async def entered(database: Database, at: str, queue: str = "sales", handle_s: float = 0) -> None:
    call_id, began = uuid4(), datetime.fromisoformat(at)
    events = [("queue.entered", began), ("agent.connected", began)]
    if handle_s:
        events.append(("acw.ended", began + timedelta(seconds=handle_s)))
    for seq, (type_, when) in enumerate(events, start=1):
        await database.execute(
            """
            INSERT INTO callcenter.event (at, type, call_id, seq, queue, agent)
            VALUES ($1, $2, $3, $4, $5, 'ann')
            """,
            when,
            type_,
            call_id,
            seq,
            queue,
        )


async def test_entries_by_local_day_and_interval(database: Database) -> None:
    for at in (
        "2025-03-03T08:29:59.9Z",  # 09:29 in Berlin
        "2025-03-03T08:30:00Z",
        "2025-03-03T23:30:00Z",  # the next day there
        "2025-03-30T01:10:00Z",  # 03:10, after the clocks went forward
        "2025-10-26T00:10:00Z",  # 02:10, and again an hour later
        "2025-10-26T01:10:00Z",
    ):
        await entered(database, at)
    await entered(database, "2025-03-03T08:30:00Z", "billing")
    found = await Arrivals(database).by_interval(SINCE, UNTIL, BERLIN, 30, "sales")
    counted = {(day, index): n for day, counts in found.items() for index, n in enumerate(counts) if n}
    assert counted == {
        (date(2025, 3, 3), 18): 1,
        (date(2025, 3, 3), 19): 1,
        (date(2025, 3, 4), 1): 1,
        (date(2025, 3, 30), 6): 1,
        (date(2025, 10, 26), 4): 2,
    }
    both = await Arrivals(database).by_interval(SINCE, UNTIL, BERLIN, 30, None)
    assert both[date(2025, 3, 3)][19] == 2


async def test_customers_who_are_called_back_do_not_arrive_twice(database: Database) -> None:
    await entered(database, "2025-03-03T08:30:00Z")
    await database.execute(
        """
        INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref, from_number,
                                     to_number, started_at)
        SELECT call_id, call_id, call_id, 'callback', 'test', 'one', '', '+12025550101', at
          FROM callcenter.event WHERE type = 'queue.entered'
        """
    )
    await entered(database, "2025-03-03T08:31:00Z")
    found = await Arrivals(database).by_interval(SINCE, UNTIL, BERLIN, 30, "sales")
    assert found[date(2025, 3, 3)][19] == 1


async def test_handle_time_and_patience(database: Database) -> None:
    arrivals = Arrivals(database)
    assert await arrivals.handle_time_s(SINCE, UNTIL, None) is None
    assert await arrivals.patience_s(SINCE, UNTIL, None) is None
    for handle_s in (100, 200):
        await entered(database, "2025-03-03T09:00:00Z", handle_s=handle_s)
    assert await arrivals.handle_time_s(SINCE, UNTIL, "sales") == pytest.approx(150)
    made_at = datetime(2025, 3, 3, tzinfo=UTC)
    made = [MadeEstimate(made_at, True, 0, 1, "none", None, None)]
    for number in range(40):
        outcome = "abandoned" if number % 2 else "answered"
        await WaitEstimates(database).add(uuid4(), "sales", made, outcome, made_at + timedelta(seconds=60))
    # Forty waited 60 s each, twenty of them hung up.
    assert await arrivals.patience_s(SINCE, UNTIL, "sales") == pytest.approx(120)
