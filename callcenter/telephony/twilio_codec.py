"""Twilio Media Streams: JSON text messages in, events out; audio, marks and clears as text.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages. The dialect of SignalWire
(ids only inside ``start``) and snake_case names are read too; ids are sent back under the name they came
with. Numbers may be strings or numbers. Order: ``connected`` (optional), ``start``, then anything, then
``stop``, after which nothing counts. An unknown event after ``start`` is ignored, since the protocol grows.
"""

import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, Final

from callcenter.errors import ProtocolError
from callcenter.media.g711 import pcm16_to_ulaw, ulaw_to_pcm16
from callcenter.telephony.port import Audio, CodecEvent, Dtmf, LegEnded, LegStarted, Mark

MAX_MESSAGE_CHARS: Final = 64 * 1024
MAX_PAYLOAD_BYTES: Final = 16_000
"""Two seconds of µ-law in one message; networks send 20 ms."""
MAX_RECENT_PAYLOADS: Final = 2048
MAX_PARAMS: Final = 50
MAX_PARAM_NAME_CHARS: Final = 128
MAX_PARAM_VALUE_CHARS: Final = 1024
MAX_NAME_CHARS: Final = 256

_MAX_PAYLOAD_CHARS: Final = (MAX_PAYLOAD_BYTES + 2) // 3 * 4
_ULAW_NAMES: Final = frozenset({"audio/x-mulaw", "audio/mulaw", "pcmu"})
_DIGITS: Final = frozenset("0123456789*#ABCD")
_STREAM_IDS: Final = ("streamSid", "stream_sid")

_decode: Final = json.JSONDecoder().raw_decode
_Event = tuple[CodecEvent, ...]


class _State(Enum):
    WAITING = auto()
    STREAMING = auto()
    STOPPED = auto()


class RecentPayloads:
    """The payloads of the sound that came in last, so that bridged sound need not be coded again.

    Shared by the legs of a process. A payload is taken out when it is sent on; what nobody sends on is
    forgotten all at once when there are ``MAX_RECENT_PAYLOADS``.
    """

    def __init__(self) -> None:
        self._payloads: dict[bytes, str] = {}

    def keep(self, pcm16: bytes, payload: str) -> None:
        """Remember what ``pcm16`` was coded as."""
        if len(self._payloads) >= MAX_RECENT_PAYLOADS:
            self._payloads.clear()
        self._payloads[pcm16] = payload

    def coded(self, pcm16: bytes) -> str:
        """Take the payload of ``pcm16``, or make it."""
        return self._payloads.pop(pcm16, "") or b2a_base64(pcm16_to_ulaw(pcm16), newline=False).decode(
            "ascii"
        )


class TwilioCodec:
    """One media WebSocket's protocol; feed every text message to ``receive``.

    Legs that are bridged to each other share ``recent``.
    """

    def __init__(self, recent: RecentPayloads | None = None) -> None:
        self._recent = recent or RecentPayloads()
        self._state = _State.WAITING
        self._stream_sid = ""
        self._media_prefix = self._mark_prefix = self._clear = ""
        self._handlers: Mapping[str, Callable[[dict[str, Any]], _Event]] = {
            "mark": self._on_mark,
            "dtmf": self._on_dtmf,
            "start": self._on_start,
            "stop": self._on_stop,
        }

    def receive(self, text: str) -> tuple[CodecEvent, ...]:
        """Read one message. Raises ``ProtocolError`` for anything the protocol does not allow."""
        if len(text) > MAX_MESSAGE_CHARS:
            raise ProtocolError(f"a message of {len(text)} characters; the limit is {MAX_MESSAGE_CHARS}")
        text = text.strip()
        try:
            message, end = _decode(text)
        except (ValueError, RecursionError):
            raise ProtocolError("a message that is not JSON") from None
        if end != len(text):
            raise ProtocolError("a message that is not JSON, but more")
        if type(message) is not dict:
            raise ProtocolError(f"a message that is {_shown(message)}, not an object")
        event = message.get("event")
        if self._state is _State.STREAMING and event == "media":
            return self._on_media(message)
        return self._on_rare(event, message)

    def audio(self, pcm16: bytes) -> str:
        """Make the message that plays PCM16 of 8 kHz. Raises ``ValueError`` for none or half a sample."""
        if not pcm16:
            raise ValueError("no audio to send")
        return f'{self._announced(self._media_prefix)}{self._recent.coded(pcm16)}"}}}}'

    def mark(self, name: str) -> str:
        """Make the message that asks for a mark after the audio sent so far."""
        return f"{self._announced(self._mark_prefix)}{json.dumps(name)}}}}}"

    def clear(self) -> str:
        """Make the message that drops the audio that is buffered; pending marks come back at once."""
        return self._announced(self._clear)

    @staticmethod
    def _announced(prefix: str) -> str:
        if not prefix:
            raise RuntimeError("nothing can be sent before the stream has started")
        return prefix

    def _on_rare(self, event: object, message: dict[str, Any]) -> _Event:
        if type(event) is not str:
            raise ProtocolError(f"event is {_shown(event)}, not a string")
        if self._state is _State.STOPPED:
            return ()
        handler = self._handlers.get(event)
        if self._state is _State.WAITING and event not in {"connected", "start"}:
            raise ProtocolError(f"{_shown(event)} before start")
        return handler(message) if handler is not None else ()

    def _on_media(self, message: dict[str, Any]) -> _Event:
        if message.get("streamSid", self._stream_sid) != self._stream_sid:
            raise ProtocolError("media of another stream")
        media = message.get("media")
        if type(media) is not dict:
            raise ProtocolError(f"media is {_shown(media)}, not an object")
        track = media.get("track", "inbound")
        if track != "inbound":
            _text(track, "media.track")
            return ()
        payload = media.get("payload")
        if type(payload) is not str:
            raise ProtocolError(f"media.payload is {_shown(payload)}, not a string")
        if len(payload) > _MAX_PAYLOAD_CHARS:
            raise ProtocolError(f"media.payload is larger than {MAX_PAYLOAD_BYTES} bytes")
        try:
            ulaw = a2b_base64(payload, strict_mode=True)
        except ValueError:
            raise ProtocolError("media.payload is not base64") from None
        if not ulaw:
            return ()
        at = media.get("timestamp")
        pcm16 = ulaw_to_pcm16(ulaw)
        self._recent.keep(pcm16, payload)
        return (Audio(pcm16, None if at is None else _number(at, "media.timestamp")),)

    def _on_start(self, message: dict[str, Any]) -> _Event:
        if self._state is not _State.WAITING:
            raise ProtocolError("a second start")
        start = _object(message.get("start"), "start")
        _check_format(start)
        key, stream_sid = _stream_id(message, start)
        call_sid = _identifier(_either(start, "callSid", "call_sid"), "start.callSid")
        params = _params(_either(start, "customParameters", "custom_parameters"))
        stream = f'"{key}":{json.dumps(stream_sid)}'
        self._media_prefix = f'{{"event":"media",{stream},"media":{{"payload":"'
        self._mark_prefix = f'{{"event":"mark",{stream},"mark":{{"name":'
        self._clear = f'{{"event":"clear",{stream}}}'
        self._stream_sid = stream_sid
        self._state = _State.STREAMING
        return (LegStarted(stream_ref=stream_sid, call_ref=call_sid, params=params),)

    @staticmethod
    def _on_dtmf(message: dict[str, Any]) -> _Event:
        digit = _text(_object(message.get("dtmf"), "dtmf").get("digit"), "dtmf.digit").upper()
        if digit not in _DIGITS:
            raise ProtocolError("dtmf.digit is not a key of a telephone")
        return (Dtmf(digit),)

    @staticmethod
    def _on_mark(message: dict[str, Any]) -> _Event:
        return (Mark(_identifier(_object(message.get("mark"), "mark").get("name"), "mark.name")),)

    def _on_stop(self, _message: dict[str, Any]) -> _Event:
        self._state = _State.STOPPED
        return (LegEnded("stop"),)


