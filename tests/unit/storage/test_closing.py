from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from callcenter.events import Event, EventType
from callcenter.storage.closing import closing_events

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALL = uuid4()
T = EventType


def history(*types: EventType) -> list[Event]:
    return [
        Event(
            type_,
            START + timedelta(seconds=seq),
            CALL,
            seq,
            CALL,
            queue="sales" if seq > 1 else None,
            agent="ann" if seq > 1 else None,
            event_id=seq,
        )
        for seq, type_ in enumerate(types, start=1)
    ]


def types_of(events: list[Event]) -> list[EventType]:
    return [event.type for event in events]


@pytest.mark.parametrize(
    ("before", "missing"),
    [
        ([T.CALL_STARTED], [T.CALL_ENDED]),
        ([T.CALL_STARTED, T.IVR_ENTERED], [T.CALL_ENDED]),
        ([T.CALL_STARTED, T.QUEUE_ENTERED], [T.CALL_ENDED]),
        ([T.CALL_STARTED, T.QUEUE_ENTERED, T.OFFER_SENT], [T.OFFER_CANCELLED, T.CALL_ENDED]),
        ([T.CALL_STARTED, T.OFFER_SENT, T.OFFER_NO_ANSWER], [T.CALL_ENDED]),
        ([T.CALL_STARTED, T.OFFER_SENT, T.OFFER_ACCEPTED], [T.CALL_ENDED]),
        (
            [T.CALL_STARTED, T.OFFER_SENT, T.OFFER_ACCEPTED, T.AGENT_CONNECTED],
            [T.CONVERSATION_ENDED, T.CALL_ENDED],
        ),
        (
            [T.CALL_STARTED, T.AGENT_CONNECTED, T.HOLD_STARTED],
            [T.HOLD_ENDED, T.CONVERSATION_ENDED, T.CALL_ENDED],
        ),
        (
            [T.CALL_STARTED, T.AGENT_CONNECTED, T.HOLD_STARTED, T.HOLD_ENDED],
            [T.CONVERSATION_ENDED, T.CALL_ENDED],
        ),
        (
            [T.CALL_STARTED, T.AGENT_CONNECTED, T.CONVERSATION_ENDED, T.CALL_ENDED, T.ACW_STARTED],
            [T.ACW_ENDED],
        ),
        ([T.CALL_STARTED, T.CALL_ENDED], []),
        ([], []),
    ],
)
def test_exactly_what_is_open_is_ended(before: list[EventType], missing: list[EventType]) -> None:
    assert types_of(closing_events(history(*before), START, START + timedelta(hours=1))) == missing


def test_numbers_go_on_and_details_are_kept() -> None:
    events = history(T.CALL_STARTED, T.QUEUE_ENTERED, T.AGENT_CONNECTED)
    ended, closed = closing_events(list(reversed(events)), None, START + timedelta(hours=1))
    assert (ended.seq, closed.seq) == (4, 5)
    assert (ended.queue, ended.agent, ended.data) == ("sales", "ann", {"by": "system"})
    assert (closed.chain_id, closed.data) == (CALL, {"cause": "failed", "outcome": "failed"})
    assert ended.event_id is None


@pytest.mark.parametrize(
    ("seen_s", "now_s", "at_s"),
    [(None, 60, 2), (0, 60, 2), (5, 60, 5), (90, 60, 60), (90, 1, 2)],
)
def test_the_end_is_the_last_sign_of_life(seen_s: int | None, now_s: int, at_s: int) -> None:
    seen = None if seen_s is None else START + timedelta(seconds=seen_s)
    events = history(T.CALL_STARTED, T.QUEUE_ENTERED)
    (end,) = closing_events(events, seen, START + timedelta(seconds=now_s))
    assert end.at == START + timedelta(seconds=at_s)


def test_two_agents_who_wrap_up_at_once_are_both_ended() -> None:
    events = history(T.CALL_STARTED, T.ACW_STARTED, T.ACW_STARTED, T.ACW_STARTED, T.ACW_ENDED)
    agents = [None, "ann", "bob", "cy", "bob"]
    events = [replace(event, agent=agent) for event, agent in zip(events, agents, strict=True)]
    closing = closing_events(events, None, START + timedelta(hours=1))
    assert [(event.type, event.agent, event.seq) for event in closing] == [
        (T.ACW_ENDED, "ann", 6),
        (T.ACW_ENDED, "cy", 7),
        (T.CALL_ENDED, None, 8),
    ]


def test_a_consult_and_every_supervisor_are_ended() -> None:
    before = (T.CALL_STARTED, T.AGENT_CONNECTED, T.MONITOR_STARTED, T.MONITOR_STARTED, T.MONITOR_ENDED)
    events = history(*before, T.HOLD_STARTED, T.CONSULT_STARTED)
    for place, user in ((2, "eve"), (3, "joe"), (4, "joe")):
        events[place] = replace(events[place], data={"user": user})
    closing = closing_events(events, None, START + timedelta(hours=1))
    assert [(event.type, dict(event.data)) for event in closing[:4]] == [
        (T.CONSULT_ENDED, {"result": "failed"}),
        (T.MONITOR_ENDED, {"user": "eve"}),
        (T.HOLD_ENDED, {}),
        (T.CONVERSATION_ENDED, {"by": "system"}),
    ]


def test_what_is_closed_stays_closed() -> None:
    events = history(T.CALL_STARTED, T.AGENT_CONNECTED, T.HOLD_STARTED)
    events += closing_events(events, None, START + timedelta(hours=1))
    assert closing_events(events, None, START + timedelta(hours=1)) == []
