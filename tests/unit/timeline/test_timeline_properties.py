"""What holds for every call, whatever happens in it: checked on random histories."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.events import EndCause, Event, EventType, LeftReason, Outcome
from callcenter.timeline import Contact, ContactEnd, Timeline, build

E = EventType
START = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
OFFER_REFUSALS = (E.OFFER_REJECTED, E.OFFER_NO_ANSWER, E.OFFER_CANCELLED)
SLACK_S = 1e-3  # sums of floats; the events themselves are exact microseconds


@dataclass
class History:
    """Writes a call down step by step, with a random pause before each step."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    at: datetime = START
    events: list[Event] = field(default_factory=list)

    def add(
        self, kind: EventType, /, queue: str | None = None, agent: str | None = None, **data: Any
    ) -> None:
        pause_us = self.draw(st.one_of(st.just(0), st.integers(0, 90_000_000)))
        self.at += timedelta(microseconds=pause_us)
        self.events.append(
            Event(kind, self.at, UUID(int=1), len(self.events) + 1, queue=queue, agent=agent, data=data)
        )

    def chance(self) -> bool:
        return bool(self.draw(st.booleans()))

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def in_flow(self) -> None:
        for _ in range(self.draw(st.integers(1, 2))):
            self.add(E.IVR_ENTERED, flow="main", node="menu")

    def in_queue(self) -> str | None:
        """Wait; return what ended it: an agent's name, ``abandoned``, a reason, or ``None`` for a cut."""
        queue = self.one_of("sales", "billing")
        self.add(E.QUEUE_ENTERED, queue, position=self.draw(st.integers(1, 9)))
        for _ in range(self.draw(st.integers(0, 2))):
            agent = self.one_of("ann", "bob")
            self.add(E.OFFER_SENT, queue, agent)
            self.add(self.one_of(*OFFER_REFUSALS), queue, agent)
        how = self.one_of("agent", "abandoned", "left", "cut")
        if how == "abandoned":
            self.add(E.QUEUE_ABANDONED, queue, position=1, original_position=2)
        elif how == "left":
            how = self.one_of(*LeftReason)
            self.add(E.QUEUE_LEFT, queue, reason=str(how))
        elif how == "agent":
            self.in_conversation(queue)
        return str(how)

    def in_conversation(self, queue: str) -> None:
        agent = self.one_of("ann", "bob")
        self.add(E.OFFER_SENT, queue, agent)
        self.add(E.OFFER_ACCEPTED, queue, agent)
        self.add(E.AGENT_CONNECTED, queue, agent)
        for _ in range(self.draw(st.integers(0, 2))):
            self.add(E.HOLD_STARTED, queue, agent)
            self.add(E.HOLD_ENDED, queue, agent)
        self.add(E.CONVERSATION_ENDED, queue, agent, by=self.one_of("customer", "agent", "system"))
        self.add(E.ACW_STARTED, queue, agent)

    def whole_call(self) -> None:
        self.add(E.CALL_STARTED, direction="inbound")
        self.add(E.CALL_ANSWERED)
        self.in_flow()
        over = False
        for _ in range(self.draw(st.integers(0, 3))):
            how = self.in_queue()
            over = how in {"abandoned", "cut"}
            if over:
                break
            if self.chance():
                self.in_flow()
        if self.chance():
            self.add(E.RECORDING_STARTED, kind=self.one_of("voicemail", "conversation"))
        causes = (EndCause.CALLER_HANGUP, EndCause.FAILED) if over else tuple(EndCause)
        self.add(E.CALL_ENDED, cause=str(self.one_of(*causes)))
        for agent in ("ann", "bob"):
            if self.chance():
                self.add(E.ACW_ENDED, agent=agent)


@st.composite
def histories(draw: Callable[[st.SearchStrategy[Any]], Any]) -> list[Event]:
    history = History(draw)
    history.whole_call()
    return history.events


def parts_s(call: Timeline) -> float:
    return call.ivr_s + sum(c.wait_s + c.talk_s + c.hold_s for c in call.contacts)


def ended_at(events: list[Event]) -> int:
    return next(n for n, event in enumerate(events, start=1) if event.type is E.CALL_ENDED)


