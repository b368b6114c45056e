"""``callcenter report ...``: the figures of a period, and what is done with them."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from callcenter.callback_report_commands import add_report_callbacks
from callcenter.command import Commands, Parser, command, load_settings, with_config
from callcenter.config import Metrics, Settings
from callcenter.ewt_commands import add_report_ewt

if TYPE_CHECKING:
    from callcenter.reports.verify import Verdict


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
    actions = parser.add_subparsers(dest="action", required=False, metavar="ACTION")
    _add_verify(actions)
    _add_contacts(actions)
    _add_quality(actions)
    add_report_callbacks(actions, with_range, with_queue, range_of)
    add_report_ewt(actions, with_range, range_of)


def with_range(parser: argparse.ArgumentParser, *, inherits: bool = True) -> None:
    """Let it take the settings file and a period, before or after an action; see ``range_of``."""
    add = parser.add_argument
    with_config(parser, inherits=inherits)
    # What an action was not given must not hide what stands before it.
    first, last = (argparse.SUPPRESS, argparse.SUPPRESS) if inherits else ("today", None)
    add("--from", dest="since", default=first, metavar="TIME", help="date, time or 'today'")
    add("--to", dest="until", default=last, metavar="TIME", help="date (its whole day included) or time")


def with_queue(parser: argparse.ArgumentParser, *, inherits: bool = True) -> None:
    """Let it look at one queue, as ``options.queue``."""
    default = argparse.SUPPRESS if inherits else None
    parser.add_argument("--queue", default=default, metavar="NAME", help="one queue only")


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
    with_range(parser, inherits=False)
    with_queue(parser, inherits=False)
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
    shape.add_argument("--parquet", type=Path, metavar="FILE", help="write the rows of the CSV form to FILE")


def _summary(options: argparse.Namespace) -> int:
    from callcenter import reports

    if options.parquet:
        reports.require_parquet()
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
    elif options.parquet:
        reports.write_summary(summary, options.parquet)
    elif options.csv:
        print(reports.to_csv(summary), end="")  # noqa: T201
    else:
        print(reports.to_text(summary), end="")  # noqa: T201
    return 0


# report verify


SHOWN = 100


def _add_verify(actions: Commands) -> None:
    parser = command(
        actions,
        "verify",
        "compare what is added up with the events; exit status 1 where they differ",
        "callcenter report verify --from 2026-01-01 --to 2026-12-31",
        _verify,
    )
    with_range(parser)
    parser.add_argument("--repair", action="store_true", help="make again what differs")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _verify(options: argparse.Namespace) -> int:
    settings = load_settings(options.config)
    since, until = range_of(options, settings)
    first, last = asyncio.run(_verified(settings, since, until, mends=options.repair))
    if options.json:
        differences = [asdict(difference) for difference in first.differences]
        counts = {"calls": first.calls, "contacts": first.contacts, "days": first.days}
        document = counts | {"differences": differences, "differences_left": len(last.differences)}
        print(json.dumps(document, indent=2))  # noqa: T201
    else:
        _print_verdict(first)
        if options.repair and first.differences:
            print(f"made again; {len(last.differences)} differences are left")  # noqa: T201
    return 1 if last.differences else 0


async def _verified(
    settings: Settings, since: datetime, until: datetime, *, mends: bool
) -> "tuple[Verdict, Verdict]":
    """What was found at first, and after the repair, where one was asked for."""
    from callcenter.reports.verify import repair, verify
    from callcenter.storage.migrate import Migrations
    from callcenter.storage.pool import Database

    async with Database.open(settings, application_name="callcenter report") as database:
        await Migrations(database).upgrade()
        first = await verify(database, since, until)
        if not (mends and first.differences):
            return first, first
        await repair(database, first)
        return first, await verify(database, since, until)


def _print_verdict(verdict: "Verdict") -> None:
    for difference in verdict.differences[:SHOWN]:
        print(f"{difference.what}: {difference.detail}")  # noqa: T201
    if len(verdict.differences) > SHOWN:
        print(f"... and {len(verdict.differences) - SHOWN} more")  # noqa: T201
    compared = f"{verdict.calls} calls, {verdict.contacts} contacts and {verdict.days} days compared"
    count = len(verdict.differences)
    print(f"{compared}: {f'{count} differences' if count else 'all as the events say'}")  # noqa: T201


# report contacts


def _add_contacts(actions: Commands) -> None:
    parser = command(
        actions,
        "contacts",
        "write down every contact that entered a queue in the period, one row each",
        "callcenter report contacts --from 2026-11-01 --to 2026-11-30 --parquet november.parquet",
        _contacts,
    )
    with_range(parser)
    with_queue(parser)
    shape = parser.add_mutually_exclusive_group(required=True)
    shape.add_argument("--csv", type=Path, metavar="FILE", help="write CSV to FILE; - prints it")
    shape.add_argument("--json", type=Path, metavar="FILE", help="write a JSON object per line; - prints it")
    shape.add_argument("--parquet", type=Path, metavar="FILE", help="write Parquet to FILE")


def _contacts(options: argparse.Namespace) -> int:
    from callcenter import reports
    from callcenter.reports.contacts import write_contacts

    if options.parquet:
        reports.require_parquet()
    settings = load_settings(options.config)
    since, until = range_of(options, settings)
    form = next(form for form in ("csv", "json", "parquet") if getattr(options, form))
    path: Path = getattr(options, form)
    count = asyncio.run(write_contacts(settings, since, until, options.queue, form, path))
    print(f"{count} contacts", file=sys.stderr)  # noqa: T201
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
    with_queue(parser)
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
