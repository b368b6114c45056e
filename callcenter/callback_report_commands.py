"""``callcenter report callbacks``: how callbacks went, and whether customers were served in the end."""

import argparse
import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from callcenter.command import Commands, command, load_settings
from callcenter.config import Settings

LISTED = 20


def add_report_callbacks(
    actions: Commands,
    with_range: Callable[[argparse.ArgumentParser], None],
    with_queue: Callable[[argparse.ArgumentParser], None],
    range_of: Callable[[argparse.Namespace, Settings], tuple[datetime, datetime]],
) -> None:
    """Make it known."""
    parser = command(
        actions,
        "callbacks",
        "print offers, attempts, punctuality and who was served in the end",
        "callcenter report callbacks --from 2026-11-01 --queue sales --unserved",
        lambda options: _callbacks(options, range_of),
    )
    with_range(parser)
    with_queue(parser)
    add = parser.add_argument
    add("--interval", default="day", help="15, 30, 60 (minutes) or day (default: day)")
    add(
        "--calls",
        type=int,
        default=LISTED,
        metavar="N",
        help=f"list so many calls that left for a callback, the newest first (default: {LISTED})",
    )
    add("--unserved", action="store_true", help="list only those whose customers were not served")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--csv", action="store_true", help="print CSV")
    shape.add_argument("--parquet", type=Path, metavar="FILE", help="write the rows of the CSV form to FILE")


def _callbacks(
    options: argparse.Namespace,
    range_of: Callable[[argparse.Namespace, Settings], tuple[datetime, datetime]],
) -> int:
    from callcenter.reports import callback_export, read_callbacks, require_parquet

    if options.parquet:
        require_parquet()
    settings = load_settings(options.config)
    since, until = range_of(options, settings)
    report = asyncio.run(
        read_callbacks(
            settings,
            since=since,
            until=until,
            queue=options.queue,
            interval=options.interval,
            chains=max(0, options.calls),
            all_chains=not options.unserved,
        )
    )
    if options.json:
        print(json.dumps(callback_export.to_json(report), indent=2))  # noqa: T201
    elif options.parquet:
        callback_export.write_parquet(report, options.parquet)
    elif options.csv:
        print(callback_export.to_csv(report), end="")  # noqa: T201
    else:
        print(callback_export.to_text(report), end="")  # noqa: T201
    return 0
