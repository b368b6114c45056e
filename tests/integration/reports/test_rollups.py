"""Whatever happens, in whatever order it is stored: reports equal a recomputation from the events."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from callcenter.config import Metrics
from callcenter.events import Event, EventType
from callcenter.reports import CountBy, Interval, Question, Ratio, Reports
from callcenter.reports.rollups import Rollups
from callcenter.reports.tally import Tally
from callcenter.storage.event_batch import store
from callcenter.storage.pool import Database
from callcenter.timeline import RELEVANT
from support import histories
from support.histories import START, E, Writer, call, history

NOW = datetime(2025, 4, 2, tzinfo=UTC)
DAY, OFFERED = timedelta(days=1), CountBy.OFFERED
UNTIL = START + timedelta(hours=36)
TABLES = ("event", "call", "report_mark", "report_call", "rollup_day")  # and what goes with them
EMPTY = "; ".join(f"DELETE FROM callcenter.{table}" for table in TABLES)
ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"]
QUESTIONS = st.builds(
    lambda zone, interval, queue, by, first, length, limit_s, short_s: Question(
        Metrics(timezone=zone, service_level_s=limit_s, short_abandon_s=short_s),
        START + timedelta(minutes=first),
        START + timedelta(minutes=first + length),
        interval,
        queue,
        by,
        NOW,
    ),
    st.sampled_from(ZONES),
    st.sampled_from(Interval),
    st.sampled_from([None, None, "sales"]),
    st.sampled_from(CountBy),
    st.integers(-120, 600),
    st.integers(1, 36 * 60),
    st.sampled_from([0.5, 6, 20, 45.25]),
    st.sampled_from([0, 0.5, 6, 30]),
)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


async def write(database: Database, events: Sequence[Event]) -> None:
    async with database.transaction() as connection:
        await store(connection, events)


async def same(reports: Reports, question: Question) -> None:
    added_up, folded = await reports.summary(question), await reports.summary_from_events(question)
    for (window, mine), (_, theirs) in zip(added_up.by_interval, folded.by_interval, strict=True):
        assert mine == theirs, (window.start, unlike(mine.tally, theirs.tally))
    for name in ("by_queue", "by_agent", "by_hour"):
        mine, theirs = getattr(added_up, name), getattr(folded, name)
        assert mine == theirs, {key for key in {*mine, *theirs} if mine.get(key) != theirs.get(key)}


def unlike(mine: Tally, theirs: Tally) -> dict[str, object]:
    pairs = {name: (getattr(mine, name), getattr(theirs, name)) for name in Tally.__slots__}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


class Story:
    """One database through one history."""

    def __init__(self, database: Database, seed: int) -> None:
        self._database = database
        self._chance = random.Random(seed)
        self._rollups = Rollups(database)
        self._reports = Reports(database)

    async def tell(self, seed: int, questions: Sequence[Question]) -> None:
        await self._database.execute(EMPTY)
        events = histories.history(seed, START, UNTIL, calls=30)
        zone = ZoneInfo(questions[0].thresholds.timezone)
        days = replace(
            questions[0], since=START - DAY, until=START + 3 * DAY, interval=Interval.DAY, by=OFFERED
        )
        for batch in histories.batches(self._chance, events):
            await write(self._database, batch)
            if self._chance.random() < 0.3:
                await self._rollups.settle(self._chance.choice([1, 20, 200]))
            if self._chance.random() < 0.3:
                await self._rollups.add_up_days(zone, now=NOW)
                await same(self._reports, days)
        for question in (days, *questions):
            await same(self._reports, question)
        await self._rollups.settle_all()
        await self._rollups.add_up_days(zone, now=NOW)
        for question in (days, *questions):
            await same(self._reports, question)
        assert await self._database.fetchval("SELECT count(*) FROM callcenter.rollup_day") >= 2


def test_reports_equal_a_recomputation_from_the_events(database_url: str, runner: asyncio.Runner) -> None:
    # A story of a hundred steps is not worth the minutes of making it shorter.
    phases = [Phase.explicit, Phase.reuse, Phase.generate]

    @settings(max_examples=15, deadline=None, phases=phases, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32), st.lists(QUESTIONS, min_size=3, max_size=3))
    def check(seed: int, questions: list[Question]) -> None:
        async def tell() -> None:
            async with Database.connect(database_url, pool_size=2) as database:
                await Story(database, seed).tell(seed, questions)

        runner.run(tell())

    check()


async def test_what_leaves_no_mark_makes_no_figure(database: Database) -> None:
    source = await database.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'mark_events'")
    ignored = {kind for kind in EventType if f"'{kind}'" in source} - {EventType.AGENT_STATE}
    assert len(ignored) == 9
    assert not ignored & RELEVANT


async def test_a_report_right_after_a_call_has_it_and_a_late_wrap_up_corrects_it(database: Database) -> None:
    rollups, reports = Rollups(database), Reports(database)
    question = Question(Metrics(timezone="UTC"), START, UNTIL, now=NOW)
    writer = Writer(random.Random(1), START, UUID(int=5))
    writer.begin("inbound")
    del writer.events[1:]
    at = writer.events[0].at

    def step(seconds: float, kind: EventType, **data: str) -> Event:
        seq = len(writer.events) + 1
        moment, call_id = at + timedelta(seconds=seconds), UUID(int=5)
        writer.events.append(Event(kind, moment, call_id, seq, call_id, "sales", "ann", data=data))
        return writer.events[-1]

    await write(database, [writer.events[0], step(1, E.QUEUE_ENTERED), step(11, E.AGENT_CONNECTED)])
    assert (await reports.summary(question)).total.open_calls == 1
    await write(database, [step(71, E.CONVERSATION_ENDED), step(71, E.CALL_ENDED, cause="agent_hangup")])
    assert (await reports.summary(question)).total.aht == Ratio(60, 1)
    await rollups.settle_all()
    assert (await reports.summary(question)).total.aht == Ratio(60, 1)
    await rollups.add_up_days(UTC, now=NOW)
    assert await database.fetchval("SELECT count(*) FROM callcenter.rollup_queue") == 1

    await write(database, [step(71, E.ACW_STARTED)])
    running_s = (NOW - at).total_seconds() - 71
    assert (await reports.summary(question)).total.aht == Ratio(60 + running_s, 1)
    await rollups.settle_all()
    assert (await reports.summary(question)).total.aht == Ratio(60 + running_s, 1)
    await write(database, [step(101, E.ACW_ENDED)])
    assert (await reports.summary(question)).total.aht == Ratio(90, 1)
    await rollups.settle_all()
    await rollups.settle_all()  # again, with nothing to do
    assert (await reports.summary(question)).total.aht == Ratio(90, 1)
    assert await database.fetchval("SELECT count(*) FROM callcenter.report_mark") == 0
    assert await database.fetchval("SELECT count(*) FROM callcenter.rollup_queue") == 0
    await rollups.add_up_days(UTC, now=NOW)
    assert await database.fetchval("SELECT acw_us FROM callcenter.rollup_queue") == 30_000_000


async def test_two_processes_do_not_get_in_each_others_way(database: Database) -> None:
    await write(database, history(3, START, UNTIL, calls=40))
    taken = await asyncio.gather(*(Rollups(database).settle(10) for _ in range(4)))
    assert sorted(taken)[-1] == 10
    await Rollups(database).settle_all()
    await same(Reports(database), Question(Metrics(), START, UNTIL, now=NOW))


async def test_marks_of_a_transaction_that_commits_later_are_not_lost(database: Database) -> None:
    """Its events are unseen when the call is folded; its mark is seen when they are."""
    events = call(random.Random(5), START)
    assert events[-1].type is E.ACW_ENDED
    await write(database, events[:-2])
    async with database.transaction() as late:
        await store(late, events[-2:])
        await Rollups(database).settle_all()
    question = Question(Metrics(), START, UNTIL, now=NOW)
    await same(Reports(database), question)
    await Rollups(database).settle_all()
    await same(Reports(database), question)


async def test_days_of_another_zone_make_way(database: Database) -> None:
    await write(database, history(4, START, UNTIL, calls=40))
    rollups = Rollups(database)
    await rollups.settle_all()
    assert await rollups.add_up_days(UTC, now=NOW) == 3
    berlin = ZoneInfo("Europe/Berlin")
    assert await rollups.add_up_days(berlin, now=NOW, limit=1) == 1
    assert await database.fetchval("SELECT count(*) FROM callcenter.rollup_day") == 1
    assert await rollups.add_up_days(berlin, now=NOW) == 2
    days = await database.fetch("SELECT until - start FROM callcenter.rollup_day ORDER BY start")
    assert [row[0] // timedelta(hours=1) for row in days] == [24, 23, 24]


@pytest.mark.parametrize("interval", [Interval.DAY, Interval.HOUR])
async def test_a_day_with_callbacks_has_the_same_inbound_figures(
    database: Database, interval: Interval
) -> None:
    rollups, reports = Rollups(database), Reports(database)
    question = Question(Metrics(timezone="UTC"), START - DAY, UNTIL + DAY, interval, now=NOW)
    events = [event for event in history(3, START, UNTIL, calls=120) if event.type is not E.AGENT_STATE]
    ours = {event.call_id for event in events if event.data.get("direction") == "callback"}
    await write(database, [event for event in events if event.call_id not in ours])
    await rollups.settle_all()
    await rollups.add_up_days(UTC, now=NOW)
    before = await reports.summary(question)
    await write(database, [event for event in events if event.call_id in ours])
    for is_added_up in (False, True):
        if is_added_up:
            await rollups.settle_all()
            assert await rollups.add_up_days(UTC, now=NOW) > 0
        after = await reports.summary(question)
        assert (after.total, after.by_queue, after.by_interval) == (
            before.total,
            before.by_queue,
            before.by_interval,
        )
        handled = [sum(row.handled for row in one.by_agent.values()) for one in (before, after)]
        assert handled[0] < handled[1]
    kept = "SELECT count(*) FROM callcenter.report_call WHERE direction = 'callback'"
    assert await database.fetchval(kept) > 10
