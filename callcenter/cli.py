"""The command ``callcenter``: one sub-command per task.

Exit status 0 on success, 2 on bad usage or bad input with one clear line on stderr, 1 when a run failed.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TypeAlias

from callcenter import __version__, config
from callcenter.errors import CallCenterError, UsageError

DEFAULT_CONFIG = Path("configs/callcenter.yaml")

Handler = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command and return the exit status."""
    for library in ("OMP", "OPENBLAS"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")  # calls and recognition share few cores
    options = _parser().parse_args(arguments)
    handler: Handler = options.handler
    return report_errors(lambda: handler(options))


def report_errors(run: Callable[[], int]) -> int:
    """Run and turn an expected error into one line on stderr and an exit status."""
    try:
        return run()
    except UsageError as error:
        print(f"callcenter: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except CallCenterError as error:
        print(f"callcenter: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; the usage is a ``--help`` away."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> _Parser:
    parser = _Parser(
        prog="callcenter",
        description="A self-hosted voice call center.",
        epilog="example: callcenter serve --config configs/callcenter.yaml",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"callcenter {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_demo(commands)
    _add_report(commands)
    _add_ivr(commands)
    _add_config(commands)
    _add_db(commands)
    _add_user(commands)
    _add_transcribe(commands)
    _add_asr(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"


def _command(
    commands: _Commands, name: str, help_: str, example: str, handler: Handler | None = None
) -> _Parser:
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


def _with_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        default=None,
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


def set_up_logging(level: str) -> None:
    """Log to stderr."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")


# serve


def _add_serve(commands: _Commands) -> None:
    parser = _command(
        commands,
        "serve",
        "take calls",
        "callcenter serve --config configs/callcenter.yaml --processes 2",
        _serve,
    )
    _with_config(parser)
    parser.add_argument(
        "--processes",
        type=int,
        default=1,
        metavar="N",
        help="processes behind the one listening address (default: 1)",
    )


def _serve(options: argparse.Namespace) -> int:
    settings = load_settings(options.config)
    set_up_logging(settings.log_level)
    if options.processes < 1:
        raise UsageError("--processes must be at least 1")
    if options.processes > 1:
        from callcenter.processes import serve_many

        return serve_many(settings, options.processes)
    from callcenter.app import run_service

    return run_service(settings)


# demo


def _add_demo(commands: _Commands) -> None:
    parser = _command(
        commands,
        "demo",
        "run everything against simulated callers and agents and compare the figures with the truth",
        "callcenter demo --seed 7 --json demo.json",
        _demo,
    )
    parser.add_argument("--calls", type=int, default=20, metavar="N", help="calls to place (default: 20)")
    parser.add_argument("--agents", type=int, default=4, metavar="N", help="agents (default: 4)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulation (default: 1)")
    parser.add_argument("--port", type=int, default=8080, help="HTTP port (default: 8080; 0: any free one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all results to FILE")
    parser.add_argument(
        "--keep", action="store_true", help="keep the service and its page running afterwards"
    )
    parser.add_argument("--plain", action="store_true", help="print lines instead of the live view")


def _demo(options: argparse.Namespace) -> int:
    from callcenter.demo import DemoOptions, run_demo

    for name in ("calls", "agents"):
        if not 1 <= getattr(options, name) <= 200:
            raise UsageError(f"--{name} must be between 1 and 200")
    return run_demo(
        DemoOptions(
            calls=options.calls,
            agents=options.agents,
            seed=options.seed,
            port=options.port,
            json_file=options.json,
            keep=options.keep,
            plain=options.plain or not sys.stdout.isatty(),
        )
    )


# report


def _add_report(commands: _Commands) -> None:
    parser = _command(
        commands,
        "report",
        "print the figures of a period",
        "callcenter report --from today --queue sales --interval 30",
        _report,
    )
    _with_config(parser)
    parser.add_argument("--from", dest="since", default="today", metavar="TIME", help="date, time or 'today'")
    parser.add_argument(
        "--to", dest="until", default=None, metavar="TIME", help="date (its whole day included) or time"
    )
    parser.add_argument("--queue", default=None, help="one queue only")
    parser.add_argument("--interval", default="day", help="15, 30, 60 (minutes) or day (default: day)")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--csv", action="store_true", help="print CSV")


def _report(options: argparse.Namespace) -> int:
    from callcenter import reports

    settings = load_settings(options.config)
    zone = reports.reporting_zone(settings.metrics.timezone)
    since, until = reports.parse_range(options.since, options.until, zone, datetime.now(UTC))
    summary = asyncio.run(
        reports.read_summary(
            settings, since=since, until=until, queue=options.queue, interval=options.interval
        )
    )
    if options.json:
        print(json.dumps(reports.to_json(summary), indent=2))  # noqa: T201
    elif options.csv:
        print(reports.to_csv(summary), end="")  # noqa: T201
    else:
        print(reports.to_text(summary), end="")  # noqa: T201
    return 0


# ivr


def _add_ivr(commands: _Commands) -> None:
    parser = _command(
        commands, "ivr", "check or draw a flow file", "callcenter ivr check configs/ivr/main.yaml"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = _command(
        actions, "check", "say what is wrong with a flow", "callcenter ivr check FLOW.yaml", _ivr_check
    )
    draw = _command(
        actions, "draw", "draw a flow as SVG", "callcenter ivr draw FLOW.yaml > flow.svg", _ivr_draw
    )
    for action in (check, draw):
        action.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--json", action="store_true", help="print JSON")
    _with_config(check)


def _ivr_check(options: argparse.Namespace) -> int:
    from callcenter.flows import load_flow

    settings = load_settings(options.config)
    queues = {queue.name for queue in settings.queues} or None
    flow = load_flow(options.file, queues)
    if options.json:
        print(json.dumps({"file": str(options.file), "ok": True, "nodes": len(flow.nodes)}))  # noqa: T201
    else:
        print(f"{options.file}: {len(flow.nodes)} nodes, no problem found")  # noqa: T201
    return 0


def _ivr_draw(options: argparse.Namespace) -> int:
    import ivr
    from callcenter.flows import load_flow

    print(ivr.draw(load_flow(options.file, None)))  # noqa: T201
    return 0


# config


def _add_config(commands: _Commands) -> None:
    parser = _command(commands, "config", "check the settings", "callcenter config check")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = _command(
        actions, "check", "check the settings file and the flows", "callcenter config check", _config_check
    )
    _with_config(check)


def _config_check(options: argparse.Namespace) -> int:
    from callcenter.flows import load_flows

    settings = load_settings(options.config)
    flows = load_flows(settings)
    counts = f"{len(settings.queues)} queues, {len(settings.agents)} agents, {len(flows)} routes"
    for doubt in config.doubts(settings):
        print(f"callcenter: warning: {doubt}", file=sys.stderr)  # noqa: T201
    print(f"settings are good: {counts}")  # noqa: T201
    return 0


# db


def _add_db(commands: _Commands) -> None:
    parser = _command(commands, "db", "look after the database's schema", "callcenter db status")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    upgrade = _command(
        actions, "upgrade", "bring the schema up to date", "callcenter db upgrade", _db_upgrade
    )
    status = _command(
        actions, "status", "list the schema's versions", "callcenter db status --json", _db_status
    )
    for action in (upgrade, status):
        _with_config(action)
        action.add_argument("--json", action="store_true", help="print JSON")


def _db_upgrade(options: argparse.Namespace) -> int:
    from callcenter.storage.migrate import Migrations
    from callcenter.storage.pool import Database

    async def upgrade() -> list[str]:
        async with Database.open(load_settings(options.config)) as database:
            return [f"{step.version:04d} {step.name}" for step in await Migrations(database).upgrade()]

    applied = asyncio.run(upgrade())
    if options.json:
        print(json.dumps({"applied": applied}))  # noqa: T201
    else:
        print("\n".join(f"applied {name}" for name in applied) or "nothing to do")  # noqa: T201
    return 0


def _db_status(options: argparse.Namespace) -> int:
    from callcenter.storage.migrate import Migrations
    from callcenter.storage.pool import Database

    async def status() -> list[dict[str, object]]:
        async with Database.open(load_settings(options.config)) as database:
            return [
                {
                    "version": step.version,
                    "name": step.name,
                    "applied_at": step.applied_at.isoformat() if step.applied_at else None,
                }
                for step in await Migrations(database).status()
            ]

    rows = asyncio.run(status())
    if options.json:
        print(json.dumps(rows))  # noqa: T201
    else:
        for row in rows:
            print(f"{row['version']:04d} {row['name']}: {row['applied_at'] or 'pending'}")  # noqa: T201
    return 0


# user


def _add_user(commands: _Commands) -> None:
    parser = _command(commands, "user", "look after users", "callcenter user add ann --role supervisor")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = _command(actions, "add", "make a user", "callcenter user add ann --role agent --agent ann", _user)
    add.add_argument("name")
    add.add_argument("--role", choices=["agent", "supervisor", "admin"], required=True)
    add.add_argument("--agent", default=None, metavar="ID", help="the agent this user is")
    token = _command(
        actions, "token", "make an API token and print it once", "callcenter user token ann --days 90", _user
    )
    token.add_argument("name")
    token.add_argument(
        "--days", type=int, default=None, metavar="N", help="days until it expires (default: never)"
    )
    list_ = _command(actions, "list", "list the users", "callcenter user list --json", _user)
    list_.add_argument("--json", action="store_true", help="print JSON")
    revoke = _command(
        actions, "revoke", "make all tokens of a user invalid", "callcenter user revoke ann", _user
    )
    remove = _command(actions, "remove", "remove a user and all tokens", "callcenter user remove ann", _user)
    for action in (revoke, remove):
        action.add_argument("name")
    for action in (add, token, list_, revoke, remove):
        _with_config(action)


def _user(options: argparse.Namespace) -> int:
    from callcenter.user_commands import run

    asyncio.run(run(load_settings(options.config), options))
    return 0


# asr


def _add_asr(commands: _Commands) -> None:
    parser = _command(commands, "asr", "look at speech models", "callcenter asr gate small calls/*.wav")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    gate = _command(
        actions,
        "gate",
        "measure how short a model's input may be: its errors by floor, and the floor to set",
        "callcenter asr gate small calls/*.wav",
        _asr_gate,
    )
    gate.add_argument("model", metavar="MODEL", help="a faster-whisper name or a folder")
    gate.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="AUDIO",
        help="recordings; what was said in NAME.wav is in NAME.txt, else full padding is taken for right",
    )
    gate.add_argument("--language", default=None, help="what is spoken (default: asr.language)")
    gate.add_argument("--json", action="store_true", help="print JSON")
    _with_config(gate)


def _asr_gate(options: argparse.Namespace) -> int:
    from callcenter.speech_commands import gate

    print(gate(load_settings(options.config), options))  # noqa: T201
    return 0


# transcribe


def _add_transcribe(commands: _Commands) -> None:
    parser = _command(
        commands,
        "transcribe",
        "write down what is said in recordings",
        "callcenter transcribe calls/ --format txt,srt --speakers caller,agent",
        _transcribe,
    )
    add = parser.add_argument
    add("files", type=Path, nargs="+", metavar="FILE", help="a recording, or a folder of them")
    add("--format", default="txt", metavar="LIST", help="txt, json, srt, vtt, or several (default: txt)")
    add("--language", metavar="CODE", help="a code such as en, or auto (default: asr.language)")
    add("--model", metavar="NAME", help="a faster-whisper name or folder (default: asr.model)")
    add("--jobs", type=int, metavar="N", help="utterances worked on at a time (default: one for each core)")
    add("--beam-size", type=int, metavar="N", help="1 is quickest (default: asr.beam_size)")
    add("--output", type=Path, metavar="DIR", help="where to write (default: beside each recording)")
    add("--speakers", default="left,right", metavar="A,B", help="who is on which channel of stereo")
    add("--mono", action="store_true", help="mix the channels and tell no speakers apart")
    add("--force", action="store_true", help="do again what is done")
    add("--json", action="store_true", help="print what was done as JSON")
    _with_config(parser)


def _transcribe(options: argparse.Namespace) -> int:
    from callcenter.transcribe import TranscribeOptions, run_transcribe

    given = {name: value for name, value in vars(options).items() if name in TranscribeOptions.__slots__}
    formats, files = options.format, tuple(options.files)
    return run_transcribe(
        load_settings(options.config).asr, TranscribeOptions(**given | {"files": files, "formats": formats})
    )
