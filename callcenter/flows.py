"""The flows that answer calls, loaded and checked before the first call is taken."""

from collections.abc import Callable
from pathlib import Path

import ivr
from callcenter import config
from callcenter.errors import ConfigError


def load_flow(
    path: Path, queues: set[str] | None, warn: Callable[[ivr.FlowError], None] | None = None
) -> ivr.Flow:
    """Load one flow; raises ``ConfigError`` with file, line and node. ``queues``: names that exist.

    ``warn`` gets what does no harm.
    """
    try:
        return ivr.check(path, queues, warn)
    except ivr.FlowError as error:
        raise ConfigError(str(error)) from None


def load_flows(settings: config.Settings) -> dict[str, ivr.Flow]:
    """Load the flow of every route; returns them by called number, ``*`` for all others."""
    queues = {queue.name for queue in settings.queues}
    return {route.number: load_flow(route.flow, queues) for route in settings.routes}
