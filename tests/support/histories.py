"""Random days of a call center, as events: whatever may happen to a call, in any order of arrival."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from callcenter.events import EndCause, Event, EventType, LeftReason
from callcenter.storage.closing import closing_events

E = EventType
QUEUES = ("billing", "sales", "support")
AGENTS = ("ann", "bob", "cleo")
NODE = UUID(int=7)
START = datetime(2025, 3, 29, 20, tzinfo=UTC)  # Berlin's clock changes in the night that follows
REFUSED_OFFERS = (E.OFFER_REJECTED, E.OFFER_NO_ANSWER, E.OFFER_CANCELLED)


@dataclass
class Writer:
    """Writes one call down, with a random pause before each step."""

    chance: random.Random
    at: datetime
    call_id: UUID
    events: list[Event] = field(default_factory=list)

    def add(self, type_: EventType, queue: str | None = None, agent: str | None = None, **data: Any) -> None:
        # Whole and half seconds are common, so that waits meet thresholds exactly.
        pause_us = self.chance.choice([0, 500_000, 6_000_000, self.chance.randrange(90_000_000)])
        self.at += timedelta(microseconds=pause_us)
        seq = len(self.events) + 1
        self.events.append(Event(type_, self.at, self.call_id, seq, self.call_id, queue, agent, data=data))

    def begin(self, direction: str) -> None:
        given = {"direction": direction, "gateway": "twilio", "call_ref": self.call_id.hex}
        numbers = {"from": "+12025550101", "to": "+12025550199", "node_id": str(NODE)}
        self.add(E.CALL_STARTED, **given, **numbers)

    def come_in(self) -> None:
        self.begin("inbound")
        self.add(E.CALL_ANSWERED)
        self.add(E.IVR_ENTERED, flow="main", node="menu")
        for _ in range(self.chance.choice([0, 1, 1, 1, 2, 3])):
            if self.wait() in {"abandoned", "cut"}:
                break
            if self.chance.random() < 0.3:
                self.add(E.IVR_ENTERED, flow="main", node="menu")

    def wait(self) -> str:
        """Enter a queue; how the stay ended."""
        queue = self.chance.choice(QUEUES)
        if self.chance.random() < 0.1:
            self.add(E.QUEUE_LEFT, queue, reason=self.chance.choice(["full", "closed", "empty"]))
            return "left"
        self.add(E.QUEUE_ENTERED, queue, position=self.chance.randint(1, 9), priority=0)
        for _ in range(self.chance.choice([0, 0, 1, 2])):
            agent = self.chance.choice(AGENTS)
            self.add(E.OFFER_SENT, queue, agent)
            self.add(self.chance.choice(REFUSED_OFFERS), queue, agent)
        how = self.chance.choice(["answered", "answered", "abandoned", "left", "moved", "cut"])
        if how == "answered":
            self.talk(queue)
        elif how == "abandoned":
            self.add(E.QUEUE_ABANDONED, queue, position=1, original_position=2)
        elif how == "left":
            self.add(E.QUEUE_LEFT, queue, reason=self.chance.choice(list(LeftReason)).value)
        return how

    def talk(self, queue: str) -> None:
        agent = self.chance.choice(AGENTS)
        self.add(E.OFFER_SENT, queue, agent)
        self.add(E.OFFER_ACCEPTED, queue, agent)
        self.converse(queue, agent)

    def converse(self, queue: str, agent: str) -> None:
        self.add(E.AGENT_CONNECTED, queue, agent)
        for _ in range(self.chance.choice([0, 0, 1, 2])):
            self.add(E.HOLD_STARTED, queue, agent)
            self.add(E.HOLD_ENDED, queue, agent)
        if self.chance.random() < 0.2:
            self.add(E.CONVERSATION_ENDED, queue, agent, by="transfer")
            self.add(E.ACW_STARTED, queue, agent)
            queue, agent = self.chance.choice(QUEUES), self.chance.choice(AGENTS)
            self.add(E.AGENT_CONNECTED, queue, agent)
        if self.chance.random() < 0.8:
            bridge = {"bridge": "failed"} if self.chance.random() < 0.1 else {}
            self.add(E.CONVERSATION_ENDED, queue, agent, by="agent", **bridge)
        if self.chance.random() < 0.9:
            self.add(E.ACW_STARTED, queue, agent)

    def call_back(self) -> None:
        """Ring a customer who asked for it: the agent first, or the customer."""
        queue = self.chance.choice(QUEUES)
        self.begin("callback")
        if self.chance.random() < 0.5:
            self.add(E.CALL_ANSWERED)
            if self.chance.random() < 0.8:
                self.wait()
            return
        if self.chance.random() < 0.5:
            self.add(E.QUEUE_ENTERED, queue, position=1, priority=0)
        agent = self.chance.choice(AGENTS)
        self.add(E.OFFER_SENT, queue, agent)
        if self.chance.random() < 0.2:
            self.add(self.chance.choice(REFUSED_OFFERS), queue, agent)
            return
        self.add(E.OFFER_ACCEPTED, queue, agent)
        if self.chance.random() < 0.7:
            self.add(E.CALL_ANSWERED)
            if self.chance.random() < 0.8:
                self.converse(queue, agent)

    def end(self) -> None:
        if self.chance.random() < 0.1:
            self.add(E.RECORDING_STARTED, kind="voicemail")
        self.add(E.CALL_ENDED, cause=self.chance.choice(list(EndCause)).value, outcome="failed")
        for event in [event for event in self.events if event.type is E.ACW_STARTED]:
            self.add(E.ACW_ENDED, event.queue, event.agent)


def call(chance: random.Random, at: datetime) -> list[Event]:
    """One call: whole, still going on, or cut off by a crash and then closed by another process."""
    writer = Writer(chance, at, UUID(int=chance.getrandbits(128)))
    if chance.random() < 0.2:
        writer.call_back()
    else:
        writer.come_in()
    writer.end()
    if chance.random() < 0.25:
        kept = writer.events[: chance.randint(1, len(writer.events))]
        crashed = chance.random() < 0.5
        return [*kept, *closing_events(kept, None, at + timedelta(days=1))] if crashed else kept
    return writer.events


def states(chance: random.Random, agent: str, start: datetime, until: datetime) -> list[Event]:
    """An agent's changes of state, from offline on."""
    found, at, before = [], start, "offline"
    while at < until:
        after = chance.choice(["available", "talking", "wrap_up", "break", "ringing", "offline"])
        found.append(Event(E.AGENT_STATE, at, agent=agent, data={"from": before, "to": after, "reason": ""}))
        at += timedelta(microseconds=chance.randrange(1, 20_000_000_000))
        before = after
    return found


def history(seed: int, start: datetime, until: datetime, calls: int) -> list[Event]:
    """Everything that happened in [start, until), in the order of happening."""
    chance = random.Random(seed)
    span_s = int((until - start).total_seconds())
    events = [
        event
        for _ in range(calls)
        for event in call(chance, start + timedelta(seconds=chance.randrange(span_s)))
    ]
    events += [event for agent in AGENTS for event in states(chance, agent, start, until)]
    return sorted(events, key=lambda event: (event.at, event.seq or 0))


def batches(chance: random.Random, events: Sequence[Event]) -> list[list[Event]]:
    """How they may reach the log: several processes' batches crossing, some after an outage of hours.

    The beginning of a call comes first, as the processes see to.
    """
    late = [chance.random() < 0.15 for _ in events]
    begins = [event.type is E.CALL_STARTED for event in events]
    first = [
        event for event, is_late, begin in zip(events, late, begins, strict=True) if begin or not is_late
    ]
    last = [
        event for event, is_late, begin in zip(events, late, begins, strict=True) if is_late and not begin
    ]
    chance.shuffle(last)
    found = []
    for part in (first, last):
        while part:
            size = chance.randint(1, 60)
            found.append(part[:size])
            part = part[size:]
    return found
