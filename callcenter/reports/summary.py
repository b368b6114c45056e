"""A report: the figures of a range of time, as a whole, by queue, interval, hour of the day and agent."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum

from callcenter.config import Metrics
from callcenter.contact import Contact
from callcenter.events import Event
from callcenter.reports.agent_time import add_span, share_agents_time, spans, split
from callcenter.reports.definitions import Figures, merge
from callcenter.reports.intervals import Interval, Window, locate, reporting_zone, windows
from callcenter.reports.sections import Section
from callcenter.reports.tally import Tally
from callcenter.reports.waits import microseconds
from callcenter.timeline import INBOUND, Timeline


class CountBy(StrEnum):
    """To which interval a contact belongs."""

    OFFERED = "offered"  # the one in which it entered the queue
    HANDLED = "handled"  # the one in which it left the queue for an agent or otherwise


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of [since, until); a row of ``by_interval`` for each window, empty ones included.

    ``total`` is the sum of ``by_interval``: contacts that entered a queue, calls that began and agents'
    time spent in the range. Rows by queue have no calls, which can belong to several; of agents' time each
    has the share that ``share_agents_time`` gives it. ``by_hour`` is by hour of the day in the zone, where
    the intervals are no longer than that. ``sections`` are what others have to say about the same range.
    """

    since: datetime
    until: datetime
    zone: tzinfo
    interval: Interval
    queue: str | None
    counted_by: CountBy
    thresholds: Metrics
    total: Figures
    by_queue: Mapping[str, Figures]
    by_interval: Sequence[tuple[Window, Figures]]
    by_hour: Mapping[int, Figures]
    by_agent: Mapping[str, Figures]
    sections: tuple[Section, ...] = ()


def summarise(
    timelines: Iterable[Timeline],
    settings: Metrics,
    *,
    since: datetime,
    until: datetime,
    interval: Interval = Interval.DAY,
    queue: str | None = None,
    agent_states: Sequence[Event] = (),
    now: datetime | None = None,
    by: CountBy = CountBy.OFFERED,
) -> Summary:
    """Count what lies in [since, until); contacts and calls outside of it are passed over.

    With ``queue`` only its contacts count, and the calls that entered it; agents' time, which serves all
    queues, is then left out. ``agent_states`` are all ``agent.state`` events of the range, and some from
    before it for agents whose state did not change within; the last state lasts until ``now``. Contacts of
    calls that did not come in are nobody's offer: they count for their agent alone, and are none of the calls
    and outcomes. Raises as ``Count``.
    """
    count = Count(settings, since, until, interval, queue, by)
    for call in timelines:
        count.add(call)
    if queue is None:
        count.add_agent_states(agent_states, min(now or until, until))
    return count.summary()


@dataclass(slots=True)
class Count:
    """Everything that goes into the rows of a summary is added here; ``summary`` then gives it.

    Raises ``ConfigError`` for an unknown time zone and ``UsageError`` for too many intervals.
    """

    thresholds: Metrics
    since: datetime
    until: datetime
    interval: Interval = Interval.DAY
    queue: str | None = None
    by: CountBy = CountBy.OFFERED
    zone: tzinfo = field(init=False)
    cut: Sequence[Window] = field(init=False)
    windows: list[Tally] = field(init=False)
    queues: defaultdict[str, Tally] = field(init=False)
    agents: defaultdict[str, Tally] = field(init=False)
    handled_us: Counter[tuple[str, str]] = field(init=False)  # by agent and queue

    def __post_init__(self) -> None:
        self.zone = reporting_zone(self.thresholds.timezone)
        self.cut = windows(self.since, self.until, self.interval, self.zone)
        self.windows = [Tally() for _ in self.cut]
        self.queues, self.agents = defaultdict(Tally), defaultdict(Tally)
        self.handled_us = Counter()

    def add(self, call: Timeline) -> None:
        """Add a call and its contacts, as far as they belong here."""
        if self.queue is not None and all(contact.queue != self.queue for contact in call.contacts):
            return
        inbound = call.direction == INBOUND
        place = locate(self.cut, call.started_at) if inbound else None
        if place is not None:
            self.windows[place].add_call(call)
        for contact in call.contacts:
            if self.queue in (None, contact.queue):
                self._add_contact(contact, inbound=inbound)

    def _add_contact(self, contact: Contact, *, inbound: bool) -> None:
        at = contact.entered_at if self.by is CountBy.OFFERED else contact.left_at
        place = None if at is None else locate(self.cut, at)
        if place is None:
            return
        if inbound:
            self.windows[place].add_contact(contact)
            self.queues[contact.queue].add_contact(contact)
        if contact.agent is not None:
            self.agents[contact.agent].add_contact(contact)
            self.handled_us[contact.agent, contact.queue] += microseconds(contact.handle_s)

    def add_agent_states(self, events: Sequence[Event], until: datetime) -> None:
        """Add agents' time until then, from their changes of state."""
        for span in spans(events, self.since, until):
            for place, part in split(span, self.cut):
                add_span(self.windows[place], part)
                add_span(self.agents[span.agent], part)

    def summary(self) -> Summary:
        """What was added, row by row."""
        by_interval = [self._figures(tally) for tally in self.windows]
        total = merge(by_interval, self.thresholds)
        if self.queue is None:
            share_agents_time(self.queues, self.agents, self.handled_us)
        return Summary(
            since=self.since,
            until=self.until,
            zone=self.zone,
            interval=self.interval,
            queue=self.queue,
            counted_by=self.by,
            thresholds=self.thresholds,
            total=total,
            by_queue={name: self._figures(tally) for name, tally in sorted(self.queues.items())},
            by_interval=tuple(zip(self.cut, by_interval, strict=True)),
            by_hour=self._by_hour(by_interval),
            by_agent={name: self._figures(tally) for name, tally in sorted(self.agents.items())},
        )

    def _by_hour(self, by_interval: Sequence[Figures]) -> dict[int, Figures]:
        if self.interval is Interval.DAY:
            return {}
        hours: defaultdict[int, list[Figures]] = defaultdict(list)
        for window, figures in zip(self.cut, by_interval, strict=True):
            hours[window.start.astimezone(self.zone).hour].append(figures)
        return {hour: merge(parts, self.thresholds) for hour, parts in sorted(hours.items())}

    def _figures(self, tally: Tally) -> Figures:
        return Figures(self.thresholds, tally)
