"""What an agent is doing, as a table of states and events.

``reserved`` is chosen for a caller but not yet called, ``ringing`` is being called. An agent who wants a
break or to go home while busy keeps that as a wish (``next_state``); it takes the place of ``available``
wherever the table leads back there, so after the wrap-up and not in the middle of a conversation.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from callcenter.errors import TransitionError

MISSED_OFFER = "missed offer"


class AgentState(StrEnum):
    """The state of an agent, as in the column ``callcenter.agent.state``."""

    OFFLINE = "offline"
    AVAILABLE = "available"
    RESERVED = "reserved"
    RINGING = "ringing"
    TALKING = "talking"
    WRAP_UP = "wrap_up"
    BREAK = "break"


class AgentEvent(StrEnum):
    """What moves an agent. The first four are the agent's own doing, the others the distributor's."""

    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"
    TAKE_BREAK = "take_break"
    READY = "ready"

    RESERVE = "reserve"
    RING = "ring"
    CONNECT = "connect"
    REFUSE = "refuse"  # the agent rejected the offer, or could not be reached
    MISS = "miss"  # the agent let it ring
    RELEASE = "release"  # the caller is gone, or whoever carried the call
    FINISH_CONVERSATION = "finish_conversation"
    WRAP_UP_DONE = "wrap_up_done"


S, E = AgentState, AgentEvent

WISHES = {E.SIGN_OUT: S.OFFLINE, E.TAKE_BREAK: S.BREAK}
"""What the agent wants to be next, by the event that says so while a call is on."""

BUSY = frozenset({S.RESERVED, S.RINGING, S.TALKING, S.WRAP_UP})
"""The states that belong to a call."""

_OFFERED = {
    E.CONNECT: S.TALKING,
    E.REFUSE: S.AVAILABLE,
    E.MISS: S.BREAK,
    E.RELEASE: S.AVAILABLE,
}


def _wishing(state: AgentState) -> dict[AgentEvent, AgentState]:
    return {E.SIGN_OUT: state, E.TAKE_BREAK: state, E.READY: state}


TABLE: dict[AgentState, dict[AgentEvent, AgentState]] = {
    S.OFFLINE: {E.SIGN_IN: S.AVAILABLE},
    S.AVAILABLE: {E.SIGN_OUT: S.OFFLINE, E.TAKE_BREAK: S.BREAK, E.RESERVE: S.RESERVED},
    S.BREAK: {E.SIGN_OUT: S.OFFLINE, E.TAKE_BREAK: S.BREAK, E.READY: S.AVAILABLE},
    S.RESERVED: {E.RING: S.RINGING} | _OFFERED | _wishing(S.RESERVED),
    S.RINGING: _OFFERED | _wishing(S.RINGING),
    S.TALKING: {E.FINISH_CONVERSATION: S.WRAP_UP, E.RELEASE: S.AVAILABLE} | _wishing(S.TALKING),
    S.WRAP_UP: _wishing(S.WRAP_UP)
    | {E.WRAP_UP_DONE: S.AVAILABLE, E.RELEASE: S.AVAILABLE, E.READY: S.AVAILABLE},
}


@dataclass(frozen=True, slots=True)
class Presence:
    """The state of one agent, why, and what the agent wishes to be after the present call."""

    state: AgentState
    reason: str = ""
    next_state: AgentState | None = None
    next_reason: str = ""


def step(presence: Presence, event: AgentEvent, reason: str = "") -> Presence:
    """The presence after ``event``; ``reason`` says why, such as the kind of break.

    Raises ``TransitionError`` for an event that the state does not allow.
    """
    try:
        state = TABLE[presence.state][event]
    except KeyError:
        raise TransitionError(f"an agent who is {presence.state} cannot take {event}") from None
    if presence.state in BUSY and event in WISHES:
        return replace(presence, next_state=WISHES[event], next_reason=reason)
    if event is E.READY:
        return Presence(state, presence.reason if state in BUSY else reason)
    if state in BUSY:
        return replace(presence, state=state, reason=reason)
    if presence.next_state is not None:
        return Presence(presence.next_state, presence.next_reason)
    return Presence(state, MISSED_OFFER if event is E.MISS else reason)


def refused(event: AgentEvent) -> Presence:
    """Where ``event`` (refuse, miss or release) takes an agent without a wish out of an offer."""
    return step(Presence(S.RINGING), event)
