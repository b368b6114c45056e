"""The flows that answer calls, loaded and checked before the first call is taken."""

from pathlib import Path

import ivr
from callcenter import config
from callcenter.errors import ConfigError


def load_flow(path: Path, queues: set[str] | None, skills: set[str] | None = None) -> ivr.Flow:
    """Load one flow; raises ``ConfigError`` with file, line and node.

    ``queues`` and ``skills`` are the names that exist, ``None`` where any will do.
    """
    try:
        return ivr.check(path, queues, skills)
    except ivr.FlowError as error:
        raise ConfigError(str(error)) from None


def load_flows(settings: config.Settings) -> dict[str, ivr.Flow]:
    """Load the flow of every route; returns them by called number, ``*`` for all others."""
    queues = {queue.name for queue in settings.queues}
    skills = set(settings.skills)
    return {route.number: load_flow(route.flow, queues, skills) for route in settings.routes}
