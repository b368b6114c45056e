"""The network's side of the media-stream protocol: what it sends, what it understands, how it signs.

Written apart from the service's codec on purpose: a mistake made in one must not hide in the other.
Sources: https://www.twilio.com/docs/voice/media-streams/websocket-messages, .../voice/twiml/stream and
.../usage/webhooks/webhooks-security
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from callcenter.errors import ProtocolError


def signature(token: str, url: str, form: Mapping[str, str] | None = None) -> str:
    """``X-Twilio-Signature`` of a request: HMAC-SHA1 over the URL and the sorted form fields."""
    text = url + "".join(name + value for name, value in sorted((form or {}).items()))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), hashlib.sha1)).decode()


# TwiML: what the service wants to happen with a call.


@dataclass(frozen=True, slots=True)
class ConnectStream:
    """``<Connect><Stream>``: open a media WebSocket and wait until the service closes it."""

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dial:
    """``<Dial>``: hand the call to another number."""

    number: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """``<Hangup/>``: end the call."""


@dataclass(frozen=True, slots=True)
class Reject:
    """``<Reject>``: do not take the call at all; ``reason`` is ``rejected`` or ``busy``."""

    reason: str


Verb = ConnectStream | Dial | Hangup | Reject


def parse_twiml(text: str) -> list[Verb]:
    """The verbs of a TwiML document, in order. Raises ``ProtocolError`` for anything else."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - the answers of the service under test
    except ElementTree.ParseError as error:
        raise ProtocolError(f"TwiML is not XML: {error}") from None
    if root.tag != "Response":
        raise ProtocolError(f"TwiML begins with <{root.tag}>, not <Response>")
    return [_verb(element) for element in root]


def _verb(element: ElementTree.Element) -> Verb:
    match element.tag:
        case "Connect":
            return _stream(element)
        case "Dial":
            return Dial((element.text or "").strip() or (element.findtext("Number") or "").strip())
        case "Hangup":
            return Hangup()
        case "Reject":
            return Reject(element.get("reason", "rejected"))
        case tag:
            raise ProtocolError(f"TwiML verb <{tag}> is not known here")


def _stream(element: ElementTree.Element) -> ConnectStream:
    stream = element.find("Stream")
    url = "" if stream is None else stream.get("url", "")
    if stream is None or not url.startswith(("ws://", "wss://")):
        raise ProtocolError("<Connect> needs a <Stream> with a ws or wss url")
    if "?" in url:
        raise ProtocolError("the url of a <Stream> may not have a query")
    pairs = {str(item.get("name")): item.get("value", "") for item in stream.findall("Parameter")}
    return ConnectStream(url, pairs)


# Messages on the media WebSocket.


@dataclass(frozen=True, slots=True)
class Media:
    """Audio to be played: µ-law, any length."""

    ulaw: bytes


@dataclass(frozen=True, slots=True)
class MarkRequest:
    """To be returned when what came before it has been played."""

    name: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Drop what has not been played."""


Request = Media | MarkRequest | Clear


def parse_request(text: str, stream_sid: str) -> Request:
    """One message of the service. Raises ``ProtocolError`` as strictly as the network itself does."""
    try:
        message = json.loads(text)
        if message["streamSid"] != stream_sid:
            raise ProtocolError("a message for another stream")
        match message["event"]:
            case "media":
                return Media(base64.b64decode(message["media"]["payload"], validate=True))
            case "mark":
                return MarkRequest(str(message["mark"]["name"]))
            case "clear":
                return Clear()
            case event:
                raise ProtocolError(f"event {event!r} is not known")
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"malformed message: {type(error).__name__}") from None


class StreamWriter:
    """Makes the messages of one stream; numbers rise by one per message, as strings."""

    def __init__(self, account_sid: str, call_sid: str, stream_sid: str) -> None:
        self._account_sid = account_sid
        self._call_sid = call_sid
        self.stream_sid = stream_sid
        self._sequence = 0
        self._chunk = 0
        self._media_tail = f'"}},"streamSid":"{stream_sid}"}}'

    def connected(self) -> str:
        """The first message of all."""
        return json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})

    def start(self, parameters: Mapping[str, str]) -> str:
        """Who the stream is."""
        body = {
            "accountSid": self._account_sid,
            "streamSid": self.stream_sid,
            "callSid": self._call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": dict(parameters),
        }
        return self._message("start", body)

    def media(self, payload: str, at_ms: int) -> str:
        """20 ms of audio in base64; ``at_ms`` since the stream began. Built by hand for speed."""
        self._sequence += 1
        self._chunk += 1
        return (
            f'{{"event":"media","sequenceNumber":"{self._sequence}","media":{{"track":"inbound",'
            f'"chunk":"{self._chunk}","timestamp":"{at_ms}","payload":"{payload}{self._media_tail}'
        )

    def dtmf(self, digit: str) -> str:
        """A key that was pressed."""
        return self._message("dtmf", {"track": "inbound_track", "digit": digit})

    def marks(self, names: Iterable[str]) -> list[str]:
        """Marks that have been reached."""
        return [self._message("mark", {"name": name}) for name in names]

    def stop(self) -> str:
        """The last message: the call or its stream is over."""
        return self._message("stop", {"accountSid": self._account_sid, "callSid": self._call_sid})

    def _message(self, event: str, body: Mapping[str, object]) -> str:
        self._sequence += 1
        return json.dumps(
            {
                "event": event,
                "sequenceNumber": str(self._sequence),
                event: body,
                "streamSid": self.stream_sid,
            }
        )
