"""A call center as small as can be, to try the simulator against: menu, one queue, bridge, hold."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from aiohttp import ClientSession, encode_basic_auth, web
from twilio.request_validator import RequestValidator

from callcenter.media.g711 import pcm16_to_ulaw
from callcenter.simulator.speech import encode_frames, utter
from callcenter.simulator.voices import Voice

ACCOUNT_SID, AUTH_TOKEN, API_TOKEN = "AC1", "secret", "desk"
PROMPT = utter("For sales, press one. For support, press two.", Voice("en-us", 165, 50, 50, 0))


@dataclass(eq=False)
class Leg:
    """One media stream as the service has it."""

    ws: web.WebSocketResponse
    stream_sid: str
    parameters: dict[str, str]
    messages: list[dict] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    peer: "Leg | None" = None
    held: bool = False
    collecting: bool = False
    survey: list[str] | None = None

    async def send(self, event: str, **body) -> None:
        if not self.ws.closed:
            await self.ws.send_str(json.dumps({"event": event, "streamSid": self.stream_sid, **body}))

    async def play(self, payload: str) -> None:
        await self.send("media", media={"payload": payload})


@dataclass(eq=False)
class FakeService:
    """Everything the simulator can see of a service."""

    url: str = ""
    gateway_url: str = ""
    twiml_after: str = ""
    ring_timeout_s: int = 2
    agents: dict[str, str] = field(default_factory=dict)  # id -> address
    states: dict[str, str] = field(default_factory=dict)
    forms: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    bad_signatures: list[str] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    waiting: deque[tuple[Leg, str]] = field(default_factory=deque)
    talking: dict[str, Leg] = field(default_factory=dict)  # agent id -> caller's leg
    offers: dict[str, tuple[str, Leg, str]] = field(default_factory=dict)  # token -> agent, leg, number
    echo: bool = False
    surveys: bool = False
    loads: Callable[[str], dict] = json.loads
    session: ClientSession | None = None

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/gateway/twilio/voice", self.voice)
        app.router.add_get("/gateway/twilio/media", self.media)
        app.router.add_post("/status/{token}", self.status)
        app.router.add_post("/api/v1/agents/{id}/state", self.agent_state)
        app.router.add_get("/api/v1/agents/{id}", self.agent)
        app.router.add_post("/api/v1/calls/{id}/{command}", self.command)
        return app

    def check(self, request: web.Request, url: str, form: dict[str, str]) -> None:
        given = request.headers.get("X-Twilio-Signature", "")
        if not RequestValidator(AUTH_TOKEN).validate(url, form, given):
            self.bad_signatures.append(url)

    async def voice(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.check(request, f"{self.url}/gateway/twilio/voice", form)
        self.forms.append(("voice", form))
        return web.Response(text=self.twiml(form["From"], self.twiml_after), content_type="text/xml")

    def twiml(self, token: str, after: str = "") -> str:
        url = f"ws{self.url.removeprefix('http')}/gateway/twilio/media"
        stream = f'<Stream url="{url}"><Parameter name="token" value="{token}"/></Stream>'
        return f"<Response><Connect>{stream}</Connect>{after}</Response>"

    async def status(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        token = request.match_info["token"]
        self.check(request, f"{self.url}/status/{token}", form)
        self.forms.append(("status", form))
        if form["CallStatus"] in {"busy", "no-answer", "canceled"} and token in self.offers:
            agent, leg, number = self.offers.pop(token)
            self.states[agent] = "available" if form["CallStatus"] == "busy" else "break"
            if not leg.ws.closed:
                self.waiting.appendleft((leg, number))
            await self.distribute()
        return web.Response()

    async def media(self, request: web.Request) -> web.WebSocketResponse:
        self.check(request, f"ws{self.url.removeprefix('http')}/gateway/twilio/media", {})
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        assert json.loads((await ws.receive()).data)["event"] == "connected"
        start = json.loads((await ws.receive()).data)
        leg = Leg(ws, start["start"]["streamSid"], start["start"]["customParameters"], [start])
        self.legs.append(leg)
        offer = self.offers.pop(leg.parameters["token"], None)
        if offer is not None:
            await self.join(leg, offer)
        elif not self.echo:
            for frame in PROMPT.frames:
                await leg.play(frame)
        async for message in ws:
            if message.type is web.WSMsgType.TEXT:
                await self.heard(leg, self.loads(message.data))
        await self.gone(leg)
        return ws

    async def heard(self, leg: Leg, message: dict) -> None:
        match message["event"]:
            case "media":
                leg.arrivals.append(asyncio.get_running_loop().time())
                target = leg if self.echo else leg.peer
                if target is not None and not (leg.held or target.held):
                    await target.play(message["media"]["payload"])
            case "dtmf":
                leg.messages.append(message)
                await self.pressed(leg, message["dtmf"]["digit"])
            case _:
                leg.messages.append(message)

    async def pressed(self, leg: Leg, digit: str) -> None:
        if leg.survey is not None:
            await self.rated(leg, digit)
        elif (leg.collecting and digit == "#") or (not leg.collecting and digit in "12"):
            await leg.send("clear")
            self.waiting.append((leg, leg.parameters["token"]))
            await self.distribute()
        elif leg.collecting:
            return
        elif digit == "3":
            leg.collecting = True
        elif digit == "9":
            await leg.ws.close()
        elif digit == "0":
            await leg.send("clear")
            for frame in encode_frames(tone(0.3)):
                await leg.play(frame)

    async def join(self, leg: Leg, offer: tuple[str, Leg, str]) -> None:
        agent, caller, _ = offer
        if caller.ws.closed:
            await leg.ws.close()
            return
        leg.peer, caller.peer = caller, leg
        self.states[agent] = "talking"
        self.talking[agent] = caller

    async def gone(self, leg: Leg) -> None:
        self.waiting = deque(entry for entry in self.waiting if entry[0] is not leg)
        for agent, caller in list(self.talking.items()):
            if leg in (caller, caller.peer):
                self.states[agent] = "wrap_up"
                del self.talking[agent]
        if leg.peer is None or leg.peer.ws.closed:
            return
        if self.surveys and leg.parameters["token"].startswith("t"):
            leg.peer.survey, leg.peer.peer = [], None
            await self.ask(leg.peer)
        else:
            await leg.peer.ws.close()

    async def ask(self, leg: Leg) -> None:
        for frame in PROMPT.frames:
            await leg.play(frame)

    async def rated(self, leg: Leg, digit: str) -> None:
        """Ask on after each answer, the second of which is a 10; then goodbye."""
        assert leg.survey is not None
        leg.survey.append(digit)
        if digit == "1" and len(leg.survey) == 3:
            return
        await leg.send("clear")
        if len(leg.survey) > 3 or leg.survey == ["2"]:
            await leg.ws.close()
        else:
            await self.ask(leg)

    async def distribute(self) -> None:
        for agent, state in self.states.items():
            if state == "available" and self.waiting:
                leg, number = self.waiting.popleft()
                self.states[agent] = "ringing"
                token = f"t{len(self.forms)}-{agent}"
                self.offers[token] = (agent, leg, number)
                await self.dial(self.agents[agent], number, token)

    async def dial(self, to: str, number: str, token: str, **more: str) -> tuple[int, dict]:
        form = {
            "To": to,
            "From": number,
            "Twiml": self.twiml(token),
            "StatusCallback": f"{self.url}/status/{token}",
            "StatusCallbackEvent": "completed",
            "Timeout": str(self.ring_timeout_s),
        } | more
        return await self.rest("Calls.json", form)

    async def rest(
        self, path: str, form: dict[str, str] | list[tuple[str, str]], token: str = AUTH_TOKEN
    ) -> tuple[int, dict]:
        assert self.session is not None
        url = f"{self.gateway_url}/2010-04-01/Accounts/{ACCOUNT_SID}/{path}"
        headers = {"Authorization": encode_basic_auth(ACCOUNT_SID, token)}
        async with self.session.post(url, data=form, headers=headers) as response:
            return response.status, await response.json()

    async def agent_state(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {API_TOKEN}"
        agent, event = request.match_info["id"], (await request.json())["event"]
        allowed = {"sign_in": {"offline"}, "ready": {"break", "wrap_up"}}.get(event)
        if allowed is not None and self.states.get(agent, "offline") not in allowed:
            return web.json_response({"error": "conflict"}, status=409)
        self.states[agent] = "offline" if event == "sign_out" else "available"
        await self.distribute()
        return web.json_response({"id": agent})

    async def agent(self, request: web.Request) -> web.Response:
        agent = request.match_info["id"]
        return web.json_response({"id": agent, "call_id": agent if agent in self.talking else None})

    async def command(self, request: web.Request) -> web.Response:
        caller = self.talking[request.match_info["id"]]
        caller.held = request.match_info["command"] == "hold"
        return web.json_response({})


def tone(seconds: float) -> bytes:
    at = np.arange(int(seconds * 8000)) / 8000
    return pcm16_to_ulaw((8000 * np.sin(2 * np.pi * 1000 * at)).astype("<i2").tobytes())


@pytest.fixture
async def service() -> AsyncIterator[FakeService]:
    fake = FakeService()
    runner = web.AppRunner(fake.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession() as fake.session:
        yield fake
        for leg in fake.legs:
            await leg.ws.close()
    await runner.cleanup()
