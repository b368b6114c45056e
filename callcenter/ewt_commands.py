"""``callcenter report ewt``: how right estimated waits were."""

import argparse
import asyncio
import json
from datetime import UTC, datetime

from callcenter.command import Commands, command, load_settings, with_config


def add_report_ewt(actions: Commands) -> None:
    """Make ``callcenter report ewt`` known."""
    parser = command(
        actions,
        "ewt",
        "print how right estimated waits were: bias, mean absolute error, coverage of p90",
        "callcenter report ewt --from 2026-11-01 --to 2026-11-22 --queue sales",
        _report_ewt,
    )
    add = parser.add_argument
    add("--from", dest="since", default="today", metavar="TIME", help="date, time or 'today'")
    add("--to", dest="until", default=None, metavar="TIME", help="date (its whole day included) or time")
    add("--queue", default=None, help="one queue only")
    add("--json", action="store_true", help="print JSON")
    with_config(parser)


def _report_ewt(options: argparse.Namespace) -> int:
    from callcenter import reports
    from callcenter.reports import wait_accuracy

    settings = load_settings(options.config)
    zone = reports.reporting_zone(settings.metrics.timezone)
    since, until = reports.parse_range(options.since, options.until, zone, datetime.now(UTC))
    found = asyncio.run(wait_accuracy.read_wait_accuracy(settings, since, until, options.queue))
    if options.json:
        print(json.dumps(wait_accuracy.accuracy_to_json(found, since, until), indent=2))  # noqa: T201
    else:
        print(wait_accuracy.accuracy_to_text(found), end="")  # noqa: T201
    return 0
