"""The sub-command ``callcenter staffing``."""

import argparse
from pathlib import Path

from callcenter.command import Commands, command, load_settings, with_config


def add_staffing(commands: Commands) -> None:
    """Make ``callcenter staffing`` known."""
    parser = command(
        commands,
        "staffing",
        "say how many agents are needed when",
        "callcenter staffing --queue sales --from 2026-11-30 --to 2026-12-04 --shrinkage 0.3 --plot week.png",
        _staffing,
    )
    add = parser.add_argument
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--calls", type=float, metavar="N", help="so many calls per interval; no forecast")
    source.add_argument("--csv", type=Path, metavar="FILE", help="forecast from columns start,calls[,queue]")
    source.add_argument(
        "--history", action="store_true", help="forecast from the calls in the database (default)"
    )
    add("--queue", help="one queue only (default: all together)")
    add("--from", dest="since", metavar="DAY", help="first day, such as 2026-11-30 (default: tomorrow)")
    add("--to", dest="until", metavar="DAY", help="last day (default: the first one)")
    add("--weeks", type=int, default=26, metavar="N", help="so much history (default: 26)")
    add("--closed", default="", metavar="DAYS", help="days that do not count, such as 2026-12-25,2026-12-31")
    add("--interval", default="30", choices=["15", "30", "60"], help="minutes (default: 30)")
    add("--aht", type=float, metavar="S", help="handle time (default: measured, with --history)")
    add("--patience", type=float, metavar="S", help="mean patience (default: measured, with --history)")
    add("--target", type=float, metavar="SHARE", help="answered in time (default: metrics, 0.8)")
    add("--within", type=float, metavar="S", help="what in time means (default: metrics, 20)")
    add("--shrinkage", type=float, default=0.0, metavar="SHARE", help="paid time not at work (default: 0)")
    add(
        "--what-if",
        action="append",
        default=[],
        metavar="CHANGES",
        help="simulate the plan, and with agents=+2, calls=+10%%, aht=240 or patience=-30 (again for more)",
    )
    add("--seed", type=int, default=1, help="seed of the simulation (default: 1)")
    add("--plot", type=Path, metavar="FILE", help="draw load, agents and service level as .png or .svg")
    add("--json", action="store_true", help="print JSON")
    with_config(parser)


def _staffing(options: argparse.Namespace) -> int:
    from callcenter.staffing_commands import run

    print(run(load_settings(options.config), options), end="")  # noqa: T201
    return 0
