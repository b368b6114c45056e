"""The quality of service as text, JSON or CSV."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from callcenter.reports.fcr import Resolution
from callcenter.reports.intervals import Interval
from callcenter.reports.quality import Quality, QualityReport, Scope
from callcenter.reports.ratio import Ratio
from callcenter.reports.sections import Fact, Section, Unit, plain
from callcenter.reports.survey import Satisfaction
from callcenter.reports.talk import Talk
from callcenter.reports.text import section_text

CSV_PLACE = ("scope", "name", "start", "end")
Facts = dict[str, Fact]


def to_json(report: QualityReport) -> dict[str, Any]:
    """A JSON object; its keys are stable.

    ``since``, ``until``, ``timezone``, ``interval``, ``queue``, ``agent``, ``thresholds`` (``fcr_days``);
    ``total`` and, by name, ``by_queue``, ``by_agent`` and ``by_survey`` hold ``resolution``, ``satisfaction``
    and ``talk``; ``by_interval`` is a list of these with ``start`` and ``end``. ``resolution``: the counts
    ``first_contacts``, ``immature``, ``withheld``; the ratios ``fcr``, ``immature_fcr``, ``agents_say`` and
    ``customers_say``. ``satisfaction``: ``offered``; the ratios ``response``, ``csat``, ``csat_response``,
    ``nps`` (-100 to 100), ``nps_response``. ``talk``: ``conversations``, ``longest_non_talk_s``; the ratios
    ``agent_share``, ``customer_share``, ``non_talk``, and for ``agent_`` and ``customer_`` each
    ``interruptions`` (per conversation), ``words_per_minute``, ``characters_per_minute``. A ratio is an
    object of ``value``, ``numerator`` and ``denominator``; ``value`` is ``null`` where there is nothing to
    divide by.
    """
    return {
        "since": _iso(report, report.since),
        "until": _iso(report, report.until),
        "timezone": report.thresholds.timezone,
        "interval": report.interval.value,
        "queue": report.queue,
        "agent": report.agent,
        "thresholds": {"fcr_days": report.thresholds.fcr_days},
        "total": _document(report.total),
        "by_queue": _documents(report.by_queue),
        "by_interval": [
            {"start": _iso(report, window.start), "end": _iso(report, window.end), **_document(quality)}
            for window, quality in report.by_interval
        ],
        "by_agent": _documents(report.by_agent),
        "by_survey": _documents(report.by_survey),
    }


def to_csv(report: QualityReport) -> str:
    """One table: a row each for the total, every queue, interval, agent and survey.

    Columns are ``scope``, ``name``, ``start``, ``end``, then the figures of the JSON form with nested keys
    joined by a dot; a figure without value is empty.
    """
    text = io.StringIO()
    rows = [(place, dict(_flat(quality))) for place, quality in _rows(report)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*CSV_PLACE, *rows[0][1]])
    for place, values in rows:
        writer.writerow([*place, *("" if value is None else value for value in values.values())])
    return text.getvalue()


def to_text(report: QualityReport) -> str:
    """Tables: shares as percent, ``–`` for what has no value, intervals without contacts left out."""
    since, until = (f"{at.astimezone(report.zone):%Y-%m-%d %H:%M}" for at in (report.since, report.until))
    named = "".join(f", {key} {name}" for key, name in _filters(report).items() if name)
    title = f"Quality {since} to {until} ({report.thresholds.timezone}){named}"
    return "\n\n".join([title, *filter(None, map(section_text, sections(report)))]) + "\n"


def sections(report: QualityReport) -> tuple[Section, ...]:
    """The tables of the report, to stand by themselves or beside other figures of the same range."""
    shape = "%Y-%m-%d" if report.interval is Interval.DAY else "%Y-%m-%d %H:%M %z"
    intervals = {
        window.start.astimezone(report.zone).strftime(shape): quality
        for window, quality in report.by_interval
        if quality != Quality()
    }
    rows = {
        "queue": report.by_queue,
        "interval": intervals,
        "agent": report.by_agent,
        "survey": report.by_survey,
    }
    titles = {"resolution": f"Resolution ({report.thresholds.fcr_days:g} days)"}
    return (
        *(
            Section(name, titles.get(name, name.title()), {"": _spaced(facts(report.total))})
            for name, facts in _GROUPS.items()
        ),
        *(
            Section(
                f"quality_{scope}", f"Quality by {scope}", {name: _brief(one) for name, one in them.items()}
            )
            for scope, them in rows.items()
        ),
    )


# What is told of each kind.


def _resolution(quality: Quality) -> Facts:
    told: Resolution = quality.resolution
    return {
        "first_contacts": Fact(told.first),
        "fcr": _share(told.rate),
        "immature": Fact(told.immature),
        "immature_fcr": _share(told.immature_rate),
        "withheld": Fact(told.withheld),
        "agents_say": _share(told.agent_rate),
        "customers_say": _share(told.customer_rate),
    }


def _satisfaction(quality: Quality) -> Facts:
    told: Satisfaction = quality.satisfaction
    return {
        "offered": Fact(told.offered),
        "response": _share(told.response),
        "csat": _share(told.csat_share),
        "csat_response": _share(told.csat_response),
        "nps": Fact(told.nps_points, Unit.SCORE),
        "nps_response": _share(told.nps_response),
    }


def _talk(quality: Quality) -> Facts:
    told: Talk = quality.talk
    return {
        "conversations": Fact(told.conversations),
        "agent_share": _share(told.agent_share),
        "customer_share": _share(told.customer_share),
        "non_talk": _share(told.non_talk),
        "longest_non_talk_s": Fact(told.longest_non_talk_ms / 1000, Unit.SECONDS),
        "agent_interruptions": Fact(told.agent_interruptions, Unit.SCORE),
        "customer_interruptions": Fact(told.customer_interruptions, Unit.SCORE),
        "agent_words_per_minute": Fact(told.agent.words_per_minute, Unit.SCORE),
        "customer_words_per_minute": Fact(told.customer.words_per_minute, Unit.SCORE),
        "agent_characters_per_minute": Fact(told.agent.characters_per_minute, Unit.SCORE),
        "customer_characters_per_minute": Fact(told.customer.characters_per_minute, Unit.SCORE),
    }


def _brief(quality: Quality) -> Facts:
    """What a row of many holds."""
    resolution, satisfaction, talk = quality.resolution, quality.satisfaction, quality.talk
    return {
        "first": Fact(resolution.first),
        "FCR": _share(resolution.rate),
        "immature": Fact(resolution.immature),
        "surveys": Fact(satisfaction.offered),
        "response": _share(satisfaction.response),
        "CSAT": _share(satisfaction.csat_share),
        "NPS": Fact(satisfaction.nps_points, Unit.SCORE),
        "agent talks": _share(talk.agent_share),
        "non-talk": _share(talk.non_talk),
        "agent breaks in": Fact(talk.agent_interruptions, Unit.SCORE),
    }


_GROUPS: Mapping[str, Callable[[Quality], Facts]] = {
    "resolution": _resolution,
    "satisfaction": _satisfaction,
    "talk": _talk,
}


def _share(ratio: Ratio) -> Fact:
    return Fact(ratio, Unit.SHARE)


def _spaced(facts: Facts) -> Facts:
    return {name.removesuffix("_s").replace("_", " "): fact for name, fact in facts.items()}


def _document(quality: Quality) -> dict[str, Any]:
    return {
        group: {name: plain(fact) for name, fact in facts(quality).items()}
        for group, facts in _GROUPS.items()
    }


def _documents(rows: Mapping[str, Quality]) -> dict[str, Any]:
    return {name: _document(quality) for name, quality in rows.items()}


def _flat(quality: Quality) -> Iterator[tuple[str, Any]]:
    for group, facts in _document(quality).items():
        for name, value in facts.items():
            if isinstance(value, Mapping):
                yield from ((f"{group}.{name}.{part}", number) for part, number in value.items())
            else:
                yield f"{group}.{name}", value


def _rows(report: QualityReport) -> Iterator[tuple[tuple[str, str, str, str], Quality]]:
    whole = (_iso(report, report.since), _iso(report, report.until))
    yield (Scope.TOTAL, report.queue or report.agent or "", *whole), report.total
    for window, quality in report.by_interval:
        yield (Scope.INTERVAL, "", _iso(report, window.start), _iso(report, window.end)), quality
    by_name = {Scope.QUEUE: report.by_queue, Scope.AGENT: report.by_agent, Scope.SURVEY: report.by_survey}
    for scope, rows in by_name.items():
        for name, quality in rows.items():
            yield (scope, name, *whole), quality


def _filters(report: QualityReport) -> dict[str, str | None]:
    return {"queue": report.queue, "agent": report.agent}


def _iso(report: QualityReport, at: datetime) -> str:
    return at.astimezone(report.zone).isoformat()
