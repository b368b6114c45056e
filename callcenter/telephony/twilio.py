"""Twilio-compatible gateways: the voice webhook, the media WebSocket, status callbacks, the REST client.

The network dials us: its webhook announces a call, we answer with TwiML that tells it to open a media
WebSocket carrying a single-use token. An agent is dialled the same way round: we ask over REST, and when
the agent answers, the network opens a media WebSocket with that agent's token.
Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from html import escape
from urllib.parse import parse_qsl
from uuid import UUID

from aiohttp import ClientSession, WSMsgType, web

from callcenter import config
from callcenter.errors import (
    LegRefusedError,
    NotFoundError,
    OverloadedError,
    ProtocolError,
    StorageError,
)
from callcenter.media.frame import PacedBy
from callcenter.telephony import twilio_signature
from callcenter.telephony.handover import Handover
from callcenter.telephony.port import (
    Audio,
    FoundCall,
    LegAcceptor,
    LegEnded,
    LegInfo,
    LegSink,
    LegStarted,
    Sought,
)
from callcenter.telephony.shell import (
    AttemptEvent,
    AttemptListener,
    DialListener,
    MediaCounters,
    deliver,
    reference_of,
)
from callcenter.telephony.twilio_codec import RecentPayloads, TwilioCodec
from callcenter.telephony.twilio_rest import TwilioRest, dial_result

log = logging.getLogger(__name__)

START_TIMEOUT_S = 10.0
FORM_TYPE = "application/x-www-form-urlencoded"
MAX_FORM_FIELDS = 200
MAX_SHOWN_CHARS = 100
MAX_MESSAGE_BYTES = 64 * 1024
MAX_BACKLOG_BYTES = 32 * 1024
"""Audio is dropped when the socket holds more than this unsent; about 2 s of µ-law. It lies below the 64 KiB
at which the connection pauses, because then sending would wait for the peer."""

VOICE_PATH = "/gateway/twilio/voice"
MEDIA_PATH = "/gateway/twilio/media"
STATUS_PATH = "/gateway/twilio/status"

CUSTOMER_EVENTS = ("initiated", "ringing", "answered", "completed")

Announce = Callable[[str, str, str, str], Awaitable[str]]
"""(gateway, call_ref, from, to) -> the single-use token that the call's leg must carry."""


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the network reaches us: ``public`` any process, ``node`` this machine. No trailing slash."""

    public: str
    node: str
    node_id: UUID

    @property
    def any_media(self) -> str:
        """The media WebSocket of any process, for callers."""
        return "ws" + self.public.removeprefix("http") + MEDIA_PATH

    @property
    def own_media(self) -> str:
        """The media WebSocket of this very process, for agents who belong to its calls."""
        return "ws" + self.node.removeprefix("http") + f"{MEDIA_PATH}/{self.node_id}"


class TwilioLeg:
    """One media WebSocket, as the call sees it."""

    def __init__(self, socket: web.WebSocketResponse, codec: TwilioCodec, counters: MediaCounters) -> None:
        self.info = LegInfo(leg_id="", gateway="twilio", call_ref="", token="", paced_by=PacedBy.GATEWAY)
        self._socket = socket
        self._codec = codec
        self._counters = counters
        self._transport: asyncio.Transport | None = None

    def started(self, event: LegStarted, transport: asyncio.Transport | None) -> None:
        """Take over who the leg is, and the transport whose backlog bounds what is sent."""
        self._transport = transport
        self.info = LegInfo(
            leg_id=event.stream_ref,
            gateway="twilio",
            call_ref=event.call_ref,
            token=event.params.get("token", ""),
            paced_by=PacedBy.GATEWAY,
        )

    async def send_audio(self, pcm16: bytes) -> None:
        """Send audio unless the socket is congested; what is dropped is counted."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            self._counters.dropped += 1
            return
        self._counters.frames_out += 1
        await self._send(self._codec.audio(pcm16))

    async def send_mark(self, name: str) -> bool:
        """Ask for a mark; the network returns it when what was sent before has been played."""
        await self._send(self._codec.mark(name))
        return True

    async def send_clear(self) -> None:
        """Drop what the network has buffered."""
        await self._send(self._codec.clear())

    async def close(self) -> None:
        """Close the socket; no verb follows ours in the TwiML, so the call ends."""
        if not self._socket.closed:
            await self._socket.close()

    async def _send(self, text: str) -> None:
        try:
            await self._socket.send_str(text)
        except (ConnectionError, RuntimeError):
            self._counters.dropped += 1


