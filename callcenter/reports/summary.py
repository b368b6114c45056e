"""A report: the figures of a range of time, as a whole, by queue, by interval and by agent."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum

from callcenter.config import Metrics
from callcenter.contact import Contact
from callcenter.events import Event
from callcenter.reports.agent_time import of_span, spans, split
from callcenter.reports.definitions import Figures, merge, of_call, of_contact
from callcenter.reports.intervals import Interval, Window, locate, reporting_zone, windows
from callcenter.reports.sections import Section
from callcenter.timeline import INBOUND, Timeline


class CountBy(StrEnum):
    """To which interval a contact belongs."""

    OFFERED = "offered"  # the one in which it entered the queue
    HANDLED = "handled"  # the one in which it left the queue for an agent or otherwise


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of [since, until); a row of ``by_interval`` for each window, empty ones included.

    ``total`` is the sum of ``by_interval``: contacts that entered a queue, calls that began and agents'
    time spent in the range. Rows by queue have no calls and no agents' time: both can belong to several.
    ``sections`` are what others have to say about the same range.
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
    calls that did not come in are nobody's offer: they count for their agent alone. Raises ``ConfigError``
    for an unknown time zone and ``UsageError`` for too many intervals.
    """
    zone = reporting_zone(settings.timezone)
    count = _Count(settings, windows(since, until, interval, zone))
    for call in timelines:
        if queue is None or any(contact.queue == queue for contact in call.contacts):
            count.add_call(call)
            for contact in _inside(call.contacts, queue):
                count.add_contact(contact, call.direction, by)
    if queue is None:
        count.add_agent_states(agent_states, since, min(now or until, until))
    by_interval = [merge(parts, settings) for parts in count.windows]
    return Summary(
        since=since,
        until=until,
        zone=zone,
        interval=interval,
        queue=queue,
        counted_by=by,
        thresholds=settings,
        total=merge(by_interval, settings),
        by_queue={name: merge(parts, settings) for name, parts in sorted(count.queues.items())},
        by_interval=tuple(zip(count.cut, by_interval, strict=True)),
        by_agent={name: merge(parts, settings) for name, parts in sorted(count.agents.items())},
    )


@dataclass(slots=True)
class _Count:
    """The parts of each row of a summary, gathered before they are added up."""

    thresholds: Metrics
    cut: Sequence[Window]
    windows: list[list[Figures]] = field(init=False)
    queues: defaultdict[str, list[Figures]] = field(default_factory=lambda: defaultdict(list))
    agents: defaultdict[str, list[Figures]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.windows = [[] for _ in self.cut]

    def add_call(self, call: Timeline) -> None:
        place = locate(self.cut, call.started_at)
        if place is not None:
            self.windows[place].append(of_call(call, self.thresholds))

    def add_contact(self, contact: Contact, direction: str, by: CountBy) -> None:
        at = contact.entered_at if by is CountBy.OFFERED else contact.left_at
        place = None if at is None else locate(self.cut, at)
        if place is None:
            return
        figures = of_contact(contact, self.thresholds)
        if direction == INBOUND:
            self.windows[place].append(figures)
            self.queues[contact.queue].append(figures)
        if contact.agent is not None:
            self.agents[contact.agent].append(figures)

    def add_agent_states(self, events: Sequence[Event], since: datetime, until: datetime) -> None:
        for span in spans(events, since, until):
            for place, part in split(span, self.cut):
                figures = of_span(part, self.thresholds)
                self.windows[place].append(figures)
                self.agents[span.agent].append(figures)


def _inside(contacts: Iterable[Contact], queue: str | None) -> Iterator[Contact]:
    return (contact for contact in contacts if queue in (None, contact.queue))
