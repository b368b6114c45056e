"""Twilio's side of the wire, written from its documentation and apart from the service.

The network signs what it sends with Twilio's own package, opens media sockets with the ``websockets``
package, and is asked over REST to dial, redirect and hang up. What becomes of a dialled telephone is for the
test to decide.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Self
from urllib.parse import urlsplit
from xml.etree import ElementTree

from aiohttp import ClientSession, encode_basic_auth, web
from multidict import MultiDict
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]
from websockets.asyncio.client import ClientConnection, connect

from support.media_stream import MediaStream
from support.numbers import new_number, new_sid
from support.office import Office
from support.program import ACCOUNT_SID, AUTH_TOKEN, Program, free_port

CALLED_NUMBER = "+13105550199"
PATIENCE_S = 5.0


def twilio_settings(**changes: object) -> dict[str, object]:
    """Settings of the gateway for a network whose REST interface has a port of its own."""
    settings = {
        "enabled": True,
        "account_sid": ACCOUNT_SID,
        "auth_token": AUTH_TOKEN,
        "api_url": f"http://127.0.0.1:{free_port()}",
        "request_timeout_s": 2,
    }
    return settings | changes


def signature(url: str, form: Mapping[str, str] | None = None, token: str = AUTH_TOKEN) -> str:
    return str(RequestValidator(token).compute_signature(url, dict(form or {})))


@dataclass(frozen=True, slots=True)
class Origination:
    """A request to dial: the form as it came and the call's new sid."""

    sid: str
    form: MultiDict[str]

    @property
    def to(self) -> str:
        return self.form["To"]

    @property
    def stream(self) -> tuple[str, dict[str, str]]:
        return stream_of(self.form["Twiml"])


@dataclass(frozen=True, slots=True)
class Update:
    """A request to change a call: to end it (``Status``) or to redirect it (``Twiml``)."""

    sid: str
    form: MultiDict[str]


def stream_of(twiml: str) -> tuple[str, dict[str, str]]:
    """Address and parameters of the only ``<Connect><Stream>`` of a TwiML document."""
    response = ElementTree.fromstring(twiml)
    assert response.tag == "Response"
    assert [verb.tag for verb in response] == ["Connect"]
    (stream,) = response[0]
    assert stream.tag == "Stream"
    url = stream.attrib["url"]
    assert "?" not in url
    return url, {item.attrib["name"]: item.attrib["value"] for item in stream}


