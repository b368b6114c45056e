"""The messages of the live socket, as JSON text made once however many watch."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from callcenter.web.feed import Standing
from callcenter.web.partials import LivePartial


def event_message(event: Mapping[str, Any]) -> str:
    """An event as it was stored."""
    return to_json({"type": "event", "event": event}).decode()


def segment_message(segment: Mapping[str, Any]) -> str:
    """What one party just said."""
    return to_json({"type": "segment", **segment}).decode()


def partial_message(partial: LivePartial) -> str:
    """What one party is saying."""
    return to_json({"type": "partial", **partial.text}).decode()


def state_message(standing: Standing) -> str:
    """How things stand; ages are derived from ``now`` by the receiver as time goes on."""
    return to_json({"type": "state", **state_document(standing)}).decode()


def error_message(code: str, message: str) -> str:
    """Why a watcher's message was refused."""
    return to_json({"type": "error", "code": code, "message": message}).decode()


def state_document(standing: Standing) -> dict[str, Any]:
    """The parts of a state message, also what the page is first drawn from."""
    queues = [{**row, "longest_wait_s": _age_s(standing, row["oldest_at"])} for row in standing.queues]
    return {
        "now": standing.now,
        "queues": queues,
        "agents": list(standing.agents),
        "calls": [_call(row) for row in standing.calls],
        "ended": [_call(row) for row in standing.ended],
    }


def _age_s(standing: Standing, since: Any) -> float:
    if since is None:
        return 0.0
    return round(max(0.0, float((standing.now - since).total_seconds())), 1)


def _call(row: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {"from_number": "from", "to_number": "to"}
    return {renamed.get(name, name): value for name, value in row.items()}
