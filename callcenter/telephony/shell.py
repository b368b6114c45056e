"""What the asyncio shells of all protocols share: counters, delivery of rare events, leg tokens."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID, uuid4

from callcenter.errors import ProtocolError
from callcenter.telephony.port import CodecEvent, DialResult, Dtmf, LegSink, LegStarted, Mark

DialListener = Callable[[str, DialResult], Awaitable[None]]
"""Told (reference of the token, result) when a dialled party did not come."""


@dataclass(frozen=True, slots=True)
class AttemptEvent:
    """What a network tells of a customer's call, perhaps twice, late or out of order.

    ``event_id`` is the same when it is told again. ``result`` is set where the customer did not come.
    """

    attempt_id: UUID
    reference: str
    event_id: str
    status: str
    call_ref: str
    result: DialResult | None


AttemptListener = Callable[[AttemptEvent], Awaitable[None]]


@dataclass(slots=True)
class MediaCounters:
    """What passed a gateway since the process started, for the metrics page."""

    frames_in: int = 0
    frames_out: int = 0
    dropped: int = 0
    refused: int = 0
    protocol_errors: int = 0


def deliver(event: CodecEvent, sink: LegSink) -> None:
    """Hand a key or a mark to the call."""
    if isinstance(event, Dtmf):
        sink.on_dtmf(event.digit)
    elif isinstance(event, Mark):
        sink.on_mark(event.name)
    elif isinstance(event, LegStarted):
        raise ProtocolError("the stream was started twice")


def new_token() -> str:
    """Make a single-use leg token: a random UUID, since AudioSocket can carry nothing else."""
    return str(uuid4())


def reference_of(token: str) -> str:
    """Name a token where the token itself must not be seen: in addresses and channel names."""
    return sha256(token.encode()).hexdigest()
