"""The quality of service as the database counts it; all numbers are worked by hand."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from callcenter.config import Metrics, Settings
from callcenter.errors import NotFoundError, UsageError
from callcenter.events import Event, EventType
from callcenter.reports.fcr import Resolution
from callcenter.reports.intervals import Interval
from callcenter.reports.quality import QualityReport
from callcenter.reports.quality_query import QualityReports, read_quality
from callcenter.reports.survey import Satisfaction
from callcenter.storage.event_batch import store
from callcenter.storage.pool import Database

E = EventType
DAY = timedelta(days=1)
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
LONG_AGO = TODAY - 60 * DAY
ANN, BEA, CAT = "+15125550101", "+15125550102", "+15125550103"

Step = tuple[EventType, str | None, str | None, dict[str, Any]]


async def call(
    database: Database,
    at: datetime,
    from_: str,
    *steps: Step,
    direction: str = "inbound",
) -> UUID:
    """A call that came in at ``at``; a second passes between its steps."""
    call_id = uuid4()
    data = {"direction": direction, "gateway": "twilio", "call_ref": "x", "node_id": str(uuid4())}
    start: Step = (E.CALL_STARTED, None, None, data | {"from": from_, "to": "+15125550199"})
    async with database.transaction() as connection:
        await store(
            connection,
            [
                Event(kind, at + timedelta(seconds=seq), call_id, seq, call_id, queue, agent, data=data)
                for seq, (kind, queue, agent, data) in enumerate([start, *steps])
            ],
        )
    return call_id


def answered(agent: str = "bob", queue: str = "sales", resolved: bool | None = None) -> Sequence[Step]:
    return (
        (E.QUEUE_ENTERED, queue, None, {}),
        (E.AGENT_CONNECTED, queue, agent, {}),
        (E.ACW_ENDED, queue, agent, {"disposition": "", "resolved": resolved}),
    )


ABANDONED: Sequence[Step] = ((E.QUEUE_ENTERED, "sales", None, {}), (E.QUEUE_ABANDONED, "sales", None, {}))


async def quality(
    database: Database, since: datetime = LONG_AGO, until: datetime = LONG_AGO + 30 * DAY, **more: Any
) -> QualityReport:
    return await QualityReports(database).report(Metrics(), since=since, until=until, **more)


async def test_first_contacts_and_those_who_come_back(database: Database) -> None:
    await call(database, LONG_AGO, ANN, *answered())  # comes back after 3 days: not resolved
    await call(database, LONG_AGO + 3 * DAY, ANN, *answered())  # a repeat, no first contact
    await call(database, LONG_AGO + 11 * DAY, ANN, *answered())  # 8 days later: first again, and resolved
    await call(database, LONG_AGO, BEA, *answered("carl"))  # about something else the next day: resolved
    await call(database, LONG_AGO + DAY, BEA, *answered("carl", "support"))  # a topic of its own: resolved
    await call(database, LONG_AGO + 2 * DAY, CAT, *ABANDONED)  # reached nobody: no contact
    await call(database, LONG_AGO + 3 * DAY, CAT, *answered("carl"))  # first, although CAT had tried
    await call(database, LONG_AGO + 5 * DAY, CAT, *ABANDONED)  # had to come back: not resolved
    report = await quality(database)
    assert report.total.resolution == Resolution(first=5, resolved=3)
    assert report.total.resolution.rate.value == 0.6
    assert {name: row.resolution for name, row in report.by_queue.items()} == {
        "sales": Resolution(first=4, resolved=2),
        "support": Resolution(first=1, resolved=1),
    }
    assert {name: row.resolution for name, row in report.by_agent.items()} == {
        "bob": Resolution(first=2, resolved=1),
        "carl": Resolution(first=3, resolved=2),
    }
    by_day = [row.resolution for _, row in report.by_interval]
    assert len(by_day) == 30
    assert (by_day[0], by_day[1]) == (Resolution(first=2, resolved=1), Resolution(first=1, resolved=1))
    assert (by_day[3], by_day[11]) == (Resolution(first=1), Resolution(first=1, resolved=1))
    assert sum(by_day, Resolution()) == report.total.resolution


async def test_filters_leave_the_repeats_that_others_took(database: Database) -> None:
    await call(database, LONG_AGO, ANN, *answered("bob"))
    await call(database, LONG_AGO + DAY, ANN, *answered("carl"))
    await call(database, LONG_AGO, BEA, *answered("bob", "support"))
    bob = await quality(database, agent="bob")
    assert bob.total.resolution == Resolution(first=2, resolved=1)
    assert (await quality(database, agent="carl")).total.resolution == Resolution()
    assert (await quality(database, queue="sales")).total.resolution == Resolution(first=1)
    assert (await quality(database, queue="sales", agent="nobody")).total.resolution == Resolution()


@pytest.mark.parametrize(("late", "resolved"), [(timedelta(0), 0), (timedelta(microseconds=1), 1)])
async def test_the_window_ends_with_its_end(database: Database, late: timedelta, resolved: int) -> None:
    await call(database, LONG_AGO, ANN, *answered())
    await call(database, LONG_AGO + 7 * DAY + late, ANN, *answered())
    report = await quality(database, until=LONG_AGO + DAY)
    assert report.total.resolution == Resolution(first=1, resolved=resolved)
    both = await quality(database)
    assert both.total.resolution == Resolution(first=1 + resolved, resolved=2 * resolved)


async def test_what_happened_before_the_range_decides_too(database: Database) -> None:
    await call(database, LONG_AGO - DAY, ANN, *answered())
    await call(database, LONG_AGO + DAY, ANN, *answered())
    assert (await quality(database)).total.resolution == Resolution()
    assert (await quality(database, since=LONG_AGO - 2 * DAY)).total.resolution == Resolution(first=1)


async def test_an_open_window_is_immature_and_stands_apart(database: Database) -> None:
    await call(database, TODAY - 8 * DAY, ANN, *answered())  # closed yesterday: resolved
    await call(database, TODAY - 5 * DAY, BEA, *answered())
    await call(database, TODAY - 4 * DAY, BEA, *answered())  # came back already
    await call(database, TODAY - 3 * DAY, CAT, *answered())
    report = await quality(database, since=TODAY - 10 * DAY, until=TODAY + DAY)
    resolution = report.total.resolution
    assert resolution == Resolution(first=1, resolved=1, immature=2, immature_resolved=1)
    assert (resolution.rate.value, resolution.immature_rate.value) == (1.0, 0.5)
    shorter = await QualityReports(database).report(
        Metrics(fcr_days=2), since=TODAY - 10 * DAY, until=TODAY + DAY
    )
    # with two days all windows are closed; BEA came back within one of them
    assert shorter.total.resolution == Resolution(first=3, resolved=2)


async def test_without_a_number_nobody_can_be_told_apart(database: Database) -> None:
    for from_ in ("", "Anonymous", "+266696687"):
        await call(database, LONG_AGO, from_, *answered())
    await call(database, LONG_AGO, ANN, *answered())
    await call(database, LONG_AGO + DAY, ANN, *answered(), direction="callback")  # we called: no repeat
    resolution = (await quality(database)).total.resolution
    assert resolution == Resolution(first=1, resolved=1, withheld=3)
    assert Resolution().rate.value is None


async def test_what_agents_and_customers_say(database: Database) -> None:
    said: Step = (E.SURVEY_ANSWERED, "sales", "bob", {"survey": "s", "question": "resolved", "score": 0})
    await call(database, LONG_AGO, ANN, *answered(resolved=True), said)
    await call(database, LONG_AGO, BEA, *answered(resolved=False))
    await call(database, LONG_AGO, CAT, *answered(resolved=None))
    # a second conversation: the agent who wraps up last and says anything is believed
    await call(
        database, LONG_AGO, "+15125550104", *answered(resolved=False), *answered("carl", resolved=True)
    )
    await call(database, LONG_AGO + DAY, ANN, *answered(resolved=False))  # no first contact: not counted
    report = await quality(database)
    resolution = report.total.resolution
    assert (resolution.agent_asked, resolution.agent_resolved) == (3, 2)
    assert (resolution.customer_asked, resolution.customer_resolved) == (1, 0)
    assert resolution.agent_rate.value == pytest.approx(2 / 3)
    assert report.by_agent["carl"].resolution == Resolution(
        first=1, resolved=1, agent_asked=1, agent_resolved=1
    )


def judged(calls: Sequence[tuple[datetime, str, str, bool]], window: timedelta, now: datetime) -> Resolution:
    """The definition, word by word and slowly."""
    total = Resolution()
    for at, customer, topic, handled in calls:
        same = [other for other in calls if other[1:3] == (customer, topic)]
        if not handled or any(one[3] and at - window <= one[0] < at for one in same):
            continue
        resolved = not any(at < one[0] <= at + window for one in same)
        if at + window <= now:
            total += Resolution(first=1, resolved=int(resolved))
        else:
            total += Resolution(immature=1, immature_resolved=int(resolved))
    return total


@pytest.mark.parametrize("seed", range(4))
async def test_random_histories_equal_the_definition(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    now = datetime.now(UTC)
    calls = []
    for _ in range(120):
        at = now - timedelta(seconds=dice.randrange(60, 30 * 86_400))
        customer, topic = dice.choice([ANN, BEA, CAT]), dice.choice(["sales", "support"])
        steps = answered(queue=topic) if dice.random() < 0.7 else [(E.QUEUE_ENTERED, topic, None, {})]
        await call(database, at - timedelta(seconds=1), customer, *steps)
        calls.append((at, customer, topic, len(steps) > 1))
    report = await quality(database, now - 40 * DAY, now + DAY)
    assert report.total.resolution == judged(calls, 7 * DAY, now)


# Surveys.


def offer(survey: str = "after", agent: str = "bob", queue: str = "sales", **more: Any) -> Step:
    return (E.SURVEY_OFFERED, queue, agent, {"survey": survey, **more})


def answer(kind: str, score: Any, question: str = "", survey: str = "after") -> Step:
    data = {"survey": survey, "question": question or kind, "kind": kind, "score": score}
    return (E.SURVEY_ANSWERED, "sales", "bob", data)


async def test_satisfaction_and_recommendation(database: Database) -> None:
    csats, npses = (5, 4, 3, 1), (10, 9, 8, 7, 6, 0)
    for score in csats:
        await call(database, LONG_AGO, ANN, offer(), answer("csat", score))
    for score in npses:
        await call(database, LONG_AGO + DAY, ANN, offer(agent="carl"), answer("nps", score))
    await call(database, LONG_AGO, ANN, offer())  # offered and not taken
    await call(database, LONG_AGO, ANN, offer("other", queue="support"))
    report = await quality(database)
    satisfaction = report.total.satisfaction
    assert satisfaction == Satisfaction(
        offered=12,
        answered=10,
        csat_offered=11,
        csat_answered=4,
        csat=4,
        satisfied=2,
        nps_offered=11,
        nps_answered=6,
        nps=6,
        promoters=2,
        detractors=2,
    )
    assert satisfaction.csat_share.value == 0.5
    assert satisfaction.nps_points.value == 0  # a third less a third
    assert satisfaction.response.value == pytest.approx(10 / 12)
    assert satisfaction.csat_response.value == pytest.approx(4 / 11)
    assert report.by_agent["carl"].satisfaction.nps_points.value == 0
    assert report.by_agent["bob"].satisfaction.nps_points.value is None
    assert set(report.by_survey) == {"after", "other"}
    assert report.by_survey["other"].satisfaction == Satisfaction(offered=1)
    assert report.by_queue["support"].satisfaction == Satisfaction(offered=1)
    assert [row.satisfaction.offered for _, row in report.by_interval[:3]] == [6, 6, 0]


async def test_answers_that_are_none(database: Database) -> None:
    first = (offer(), answer("csat", 1), answer("csat", 5))  # corrected: the last one counts
    await call(database, LONG_AGO, ANN, *first)
    await call(database, LONG_AGO, ANN, offer(), answer("csat", 6), answer("csat", "5", "again"))
    await call(database, LONG_AGO, ANN, offer(), answer("csat", None), answer("nps", 11))
    await call(database, LONG_AGO, ANN, offer(), answer("words", None))
    satisfaction = (await quality(database)).total.satisfaction
    assert satisfaction == Satisfaction(
        offered=4, answered=2, csat_offered=4, csat_answered=1, csat=1, satisfied=1, nps_offered=4
    )


async def test_what_a_survey_asks_for_can_be_told_with_the_offer(database: Database) -> None:
    await call(database, LONG_AGO, ANN, offer("short", kinds=["csat"]))
    await call(database, LONG_AGO, ANN, offer("long", kinds=["csat", "nps"]), answer("nps", 9, survey="long"))
    satisfaction = (await quality(database)).total.satisfaction
    assert (satisfaction.csat_offered, satisfaction.nps_offered, satisfaction.nps_answered) == (2, 1, 1)
    assert satisfaction.nps_points.value == 100


async def test_each_offer_has_its_own_answers(database: Database) -> None:
    twice = (offer(), answer("csat", 2), offer(agent="carl"), answer("csat", 5))
    await call(database, LONG_AGO, ANN, *twice)
    late = (offer(), *[(E.IVR_NO_INPUT, None, None, {})] * 3, answer("csat", 4))
    await call(database, LONG_AGO + DAY - timedelta(seconds=3), ANN, *late)  # answered after midnight
    report = await quality(database, until=LONG_AGO + DAY)
    assert report.by_agent["bob"].satisfaction.csat_share.value == 0.5
    assert report.by_agent["carl"].satisfaction.csat_share.value == 1
    only = await quality(database, agent="carl", interval=Interval.HALF_HOUR)
    assert only.total.satisfaction.offered == 1


async def test_a_queue_that_never_was(database: Database, postgres_url: str, tmp_path: Any) -> None:
    name = await database.fetchval("SELECT current_database()")
    url = postgres_url.replace("@/postgres?", f"@/{name}?")
    settings = Settings.model_validate({"data_dir": tmp_path, "database": {"url": url}})
    span: Any = {"since": LONG_AGO, "until": LONG_AGO + DAY}
    with pytest.raises(NotFoundError, match="no such queue: sales"):
        await read_quality(settings, **span, queue="sales")
    with pytest.raises(UsageError, match="no such interval"):
        await read_quality(settings, **span, interval="5")
    await call(database, LONG_AGO, ANN, *answered())
    report = await read_quality(settings, **span, queue="sales")
    assert replace(report, by_interval=[], by_queue={}, by_agent={}).total.resolution.first == 1
