"""Callbacks that no database has seen, for tests of the rules."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from callback.request import Callback, Mode, Source
from callback.state import State

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday."""


def at(text: str) -> datetime:
    """An instant; UTC where the text says nothing else."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def a_callback(now: datetime = NOON, **values: Any) -> Callback:
    """One that is due at ``now`` and expires a day later."""
    defaults: dict[str, Any] = {
        "callback_id": UUID(int=1),
        "queue": "sales",
        "number": "+12025550143",
        "source": Source.API,
        "mode": Mode.AGENT_FIRST,
        "state": State.DUE,
        "state_since": now,
        "requested_at": now,
        "arrived_at": now,
        "not_before": now,
        "expires_at": now + timedelta(days=1),
        "promised_from": now,
        "promised_until": now + timedelta(minutes=30),
        "zone": "UTC",
        "language": "",
        "name": "",
        "topic": "",
        "note": "",
        "consent": False,
        "priority": 0,
        "needs": "[]",
        "from_number": "",
        "chain_id": UUID(int=2),
        "attempts": 0,
        "attempts_max": 3,
        "bridge_redials": 0,
        "apologise": False,
        "version": 1,
        "fence": 0,
        "ended_by": "",
        "cause": "",
    }
    return Callback(**dict.fromkeys(Callback.__dataclass_fields__) | defaults | values)