def _check_format(start: dict[str, Any]) -> None:
    sound = _object(_either(start, "mediaFormat", "media_format"), "start.mediaFormat")
    encoding = _text(sound.get("encoding"), "start.mediaFormat.encoding")
    if encoding.lower() not in _ULAW_NAMES:
        raise ProtocolError(f"the encoding is {_shown(encoding)}; only audio/x-mulaw is supported")
    rate_hz = _number(_either(sound, "sampleRate", "sample_rate"), "start.mediaFormat.sampleRate")
    if rate_hz != 8000:
        raise ProtocolError(f"the sample rate is {rate_hz}; only 8000 is supported")
    channels = _number(sound.get("channels", 1), "start.mediaFormat.channels")
    if channels != 1:
        raise ProtocolError(f"there are {channels} channels; only 1 is supported")


def _stream_id(message: dict[str, Any], start: dict[str, Any]) -> tuple[str, str]:
    for key in _STREAM_IDS:
        for place in (message, start):
            if key in place:
                return key, _identifier(place[key], key)
    raise ProtocolError("streamSid is missing")


def _params(params: object) -> dict[str, str]:
    if params is None:
        return {}
    pairs = _object(params, "start.customParameters")
    if len(pairs) > MAX_PARAMS:
        raise ProtocolError(f"start.customParameters holds {len(pairs)} pairs; the limit is {MAX_PARAMS}")
    for name, value in pairs.items():
        _text(value, "a value of start.customParameters")
        if len(name) > MAX_PARAM_NAME_CHARS or len(value) > MAX_PARAM_VALUE_CHARS:
            raise ProtocolError("start.customParameters holds a name or a value that is too long")
        if not (_storable(name) and _storable(value)):
            raise ProtocolError("start.customParameters holds characters that are not text")
    return pairs


def _either(place: dict[str, Any], name: str, other: str) -> object:
    return place[name] if name in place else place.get(other)


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProtocolError(f"{name} is {_shown(value)}, not an object")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ProtocolError(f"{name} is {_shown(value)}, not a string")
    return value


def _identifier(value: object, name: str) -> str:
    text = _text(value, name)
    if not text or len(text) > MAX_NAME_CHARS or not text.isprintable():
        raise ProtocolError(f"{name} must be 1 to {MAX_NAME_CHARS} printable characters")
    return text


def _number(value: object, name: str) -> int:
    if type(value) is str and len(value) <= 15 and value.isascii() and value.isdecimal():
        return int(value)
    if type(value) is int and 0 <= value < 10**15:
        return value
    raise ProtocolError(f"{name} is {_shown(value)}, not a whole number")


def _storable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _shown(value: object) -> str:
    match value:
        case None:
            return "missing"
        case str():
            return ascii(value[:40])
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return "a number or a truth value"
