"""``callcenter user ...``: users, and their tokens for the API and the page."""

import json
import re
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

from callcenter.config import Settings
from callcenter.errors import NotFoundError, UsageError
from callcenter.storage.agents import Agents
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database
from callcenter.storage.users import Users

MAX_DAYS = 3650
_AGENT_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")


async def run(settings: Settings, options: Namespace) -> None:
    """Do what ``options.action`` says and print the result; raises ``UsageError``."""
    match options.action:
        case "add":
            await _add(settings, options)
        case "token":
            await _token(settings, options)
        case "list":
            await _list(settings, options)
        case "revoke":
            async with _opened(settings) as (_, users):
                if options.name not in {user.user_name for user in await users.all()}:
                    raise NotFoundError(f"there is no user {options.name}")
                count = await users.revoke_all(options.name)
            print(f"tokens of {options.name} made invalid: {count}")  # noqa: T201
        case "remove":
            async with _opened(settings) as (_, users):
                await users.remove(options.name)
            print(f"removed user {options.name}")  # noqa: T201


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Database, Users]]:
    async with Database.open(settings) as database:
        await Migrations(database).upgrade()
        yield database, Users(database)


async def _add(settings: Settings, options: Namespace) -> None:
    agent_id = options.agent
    if agent_id is None and options.role == "agent":
        raise UsageError("the role agent needs --agent ID: the agent this user is")
    async with _opened(settings) as (database, users):
        if agent_id is not None and agent_id not in {agent.id for agent in settings.agents}:
            await _require_agent(database, agent_id)
        await users.add(options.name, role=options.role, agent_id=agent_id)
    print(f"made user {options.name}")  # noqa: T201


async def _require_agent(database: Database, agent_id: str) -> None:
    """An agent who was made through the API; a user of nobody would see nothing and not know why."""
    if not _AGENT_ID.fullmatch(agent_id):
        raise UsageError(f"--agent: {agent_id!r} is no agent's id")
    try:
        await Agents(database).get(agent_id)
    except NotFoundError as error:
        raise UsageError(f"--agent: {error}") from None


async def _token(settings: Settings, options: Namespace) -> None:
    if options.days is not None and not 1 <= options.days <= MAX_DAYS:
        raise UsageError(f"--days must be between 1 and {MAX_DAYS}")
    async with _opened(settings) as (_, users):
        token = await users.issue_token(options.name, days=options.days)
    print(token)  # noqa: T201


async def _list(settings: Settings, options: Namespace) -> None:
    async with _opened(settings) as (_, users):
        rows = [asdict(user) | {"created_at": user.created_at.isoformat()} for user in await users.all()]
    if options.json:
        print(json.dumps(rows))  # noqa: T201
        return
    for row in rows:
        agent = f", agent {row['agent_id']}" if row["agent_id"] else ""
        print(f"{row['user_name']}: {row['role']}{agent}, valid tokens: {row['tokens']}")  # noqa: T201
