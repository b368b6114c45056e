"""What all sub-commands are made of: a parser, the settings file they share."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeAlias

from callcenter import config

DEFAULT_CONFIG = Path("configs/callcenter.yaml")

Handler = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; the usage is a ``--help`` away."""

    def error(self, message: str) -> NoReturn:
        """Say it and exit with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def command(
    commands: Commands, name: str, help_: str, example: str, handler: Handler | None = None
) -> Parser:
    """Make a sub-command known, or one of those below it."""
    parser = commands.add_parser(
        name,
        help=help_,
        description=help_[0].upper() + help_[1:] + ".",
        epilog=f"example: {example}",
        allow_abbrev=False,
    )
    if handler is not None:
        parser.set_defaults(handler=handler)
    return parser


def with_config(parser: argparse.ArgumentParser, *, inherits: bool = False) -> None:
    """Let it take a settings file; one that ``inherits`` leaves what its parent was given."""
    parser.add_argument(
        "--config",
        type=Path,
        default=argparse.SUPPRESS if inherits else None,
        metavar="FILE",
        help=f"settings file (default: $CALLCENTER_CONFIG, else {DEFAULT_CONFIG} if it exists)",
    )


def load_settings(path: Path | None) -> config.Settings:
    """Load the settings file named, the one in ``$CALLCENTER_CONFIG``, or the default one if it exists."""
    if path is None and (named := os.environ.get("CALLCENTER_CONFIG")):
        path = Path(named)
    if path is None and DEFAULT_CONFIG.exists():
        path = DEFAULT_CONFIG
    return config.load(path)
