"""Figures from the event log: what they mean, over which time, and how they are shown."""

from callcenter.reports.callback_query import read_callbacks
from callcenter.reports.export import to_csv, to_json
from callcenter.reports.intervals import Interval, parse_interval, parse_range, reporting_zone
from callcenter.reports.parquet import require_parquet, write_summary
from callcenter.reports.quality_query import QualityReports, read_quality
from callcenter.reports.query import Question, Reports, read_summary
from callcenter.reports.ratio import Ratio
from callcenter.reports.sections import Fact, Section, Unit
from callcenter.reports.summary import CountBy, Summary, summarise
from callcenter.reports.text import to_text
from callcenter.reports.thresholds import changed_thresholds

__all__ = [
    "CountBy",
    "Fact",
    "Interval",
    "QualityReports",
    "Question",
    "Ratio",
    "Reports",
    "Section",
    "Summary",
    "Unit",
    "changed_thresholds",
    "parse_interval",
    "parse_range",
    "read_callbacks",
    "read_quality",
    "read_summary",
    "reporting_zone",
    "require_parquet",
    "summarise",
    "to_csv",
    "to_json",
    "to_text",
    "write_summary",
]
