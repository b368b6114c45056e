"""The conversations of a call and when the customer was on hold in them, on the call's clock."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from callcenter.events import Event, EventType
from callcenter.reports.talk import Stretch

E = EventType
TYPES = (
    *(E.CALL_STARTED, E.QUEUE_ENTERED, E.AGENT_CONNECTED, E.CONVERSATION_ENDED, E.CALL_ENDED),
    *(E.HOLD_STARTED, E.HOLD_ENDED, E.CONSULT_STARTED, E.CONSULT_ENDED),
)
"""The events that conversations are made of."""

_AWAY = {E.HOLD_STARTED: "hold", E.CONSULT_STARTED: "consult"}
_BACK = {E.HOLD_ENDED: "hold", E.CONSULT_ENDED: "consult"}
_OVER = frozenset({E.CONVERSATION_ENDED, E.QUEUE_ENTERED, E.CALL_ENDED})


@dataclass(frozen=True, slots=True)
class Conversation:
    """One agent and the customer; ``at`` is when the contact entered its queue, UTC.

    ``span`` and ``holds`` are ms since the call's start. While agents consult each other the customer is on
    hold.
    """

    queue: str | None
    agent: str | None
    at: datetime
    span: Stretch
    holds: tuple[Stretch, ...]


def conversations(events: Iterable[Event]) -> list[Conversation]:
    """Find a call's conversations that are over, in their order; the events may come in any order."""
    ordered = sorted(events, key=lambda event: event.seq or 0)
    if not ordered:
        return []
    call = _Call(ordered[0].at)
    for event in ordered:
        call.take(event)
    return call.found


@dataclass(slots=True)
class _Call:
    started_at: datetime
    found: list[Conversation] = field(default_factory=list)
    entered: tuple[str | None, datetime] | None = None
    connected: Event | None = None
    away: dict[str, int] = field(default_factory=dict)  # kind of absence -> since
    holds: list[Stretch] = field(default_factory=list)

    def take(self, event: Event) -> None:
        now_ms = self._ms(event)
        if event.type is E.CONVERSATION_ENDED and event.data.get("bridge") == "failed":
            self.connected = None  # the agent was lost as soon as connected: nobody spoke with anybody
        if event.type in _OVER or event.type is E.AGENT_CONNECTED:
            self._close(now_ms)
        if event.type is E.QUEUE_ENTERED:
            self.entered = event.queue, event.at
        elif event.type is E.AGENT_CONNECTED:
            self.connected = event
        elif self.connected is not None and event.type in _AWAY:
            self.away.setdefault(_AWAY[event.type], now_ms)
        elif event.type in _BACK:
            since_ms = self.away.pop(_BACK[event.type], None)
            if since_ms is not None:
                self.holds.append(Stretch(since_ms, now_ms))

    def _close(self, now_ms: int) -> None:
        event, self.connected = self.connected, None
        if event is not None:
            queue, at = self.entered or (event.queue, event.at)
            open_ = (Stretch(since_ms, now_ms) for since_ms in self.away.values())
            span = Stretch(self._ms(event), now_ms)
            self.found.append(
                Conversation(event.queue or queue, event.agent, at, span, (*self.holds, *open_))
            )
        self.away, self.holds = {}, []

    def _ms(self, event: Event) -> int:
        return (event.at - self.started_at) // timedelta(milliseconds=1)