@dataclass
class TwilioNetwork:
    """``async with TwilioNetwork(program)``: the REST interface that the program was told of, and telephones.

    ``refusals`` gives the status to answer a request to dial with, by the dialled number; 0 for no answer.
    ``nonsense`` gives what to answer instead of the new call's description, ``update_status`` the status to
    answer a request to change a call with. ``statuses`` gives what is said of a dialled call that is asked
    after, ``asked`` are those that were.
    """

    program: Program
    refusals: dict[str, int] = field(default_factory=dict)
    nonsense: dict[str, str] = field(default_factory=dict)
    update_status: int = 200
    originations: asyncio.Queue[Origination] = field(default_factory=asyncio.Queue)
    updates: list[Update] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _dialled: list[tuple[Origination, float]] = field(default_factory=list)
    _streams: list[MediaStream] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        application = web.Application()
        calls = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Calls"
        application.add_routes(
            [
                web.post(f"{calls}.json", self._create),
                web.post(calls + "/{sid}.json", self._update),
                web.get(f"{calls}.json", self._list),
                web.get(calls + "/{sid}.json", self._get),
            ]
        )
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        port = urlsplit(self.program.settings["gateways"]["twilio"]["api_url"]).port
        await web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True).start()
        self._session = ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end_all()
        await self._session.close()
        await self._runner.cleanup()

    async def end_all(self) -> None:
        """End what is left of all calls and forget what was asked."""
        await asyncio.gather(*(stream.close() for stream in self._streams))
        self._streams.clear()
        self.updates.clear()
        self.refusals.clear()
        self.nonsense.clear()
        self.update_status = 200
        self.statuses.clear()
        self.asked.clear()
        while not self.originations.empty():
            self.originations.get_nowait()

    # What the network asks the service.

    async def post(
        self, path: str, form: Mapping[str, str], signed: str | None = None
    ) -> tuple[int, str, Mapping[str, str]]:
        """Send a webhook; ``signed`` replaces the right signature, an empty one leaves it out."""
        url = self.program.url + path
        signed = signature(url, form) if signed is None else signed
        headers = {"X-Twilio-Signature": signed} if signed else {}
        async with self._session.post(url, data=form, headers=headers) as answer:
            return answer.status, await answer.text(), dict(answer.headers)

    def voice_form(self, number: str, call_sid: str = "") -> dict[str, str]:
        """The fields of the webhook that announces a call."""
        return {
            "CallSid": call_sid or new_sid("CA"),
            "AccountSid": ACCOUNT_SID,
            "From": number,
            "To": CALLED_NUMBER,
            "Direction": "inbound",
            "CallStatus": "ringing",
        }

    async def announce(self, form: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """Announce a call; returns the address and the parameters of its media stream."""
        status, twiml, headers = await self.post("/gateway/twilio/voice", form)
        assert status == 200, twiml
        assert headers["Content-Type"].startswith("text/xml")
        return stream_of(twiml)

    async def open(self, url: str, signed: str | None = None) -> ClientConnection:
        """Open a media socket; raises ``InvalidStatus`` where it is refused."""
        signed = signature(url) if signed is None else signed
        return await connect(
            url,
            additional_headers={"X-Twilio-Signature": signed} if signed else {},
            compression=None,
            proxy=None,
            ping_interval=None,
            close_timeout=1,
            max_queue=None,
        )

    async def stream(self, url: str, call_sid: str, parameters: Mapping[str, str]) -> MediaStream:
        """Open a media socket and start the stream on it."""
        stream = MediaStream(await self.open(url), call_sid)
        self._streams.append(stream)
        await stream.start(parameters)
        return stream

    async def call(self, number: str) -> MediaStream:
        """Call the service from a number, as far as the running media stream."""
        form = self.voice_form(number)
        url, parameters = await self.announce(form)
        return await self.stream(url, form["CallSid"], parameters)

    async def talk(self, office: Office) -> tuple[MediaStream, MediaStream, str]:
        """A caller with an agent, ``ann``: their streams and the call's id."""
        await office.hire("ann", "+12065550101")
        number = new_number()
        caller = await self.call(number)
        await caller.press("1")
        agent = await self.answer(await self.dialled())
        call_id = await office.call_from(number)
        await office.event(call_id, "agent.connected")
        return caller, agent, call_id

    # Dialled telephones.

    async def dialled(self, within_s: float = PATIENCE_S) -> Origination:
        """Wait until the service asks to dial."""
        async with asyncio.timeout(within_s):
            return await self.originations.get()

    async def answer(self, origination: Origination) -> MediaStream:
        """The dialled party picks up."""
        url, parameters = origination.stream
        return await self.stream(url, origination.sid, parameters)

    async def report(self, origination: Origination, status: str, **more: str) -> None:
        """Tell the service what became of a dialled call."""
        path = origination.form["StatusCallback"].removeprefix(self.program.url)
        form = {"CallSid": origination.sid, "AccountSid": ACCOUNT_SID, "CallStatus": status} | more
        answer, text, _ = await self.post(path, form)
        assert answer == 204, text

    async def updated(self, sid: str, within_s: float = PATIENCE_S) -> MultiDict[str]:
        """Wait until the service asks to change a call."""
        async with asyncio.timeout(within_s):
            while True:
                for update in self.updates:
                    if update.sid == sid:
                        return update.form
                await asyncio.sleep(0.01)

    # The REST interface.

    async def _create(self, request: web.Request) -> web.Response:
        form = await _form(request)
        refusal = self.refusals.get(form["To"])
        origination = Origination(new_sid("CA"), form)
        self.originations.put_nowait(origination)
        self._dialled.append((origination, time.time()))
        if refusal == 0:
            await asyncio.sleep(30)
        if refusal:
            return web.json_response({"code": 20500, "status": refusal}, status=refusal)
        if form["To"] in self.nonsense:
            return web.Response(text=self.nonsense[form["To"]], status=201)
        return web.json_response({"sid": origination.sid, "status": "queued"}, status=201)

    async def _list(self, request: web.Request) -> web.Response:
        await _form(request)
        self.asked.append(request.query["To"])
        newest = reversed(self._dialled)
        calls = [self._description(*one) for one in newest if one[0].to == request.query["To"]]
        return web.json_response({"calls": calls})

    async def _get(self, request: web.Request) -> web.Response:
        await _form(request)
        sid = request.match_info["sid"]
        self.asked.append(sid)
        for one in self._dialled:
            if one[0].sid == sid:
                return web.json_response(self._description(*one))
        return web.json_response({"code": 20404, "status": 404}, status=404)

    def _description(self, origination: Origination, at: float) -> dict[str, str]:
        status = self.statuses.get(origination.sid, "ringing")
        return {
            "sid": origination.sid,
            "to": origination.to,
            "direction": "outbound-api",
            "date_created": formatdate(at, usegmt=True),
            "status": status,
        }

    async def _update(self, request: web.Request) -> web.Response:
        sid = request.match_info["sid"]
        form = await _form(request)
        self.updates.append(Update(sid, form))
        if self.update_status >= 400:
            return web.json_response({"code": 20500}, status=self.update_status)
        for stream in self._streams:
            if stream.call_sid == sid and not stream.over.is_set():
                await stream.hang_up()
        return web.json_response({"sid": sid, "status": "completed"})


async def _form(request: web.Request) -> MultiDict[str]:
    expected = encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)
    if request.headers.get("Authorization") != expected:
        raise web.HTTPUnauthorized
    return MultiDict((name, str(value)) for name, value in (await request.post()).items())
