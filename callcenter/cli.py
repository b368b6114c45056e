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
from pathlib import Path

from callcenter import __version__, config
from callcenter.callback_cli import add_callback
from callcenter.closure_cli import add_closure
from callcenter.command import Commands, Handler, Parser, command, load_settings, with_config
from callcenter.errors import CallCenterError, UsageError
from callcenter.report_commands import add_report
from callcenter.speech_cli import add_asr, add_transcribe
from callcenter.staffing_cli import add_staffing

MAX_PORT = 65535


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


def _parser() -> Parser:
    parser = Parser(
        prog="callcenter",
        description="A self-hosted voice call center.",
        epilog="example: callcenter serve --config configs/callcenter.yaml",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"callcenter {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_worker(commands)
    _add_demo(commands)
    add_report(commands)
    _add_ivr(commands)
    _add_config(commands)
    _add_db(commands)
    _add_user(commands)
    add_closure(commands)
    add_callback(commands)
    add_transcribe(commands)
    add_asr(commands)
    add_staffing(commands)
    return parser


def set_up_logging(level: str) -> None:
    """Log to stderr."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")


# serve


def _add_serve(commands: Commands) -> None:
    parser = command(
        commands,
        "serve",
        "take calls",
        "callcenter serve --config configs/callcenter.yaml --processes 2",
        _serve,
    )
    with_config(parser)
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


# worker


def _add_worker(commands: Commands) -> None:
    parser = command(
        commands,
        "worker",
        "carry callbacks only: no callers, no pages, no API; with the settings and the database of serve",
        "callcenter worker --config configs/callcenter.yaml --port 8090",
        _worker,
    )
    with_config(parser)
    parser.add_argument(
        "--port",
        type=int,
        default=None,
        metavar="N",
        help="HTTP port for media, health and metrics (default: server.port; 0: any free one)",
    )


def _worker(options: argparse.Namespace) -> int:
    settings = load_settings(options.config)
    set_up_logging(settings.log_level)
    if options.port is not None:
        if not 0 <= options.port <= MAX_PORT:
            raise UsageError(f"--port must be between 0 and {MAX_PORT}")
        server = settings.server.model_copy(update={"port": options.port})
        settings = settings.model_copy(update={"server": server})
    from callcenter.app import Role, run_service

    return run_service(settings, role=Role.WORKER)


# demo


def _add_demo(commands: Commands) -> None:
    parser = command(
        commands,
        "demo",
        "run everything against simulated callers and agents and compare the figures with the truth",
        "callcenter demo --seed 7 --json demo.json",
        _demo,
    )
    parser.add_argument("--calls", type=int, default=20, metavar="N", help="calls to place (default: 20)")
    parser.add_argument("--agents", type=int, default=4, metavar="N", help="agents (default: 4)")
    parser.add_argument("--seed", type=int, default=3, help="seed of the simulation (default: 3)")
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


# ivr


def _add_ivr(commands: Commands) -> None:
    parser = command(
        commands, "ivr", "check or draw a flow file", "callcenter ivr check configs/ivr/main.yaml"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = command(
        actions, "check", "say what is wrong with a flow", "callcenter ivr check FLOW.yaml", _ivr_check
    )
    draw = command(
        actions, "draw", "draw a flow as SVG", "callcenter ivr draw FLOW.yaml > flow.svg", _ivr_draw
    )
    for action in (check, draw):
        action.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--json", action="store_true", help="print JSON")
    with_config(check)


def _ivr_check(options: argparse.Namespace) -> int:
    from callcenter.flows import load_flow

    settings = load_settings(options.config)
    queues = {queue.name for queue in settings.queues} or None
    warnings: list[str] = []
    flow = load_flow(
        options.file,
        queues,
        lookup_hosts=settings.ivr.lookup_hosts,
        warn=lambda warning: warnings.append(str(warning)),
    )
    if options.json:
        found = {"file": str(options.file), "ok": True, "nodes": len(flow.nodes), "warnings": warnings}
        print(json.dumps(found))  # noqa: T201
    else:
        for warning in warnings:
            print(f"warning: {warning}")  # noqa: T201
        print(f"{options.file}: {len(flow.nodes)} nodes, no problem found")  # noqa: T201
    return 0


def _ivr_draw(options: argparse.Namespace) -> int:
    import ivr
    from callcenter.flows import load_flow

    print(ivr.draw(load_flow(options.file, None)))  # noqa: T201
    return 0


# config


def _add_config(commands: Commands) -> None:
    parser = command(commands, "config", "check the settings", "callcenter config check")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = command(
        actions, "check", "check the settings file and the flows", "callcenter config check", _config_check
    )
    with_config(check)


def _config_check(options: argparse.Namespace) -> int:
    from callcenter import flows as flow_files

    settings = load_settings(options.config)
    flows = flow_files.load_flows(settings)
    counts = f"{len(settings.queues)} queues, {len(settings.agents)} agents, {len(flows)} routes"
    for doubt in (*config.doubts(settings), *flow_files.doubts(flows)):
        print(f"callcenter: warning: {doubt}", file=sys.stderr)  # noqa: T201
    print(f"settings are good: {counts}")  # noqa: T201
    return 0


# db


def _add_db(commands: Commands) -> None:
    parser = command(commands, "db", "look after the database's schema", "callcenter db status")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    upgrade = command(actions, "upgrade", "bring the schema up to date", "callcenter db upgrade", _db_upgrade)
    status = command(
        actions, "status", "list the schema's versions", "callcenter db status --json", _db_status
    )
    for action in (upgrade, status):
        with_config(action)
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


def _add_user(commands: Commands) -> None:
    parser = command(commands, "user", "look after users", "callcenter user add ann --role supervisor")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = command(actions, "add", "make a user", "callcenter user add ann --role agent --agent ann", _user)
    add.add_argument("name")
    add.add_argument("--role", choices=["agent", "supervisor", "admin"], required=True)
    add.add_argument("--agent", default=None, metavar="ID", help="the agent this user is")
    token = command(
        actions, "token", "make an API token and print it once", "callcenter user token ann --days 90", _user
    )
    token.add_argument("name")
    token.add_argument(
        "--days", type=int, default=None, metavar="N", help="days until it expires (default: never)"
    )
    list_ = command(actions, "list", "list the users", "callcenter user list --json", _user)
    list_.add_argument("--json", action="store_true", help="print JSON")
    revoke = command(
        actions, "revoke", "make all tokens of a user invalid", "callcenter user revoke ann", _user
    )
    remove = command(actions, "remove", "remove a user and all tokens", "callcenter user remove ann", _user)
    for action in (revoke, remove):
        action.add_argument("name")
    for action in (add, token, list_, revoke, remove):
        with_config(action)


def _user(options: argparse.Namespace) -> int:
    from callcenter.user_commands import run

    asyncio.run(run(load_settings(options.config), options))
    return 0
