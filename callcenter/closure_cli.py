"""The sub-command ``callcenter closure``."""

import argparse

from callcenter.command import Commands, command, with_config


def add_closure(commands: Commands) -> None:
    """Make ``callcenter closure`` known."""
    parser = command(
        commands,
        "closure",
        "close at once, and open again",
        'callcenter closure on --message "We are closed because of the storm." --until 2026-11-27T08:00',
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    on = command(
        actions, "on", "close everything, one queue or one flow", "callcenter closure on --queue sales", _on
    )
    off = command(actions, "off", "open again", "callcenter closure off --queue sales", _off)
    show = command(actions, "show", "say what is closed", "callcenter closure show --json", _show)
    for action in (on, off):
        what = action.add_mutually_exclusive_group()
        what.add_argument("--queue", default=None, metavar="Q", help="one queue only")
        what.add_argument(
            "--flow", default=None, metavar="F", help="new calls of one flow only (file's name)"
        )
    on.add_argument("--message", default="", metavar="TEXT", help="what callers hear")
    on.add_argument("--until", default=None, metavar="TIME", help="when it ends by itself (default: never)")
    show.add_argument("--json", action="store_true", help="print JSON")
    for action in (on, off, show):
        with_config(action)


def _on(options: argparse.Namespace) -> int:
    from callcenter.closure_commands import close

    return close(options)


def _off(options: argparse.Namespace) -> int:
    from callcenter.closure_commands import open_again

    return open_again(options)


def _show(options: argparse.Namespace) -> int:
    from callcenter.closure_commands import show

    return show(options)
