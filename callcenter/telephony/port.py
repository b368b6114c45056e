"""The boundary between telephone networks and calls.

A protocol module supplies a ``Leg`` (how to speak to one party) and, where the network can be asked to
dial, a ``Gateway``. The call side supplies a ``LegSink`` (where a leg's audio and keys go) through a
``LegAcceptor``. Audio on this boundary is always 16-bit little-endian PCM, mono, 8000 Hz; a frame is
20 ms, 160 samples, 320 bytes (``media.frame``). Protocol modules convert at their edge.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from callcenter.media.frame import PacedBy

# What a codec makes of the bytes of a gateway. Codecs are pure: bytes in, these events out.


@dataclass(frozen=True, slots=True)
class LegStarted:
    """The gateway announced the stream. ``params`` are the pairs that travelled with it."""

    stream_ref: str
    call_ref: str
    params: Mapping[str, str] = field(default_factory=dict)


class Audio(NamedTuple):
    """Audio of the party: PCM16, 8 kHz, any whole number of samples.

    ``at_ms`` is the gateway's time stamp of the first sample in ms since the stream's start, ``None``
    where the protocol has none.
    """

    pcm16: bytes
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Dtmf:
    """A key of the telephone: one of ``0-9 * # A-D``."""

    digit: str


@dataclass(frozen=True, slots=True)
class Mark:
    """The gateway says that everything sent before the mark ``name`` has been played or dropped."""

    name: str


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The gateway ended the stream. ``reason`` is a short word for the log."""

    reason: str


ABNORMAL_ENDS: Final = frozenset({"lost", "silent", "error", "protocol error", "oversized or broken frame"})
"""The reasons of a leg's end (``LegSink.on_ended``) that are nobody's hanging up: the connection broke, the
gateway reported an error, or sent what its protocol does not allow."""

CodecEvent = LegStarted | Audio | Dtmf | Mark | LegEnded


@dataclass(frozen=True, slots=True)
class LegInfo:
    """Who and what a leg is.

    ``token`` is the single-use secret that ties the leg to what was expected: an incoming call that was
    announced, or an agent who was dialled.
    """

    leg_id: str
    gateway: str
    call_ref: str
    token: str
    paced_by: PacedBy
    from_number: str = ""
    to_number: str = ""


class Leg(Protocol):
    """How to speak to one party. Supplied by a protocol module.

    The methods never wait for a slow peer: a leg whose socket is congested drops and counts audio.
    """

    info: LegInfo

    async def send_audio(self, pcm16: bytes) -> None:
        """Send PCM16 of 8 kHz; any whole number of frames, to be heard as soon as possible."""

    async def send_mark(self, name: str) -> bool:
        """Ask for a mark after the audio sent so far; false where the protocol has no marks."""

    async def send_clear(self) -> None:
        """Drop what the gateway has buffered but not played; nothing where it buffers nothing."""

    async def close(self) -> None:
        """End the leg's media and with it the leg; may be called twice."""


class LegSink(Protocol):
    """Where the audio and the keys of a leg go. Supplied by the call."""

    async def on_audio(self, pcm16: bytes, at_ms: int | None) -> None:
        """Take audio as it came: PCM16, 8 kHz, not always whole frames."""

    def on_dtmf(self, digit: str) -> None:
        """Take a key."""

    def on_mark(self, name: str) -> None:
        """Take a mark that the gateway returned."""

    def on_ended(self, reason: str) -> None:
        """Take the end of the leg; called exactly once. ``ABNORMAL_ENDS`` are no hang-ups."""


LegAcceptor = Callable[[Leg], Awaitable[LegSink]]
"""Called once per leg when it has started; raises ``LegRefusedError`` for a leg nobody expects."""


class DialResult(StrEnum):
    """What became of a party who was dialled and did not come."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    FAILED = "failed"
    INVALID = "invalid"  # there is no such number
    UNKNOWN = "unknown"  # the network cannot tell


class CallFate(StrEnum):
    """What a network says of a call that it was asked to dial."""

    RINGING = "ringing"
    TALKING = "talking"  # answered and not over
    ANSWERED = "answered"  # answered and over
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    GONE = "gone"  # it has no such call: never dialled, or over for so long that it has forgotten


@dataclass(frozen=True, slots=True)
class Sought:
    """A dialled call: the key that ``originate`` was given, and what else is known of it.

    ``call_ref`` is empty where the network's answer never came; ``since`` is when it was asked, UTC.
    ``others`` are the network's names for calls to the same number that are known to be none of this.
    """

    attempt_id: UUID
    call_ref: str
    to: str
    since: datetime
    others: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FoundCall:
    """What became of a call, and the network's name for it, where there is one."""

    fate: CallFate
    call_ref: str = ""


class Gateway(Protocol):
    """A network that can be asked to dial. Supplied by a protocol module."""

    name: str

    async def originate(
        self, to: str, from_number: str, token: str, ring_timeout_s: float, attempt_id: UUID | None = None
    ) -> str:
        """Dial ``to``; when the party answers, a leg with ``token`` comes in. Returns the call's reference.

        ``attempt_id`` marks a customer's call, which ``find`` can then say something about, and whose events
        any process may be told. Raises ``GatewayError`` when the network refuses, and its sub-class
        ``DialUnknownError`` where the network may have dialled all the same.
        """

    async def find(self, sought: Sought) -> FoundCall:
        """What became of a customer's call; raises ``GatewayError`` when the network does not answer."""

    async def transfer(self, call_ref: str, to: str) -> None:
        """Hand the call over to the number ``to`` and let go of it."""

    async def hangup(self, call_ref: str) -> None:
        """End the call; a call that is already over is a success."""
