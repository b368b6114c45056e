"""A telephone network in small: it announces callers to the service and dials whom the service asks for.

The REST interface is Twilio's ``/2010-04-01/Accounts/{sid}/Calls``, as far as a call center uses it.
Source: https://www.twilio.com/docs/voice/api/call-resource
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import cycle
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, TCPConnector, encode_basic_auth, web

from callcenter.errors import ProtocolError
from callcenter.simulator.calls import OVER, Account, Network, NetworkFigures, Origination, PhoneCall, Status
from callcenter.simulator.faults import DialFaults, Fault, NewsFaults, RestFaults
from callcenter.simulator.wire import parse_twiml

log = logging.getLogger(__name__)

WEBHOOK_PATH = "/gateway/twilio/voice"
LIVE_CALLS_MAX = 2000
PAGE_MAX = 1000
_STATUS_EVENTS = frozenset({"initiated", "ringing", "answered", "completed"})
_SHUTDOWN_S = 5.0

OnDialled = Callable[[PhoneCall], Awaitable[None]]
"""Called in a task of its own for each party whom the service has dialled, while the call rings."""


class Gateway:
    """The network's two sides, for as long as it is entered.

    ``service_url`` is the public URL of the service, without trailing slash; webhooks are signed for it.
    Calls come to it and to ``more_services`` in turn.
    """

    def __init__(
        self,
        account: Account,
        service_url: str,
        on_dialled: OnDialled,
        host: str = "127.0.0.1",
        port: int = 0,
        more_services: Sequence[str] = (),
    ) -> None:
        self._account = account
        self._webhook_urls = cycle(url.rstrip("/") + WEBHOOK_PATH for url in (service_url, *more_services))
        self._on_dialled = on_dialled
        self._host, self._port = host, port
        self._calls: dict[str, PhoneCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self._network: Network | None = None
        self._session: ClientSession | None = None
        self.rest_faults = RestFaults()
        self.dial_faults = DialFaults()
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._guard])
        base = f"/2010-04-01/Accounts/{self._account.sid}"
        app.router.add_post(f"{base}/Calls.json", self._create)
        app.router.add_get(f"{base}/Calls.json", self._list)
        app.router.add_get(f"{base}/Calls/{{sid}}.json", self._get)
        app.router.add_post(f"{base}/Calls/{{sid}}.json", self._update)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        self.url = f"http://{self._host}:{self._runner.addresses[0][1]}"
        self._session = ClientSession(connector=TCPConnector(limit=0))
        self._network = Network(self._account, self._session)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for call in self._calls.values():
            call.hang_up()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_SHUTDOWN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def figures(self) -> NetworkFigures:
        """What went wrong between the network and the service."""
        assert self._network is not None, "the gateway is not entered"
        return self._network.figures

    @property
    def news_faults(self) -> NewsFaults:
        """How status callbacks misbehave."""
        assert self._network is not None, "the gateway is not entered"
        return self._network.news_faults

    def place_call(self, from_number: str, to_number: str, fault: Fault = Fault.NONE) -> PhoneCall:
        """Call the service from a telephone; the call proceeds by itself."""
        assert self._network is not None, "the gateway is not entered"
        call = PhoneCall(from_number, to_number, fault=fault)
        self._remember(call)
        self._start(self._network.run_inbound(call, next(self._webhook_urls)), f"call {call.sid}")
        return call

    def _remember(self, call: PhoneCall) -> None:
        if len(self._calls) >= LIVE_CALLS_MAX:
            self._calls = {sid: known for sid, known in self._calls.items() if not known.ended.is_set()}
        self._calls[call.sid] = call

    def _start(self, work: Awaitable[None], name: str) -> None:
        task = asyncio.create_task(_isolated(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        expected = encode_basic_auth(self._account.sid, self._account.token)
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected.encode()):
            return _refusal(401, 20003, "Authenticate")
        if self.rest_faults.errors > 0:
            self.rest_faults.errors -= 1
            return _refusal(500, 20500, "Internal Server Error")
        if self.rest_faults.hangs > 0:
            self.rest_faults.hangs -= 1
            await asyncio.sleep(self.rest_faults.hang_s)
        return await handler(request)

    async def _create(self, request: web.Request) -> web.Response:
        form = await request.post()
        fields = {name: str(value) for name, value in form.items()}
        events = frozenset(str(value) for value in form.getall("StatusCallbackEvent", ["completed"]))
        try:
            origination = _origination(fields, events)
        except ProtocolError as error:
            return _refusal(400, 21201, str(error))
        call = PhoneCall(fields["From"], fields["To"], origination)
        self._remember(call)
        assert self._network is not None
        faults, concerns = self.dial_faults, self.dial_faults.concerns(call.to_number)
        if concerns and faults.never_ring > 0:
            faults.never_ring -= 1
            call.rings = False
        else:
            self._start(self._network.run_outbound(call), f"call {call.sid}")
            self._start(self._on_dialled(call), f"dialled {call.sid}")
        if concerns and faults.lost_answers > 0:
            faults.lost_answers -= 1
            await asyncio.sleep(faults.hang_s)
        return web.json_response(self._network.description(call), status=201)

    async def _get(self, request: web.Request) -> web.Response:
        call = self._calls.get(request.match_info["sid"])
        if call is None:
            return _refusal(404, 20404, "The requested resource was not found")
        assert self._network is not None
        return web.json_response(self._network.description(call))

    async def _list(self, request: web.Request) -> web.Response:
        """The newest first; those of one number where ``To`` names it."""
        assert self._network is not None
        wanted, size = request.query.get("To"), request.query.get("PageSize", "50")
        if not size.isdecimal() or not 1 <= int(size) <= PAGE_MAX:
            return _refusal(400, 20001, f"PageSize must be from 1 to {PAGE_MAX}")
        found = [call for call in reversed(self._calls.values()) if wanted in (None, call.to_number)]
        calls = [self._network.description(call) for call in found[: int(size)]]
        return web.json_response({"calls": calls, "page": 0, "page_size": int(size), "next_page_uri": None})

    async def _update(self, request: web.Request) -> web.Response:
        call = self._calls.get(request.match_info["sid"])
        if call is None or call.status in OVER:
            return _refusal(404, 20404, "The requested resource was not found")
        form = await request.post()
        try:
            return await self._change(call, {name: str(value) for name, value in form.items()})
        except ProtocolError as error:
            return _refusal(400, 12100, str(error))

    async def _change(self, call: PhoneCall, fields: Mapping[str, str]) -> web.Response:
        match fields.get("Status", ""), fields.get("Twiml", ""), fields.get("Url", ""):
            case (("completed" | "canceled"), "", ""):
                call.hang_up()
                if not call.rings:
                    call.status = Status.CANCELED
                    call.ended.set()
            case "", twiml, "" if twiml:
                call.follow(parse_twiml(twiml))
            case "", "", url if url and self._network is not None:
                call.follow(await self._network.fetch(url, call))
            case _:
                return _refusal(400, 21218, "one of Status, Twiml and Url is needed")
        return web.json_response({"sid": call.sid, "status": str(call.status)})


def _origination(fields: Mapping[str, str], events: frozenset[str]) -> Origination:
    """What a request to dial asks for. Raises ``ProtocolError`` with what is missing or wrong."""
    missing = [name for name in ("To", "From") if not fields.get(name)]
    if missing:
        raise ProtocolError(f"missing: {', '.join(missing)}")
    if bool(fields.get("Twiml")) == bool(fields.get("Url")):
        raise ProtocolError("exactly one of Twiml and Url is needed")
    if unknown := events - _STATUS_EVENTS:
        raise ProtocolError(f"no such StatusCallbackEvent: {', '.join(sorted(unknown))}")
    if fields.get("Twiml"):
        parse_twiml(fields["Twiml"])
    timeout = fields.get("Timeout", "60")
    if not timeout.isdecimal() or not 1 <= int(timeout) <= 600:
        raise ProtocolError("Timeout must be a whole number of seconds from 1 to 600")
    return Origination(
        twiml=fields.get("Twiml", ""),
        url=fields.get("Url", ""),
        status_url=fields.get("StatusCallback", ""),
        status_events=events,
        timeout_s=float(timeout),
    )


def _refusal(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message, "status": status}, status=status)


async def _isolated(work: Awaitable[None], name: str) -> None:
    """One call's trouble is logged and stays its own."""
    try:
        await work
    except Exception:
        log.exception("%s broke", name)