@given(histories(), st.integers(0, 10_000))
def test_parts_are_never_negative_and_never_more_than_the_whole(events: list[Event], later_s: int) -> None:
    for length in range(1, len(events) + 1):
        prefix = events[:length]
        call = build(prefix, prefix[-1].at + timedelta(seconds=later_s))
        assert 0 <= parts_s(call) <= call.total_s + SLACK_S
        for contact in call.contacts:
            assert min(contact.ring_s, contact.talk_s, contact.hold_s, contact.acw_s) >= 0
            assert contact.ring_s <= contact.wait_s + SLACK_S


@given(histories())
def test_an_ended_call_has_exactly_one_outcome_and_no_open_contact(events: list[Event]) -> None:
    call = build(events, None)
    assert call.outcome in set(Outcome)
    assert all(contact.ended is not ContactEnd.OPEN for contact in call.contacts)
    failed = call.end_cause is EndCause.FAILED
    bridged = any(contact.connected_at for contact in call.contacts)
    assert (call.outcome is Outcome.ANSWERED) == (bridged and not failed)
    assert call.outcome is Outcome.FAILED or not failed


@given(histories())
def test_there_is_one_contact_per_queue_entry(events: list[Event]) -> None:
    entries = [(event.queue, event.at) for event in events if event.type is E.QUEUE_ENTERED]
    assert [(contact.queue, contact.entered_at) for contact in build(events, None).contacts] == entries


@given(histories())
def test_talk_and_hold_fill_the_time_from_agent_to_end(events: list[Event]) -> None:
    for contact in build(events, None).contacts:
        if contact.connected_at and contact.conversation_ended_at:
            span = contact.conversation_ended_at - contact.connected_at
            assert contact.talk_s + contact.hold_s == pytest.approx(span.total_seconds(), abs=1e-6)
            assert contact.wait_s == pytest.approx(
                (contact.connected_at - contact.entered_at).total_seconds()
            )


@given(histories())
def test_what_is_closed_stays_as_it_is_but_for_wrap_up(events: list[Event]) -> None:
    calls = [build(events[:length], None) for length in range(1, len(events) + 1)]
    end = ended_at(events)
    assert all(call.outcome is None for call in calls[: end - 1])
    for before, after in pairwise(calls[end - 1 :]):
        assert without_wrap_up(after) == without_wrap_up(before)
    for before, after in pairwise(calls):
        for earlier, later in zip(before.contacts, after.contacts, strict=False):
            over = earlier.conversation_ended_at or earlier.ended not in (
                ContactEnd.OPEN,
                ContactEnd.ANSWERED,
            )
            assert not over or frozen(later) == frozen(earlier)
            assert later.ended is earlier.ended or earlier.ended is ContactEnd.OPEN
            assert later.acw_s >= earlier.acw_s


def frozen(contact: Contact) -> Contact:
    return replace(contact, acw_s=0)


def without_wrap_up(call: Timeline) -> Timeline:
    return replace(call, contacts=tuple(frozen(contact) for contact in call.contacts))


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(events: list[Event], chance: random.Random) -> None:
    shuffled = list(events)
    chance.shuffle(shuffled)
    assert build(shuffled, None) == build(events, None)


@given(histories())
def test_wrap_up_written_beside_another_event_of_the_same_instant_may_come_first(events: list[Event]) -> None:
    """The agent's side and the caller's side number their events in the order they reach the log."""
    plain = build(events, None)
    for place, (first, second) in enumerate(pairwise(events)):
        wraps = {first.type, second.type} & {E.ACW_STARTED, E.ACW_ENDED}
        if first.at != second.at or len(wraps) != 1 or E.CONVERSATION_ENDED in {first.type, second.type}:
            continue
        swapped = list(events)
        swapped[place] = replace(second, seq=first.seq)
        swapped[place + 1] = replace(first, seq=second.seq)
        assert build(swapped, None) == plain


@given(histories(), st.floats(0, 120), st.floats(0, 120))
def test_a_threshold_moves_calls_only_between_short_and_other_abandons(
    events: list[Event], one_s: float, other_s: float
) -> None:
    abandons = {Outcome.ABANDONED, Outcome.SHORT_ABANDONED}
    one, other = build(events, None, one_s), build(events, None, other_s)
    assert one.outcome is other.outcome or {one.outcome, other.outcome} == abandons
    if one_s <= other_s and one.outcome is Outcome.SHORT_ABANDONED:
        assert other.outcome is Outcome.SHORT_ABANDONED
