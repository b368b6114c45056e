"""Agents' time, from their changes of state, split over the intervals it spans."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from callcenter.config import Metrics
from callcenter.events import Event, EventType
from callcenter.reports.definitions import Figures
from callcenter.reports.intervals import Window, locate

OCCUPIED = frozenset({"talking", "wrap_up"})
AVAILABLE = frozenset({"available"})
UNAVAILABLE = frozenset({"break"})
UNPAID = frozenset({"offline"})
_ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class Span:
    """An agent was in one state from start to end (not included)."""

    agent: str
    state: str
    start: datetime
    end: datetime


def spans(events: Sequence[Event], since: datetime, until: datetime) -> list[Span]:
    """Join each agent's changes of state into spans; the last one lasts until ``until``.

    The events are all that happened from ``since`` on, or from earlier. The first change of an agent tells
    by its ``from`` what he did between ``since`` and then.
    """
    by_agent: defaultdict[str, list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda event: (event.at, event.event_id or 0)):
        if event.type is EventType.AGENT_STATE and event.agent and event.at < until:
            by_agent[event.agent].append(event)
    found = []
    for agent, changes in by_agent.items():
        states = [changes[0].data.get("from"), *(change.data.get("to") for change in changes)]
        borders = [min(since, changes[0].at), *(change.at for change in changes), until]
        found += [
            Span(agent, str(state), start, end)
            for state, (start, end) in zip(states, pairwise(borders), strict=True)
            if state and start < end
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


def of_span(span: Span, thresholds: Metrics) -> Figures:
    """Count a span. Ringing and reserved time is paid, but neither work nor idleness."""

    def within(states: frozenset[str]) -> timedelta:
        return span.end - span.start if span.state in states else _ZERO

    paid = _ZERO if span.state in UNPAID else span.end - span.start
    return Figures(
        thresholds,
        occupied=within(OCCUPIED),
        available=within(AVAILABLE),
        unavailable=within(UNAVAILABLE),
        paid=paid,
    )
