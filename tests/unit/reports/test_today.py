"""The day's figures, counted event by event, equal the report of the day."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from callcenter.config import Metrics
from callcenter.events import EndCause, Event, EventType, LeftReason
from callcenter.reports.definitions import ServiceLevel
from callcenter.reports.summary import summarise
from callcenter.reports.today import TYPES, DayFigures, Today
from callcenter.timeline import build

E = EventType
METRICS = Metrics(timezone="Europe/Berlin")
NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
MIDNIGHT = datetime(2025, 3, 2, 23, tzinfo=UTC)  # of the third of March in Berlin

Step = tuple[float, EventType, str | None, dict[str, Any]]


def happen(today: Today, start: datetime, *steps: Step, number: int = 1) -> None:
    for seq, (second, kind, queue, data) in enumerate(steps, start=2):
        at = start + timedelta(seconds=second)
        today.take(Event(kind, at, UUID(int=number), seq, queue=queue, data=data))


def day(now: datetime = NOON) -> Today:
    today = Today(METRICS)
    today.begin(now)
    return today


def entered(second: float = 0, queue: str = "sales") -> Step:
    return (second, E.QUEUE_ENTERED, queue, {})


def test_a_day_worked_by_hand() -> None:
    today = day()
    happen(today, NOON, entered(), (20, E.AGENT_CONNECTED, "sales", {}), number=1)  # at the limit
    happen(today, NOON, entered(), (21, E.AGENT_CONNECTED, "sales", {}), number=2)
    happen(today, NOON, entered(), (6, E.QUEUE_ABANDONED, "sales", {}), number=3)  # short
    happen(today, NOON, entered(), (7, E.QUEUE_ABANDONED, "sales", {}), number=4)
    happen(today, NOON, entered(), (9, E.QUEUE_LEFT, "sales", {"reason": "key"}), number=5)
    happen(today, NOON, entered(), (9, E.QUEUE_LEFT, "sales", {"reason": "full"}), number=6)
    happen(today, NOON, entered(), number=7)  # still waits
    sales = today.by_queue["sales"]
    assert sales == DayFigures(5, 2, 2, 1, 1)
    assert sales.service_level.value == pytest.approx(1 / 3)
    assert DayFigures().service_level.value is None
    assert sales + sales == DayFigures(10, 4, 4, 2, 2)


def test_a_contact_belongs_to_the_day_on_which_it_came() -> None:
    today = day(MIDNIGHT + timedelta(hours=1))
    before, after = MIDNIGHT - timedelta(seconds=1), MIDNIGHT
    happen(today, before, entered(), (5, E.AGENT_CONNECTED, "sales", {}), number=1)
    assert today.by_queue == {}
    happen(today, after, entered(), (5, E.AGENT_CONNECTED, "sales", {}), number=2)
    assert today.by_queue["sales"].answered == 1
    happen(today, after, entered(), number=3)
    assert today.begin(MIDNIGHT + timedelta(hours=23, minutes=59)) == MIDNIGHT
    assert today.by_queue["sales"].answered == 1
    assert today.begin(MIDNIGHT + timedelta(hours=24)) == MIDNIGHT + timedelta(hours=24)
    assert today.by_queue == {}
    happen(today, after, (9, E.AGENT_CONNECTED, "sales", {}), number=3)  # came yesterday
    assert today.by_queue == {}


def test_an_agent_who_was_lost_at_once_has_answered_nobody() -> None:
    today = day()
    lost = (8, E.CONVERSATION_ENDED, "sales", {"by": "system", "bridge": "failed"})
    happen(today, NOON, entered(), (5, E.AGENT_CONNECTED, "sales", {}), lost, number=1)
    assert today.by_queue["sales"] == DayFigures()
    happen(today, NOON, (30, E.AGENT_CONNECTED, "sales", {}), number=1)
    assert today.by_queue["sales"] == DayFigures(offered=1, answered=1)  # too late for 20 s


def test_who_is_turned_away_at_the_door() -> None:
    today = day()
    for number, reason in enumerate(("full", "closed", "empty", "timeout")):
        happen(today, NOON, (0, E.QUEUE_LEFT, "sales", {"reason": reason}), number=number)
    assert today.by_queue["sales"] == DayFigures(offered=1)  # the queue was empty of agents


def history(dice: random.Random, number: int) -> list[Event]:
    """A call as it may come, and as it never should."""
    kinds = [*TYPES, E.QUEUE_ENTERED, E.AGENT_CONNECTED, E.IVR_ENTERED, E.HOLD_STARTED, E.HOLD_ENDED]
    at = MIDNIGHT + timedelta(seconds=dice.randrange(80_000))
    events = [Event(E.CALL_STARTED, at, UUID(int=number), 1, data={"direction": "inbound"})]
    for seq in range(2, dice.randrange(3, 12)):
        at += timedelta(seconds=dice.choice([0, 3, 7, 15, 30]))
        kind = dice.choice(kinds)
        data = {"reason": dice.choice([*LeftReason]).value, "cause": dice.choice([*EndCause]).value}
        if dice.random() < 0.3:
            data["bridge"] = "failed"
        queue = dice.choice(["sales", "support"])
        events.append(Event(kind, at, UUID(int=number), seq, queue=queue, agent="bob", data=data))
        if kind is E.CALL_ENDED:
            break
    return events


@pytest.mark.parametrize("seed", range(5))
def test_random_days_equal_the_report(seed: int) -> None:
    dice = random.Random(seed)
    calls = [history(dice, number) for number in range(400)]
    today = day()
    for event in sorted((event for call in calls for event in call), key=lambda event: event.at):
        today.take(event)
    report = summarise(
        [build(call, None) for call in calls], METRICS, since=MIDNIGHT, until=MIDNIGHT + timedelta(days=1)
    )
    for queue, figures in report.by_queue.items():
        assert today.by_queue[queue] == DayFigures(
            figures.offered,
            figures.answered,
            figures.abandoned,
            figures.short_abandoned,
            figures.answered_in_time,
        )
        assert today.by_queue[queue].service_level == figures.service_levels[ServiceLevel.STANDARD]
