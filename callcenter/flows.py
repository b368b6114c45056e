"""The flows that answer calls, loaded and checked before the first call is taken."""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import ivr
from callcenter import config
from callcenter.errors import ConfigError


def load_flow(
    path: Path,
    queues: Collection[str] | None,
    skills: Collection[str] | None = None,
    lookup_hosts: Collection[str] | None = None,
    *,
    warn: Callable[[ivr.FlowError], None] | None = None,
) -> ivr.Flow:
    """Load one flow; raises ``ConfigError`` with file, line and node.

    ``queues`` and ``skills`` are the names that exist, ``lookup_hosts`` the hosts that may be asked; ``None``
    where any will do. ``warn`` gets what does no harm.
    """
    try:
        return ivr.check(path, queues, skills, lookup_hosts, warn=warn)
    except ivr.FlowError as error:
        raise ConfigError(str(error)) from None


def load_flows(settings: config.Settings) -> dict[str, ivr.Flow]:
    """Load the flow of every route; returns them by called number, ``*`` for all others."""
    queues = {queue.name for queue in settings.queues}
    skills = set(settings.skills)
    hosts = settings.ivr.lookup_hosts
    return {route.number: load_flow(route.flow, queues, skills, hosts) for route in settings.routes}


def doubts(flows: Mapping[str, ivr.Flow], environ: Mapping[str, str] = os.environ) -> list[str]:
    """Lookups that will fail in this environment, one line each."""
    found = (
        f"{where}: the variable {name} is not set, so the lookup will fail"
        for flow in flows.values()
        for where, lookup in ivr.lookups(flow)
        for name in lookup.secrets
        if name not in environ
    )
    return list(dict.fromkeys(found))
