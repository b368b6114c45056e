"""The quality of service as people and machines read it."""

import csv
import io
from datetime import UTC, datetime, timedelta

from callcenter.config import Metrics
from callcenter.reports.fcr import Resolution
from callcenter.reports.intervals import Interval, reporting_zone, windows
from callcenter.reports.quality import Place, Quality, QualityReport, Scope, put_together
from callcenter.reports.quality_export import sections, to_csv, to_json, to_text
from callcenter.reports.survey import Satisfaction
from callcenter.reports.talk import Side, Talk

NINE = datetime(2025, 3, 3, 9, tzinfo=UTC)
QUALITY = Quality(
    Resolution(
        first=8, resolved=6, immature=2, immature_resolved=2, withheld=1, agent_asked=4, agent_resolved=1
    ),
    Satisfaction(
        offered=10,
        answered=5,
        csat_offered=10,
        csat_answered=4,
        csat=4,
        satisfied=3,
        nps_offered=10,
        nps_answered=5,
        nps=5,
        promoters=1,
        detractors=3,
    ),
    Talk(2, 120_000, 30_000, 12_000, Side(40_000, 1, 100, 40_000), Side(20_000, 3, 30, 20_000)),
)


def report(part: Quality = QUALITY) -> QualityReport:
    zone = reporting_zone("Europe/Berlin")
    cut = windows(NINE, NINE + timedelta(hours=1), Interval.HALF_HOUR, zone)
    places = (Place(Scope.TOTAL), Place(Scope.QUEUE, "sales"), Place(Scope.INTERVAL, "1"))
    rows = put_together([(place, part) for place in places], cut)
    return QualityReport(
        since=NINE,
        until=NINE + timedelta(hours=1),
        zone=zone,
        interval=Interval.HALF_HOUR,
        queue=None,
        agent=None,
        thresholds=Metrics(timezone="Europe/Berlin"),
        total=rows[Scope.TOTAL][""],
        by_queue=rows[Scope.QUEUE],
        by_interval=[(window, rows[Scope.INTERVAL][str(index)]) for index, window in enumerate(cut)],
        by_agent={},
        by_survey={},
    )


def test_json_holds_ratios_with_their_parts() -> None:
    document = to_json(report())
    assert document["since"] == "2025-03-03T10:00:00+01:00"
    total = document["total"]
    assert total["resolution"]["fcr"] == {"value": 0.75, "numerator": 6, "denominator": 8}
    assert total["resolution"]["agents_say"]["value"] == 0.25
    assert total["resolution"]["customers_say"] == {"value": None, "numerator": 0, "denominator": 0}
    assert (total["resolution"]["immature"], total["resolution"]["withheld"]) == (2, 1)
    assert total["satisfaction"]["csat"]["value"] == 0.75
    assert total["satisfaction"]["nps"] == {"value": -40.0, "numerator": -200, "denominator": 5}
    assert total["satisfaction"]["csat_response"]["value"] == 0.4
    talk = total["talk"]
    assert (talk["agent_share"]["value"], talk["customer_share"]["value"]) == (0.6667, 0.3333)
    assert (talk["non_talk"]["value"], talk["longest_non_talk_s"]) == (0.25, 12.0)
    assert (talk["agent_words_per_minute"]["value"], talk["customer_interruptions"]["value"]) == (150.0, 1.5)
    assert [row["resolution"]["first_contacts"] for row in document["by_interval"]] == [0, 8]


def test_csv_has_a_row_for_each_place_and_blanks_for_nothing() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(report()))))
    assert [(row["scope"], row["name"]) for row in rows] == [
        ("total", ""),
        ("interval", ""),
        ("interval", ""),
        ("queue", "sales"),
    ]
    assert rows[0]["resolution.fcr.value"] == "0.75"
    assert rows[0]["satisfaction.nps.numerator"] == "-200"
    assert rows[1]["talk.non_talk.value"] == ""
    assert rows[2]["start"] == "2025-03-03T10:30:00+01:00"


def test_text_is_for_people() -> None:
    lines = {" ".join(line.split()) for line in to_text(report()).splitlines()}
    assert "Quality 2025-03-03 10:00 to 2025-03-03 11:00 (Europe/Berlin)" in lines
    assert "Resolution (7 days)" in lines
    assert {"fcr 75.0 %", "nps -40.0", "longest non talk 0:12", "customers say –"} <= lines
    assert "sales 8 75.0 % 2 10 50.0 % 75.0 % -40.0 66.7 % 25.0 % 0.5" in lines
    assert not any(line.startswith("2025-03-03 10:00 +0100") for line in lines)  # nothing happened then
    assert any(line.startswith("2025-03-03 10:30 +0100 8") for line in lines)
    empty = to_text(report(Quality()))
    assert "fcr" in empty
    assert "sales" in empty


def test_sections_stand_beside_other_figures() -> None:
    named = [section.name for section in sections(report())]
    assert named[:3] == ["resolution", "satisfaction", "talk"]
    assert set(named[3:]) == {"quality_queue", "quality_interval", "quality_agent", "quality_survey"}


def test_quality_adds_up() -> None:
    both = QUALITY + QUALITY
    assert (both.resolution.rate.value, both.resolution.first) == (0.75, 16)
    assert (both.satisfaction.nps_points.value, both.talk.conversations) == (-40, 4)
    assert Quality() + QUALITY == QUALITY
