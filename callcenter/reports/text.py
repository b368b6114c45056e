"""A summary as text for a terminal."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from callcenter.reports.definitions import Figures, ServiceLevel
from callcenter.reports.intervals import Interval
from callcenter.reports.ratio import Ratio
from callcenter.reports.sections import Fact, Section, Unit
from callcenter.reports.summary import CountBy, Summary

NOTHING = "–"
_Cell = Callable[[Figures], str]


def to_text(summary: Summary) -> str:
    """Tables: seconds as m:ss, shares as percent, ``–`` for what has no value, empty intervals left out."""
    since, until = (f"{_local(summary, at):%Y-%m-%d %H:%M}" for at in (summary.since, summary.until))
    queue = f", queue {summary.queue}" if summary.queue else ""
    busy = [(_label(summary, window.start), figures) for window, figures in summary.by_interval]
    tables = [
        _facts("Contacts", _CONTACTS, summary.total),
        _facts("Times", _TIMES, summary.total),
        _service_levels(summary),
        _outcomes(summary.total),
        _rows("Queue", _QUEUE_COLUMNS, summary.by_queue.items()),
        _rows("Interval", _COLUMNS, [(name, figures) for name, figures in busy if _has_contacts(figures)]),
        _hours(summary),
        _rows("Agent", _AGENT_COLUMNS, summary.by_agent.items()),
        *map(section_text, summary.sections),
    ]
    handled = ", by when contacts left the queue" if summary.counted_by is CountBy.HANDLED else ""
    title = f"Report {since} to {until} ({summary.thresholds.timezone}){queue}{handled}"
    return "\n\n".join([title, *filter(None, tables)]) + "\n"


def percent(ratio: Ratio) -> str:
    """A share in percent with one decimal."""
    return NOTHING if ratio.value is None else f"{100 * ratio.value:.1f} %"


def clock(seconds: float | None) -> str:
    """Seconds as m:ss, rounded to the whole second."""
    if seconds is None:
        return NOTHING
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


_CONTACTS: Mapping[str, _Cell] = {
    "calls": lambda figures: str(figures.calls),
    "of these still open": lambda figures: str(figures.open_calls),
    "offered to queues": lambda figures: str(figures.offered),
    "answered": lambda figures: f"{figures.answered} ({percent(figures.answer_rate)})",
    "abandoned": lambda figures: f"{figures.abandoned} ({percent(figures.abandonment_gross)})",
    "abandoned, net of short": lambda figures: (
        f"{figures.abandoned - figures.short_abandoned} ({percent(figures.abandonment_net)})"
    ),
    "left the queue otherwise": lambda figures: _counted(figures.left),
    "refused by the queue": lambda figures: _counted(figures.refused),
    "still waiting": lambda figures: str(figures.waiting),
}
_TIMES: Mapping[str, _Cell] = {
    "speed of answer, mean": lambda figures: clock(figures.asa.value),
    "speed of answer, p50 / p90 / max": lambda figures: " / ".join(
        clock(figures.wait_percentile_s(rank)) for rank in (50, 90, 100)
    ),
    "handle time": lambda figures: clock(figures.aht.value),
    "talk / hold / wrap-up": lambda figures: " / ".join(
        clock(ratio.value) for ratio in (figures.att, figures.average_hold, figures.average_acw)
    ),
    "handle time per call": lambda figures: clock(figures.aht_per_call.value),
    "occupancy": lambda figures: percent(figures.occupancy),
    "shrinkage": lambda figures: percent(figures.shrinkage),
}
_COLUMNS: Mapping[str, _Cell] = {
    "offered": lambda figures: str(figures.offered),
    "answered": lambda figures: str(figures.answered),
    "abandoned": lambda figures: str(figures.abandoned),
    "short": lambda figures: str(figures.short_abandoned),
    "left": lambda figures: str(figures.left.total()),
    "service level": lambda figures: percent(figures.service_levels[ServiceLevel.STANDARD]),
    "abandonment": lambda figures: percent(figures.abandonment_gross),
    "ASA": lambda figures: clock(figures.asa.value),
    "AHT": lambda figures: clock(figures.aht.value),
}
_QUEUE_COLUMNS: Mapping[str, _Cell] = {
    **_COLUMNS,
    "occupancy": lambda figures: percent(figures.occupancy),
    "shrinkage": lambda figures: percent(figures.shrinkage),
}
_AGENT_COLUMNS: Mapping[str, _Cell] = {
    "handled": lambda figures: str(figures.handled),
    "AHT": lambda figures: clock(figures.aht.value),
    "talk": lambda figures: clock(figures.att.value),
    "hold": lambda figures: clock(figures.average_hold.value),
    "wrap-up": lambda figures: clock(figures.average_acw.value),
    "occupancy": lambda figures: percent(figures.occupancy),
    "shrinkage": lambda figures: percent(figures.shrinkage),
}


def _service_levels(summary: Summary) -> str:
    thresholds, figures = summary.thresholds, summary.total
    title = f"Service level: {100 * thresholds.service_level_target:g} % in {thresholds.service_level_s:g} s"
    verdict = {True: "met", False: "not met", None: ""}
    lines = [
        [name.value, percent(ratio), f"{ratio.numerator:g} of {ratio.denominator:g}", verdict[met]]
        for name, ratio in figures.service_levels.items()
        for met in [figures.target_met(name)]
    ]
    return _table([title, "", "", ""], lines)


def _outcomes(figures: Figures) -> str:
    lines = [[outcome.value, str(count)] for outcome, count in figures.outcomes.most_common()]
    return _table(["Outcome", "calls"], lines) if lines else ""


def _facts(title: str, facts: Mapping[str, _Cell], figures: Figures) -> str:
    return _table([title, ""], [[name, cell(figures)] for name, cell in facts.items()])


def _rows(title: str, columns: Mapping[str, _Cell], rows: Iterable[tuple[str, Figures]]) -> str:
    lines = [[name, *(cell(figures) for cell in columns.values())] for name, figures in rows]
    return _table([title, *columns], lines) if lines else ""


def _hours(summary: Summary) -> str:
    """By hour of the day, where that says more than the intervals do."""
    busy = [(f"{hour:02}:00", figures) for hour, figures in summary.by_hour.items() if _has_contacts(figures)]
    return _rows("Hour of the day", _COLUMNS, busy) if len(summary.by_hour) < len(summary.by_interval) else ""


def section_text(section: Section) -> str:
    """A table; a lone row without a name stands upright. Nothing for a section without rows."""
    if not section.rows:
        return ""
    if list(section.rows) == [""]:
        return _table([section.title, ""], [[key, shown(fact)] for key, fact in section.rows[""].items()])
    lines = [[name, *map(shown, facts.values())] for name, facts in section.rows.items()]
    return _table([section.title, *section.columns], lines)


def shown(fact: Fact) -> str:
    """A fact as its unit wants it."""
    value = fact.value.value if isinstance(fact.value, Ratio) else fact.value
    if value is None or isinstance(value, str):
        return value or NOTHING
    match fact.unit:
        case Unit.SHARE:
            return f"{100 * value:.1f} %"
        case Unit.SECONDS:
            return clock(value)
        case Unit.SCORE:
            return f"{value:.1f}"
        case _:
            return f"{value:g}"


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Align the first column to the left and the others to the right; a lone title does not widen."""
    titled = not any(header[1:])
    sized = lines if titled else [header, *lines]
    widths = [max(len(line[column]) for line in sized) for column in range(len(header))]

    def aligned(line: Sequence[str], indent: str = "  ") -> str:
        first = (indent + line[0]).ljust(2 + widths[0])
        rest = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
        return "  ".join([first, *rest]).rstrip()

    return "\n".join([header[0] if titled else aligned(header, ""), *map(aligned, lines)])


def _counted(counts: Mapping[str, int]) -> str:
    named = ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()) if count)
    return f"{sum(counts.values())} ({named})" if named else "0"


def _has_contacts(figures: Figures) -> bool:
    return bool(figures.calls or figures.offered or figures.waiting or figures.refused)


def _local(summary: Summary, at: datetime) -> datetime:
    return at.astimezone(summary.zone)


def _label(summary: Summary, start: datetime) -> str:
    shape = "%Y-%m-%d" if summary.interval is Interval.DAY else "%Y-%m-%d %H:%M %z"
    return _local(summary, start).strftime(shape)
