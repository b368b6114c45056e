import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from callcenter.errors import CallCenterError
from callcenter.web.feed import FeedEvent
from callcenter.web.partials import LivePartial
from callcenter.web.principal import Principal, Role
from callcenter.web.standing import Standing
from callcenter.web.subscription import MAX_PARTIALS, QUEUE_SIZE, Interest, Subscriber, Topic

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


async def test_a_full_queue_refuses_and_a_dropped_watcher_gets_nothing_more() -> None:
    subscriber = Subscriber(Interest(ALL, SUE))
    assert all(subscriber.offer("x") for _ in range(QUEUE_SIZE))
    assert not subscriber.offer("x")
    assert await subscriber.next() == "x"
    subscriber.dropped = True
    assert await subscriber.next() is None


def partial(queue: str | None = "sales", agent: str | None = "ann") -> LivePartial:
    return LivePartial(queue, agent, {"call_id": "1", "leg": "caller"})


def test_partials_go_where_the_words_of_the_call_go() -> None:
    assert Interest(ALL, ANN).wants(Topic.PARTIALS, partial())
    assert not Interest(ALL, ANN).wants(Topic.PARTIALS, partial(agent="bob"))
    assert not Interest(ALL, ANN).wants(Topic.PARTIALS, partial(agent=None))
    assert Interest(ALL, SUE, "sales").wants(Topic.PARTIALS, partial(agent=None))
    assert not Interest(ALL, SUE, "support").wants(Topic.PARTIALS, partial())
    assert not Interest(frozenset({Topic.TRANSCRIPT}), SUE).wants(Topic.PARTIALS, partial())


async def test_of_partials_the_newest_waits_and_messages_go_first() -> None:
    subscriber = Subscriber(Interest(ALL, SUE))
    caller, agent = ("1", "caller"), ("1", "agent")
    for number in range(3):
        subscriber.offer_partial(caller, f"caller {number}")
    subscriber.offer_partial(agent, "agent")
    subscriber.offer_partial(caller, "caller 3")
    subscriber.offer("segment")
    assert [await subscriber.next() for _ in range(3)] == ["segment", "agent", "caller 3"]
    waiting = asyncio.create_task(subscriber.next())
    await asyncio.sleep(0)
    subscriber.offer_partial(caller, "caller 4")
    assert await waiting == "caller 4"


async def test_partials_never_fill_the_queue_and_are_bounded() -> None:
    subscriber = Subscriber(Interest(ALL, SUE))
    for number in range(MAX_PARTIALS + 10):
        subscriber.offer_partial((str(number), "caller"), str(number))
    assert all(subscriber.offer("x") for _ in range(QUEUE_SIZE))
    for _ in range(QUEUE_SIZE):
        await subscriber.next()
    assert await subscriber.next() == "10"
    subscriber.close()
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
