"""The conversations of a call, from its events."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from callcenter.events import Event, EventType
from callcenter.reports.conversations import Conversation, conversations

E = EventType
NINE = datetime(2025, 3, 3, 9, tzinfo=UTC)
CALL = UUID(int=1)


def at(second: float) -> datetime:
    return NINE + timedelta(seconds=second)


def events(*steps: tuple[float, EventType, str | None, str | None]) -> list[Event]:
    start = (0.0, E.CALL_STARTED, None, None)
    return [
        Event(kind, at(second), CALL, seq, queue=queue, agent=agent)
        for seq, (second, kind, queue, agent) in enumerate([start, *steps], start=1)
    ]


def test_one_conversation_with_a_hold() -> None:
    found = conversations(
        reversed(
            events(
                (5, E.QUEUE_ENTERED, "sales", None),
                (10, E.AGENT_CONNECTED, "sales", "bob"),
                (20, E.HOLD_STARTED, "sales", "bob"),
                (32.5, E.HOLD_ENDED, "sales", "bob"),
                (70, E.CONVERSATION_ENDED, "sales", "bob"),
                (70, E.CALL_ENDED, None, None),
            )
        )
    )
    assert found == [Conversation("sales", "bob", at(5), (10_000, 70_000), ((20_000, 32_500),))]


def test_a_transfer_to_a_queue_and_a_hold_that_the_end_cuts() -> None:
    first, second = conversations(
        events(
            (5, E.QUEUE_ENTERED, "sales", None),
            (10, E.AGENT_CONNECTED, "sales", "bob"),
            (15, E.HOLD_STARTED, "sales", "bob"),
            (20, E.QUEUE_ENTERED, "support", None),  # the first conversation ends with it
            (26, E.AGENT_CONNECTED, "support", "carl"),
            (30, E.HOLD_STARTED, "support", "carl"),
            (40, E.CALL_ENDED, None, None),
        )
    )
    assert first == Conversation("sales", "bob", at(5), (10_000, 20_000), ((15_000, 20_000),))
    assert second == Conversation("support", "carl", at(20), (26_000, 40_000), ((30_000, 40_000),))


def test_a_consultation_is_a_hold_and_the_second_agent_follows_the_first() -> None:
    first, second = conversations(
        events(
            (5, E.QUEUE_ENTERED, "sales", None),
            (10, E.AGENT_CONNECTED, "sales", "bob"),
            (20, E.CONSULT_STARTED, "sales", "bob"),
            (21, E.HOLD_STARTED, "sales", "bob"),
            (29, E.HOLD_ENDED, "sales", "bob"),
            (30, E.CONSULT_ENDED, "sales", "bob"),
            (30, E.AGENT_CONNECTED, "sales", "carl"),
            (50, E.CONVERSATION_ENDED, "sales", "carl"),
        )
    )
    assert (first.agent, first.span, first.holds) == (
        "bob",
        (10_000, 30_000),
        ((21_000, 29_000), (20_000, 30_000)),
    )
    assert (second.agent, second.span, second.holds, second.at) == ("carl", (30_000, 50_000), (), at(5))


def test_an_agent_who_is_lost_at_once_has_no_conversation() -> None:
    told = events(
        (5, E.QUEUE_ENTERED, "sales", None),
        (10, E.AGENT_CONNECTED, "sales", "bob"),
        (12, E.CONVERSATION_ENDED, "sales", "bob"),
        (20, E.AGENT_CONNECTED, "sales", "carl"),
        (30, E.CALL_ENDED, None, None),
    )
    told[3] = replace(told[3], data={"by": "agent", "bridge": "failed"})
    assert [one.agent for one in conversations(told)] == ["carl"]


def test_what_is_no_conversation() -> None:
    assert conversations([]) == []
    assert conversations(events((5, E.QUEUE_ENTERED, "sales", None), (9, E.CALL_ENDED, None, None))) == []
    still_on = events((5, E.AGENT_CONNECTED, None, "bob"))
    assert conversations(still_on) == []
    over = events(
        (5, E.AGENT_CONNECTED, None, "bob"), (4, E.HOLD_ENDED, None, None), (9, E.CALL_ENDED, None, None)
    )
    assert conversations(over) == [Conversation(None, "bob", at(5), (5000, 9000), ())]
