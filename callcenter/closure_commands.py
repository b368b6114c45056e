"""``callcenter closure``: close at once, whatever the opening hours say, and open again."""

import argparse
import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TypeVar

from callcenter import config, reports
from callcenter.command import load_settings
from callcenter.errors import UsageError
from callcenter.storage.closures import MAX_MESSAGE_LENGTH, Closure, Closures, Scope
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database
from callcenter.storage.queues import QueueRows

Result = TypeVar("Result")


def close(options: argparse.Namespace) -> int:
    """``closure on``."""
    settings = load_settings(options.config)
    if len(options.message) > MAX_MESSAGE_LENGTH or not options.message.isprintable():
        raise UsageError(f"--message: must be one line of at most {MAX_MESSAGE_LENGTH} printable characters")
    until = None if options.until is None else _until(settings, options.until)

    async def write(database: Database) -> Closure:
        scope, name = await _place(database, settings, options)
        return await Closures(database).close(
            scope, name, message=options.message, by_whom=_user(), until=until
        )

    print(_line(asyncio.run(_with(settings, write))))  # noqa: T201
    return 0


def open_again(options: argparse.Namespace) -> int:
    """``closure off``."""
    settings = load_settings(options.config)

    async def write(database: Database) -> str:
        scope, name = await _place(database, settings, options)
        what = f"{scope} {name}".strip()
        return (
            f"open again: {what}" if await Closures(database).open(scope, name) else f"was not closed: {what}"
        )

    print(asyncio.run(_with(settings, write)))  # noqa: T201
    return 0


def show(options: argparse.Namespace) -> int:
    """``closure show``."""
    closures = asyncio.run(
        _with(load_settings(options.config), lambda database: Closures(database).in_force())
    )
    if options.json:
        print(json.dumps([asdict(closure) for closure in closures], default=datetime.isoformat))  # noqa: T201
    else:
        print("\n".join(map(_line, closures)) or "nothing is closed")  # noqa: T201
    return 0


async def _with(settings: config.Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    async with Database.open(settings) as database:
        await Migrations(database).upgrade()
        return await work(database)


async def _place(
    database: Database, settings: config.Settings, options: argparse.Namespace
) -> tuple[Scope, str]:
    """What is meant; raises ``UsageError`` for a queue or flow that there is not."""
    if options.queue is not None:
        queues = {row.queue.name for row in await QueueRows(database).all()}
        if options.queue not in queues | {queue.name for queue in settings.queues}:
            raise UsageError(f"--queue: there is no queue {options.queue!r}")
        return Scope.QUEUE, options.queue
    if options.flow is not None:
        flows = {route.flow.stem for route in settings.routes}
        if options.flow not in flows:
            known = ", ".join(sorted(flows)) or "there are no routes"
            raise UsageError(f"--flow: no route has a flow {options.flow!r} ({known})")
        return Scope.FLOW, options.flow
    return Scope.ALL, ""


def _until(settings: config.Settings, text: str) -> datetime:
    zone = reports.reporting_zone(settings.metrics.timezone)
    try:
        moment = datetime.fromisoformat(text)
        until = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"--until: {text!r} is no time (write it like 2026-11-27T08:00)") from None
    if until <= datetime.now(UTC):
        raise UsageError(f"--until: {text} is over")
    return until


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _line(closure: Closure) -> str:
    what = f"{closure.scope} {closure.name}".strip()
    until = f", until {closure.until.isoformat()}" if closure.until is not None else ""
    message = f": {closure.message}" if closure.message else ""
    return f"closed: {what}, since {closure.since.isoformat()} by {closure.by_whom}{until}{message}"
