"""What is added up is held against the events, and made again where it differs."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from callcenter.reports.rollups import Rollups
from callcenter.reports.verify import Verdict, repair, verify
from callcenter.storage.event_batch import store
from callcenter.storage.pool import Database
from support import histories
from support.histories import START

NOW = datetime(2025, 4, 2, tzinfo=UTC)
SPAN = (datetime(2025, 3, 29, tzinfo=UTC), NOW)


@pytest.fixture
async def added_up(database: Database) -> Database:
    events = histories.history(11, START, START + timedelta(hours=36), calls=60)
    async with database.transaction() as connection:
        await store(connection, events)
    rollups = Rollups(database)
    await rollups.settle_all()
    assert await rollups.add_up_days(UTC, now=NOW) == 3
    return database


async def test_what_the_service_adds_up_is_as_the_events_say(added_up: Database) -> None:
    verdict = await verify(added_up, *SPAN)
    assert (verdict.differences, verdict.days) == ([], 3)
    assert verdict.calls > 15
    assert verdict.contacts == await added_up.fetchval("SELECT count(*) FROM callcenter.report_contact")


SOME = "(SELECT min(call_id::text)::uuid FROM callcenter.report_contact WHERE counted = 'answered')"
DAMAGES: dict[str, tuple[str, str]] = {
    "a time": (f"UPDATE callcenter.report_contact SET acw_us = acw_us + 1 WHERE call_id = {SOME}", "acw_us"),
    "a contact": (f"DELETE FROM callcenter.report_contact WHERE call_id = {SOME}", "0 contacts"),
    "a call": (f"DELETE FROM callcenter.report_call WHERE call_id = {SOME}", "has no row"),
    "an outcome": (
        f"UPDATE callcenter.report_call SET outcome = 'blocked' WHERE call_id = {SOME}",
        "outcome blocked, the events say",
    ),
    "a stray": (
        "INSERT INTO callcenter.report_call SELECT gen_random_uuid(), started_at, true, queues, outcome,"
        f" waited_us, bridged_us, ivr_us FROM callcenter.report_call WHERE call_id = {SOME}",
        "no such call has ended",
    ),
    "a queue's sum": (
        "UPDATE callcenter.rollup_queue SET talk_us = talk_us + 1 WHERE queue = 'sales'",
        "talk_us",
    ),
    "a queue's waits": ("UPDATE callcenter.rollup_queue SET answered = '' WHERE queue = 'sales'", "0 waits"),
    "a reason": ("UPDATE callcenter.rollup_left SET contacts = contacts + 1", "left {"),
    "a queue's row": ("DELETE FROM callcenter.rollup_queue WHERE queue = 'sales'", "queue sales"),
    "an agent's sum": ("UPDATE callcenter.rollup_agent SET hold_us = 5 WHERE agent = 'ann'", "agent ann"),
    "agents' time": (
        "UPDATE callcenter.rollup_time SET paid_us = paid_us - 1 WHERE agent = 'bob'",
        "time bob",
    ),
    "calls": ("UPDATE callcenter.rollup_call SET calls = calls + 1 WHERE queue = ''", "calls "),
}


@pytest.mark.parametrize(("damage", "told"), DAMAGES.values(), ids=DAMAGES)
async def test_every_damage_is_told_and_mended(added_up: Database, damage: str, told: str) -> None:
    await added_up.execute(damage)
    verdict = await verify(added_up, *SPAN)
    assert any(told in f"{each.what}: {each.detail}" for each in verdict.differences), verdict.differences
    await repair(added_up, verdict)
    await Rollups(added_up).add_up_days(UTC, now=NOW)
    mended = await verify(added_up, *SPAN)
    assert (mended.differences, mended.days) == ([], 3)


async def test_an_event_behind_the_back_of_the_log_is_found(added_up: Database) -> None:
    """As when a table was restored without the marks: nothing but a comparison can know."""
    call_id: UUID = await added_up.fetchval(
        "SELECT call_id FROM callcenter.report_contact WHERE acw_us > 0 ORDER BY call_id LIMIT 1"
    )
    await added_up.execute(
        "UPDATE callcenter.event SET at = at + interval '1 s' WHERE call_id = $1 AND type = 'acw.ended'",
        call_id,
    )
    verdict = await verify(added_up, *SPAN)
    assert verdict.wrong_calls == [call_id]
    assert verdict.wrong_days


async def test_what_is_marked_is_brought_up_to_date_first(added_up: Database) -> None:
    await added_up.execute("DELETE FROM callcenter.report_call")
    await added_up.execute("DELETE FROM callcenter.rollup_day")
    await added_up.execute(
        "INSERT INTO callcenter.report_mark (call_id)"
        " SELECT call_id FROM callcenter.call WHERE ended_at IS NOT NULL"
    )
    verdict: Any = await verify(added_up, *SPAN)
    assert isinstance(verdict, Verdict)
    assert (verdict.differences, verdict.days) == ([], 0)
