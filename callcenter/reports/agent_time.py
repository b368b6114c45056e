"""Agents' time, from their changes of state, split over the intervals it spans."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from callcenter.events import Event, EventType
from callcenter.reports.intervals import Window, locate
from callcenter.reports.tally import Tally

OCCUPIED = frozenset({"talking", "wrap_up"})
AVAILABLE = frozenset({"available"})
UNAVAILABLE = frozenset({"break"})
UNPAID = frozenset({"offline"})
KINDS: Mapping[str, frozenset[str]] = {
    "occupied_us": OCCUPIED,
    "available_us": AVAILABLE,
    "unavailable_us": UNAVAILABLE,
}
TIMES = (*KINDS, "paid_us")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """An agent was in one state from start to end (not included)."""

    agent: str
    state: str
    start: datetime
    end: datetime


def spans(events: Sequence[Event], since: datetime, until: datetime) -> list[Span]:
    """Join each agent's changes of state into spans that reach into [since, until).

    The events are all that happened in the range, and before it at least each agent's last. A state lasts
    until the next change, the last one until ``until``; what an agent did before the first is not known.
    """
    by_agent: defaultdict[str, list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda event: (event.at, event.event_id or 0)):
        if event.type is EventType.AGENT_STATE and event.agent and event.at < until:
            by_agent[event.agent].append(event)
    found = []
    for agent, changes in by_agent.items():
        borders = [*(change.at for change in changes), until]
        found += [
            Span(agent, str(state), start, end)
            for change, (start, end) in zip(changes, pairwise(borders), strict=True)
            if (state := change.data.get("to")) and start < end and end > since
        ]
    return found


def split(span: Span, cut: Sequence[Window]) -> Iterator[tuple[int, Span]]:
    """Give the parts of a span that lie in each window, with the window's index."""
    if not cut or span.start >= cut[-1].end or span.end <= cut[0].start:
        return
    index = locate(cut, max(span.start, cut[0].start)) or 0
    for place in range(index, len(cut)):
        start, end = max(span.start, cut[place].start), min(span.end, cut[place].end)
        if start >= end:
            return
        yield place, Span(span.agent, span.state, start, end)


def add_span(tally: Tally, span: Span) -> None:
    """Count a span. Ringing and reserved time is paid, but neither work nor idleness."""
    length_us = (span.end - span.start) // _MICROSECOND
    for name, states in KINDS.items():
        if span.state in states:
            setattr(tally, name, getattr(tally, name) + length_us)
    if span.state not in UNPAID:
        tally.paid_us += length_us


def share_agents_time(
    queues: Mapping[str, Tally], agents: Mapping[str, Tally], handled_us: Mapping[tuple[str, str], int]
) -> None:
    """Give each queue its part of its agents' time: as much as of their handle time went to its contacts.

    ``handled_us`` is by agent and queue. The parts add up to the agents' time exactly, the last queue in
    the alphabet taking what rounding leaves. The log does not tell whom an agent waited for who handled
    nothing in the range, so such time is no queue's; a queue without a row gets nothing.
    """
    for agent, time in agents.items():
        parts = sorted((queue, us) for (who, queue), us in handled_us.items() if who == agent and us > 0)
        whole = sum(us for _, us in parts)
        given = dict.fromkeys(TIMES, 0)
        for queue, us in parts:
            last = queue == parts[-1][0]
            for name in TIMES:
                total = getattr(time, name)
                part = total - given[name] if last else total * us // whole
                given[name] += part
                if queue in queues:
                    setattr(queues[queue], name, getattr(queues[queue], name) + part)
