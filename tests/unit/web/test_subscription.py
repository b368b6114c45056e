from datetime import UTC, datetime
from typing import Any

import pytest

from callcenter.errors import CallCenterError
from callcenter.web.feed import FeedEvent, Standing
from callcenter.web.principal import Principal, Role
from callcenter.web.subscription import QUEUE_SIZE, Interest, Subscriber, Topic

ANN = Principal("ann", Role.AGENT, "ann")
SUE = Principal("sue", Role.SUPERVISOR)
ROOT = Principal("root", Role.ADMIN)
ALL = frozenset(Topic)


def event(queue: str | None = "sales", agent: str | None = "ann") -> FeedEvent:
    return FeedEvent(1, queue, agent, {}, None)


def test_a_supervisor_gets_every_event_of_the_topics_asked_for() -> None:
    interest = Interest(frozenset({Topic.EVENTS}), SUE)
    assert interest.wants(Topic.EVENTS, event(agent="bob"))
    assert not interest.wants(Topic.TRANSCRIPT, event())


def test_an_agent_gets_the_own_calls_only() -> None:
    interest = Interest(ALL, ANN)
    assert interest.wants(Topic.TRANSCRIPT, event(agent="ann"))
    assert not interest.wants(Topic.TRANSCRIPT, event(agent="bob"))
    assert not interest.wants(Topic.TRANSCRIPT, event(agent=None))


def test_an_agent_without_an_id_sees_no_unassigned_call() -> None:
    assert not Interest(ALL, Principal("x", Role.AGENT)).wants(Topic.EVENTS, event(agent=None))


def test_a_queue_narrows() -> None:
    interest = Interest(ALL, SUE, "sales")
    assert interest.wants(Topic.EVENTS, event("sales"))
    assert not interest.wants(Topic.EVENTS, event("support"))
    assert not interest.wants(Topic.EVENTS, event(None))


def standing(**changes: Any) -> Standing:
    rows: dict[str, Any] = {
        "now": datetime(2025, 3, 1, tzinfo=UTC),
        "queues": [{"name": "sales"}, {"name": "support"}],
        "agents": [{"id": "ann", "queues": ["sales"]}, {"id": "bob", "queues": ["support"]}],
        "calls": [{"queue": "sales", "agent_id": "ann"}, {"queue": None, "agent_id": None}],
        "ended": [{"queue": "sales", "agent_id": "bob"}],
    }
    return Standing(**(rows | changes))


def test_the_view_of_an_agent_has_the_own_calls() -> None:
    view = Interest(ALL, ANN).view(standing())
    assert [row["agent_id"] for row in view.calls] == ["ann"]
    assert view.ended == []
    assert len(view.agents) == len(view.queues) == 2


def test_the_view_of_a_queue() -> None:
    view = Interest(ALL, SUE, "support").view(standing())
    assert ([row["name"] for row in view.queues], [row["id"] for row in view.agents]) == (
        ["support"],
        ["bob"],
    )
    assert not view.calls


def test_time_alone_is_no_change() -> None:
    assert standing() == standing(now=datetime(2025, 3, 2, tzinfo=UTC))
    assert standing() != standing(queues=[])


async def test_a_full_queue_refuses_and_a_dropped_watcher_gets_nothing_more() -> None:
    subscriber = Subscriber(Interest(ALL, SUE))
    assert all(subscriber.offer("x") for _ in range(QUEUE_SIZE))
    assert not subscriber.offer("x")
    assert await subscriber.next() == "x"
    subscriber.dropped = True
    assert await subscriber.next() is None


async def test_what_was_queued_before_the_close_is_still_delivered() -> None:
    subscriber = Subscriber(Interest(ALL, SUE))
    subscriber.offer("last")
    subscriber.close()
    assert [await subscriber.next(), await subscriber.next()] == ["last", None]


def test_roles() -> None:
    ANN.require_agent("ann")
    for refused in (
        lambda: ANN.require_agent("bob"),
        lambda: ANN.require_agent(None),
        ANN.require_supervisor,
        SUE.require_admin,
    ):
        with pytest.raises(CallCenterError):
            refused()
    SUE.require_agent("bob")
    ROOT.require_admin()
