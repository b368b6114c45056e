"""How things stand on the shop floor: queues with their day, agents by what they do, calls. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Any

from callcenter.acd.wait_time import Estimate
from callcenter.reports.today import DayFigures

Row = Mapping[str, Any]

STATES = ("available", "reserved", "ringing", "talking", "wrap_up", "break", "offline")


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand at ``now`` (the database's clock), as rows ready to be shown.

    ``totals`` is a row as a queue's, of all queues and agents together.
    """

    now: datetime
    queues: Sequence[Row]
    agents: Sequence[Row]
    calls: Sequence[Row]
    ended: Sequence[Row]
    totals: Row = field(default_factory=dict)


def queue_rows(
    names: Iterable[str],
    lines: Mapping[str, Row],
    agents: Sequence[Row],
    today: Mapping[str, DayFigures],
    waits: Mapping[str, Estimate],
) -> list[Row]:
    """A row for each queue: its line (``waiting``, ``oldest_at``, ``callbacks``), estimate, day and agents.

    Those who keep a place for a callback are no callers who wait.
    """
    # one pass over all pairs of agent and queue, of which there are many
    counts = Counter((queue, row["state"]) for row in agents for queue in row["queues"])
    return [
        {
            "name": name,
            **_line([lines[name]] if name in lines else []),
            "estimated_wait": _wait(waits.get(name)),
            "today": _day(today.get(name, DayFigures())),
            "agents": _states({state: counts[name, state] for state in STATES}),
        }
        for name in names
    ]


def totals(lines: Mapping[str, Row], agents: Sequence[Row], today: Mapping[str, DayFigures]) -> Row:
    """All queues together, and each agent once; there is no estimate for all queues."""
    return {
        **_line(lines.values()),
        "today": _day(sum(today.values(), DayFigures())),
        "agents": _states(Counter(row["state"] for row in agents)),
    }


def _line(lines: Iterable[Row]) -> dict[str, Any]:
    lines = list(lines)
    since = [line["oldest_at"] for line in lines if line["oldest_at"] is not None]
    return {
        "waiting": sum(line["waiting"] for line in lines),
        "oldest_at": min(since, default=None),
        "callbacks": sum(line["callbacks"] for line in lines),
    }


def _wait(wait: Estimate | None) -> dict[str, Any] | None:
    if wait is None or wait.p50_s is None or wait.p90_s is None:
        return None
    # In whole seconds: what differs by less is no news.
    return {"method": wait.method.value, "p50_s": ceil(wait.p50_s), "p90_s": ceil(wait.p90_s)}


def _day(figures: DayFigures) -> dict[str, Any]:
    return {
        "offered": figures.offered,
        "answered": figures.answered,
        "abandoned": figures.abandoned,
        "service_level": figures.service_level.parts(4),
    }


def _states(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts of the states, and of all but those who are offline together."""
    counts = {state: counts[state] for state in STATES}
    return {"signed_in": sum(counts.values()) - counts["offline"], **counts}
