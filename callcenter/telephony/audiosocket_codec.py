"""AudioSocket, Asterisk's audio over TCP: frames of kind (1 byte), length (2 bytes, big-endian), payload.

Source: https://docs.asterisk.org/Configuration/Channel-Drivers/AudioSocket/ and Asterisk's
``res_audiosocket.c``. The first frame is the UUID of the call, its only credential. A caller's hang-up is
seen as the end of the connection; 0x00 and 0xff are read all the same. Audio is 16-bit little-endian PCM
at 8 kHz; Asterisk's frames are sometimes short, and none come while the far end is silent.
"""

from enum import Enum, IntEnum, auto
from typing import Final
from uuid import UUID

from callcenter.errors import ProtocolError
from callcenter.media.frame import FRAME_BYTES
from callcenter.telephony.port import Audio, CodecEvent, Dtmf, LegEnded, LegStarted

_HEADER_BYTES: Final = 3
_CODED_FRAME_BYTES: Final = 160
_DIGITS: Final = frozenset(b"0123456789*#ABCDabcd")
_OTHER_RATES: Final = {
    0x11: "slin12",
    0x12: "slin16",
    0x13: "slin24",
    0x14: "slin32",
    0x15: "slin44",
    0x16: "slin48",
    0x17: "slin96",
    0x18: "slin192",
}


class _Kind(IntEnum):
    HANGUP = 0x00
    UUID = 0x01
    DTMF = 0x03
    AUDIO = 0x10
    ERROR = 0xFF


_AUDIO_HEADER: Final = bytes((_Kind.AUDIO,)) + FRAME_BYTES.to_bytes(2, "big")


class _State(Enum):
    WAITING = auto()
    FIRST_AUDIO = auto()
    STREAMING = auto()
    ENDED = auto()


class AudioSocketCodec:
    """One connection's protocol; feed it bytes as they come, cut anywhere.

    Holds at most one unfinished frame, that is 65 538 bytes, between calls.
    """

    def __init__(self) -> None:
        self._state = _State.WAITING
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[CodecEvent]:
        """Read what came. Raises ``ProtocolError``; the connection is then of no further use."""
        buffer = self._buffer
        buffer += data
        events: list[CodecEvent] = []
        at = 0
        while len(buffer) - at >= _HEADER_BYTES and self._state is not _State.ENDED:
            kind = buffer[at]
            length = buffer[at + 1] << 8 | buffer[at + 2]
            self._check(kind, length)
            end = at + _HEADER_BYTES + length
            if len(buffer) < end:
                break
            event = self._event(kind, bytes(buffer[at + _HEADER_BYTES : end]))
            if event is not None:
                events.append(event)
            at = end
        if self._state is _State.ENDED:
            buffer.clear()
        else:
            del buffer[:at]
        return events

    def audio(self, pcm16: bytes) -> bytes:
        """Make the frames that play PCM16 of 8 kHz, 20 ms each; write them in one call.

        Raises ``ValueError`` for none, which Asterisk would take as fatal, and for parts of a frame.
        """
        if not pcm16 or len(pcm16) % FRAME_BYTES:
            raise ValueError(f"{len(pcm16)} bytes are not a whole number of frames of {FRAME_BYTES}")
        if len(pcm16) == FRAME_BYTES:
            return _AUDIO_HEADER + pcm16
        starts = range(0, len(pcm16), FRAME_BYTES)
        return b"".join([_AUDIO_HEADER + pcm16[start : start + FRAME_BYTES] for start in starts])

    def hangup(self) -> bytes:
        """Make the frame that ends the connection; the dialplan goes on."""
        return bytes((_Kind.HANGUP, 0, 0))

    def _check(self, kind: int, length: int) -> None:
        if (self._state is _State.WAITING) != (kind == _Kind.UUID):
            first = self._state is _State.WAITING
            raise ProtocolError(
                f"the first frame is of kind 0x{kind:02x}" if first else "a second UUID frame"
            )
        match kind:
            case _Kind.UUID if length != 16:
                raise ProtocolError(f"a UUID of {length} bytes; it must be 16")
            case _Kind.DTMF if length != 1:
                raise ProtocolError(f"a DTMF frame of {length} bytes; it must be 1")
            case _Kind.AUDIO:
                self._check_audio(length)
            case _Kind.HANGUP | _Kind.UUID | _Kind.DTMF | _Kind.ERROR:
                pass
            case _ if kind in _OTHER_RATES:
                name = _OTHER_RATES[kind]
                raise ProtocolError(f"the channel's format is {name}; configure it as slin (8 kHz)")
            case _:
                raise ProtocolError(f"a frame of unknown kind 0x{kind:02x}")

    def _check_audio(self, length: int) -> None:
        if self._state is _State.FIRST_AUDIO and length == _CODED_FRAME_BYTES:
            raise ProtocolError(
                "the first audio frame has 160 bytes, so the channel sends µ-law, A-law or G.722;"
                " ask for slin, as in Dial(AudioSocket/host:port/uuid/c(slin))"
            )
        if length % 2:
            raise ProtocolError(f"an audio frame of {length} bytes; samples have 2 bytes")

    def _event(self, kind: int, payload: bytes) -> CodecEvent | None:
        match kind:
            case _Kind.UUID:
                self._state = _State.FIRST_AUDIO
                uuid = str(UUID(bytes=payload))
                return LegStarted(stream_ref=uuid, call_ref=uuid)
            case _Kind.AUDIO:
                if not payload:
                    return None
                self._state = _State.STREAMING
                return Audio(payload)
            case _Kind.DTMF:
                if payload[0] not in _DIGITS:
                    raise ProtocolError("a DTMF frame that is not a key of a telephone")
                return Dtmf(payload.decode("ascii").upper())
            case _Kind.ERROR:
                self._state = _State.ENDED
                return LegEnded("error")
            case _:
                self._state = _State.ENDED
                return LegEnded("hangup")
