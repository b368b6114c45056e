"""The events that end a call whose process died. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from callcenter.events import EndCause, Event, EventType, Outcome

DIED = "process_died"

_OPENED_BY = {
    EventType.OFFER_SENT: "offer",
    EventType.AGENT_CONNECTED: "conversation",
    EventType.HOLD_STARTED: "hold",
    EventType.ACW_STARTED: "wrap_up",
    EventType.CONSULT_STARTED: "consult",
    EventType.MONITOR_STARTED: "monitor",
    EventType.CALL_STARTED: "call",
}
_CLOSED_BY = {
    EventType.OFFER_ACCEPTED: "offer",
    EventType.OFFER_REJECTED: "offer",
    EventType.OFFER_NO_ANSWER: "offer",
    EventType.OFFER_CANCELLED: "offer",
    EventType.CONVERSATION_ENDED: "conversation",
    EventType.HOLD_ENDED: "hold",
    EventType.ACW_ENDED: "wrap_up",
    EventType.CONSULT_ENDED: "consult",
    EventType.MONITOR_ENDED: "monitor",
    EventType.CALL_ENDED: "call",
}
_PER_AGENT = frozenset({"offer", "wrap_up"})
# In the order in which a living process would have written them.
_ENDS = {
    "offer": (EventType.OFFER_CANCELLED, {"reason": DIED}),
    "consult": (EventType.CONSULT_ENDED, {"result": "failed"}),
    "monitor": (EventType.MONITOR_ENDED, {}),
    "hold": (EventType.HOLD_ENDED, {}),
    "conversation": (EventType.CONVERSATION_ENDED, {"by": "system"}),
    "wrap_up": (EventType.ACW_ENDED, {"disposition": ""}),
    "call": (EventType.CALL_ENDED, {"cause": EndCause.FAILED.value, "outcome": Outcome.FAILED.value}),
}


def closing_events(events: Sequence[Event], seen_at: datetime | None, now: datetime) -> list[Event]:
    """What is missing at the end of a call's ``events``, numbered on from the last of them.

    All carry the last sign of life: the call's last event or ``seen_at``, when the process was last known
    to live, whichever is later, but no time after ``now``. A call that waited in a queue gets no event for
    leaving it; its end is enough. A call that has all its ends, or no events, gets none.
    """
    if not events:
        return []
    ordered = sorted(events, key=lambda event: event.seq or 0)
    last = ordered[-1]
    at = max(last.at, min(seen_at, now)) if seen_at is not None else last.at
    parts = _open_parts(ordered)
    found = [
        replace(began, type=type_, at=at, data=data | _kept(began), event_id=None)
        for part, (type_, data) in _ENDS.items()
        for (open_part, _), began in parts.items()
        if open_part == part
    ]
    return [replace(event, seq=(last.seq or 0) + number) for number, event in enumerate(found, start=1)]


def _open_parts(events: Sequence[Event]) -> dict[tuple[str, str | None], Event]:
    """What has begun and not ended, by part and, where several may be at it, by agent or user."""
    parts: dict[tuple[str, str | None], Event] = {}
    for event in events:
        if part := _OPENED_BY.get(event.type):
            parts[part, _whose(part, event)] = event
        elif part := _CLOSED_BY.get(event.type):
            parts.pop((part, _whose(part, event)), None)
    return parts


def _whose(part: str, event: Event) -> str | None:
    return event.data.get("user") if part == "monitor" else event.agent if part in _PER_AGENT else None


def _kept(began: Event) -> dict[str, Any]:
    return {"user": began.data.get("user")} if began.type is EventType.MONITOR_STARTED else {}
