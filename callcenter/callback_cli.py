"""The sub-command ``callcenter callback``."""

import argparse

from callcenter.command import Commands, command, with_config


def add_callback(commands: Commands) -> None:
    """Make ``callcenter callback`` known."""
    parser = command(
        commands, "callback", "look after callbacks", "callcenter callback list --state open --queue sales"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    list_ = command(
        actions, "list", "list callbacks, newest first", "callcenter callback list --state due,queued", _run
    )
    list_.add_argument("--queue", default=None, metavar="Q", help="one queue only")
    list_.add_argument(
        "--state", default="", metavar="S", help="states, parted by commas; open and ended are several"
    )
    list_.add_argument("--number", default=None, metavar="N", help="one number only, such as +15125550142")
    list_.add_argument("--limit", type=int, default=50, metavar="N", help="how many (default: 50)")
    show = command(actions, "show", "show one with its history", "callcenter callback show ID --json", _run)
    cancel = command(actions, "cancel", "give one up", "callcenter callback cancel ID --cause solved", _run)
    cancel.add_argument("--cause", default="", metavar="WORD", help="why, such as solved or duplicate")
    expedite = command(actions, "expedite", "make one due now", "callcenter callback expedite ID", _run)
    move = command(
        actions, "move", "choose another time", "callcenter callback move ID --to 2026-11-27T15:00", _run
    )
    when = move.add_mutually_exclusive_group(required=True)
    when.add_argument("--to", default=None, metavar="TIME", help="a slot's begin, by the customer's clock")
    when.add_argument("--asap", action="store_true", help="as soon as it is their turn")
    for action in (show, cancel, expedite, move):
        action.add_argument("id", metavar="ID")
    for action in (list_, show, cancel, expedite, move):
        action.add_argument("--json", action="store_true", help="print JSON")
        with_config(action)


def _run(options: argparse.Namespace) -> int:
    from callcenter.callback_commands import run

    return run(options)