@dataclass(slots=True)
class TwilioGateway:
    """The webhook, media and status routes, and the network's REST interface.

    ``session`` is the HTTP client for REST; its lifetime belongs to the caller. ``on_attempt`` is told of
    customers' calls. Without ``takes_callers`` only who was dialled from here comes in.
    """

    settings: config.Twilio
    urls: Urls
    session: ClientSession
    accept: LegAcceptor
    announce: Announce
    on_dial_result: DialListener
    on_attempt: AttemptListener
    handover: Handover
    takes_callers: bool = True
    name: str = "twilio"
    counters: MediaCounters = field(default_factory=MediaCounters)
    _recent: RecentPayloads = field(default_factory=RecentPayloads)
    _rest: TwilioRest = field(init=False)

    def __post_init__(self) -> None:
        self._rest = TwilioRest(self.settings, self.session)

    def routes(self) -> list[web.RouteDef]:
        """The HTTP routes to serve."""
        legs = [
            web.get(MEDIA_PATH + "/{node}", self._media_of_node),
            web.post(STATUS_PATH + "/{reference}", self._status),
            web.post(STATUS_PATH + "/{reference}/{attempt}", self._attempt_status),
        ]
        callers = [web.post(VOICE_PATH, self._voice), web.get(MEDIA_PATH, self._media)]
        return [*callers, *legs] if self.takes_callers else legs

    # The network's REST interface.

    async def originate(
        self, to: str, from_number: str, token: str, ring_timeout_s: float, attempt_id: UUID | None = None
    ) -> str:
        """Dial ``to``; on answer the network opens a media WebSocket to this very process.

        What becomes of a customer is told to any process, so that no news is lost with this one.
        """
        stream = (
            f'<Stream url="{escape(self.urls.own_media)}">'
            f'<Parameter name="token" value="{escape(token)}"/></Stream>'
        )
        status = f"{self.urls.node}{STATUS_PATH}/{reference_of(token)}"
        if attempt_id is not None:
            status = f"{self.urls.public}{STATUS_PATH}/{reference_of(token)}/{attempt_id}"
        form = [
            ("To", to),
            ("From", from_number or self.settings.from_number),
            ("Twiml", f"<Response><Connect>{stream}</Connect></Response>"),
            ("Timeout", str(max(1, round(ring_timeout_s)))),
            ("StatusCallback", status),
        ]
        events = ("completed",) if attempt_id is None else CUSTOMER_EVENTS
        return await self._rest.dial([*form, *(("StatusCallbackEvent", event) for event in events)])

    async def find(self, sought: Sought) -> FoundCall:
        """What became of a customer's call."""
        return await self._rest.find(sought)

    async def transfer(self, call_ref: str, to: str) -> None:
        """Replace what the call does by dialling ``to``."""
        await self._rest.change(call_ref, [("Twiml", f"<Response><Dial>{escape(to)}</Dial></Response>")])

    async def hangup(self, call_ref: str) -> None:
        """End the call."""
        await self._rest.change(call_ref, [("Status", "completed")], gone_is_fine=True)

    # The network's webhooks.

    async def _voice(self, request: web.Request) -> web.Response:
        form = await self._signed_form(request)
        try:
            call_ref, from_number, to_number = form["CallSid"], form.get("From", ""), form["To"]
        except KeyError as error:
            raise web.HTTPBadRequest(text=f"the form has no field {error.args[0]}") from None
        if not (call_ref + from_number + to_number).isprintable():
            raise web.HTTPBadRequest(text="the form holds characters that cannot be printed")
        try:
            token = await self.announce(self.name, call_ref, from_number, to_number)
        except NotFoundError:
            log.warning("twilio: a call was rejected: no route answers the number that was called")
            return _twiml("<Reject/>")
        except (StorageError, OverloadedError):
            log.warning("twilio: a call was refused, the service cannot take it now")
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"}) from None
        return _twiml(
            f'<Connect><Stream url="{escape(self.urls.any_media)}">'
            f'<Parameter name="token" value="{escape(token)}"/></Stream></Connect>'
        )

    async def _status(self, request: web.Request) -> web.Response:
        result = dial_result(await self._signed_form(request))
        if result is not None:
            await self.on_dial_result(request.match_info["reference"], result)
        return web.Response(status=204)

    async def _attempt_status(self, request: web.Request) -> web.Response:
        form = await self._signed_form(request)
        try:
            attempt_id = UUID(request.match_info["attempt"])
        except ValueError:
            raise web.HTTPNotFound from None
        status, number = form.get("CallStatus", ""), form.get("SequenceNumber", "")
        event = AttemptEvent(
            attempt_id,
            request.match_info["reference"],
            f"{form.get('CallSid', '')}:{number or status}"[:MAX_SHOWN_CHARS],
            status[:MAX_SHOWN_CHARS],
            form.get("CallSid", ""),
            dial_result(form),
        )
        try:
            await self.on_attempt(event)
        except StorageError:
            # The network tells it again.
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"}) from None
        return web.Response(status=204)

    async def _signed_form(self, request: web.Request) -> dict[str, str]:
        body = await request.read()
        try:
            form = _pairs_of(body) if request.content_type == FORM_TYPE else []
        except ValueError:
            raise web.HTTPBadRequest(text=f"the form has more than {MAX_FORM_FIELDS} fields") from None
        self._check_signature(request, ("http", "https"), form)
        return dict(form)

    def _check_signature(
        self, request: web.Request, schemes: tuple[str, str], form: list[tuple[str, str]] | None
    ) -> None:
        signature = request.headers.get("X-Twilio-Signature", "")
        token = self.settings.auth_token.get_secret_value()
        path = request.rel_url.raw_path_qs
        for base in {self.urls.public, self.urls.node}:
            secure = base.startswith("https:")
            url = f"{schemes[secure]}://{base.partition('://')[2]}{path}"
            if twilio_signature.valid(signature, url, form, token):
                return
        self.counters.refused += 1
        shown = request.rel_url.raw_path[:MAX_SHOWN_CHARS]  # raw: what is escaped cannot forge a line
        log.warning("twilio: a request with a wrong or missing signature was refused (%s)", shown)
        raise web.HTTPForbidden(text="wrong signature")

    # Media.

    async def _media_of_node(self, request: web.Request) -> web.StreamResponse:
        try:
            node_id = UUID(request.match_info["node"])
        except ValueError:
            raise web.HTTPNotFound from None
        if node_id == self.urls.node_id:
            return await self._media(request)
        self._check_signature(request, ("ws", "wss"), None)
        transport = request.transport
        try:
            if transport is not None:
                self.handover.give(node_id, "http", transport, _head_of(request))
        except LegRefusedError as error:
            log.warning("twilio: a leg was refused: %s", error)
            raise web.HTTPNotFound from None
        return web.Response()

    async def _media(self, request: web.Request) -> web.WebSocketResponse:
        self._check_signature(request, ("ws", "wss"), None)
        socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE_BYTES, compress=False, timeout=2)
        await socket.prepare(request)
        codec = TwilioCodec(self._recent)
        leg = TwilioLeg(socket, codec, self.counters)
        try:
            sink = await self._begin(request, socket, codec, leg)
        except (ProtocolError, LegRefusedError, StorageError, OverloadedError) as error:
            self.counters.refused += 1
            log.warning("twilio: a media socket was closed at its start: %s", error)
            await socket.close(code=1008, message=b"refused")
            return socket
        # In a task of its own, so that not every frame has to climb through all middlewares to get here.
        listening = asyncio.create_task(
            self._listen(socket, codec, sink), name=f"media of leg {leg.info.leg_id}"
        )
        reason = "lost"
        try:
            reason = await listening
        except ProtocolError as error:
            self.counters.protocol_errors += 1
            reason = "protocol error"
            log.warning("twilio: leg %s: %s", leg.info.leg_id, error)
            await socket.close(code=1007, message=b"protocol error")
        finally:
            sink.on_ended(reason)
        return socket

    async def _begin(
        self, request: web.Request, socket: web.WebSocketResponse, codec: TwilioCodec, leg: TwilioLeg
    ) -> LegSink:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                started = await self._await_start(socket, codec)
        except TimeoutError:
            raise ProtocolError(f"no start message within {START_TIMEOUT_S:g} s") from None
        transport = request.transport
        leg.started(started, transport)
        return await self.accept(leg)

    @staticmethod
    async def _await_start(socket: web.WebSocketResponse, codec: TwilioCodec) -> LegStarted:
        while True:
            message = await socket.receive()
            if message.type is not WSMsgType.TEXT:
                raise ProtocolError(f"a {message.type.name} message came before start")
            for event in codec.receive(message.data):
                if isinstance(event, LegStarted):
                    return event

    async def _listen(self, socket: web.WebSocketResponse, codec: TwilioCodec, sink: LegSink) -> str:
        receive = socket.receive
        counters = self.counters
        while True:
            message = await receive()
            if message.type is WSMsgType.TEXT:
                for event in codec.receive(message.data):
                    if type(event) is Audio:
                        counters.frames_in += 1
                        await sink.on_audio(event.pcm16, event.at_ms)
                    elif type(event) is LegEnded:
                        return event.reason
                    else:
                        deliver(event, sink)
            elif message.type is WSMsgType.BINARY:
                raise ProtocolError("a binary message; all messages of this protocol are text")
            elif message.type is WSMsgType.ERROR:
                return "oversized or broken frame" if socket.close_code in {1002, 1007, 1009} else "lost"
            else:
                return "closed" if socket.close_code == 1000 else "lost"


def _pairs_of(body: bytes) -> list[tuple[str, str]]:
    text = body.decode("utf-8", "replace")
    return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)


def _twiml(verbs: str) -> web.Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>'
    return web.Response(text=text, content_type="text/xml")


def _head_of(request: web.Request) -> bytes:
    lines = [f"{request.method} {request.raw_path} HTTP/1.1".encode()]
    lines += [name + b": " + value for name, value in request.raw_headers]
    return b"\r\n".join([*lines, b"", b""])
