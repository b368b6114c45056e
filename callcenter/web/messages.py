"""The messages of the live socket, as JSON text made once however many watch."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

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


def error_message(code: str, message: str) -> str:
    """Why a watcher's message was refused."""
    return to_json({"type": "error", "code": code, "message": message}).decode()
