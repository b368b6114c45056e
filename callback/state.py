"""The states of a callback, as a table. Pure.

::

    REQUESTED ──queue──> QUEUED ──fall_due──> DUE ──claim──> CLAIMED
        └─────schedule─> SCHEDULED ──fall_due──^
    agent first:     CLAIMED ─reserve─> AGENT_RESERVED ─accept─> AGENT_ACCEPTED ─dial─> DIALING
    customer first:  CLAIMED ─dial─> DIALING
    DIALING ─answer─> ANSWERED ─confirm─> CONFIRMING ─wait─> WAITING_AGENT ─bridge─> BRIDGED
                         └───────────────────bridge──────────────────────────────────^ ─complete─> COMPLETED
    CLAIMED .. AGENT_ACCEPTED ──release──> DUE            nobody was dialled
    DIALING .. BRIDGED ──retry──> RETRY_WAIT ──fall_due──> DUE
    DIALING .. BRIDGED ──lose──> RECONCILING ──retry──> RETRY_WAIT, or ──complete──> COMPLETED

QUEUED and SCHEDULED wait for their time, DUE for an agent (or, customer first, for a worker). From CLAIMED to
BRIDGED a worker answers for the callback, by a lease.
"""

from collections.abc import Iterable
from enum import StrEnum

from callback.errors import TransitionError


class State(StrEnum):
    """Where a callback stands."""

    REQUESTED = "requested"
    QUEUED = "queued"  # keeps its place in line; may not be dialled yet
    SCHEDULED = "scheduled"  # waits for the time that was chosen
    DUE = "due"  # may be dialled; stands in line
    CLAIMED = "claimed"
    AGENT_RESERVED = "agent_reserved"
    AGENT_ACCEPTED = "agent_accepted"
    DIALING = "dialing"
    ANSWERED = "answered"
    CONFIRMING = "confirming"
    WAITING_AGENT = "waiting_agent"
    BRIDGED = "bridged"
    RETRY_WAIT = "retry_wait"
    RECONCILING = "reconciling"  # the worker was lost while the customer was being dialled, or later

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    MERGED = "merged"  # the customer phoned in and went on in person
    EXHAUSTED = "exhausted"  # no attempts are left
    EXPIRED = "expired"
    REJECTED = "rejected"  # may not be dialled: do-not-call list, number
    FAILED = "failed"


class Step(StrEnum):
    """What moves a callback from one state to another."""

    QUEUE = "queue"
    SCHEDULE = "schedule"
    FALL_DUE = "fall_due"
    CLAIM = "claim"
    RESERVE = "reserve"
    ACCEPT = "accept"
    RELEASE = "release"
    DIAL = "dial"
    ANSWER = "answer"
    CONFIRM = "confirm"
    WAIT = "wait"
    BRIDGE = "bridge"
    RETRY = "retry"
    LOSE = "lose"
    COMPLETE = "complete"
    CANCEL = "cancel"
    MERGE = "merge"
    EXHAUST = "exhaust"
    EXPIRE = "expire"
    REJECT = "reject"
    FAIL = "fail"


_S, _T = State, Step

_NOBODY_DIALLED = {
    _T.CANCEL: _S.CANCELLED,
    _T.MERGE: _S.MERGED,
    _T.EXPIRE: _S.EXPIRED,
    _T.REJECT: _S.REJECTED,
    _T.FAIL: _S.FAILED,
}
_WAITING = _NOBODY_DIALLED | {_T.QUEUE: _S.QUEUED, _T.SCHEDULE: _S.SCHEDULED}
# While a worker has it, only moving it away from now on (closed by the clock) goes back to waiting.
_CLAIMED = _NOBODY_DIALLED | {_T.RELEASE: _S.DUE, _T.QUEUE: _S.QUEUED}
_DIALLED = {
    _T.RETRY: _S.RETRY_WAIT,
    _T.EXHAUST: _S.EXHAUSTED,
    _T.MERGE: _S.MERGED,
    _T.REJECT: _S.REJECTED,
    _T.FAIL: _S.FAILED,
    _T.LOSE: _S.RECONCILING,
}
# What the customer may decide by key.
_REACHED = _DIALLED | {
    _T.SCHEDULE: _S.SCHEDULED,
    _T.CANCEL: _S.CANCELLED,
    _T.COMPLETE: _S.COMPLETED,
}

