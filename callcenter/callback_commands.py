"""``callcenter callback``: callbacks from the command line, by the same rules as everywhere."""

import argparse
import asyncio
import getpass
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from callback.errors import CallbackError
from callback.numbers import plain
from callback.request import Callback
from callback.search import Search
from callback.state import ENDED, OPEN, State
from callcenter import config
from callcenter.acd.queues import Queues
from callcenter.acd.waits import WaitTimes
from callcenter.callbacks.desk import CallbackDesk
from callcenter.callbacks.opening import open_callbacks
from callcenter.command import load_settings
from callcenter.errors import UsageError
from callcenter.queueing import SkillTree
from callcenter.storage.clock import DatabaseClock
from callcenter.storage.closures import ClosureBoard, Closures
from callcenter.storage.listener import Listener
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine
from callcenter.storage.queues import QueueRows
from callcenter.storage.wait_estimates import WaitEstimates
from callcenter.web.callback_bodies import CAUSE
from callcenter.web.callback_models import Callback as Shown
from callcenter.web.callback_models import CallbackAttempt, CallbackChange

MOST = 10_000


def run(options: argparse.Namespace) -> int:
    """Do what ``options.action`` says and print the result; raises ``UsageError``."""
    settings = load_settings(options.config)
    try:
        wanted = _search(options) if options.action == "list" else None
        callback_id = None if wanted is not None else _id(options.id)
        print(asyncio.run(_done(settings, options, wanted, callback_id)))  # noqa: T201
    except CallbackError as error:
        raise UsageError(str(error)) from None
    return 0


async def _done(
    settings: config.Settings, options: argparse.Namespace, wanted: Search | None, callback_id: UUID | None
) -> str:
    async with _desk(settings) as desk:
        if wanted is not None:
            return _list(await desk.find(wanted), as_json=options.json)
        assert callback_id is not None
        if options.action == "show":
            return await _whole(desk, callback_id, as_json=options.json)
        changed = await _changed(desk, options, callback_id)
        return _dumped(_json(changed)) if options.json else _line(changed)


async def _changed(desk: CallbackDesk, options: argparse.Namespace, callback_id: UUID) -> Callback:
    by = f"user {_user()}"
    match options.action:
        case "cancel":
            return await desk.cancel(callback_id, by=by, cause=_cause(options.cause))
        case "expedite":
            return await desk.expedite(callback_id, by=by)
        case _:
            moment = None if options.to is None else _time(options.to)
            is_local = moment is not None and moment.tzinfo is None
            return await desk.move(
                callback_id,
                by=by,
                slot_local=moment if is_local else None,
                slot_start=None if is_local else moment,
            )


@asynccontextmanager
async def _desk(settings: config.Settings) -> AsyncIterator[CallbackDesk]:
    """The desk as the service has it, but nothing of the settings file is taken over."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        database = await enter(Database.open(settings))
        await Migrations(database).upgrade()
        clock, listener = await enter(DatabaseClock(database)), await enter(Listener(database))
        queues = await enter(Queues(QueueRows(database), listener))
        waits = await enter(WaitTimes(WaitEstimates(database), queues, SkillTree(settings.skills)))
        closures = await enter(ClosureBoard(Closures(database), listener))
        line = QueueLine(database)
        yield open_callbacks(database, queues, line, settings, waits, closures, clock.now).desk


def _search(options: argparse.Namespace) -> Search:
    if not 1 <= options.limit <= MOST:
        raise UsageError(f"--limit must be between 1 and {MOST}")
    several = {"open": OPEN, "ended": ENDED, **{state.value: frozenset({state}) for state in State}}
    states: set[State] = set()
    for name in filter(None, options.state.split(",")):
        if name not in several:
            raise UsageError(f"--state: there is no state {name!r}; there are {', '.join(several)}")
        states |= several[name]
    number = None if options.number is None else plain(options.number)
    return Search(queue=options.queue, states=states, number=number, limit=options.limit)


def _cause(text: str) -> str:
    if not re.fullmatch(CAUSE, text):
        raise UsageError("--cause: must be one word of small letters, digits and _, at most 40 of them")
    return text


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise UsageError(f"{text!r} is no id of a callback") from None


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--to: {text!r} is no time (write it like 2026-11-27T15:00)") from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


# What is printed.


def _list(found: Sequence[Callback], *, as_json: bool) -> str:
    if as_json:
        return _dumped([_json(one) for one in found])
    return "\n".join(map(_line, found)) or "there are none"


async def _whole(desk: CallbackDesk, callback_id: UUID, *, as_json: bool) -> str:
    callback = await desk.get(callback_id)
    attempts, history = await desk.attempts_of(callback_id), await desk.history(callback_id)
    status = await desk.status(callback)
    if as_json:
        return _dumped(
            _json(callback)
            | {
                "position": status.place,
                "attempts_made": [CallbackAttempt.of(one).model_dump(mode="json") for one in attempts],
                "history": [CallbackChange.of(one).model_dump(mode="json") for one in history],
            }
        )
    place = "" if status.place is None else f", place {status.place} in line"
    lines = [_line(callback) + place]
    lines += [
        f"  attempt {one.number_of}: {_at(one.started_at)} {one.result or 'going on'}" for one in attempts
    ]
    lines += [
        f"  {_at(one.at)} {CallbackChange.of(one).type} by {one.by}{one.cause and ': ' + one.cause}"
        for one in history
    ]
    return "\n".join(lines)


def _line(callback: Callback) -> str:
    promised = f"promised {_at(callback.promised_from)} to {_at(callback.promised_until)}"
    tries = f"{callback.attempts} of {callback.attempts_max} attempts"
    what = f"{callback.callback_id} {callback.state.value} {callback.queue} {callback.number or 'erased'}"
    return f"{what}, {promised}, {tries}"


def _at(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _json(callback: Callback) -> dict[str, Any]:
    return Shown.of(callback).model_dump(mode="json")


def _dumped(document: object) -> str:
    return json.dumps(document, indent=2)
