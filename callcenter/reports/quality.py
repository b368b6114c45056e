"""The quality of service over a range of time: resolution, satisfaction, and how people talked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import NamedTuple

from callcenter.config import Metrics
from callcenter.reports.fcr import Resolution
from callcenter.reports.intervals import Interval, Window
from callcenter.reports.survey import Satisfaction
from callcenter.reports.talk import Talk


class Scope(StrEnum):
    """What a row of a report is about."""

    TOTAL = "total"
    QUEUE = "queue"
    INTERVAL = "interval"
    AGENT = "agent"
    SURVEY = "survey"


class Place(NamedTuple):
    """A row: its scope and, but for the total, its name; an interval's is its index as text."""

    scope: Scope
    name: str = ""


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of some contacts; can be added up."""

    resolution: Resolution = field(default_factory=Resolution)
    satisfaction: Satisfaction = field(default_factory=Satisfaction)
    talk: Talk = field(default_factory=Talk)

    def __add__(self, other: "Quality") -> "Quality":
        return Quality(
            self.resolution + other.resolution,
            self.satisfaction + other.satisfaction,
            self.talk + other.talk,
        )


Part = tuple[Place, Quality]


@dataclass(frozen=True, slots=True)
class QualityReport:
    """The quality of [since, until); a row of ``by_interval`` for each window, empty ones included.

    A contact counts in the interval in which it entered its queue, for the agent who had it last and, as
    resolution goes, for the first queue of its call.
    """

    since: datetime
    until: datetime
    zone: tzinfo
    interval: Interval
    queue: str | None
    agent: str | None
    thresholds: Metrics
    total: Quality
    by_queue: Mapping[str, Quality]
    by_interval: Sequence[tuple[Window, Quality]]
    by_agent: Mapping[str, Quality]
    by_survey: Mapping[str, Quality]


def put_together(parts: Iterable[Part], cut: Sequence[Window]) -> dict[Scope, dict[str, Quality]]:
    """Add up what different sources say of the same row; every window and the total have one."""
    rows: dict[Scope, dict[str, Quality]] = {scope: {} for scope in Scope}
    rows[Scope.TOTAL][""] = Quality()
    rows[Scope.INTERVAL] = {str(index): Quality() for index in range(len(cut))}
    for (scope, name), quality in parts:
        known = rows[scope].get(name)
        rows[scope][name] = quality if known is None else known + quality
    return rows
