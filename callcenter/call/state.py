"""The states of a call, as a table. Pure.

::

    IVR ──join──> QUEUED ──ring──> RINGING ──connect──> TALKING <──hold/resume──> HELD
     ^               │  <──unring──┘                       │                        │
     └────leave──────┘                                     └────────end─────────────┘──> ENDED
    IVR ──record──> VOICEMAIL ──recorded──> IVR
    TALKING, HELD ──consult──> CONSULTING ──return──> TALKING    with the first agent, or with the second
    TALKING, HELD, CONSULTING ──release──> IVR                   the conversation is over, the caller goes on
    IVR, TALKING ──dial──> DIALLING ──connect──> TALKING         a callback's customer is dialled, by an agent
                              └──────release──> IVR              who waits for them, or by nobody yet
"""

from enum import Enum

from callcenter.errors import TransitionError


class CallState(Enum):
    """What a call is doing."""

    IVR = "ivr"
    QUEUED = "queued"
    RINGING = "ringing"
    DIALLING = "dialling"  # the customer of a callback
    TALKING = "talking"
    HELD = "held"
    CONSULTING = "consulting"  # on hold while the agent talks to another one
    VOICEMAIL = "voicemail"
    ENDED = "ended"


class CallInput(Enum):
    """What moves a call from one state to another."""

    JOIN = "join"
    LEAVE = "leave"
    RING = "ring"
    UNRING = "unring"
    CONNECT = "connect"
    DIAL = "dial"
    HOLD = "hold"
    RESUME = "resume"
    CONSULT = "consult"
    RETURN = "return"
    RELEASE = "release"
    RECORD = "record"
    RECORDED = "recorded"
    END = "end"


_S, _I = CallState, CallInput

TABLE: dict[CallState, dict[CallInput, CallState]] = {
    _S.IVR: {_I.JOIN: _S.QUEUED, _I.RECORD: _S.VOICEMAIL, _I.DIAL: _S.DIALLING, _I.END: _S.ENDED},
    _S.QUEUED: {_I.RING: _S.RINGING, _I.LEAVE: _S.IVR, _I.END: _S.ENDED},
    _S.RINGING: {_I.UNRING: _S.QUEUED, _I.CONNECT: _S.TALKING, _I.LEAVE: _S.IVR, _I.END: _S.ENDED},
    _S.DIALLING: {_I.CONNECT: _S.TALKING, _I.RELEASE: _S.IVR, _I.END: _S.ENDED},
    _S.TALKING: {
        _I.HOLD: _S.HELD,
        _I.CONSULT: _S.CONSULTING,
        _I.DIAL: _S.DIALLING,
        _I.RELEASE: _S.IVR,
        _I.END: _S.ENDED,
    },
    _S.HELD: {_I.RESUME: _S.TALKING, _I.CONSULT: _S.CONSULTING, _I.RELEASE: _S.IVR, _I.END: _S.ENDED},
    _S.CONSULTING: {_I.RETURN: _S.TALKING, _I.RELEASE: _S.IVR, _I.END: _S.ENDED},
    _S.VOICEMAIL: {_I.RECORDED: _S.IVR, _I.END: _S.ENDED},
    _S.ENDED: {},
}


def after(state: CallState, given: CallInput) -> CallState:
    """Return the state that follows; raises ``TransitionError`` for what the state does not allow."""
    try:
        return TABLE[state][given]
    except KeyError:
        raise TransitionError(f"a call that is {state.value} cannot {given.value}") from None