TABLE: dict[State, dict[Step, State]] = {
    _S.REQUESTED: {_T.QUEUE: _S.QUEUED, _T.SCHEDULE: _S.SCHEDULED, _T.REJECT: _S.REJECTED},
    _S.QUEUED: _WAITING | {_T.FALL_DUE: _S.DUE},
    _S.SCHEDULED: _WAITING | {_T.FALL_DUE: _S.DUE},
    _S.RETRY_WAIT: _WAITING | {_T.FALL_DUE: _S.DUE},
    _S.DUE: _WAITING | {_T.CLAIM: _S.CLAIMED},
    _S.CLAIMED: _CLAIMED | {_T.RESERVE: _S.AGENT_RESERVED, _T.DIAL: _S.DIALING},
    _S.AGENT_RESERVED: _CLAIMED | {_T.ACCEPT: _S.AGENT_ACCEPTED},
    _S.AGENT_ACCEPTED: _CLAIMED | {_T.DIAL: _S.DIALING},
    _S.DIALING: _DIALLED | {_T.ANSWER: _S.ANSWERED},
    _S.ANSWERED: _REACHED | {_T.CONFIRM: _S.CONFIRMING, _T.WAIT: _S.WAITING_AGENT, _T.BRIDGE: _S.BRIDGED},
    _S.CONFIRMING: _REACHED | {_T.WAIT: _S.WAITING_AGENT, _T.BRIDGE: _S.BRIDGED},
    _S.WAITING_AGENT: _REACHED | {_T.BRIDGE: _S.BRIDGED},
    _S.BRIDGED: _DIALLED | {_T.COMPLETE: _S.COMPLETED, _T.WAIT: _S.WAITING_AGENT},
    _S.RECONCILING: {
        _T.RETRY: _S.RETRY_WAIT,
        _T.COMPLETE: _S.COMPLETED,
        _T.EXHAUST: _S.EXHAUSTED,
        _T.MERGE: _S.MERGED,
        _T.REJECT: _S.REJECTED,
        _T.FAIL: _S.FAILED,
    },
    _S.COMPLETED: {},
    _S.CANCELLED: {},
    _S.MERGED: {},
    _S.EXHAUSTED: {},
    _S.EXPIRED: {},
    _S.REJECTED: {},
    _S.FAILED: {},
}

ENDED = frozenset(state for state, ways in TABLE.items() if not ways)
OPEN = frozenset(State) - ENDED
WAITING = frozenset({State.QUEUED, State.SCHEDULED, State.RETRY_WAIT})
"""Its time has not come."""

CLAIMED = frozenset({State.CLAIMED, State.AGENT_RESERVED, State.AGENT_ACCEPTED})
"""A worker has it and has dialled nobody."""

DIALLED = frozenset({State.DIALING, State.ANSWERED, State.CONFIRMING, State.WAITING_AGENT, State.BRIDGED})
"""The customer has been dialled: what a lost worker leaves is reconciled, never done again blindly."""


def after(state: State, step: Step) -> State:
    """Return the state that follows; raises ``TransitionError`` for what the state does not allow."""
    try:
        return TABLE[state][step]
    except KeyError:
        raise TransitionError(f"a callback that is {state.value} cannot {step.value}") from None


def allowed(step: Step) -> frozenset[State]:
    """The states in which the step may be taken."""
    return frozenset(state for state, ways in TABLE.items() if step in ways)


def names(states: Iterable[State]) -> list[str]:
    """The states as the database has them."""
    return sorted(state.value for state in states)
