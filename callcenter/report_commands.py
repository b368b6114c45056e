"""``callcenter report ...``: the figures of a period, and what is done with them."""

import argparse
import asyncio
import json
from datetime import UTC, datetime

from callcenter.command import Commands, Parser, command, load_settings, with_config
from callcenter.config import Metrics, Settings
from callcenter.ewt_commands import add_report_ewt


def add_report(commands: Commands) -> None:
    """Make ``callcenter report`` known: the figures by itself, with an ACTION something else."""
    parser = command(
        commands,
        "report",
        "print the figures of a period",
        "callcenter report --from today --queue sales --interval 30",
        _summary,
    )
    _with_summary(parser)
    # Options stand after the action that they belong to.
    actions = parser.add_subparsers(dest="action", required=False, metavar="ACTION")
    _add_quality(actions)
    add_report_ewt(actions, with_range, range_of)


def with_range(parser: argparse.ArgumentParser) -> None:
    """Let it take the settings file and a period; see ``range_of``."""
    add = parser.add_argument
    with_config(parser)
    add("--from", dest="since", default="today", metavar="TIME", help="date, time or 'today'")
    add("--to", dest="until", default=None, metavar="TIME", help="date (its whole day included) or time")


def range_of(options: argparse.Namespace, settings: Settings) -> tuple[datetime, datetime]:
    """The period asked for, [since, until) in UTC; raises ``UsageError``."""
    from callcenter import reports

    zone = reports.reporting_zone(settings.metrics.timezone)
    return reports.parse_range(options.since, options.until, zone, datetime.now(UTC))


def with_thresholds(parser: argparse.ArgumentParser) -> None:
    """Let it count anew under other thresholds; see ``thresholds_of``."""
    add = parser.add_argument
    add("--service-level-s", type=float, metavar="S", help="answer within S seconds (default: the settings')")
    add("--short-abandon-s", type=float, metavar="S", help="hang-ups within S seconds are short; 0: none is")
    add("--target", type=float, metavar="SHARE", help="the service level promised, such as 0.8")


def thresholds_of(options: argparse.Namespace, settings: Settings) -> Metrics:
    """The settings' thresholds with those of the command line; raises ``UsageError``."""
    from callcenter import reports

    return reports.changed_thresholds(
        settings.metrics,
        service_level_s=options.service_level_s,
        short_abandon_s=options.short_abandon_s,
        target=options.target,
    )


# The figures


def _with_summary(parser: Parser) -> None:
    with_range(parser)
    parser.add_argument("--queue", default=None, help="one queue only")
    parser.add_argument("--interval", default="day", help="15, 30, 60 (minutes) or day (default: day)")
    parser.add_argument(
        "--by",
        choices=["offered", "handled"],
        default="offered",
        help="when a contact counts: when it entered the queue, or when it left it (default: offered)",
    )
    with_thresholds(parser)
    parser.add_argument(
        "--from-events", action="store_true", help="compute from the events alone: slow, and the same figures"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--csv", action="store_true", help="print CSV")


def _summary(options: argparse.Namespace) -> int:
    from callcenter import reports

    settings = load_settings(options.config)
    since, until = range_of(options, settings)
    thresholds = thresholds_of(options, settings)
    summary = asyncio.run(
        reports.read_summary(
            settings,
            since=since,
            until=until,
            queue=options.queue,
            interval=options.interval,
            by=reports.CountBy(options.by),
            thresholds=thresholds,
            from_events=options.from_events,
        )
    )
    if options.json:
        print(json.dumps(reports.to_json(summary), indent=2))  # noqa: T201
    elif options.csv:
        print(reports.to_csv(summary), end="")  # noqa: T201
    else:
        print(reports.to_text(summary), end="")  # noqa: T201
    return 0


# Quality


def _add_quality(actions: Commands) -> None:
    parser = command(
        actions,
        "quality",
        "print resolution, satisfaction and talk of a period",
        "callcenter report quality --from 2026-11-01 --queue sales --csv",
        _quality,
    )
    with_range(parser)
    add = parser.add_argument
    add("--queue", default=None, help="one queue only")
    add("--agent", default=None, help="one agent only")
    add("--interval", default="day", help="15, 30, 60 (minutes) or day (default: day)")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--csv", action="store_true", help="print CSV")


def _quality(options: argparse.Namespace) -> int:
    from callcenter.reports import quality_export, read_quality

    settings = load_settings(options.config)
    since, until = range_of(options, settings)
    report = asyncio.run(
        read_quality(
            settings,
            since=since,
            until=until,
            queue=options.queue,
            agent=options.agent,
            interval=options.interval,
        )
    )
    if options.json:
        print(json.dumps(quality_export.to_json(report), indent=2))  # noqa: T201
    elif options.csv:
        print(quality_export.to_csv(report), end="")  # noqa: T201
    else:
        print(quality_export.to_text(report), end="")  # noqa: T201
    return 0
