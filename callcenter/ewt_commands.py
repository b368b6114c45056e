"""``callcenter report ewt``: how right estimated waits were."""

import argparse
import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from callcenter.command import Commands, command, load_settings
from callcenter.config import Settings

Range: TypeAlias = tuple[datetime, datetime]


def add_report_ewt(
    actions: Commands,
    with_range: Callable[[argparse.ArgumentParser], None],
    range_of: Callable[[argparse.Namespace, Settings], Range],
) -> None:
    """Make ``callcenter report ewt`` known, which takes its period as the other reports do."""
    parser = command(
        actions,
        "ewt",
        "print how right estimated waits were: bias, mean absolute error, coverage of p90",
        "callcenter report ewt --from 2026-11-01 --to 2026-11-22 --queue sales",
        lambda options: _report_ewt(options, range_of),
    )
    with_range(parser)
    parser.add_argument("--queue", default=None, help="one queue only")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _report_ewt(
    options: argparse.Namespace, range_of: Callable[[argparse.Namespace, Settings], Range]
) -> int:
    from callcenter.reports import wait_accuracy

    settings = load_settings(options.config)
    since, until = range_of(options, settings)
    found = asyncio.run(wait_accuracy.read_wait_accuracy(settings, since, until, options.queue))
    if options.json:
        print(json.dumps(wait_accuracy.accuracy_to_json(found, since, until), indent=2))  # noqa: T201
    else:
        print(wait_accuracy.accuracy_to_text(found), end="")  # noqa: T201
    return 0
