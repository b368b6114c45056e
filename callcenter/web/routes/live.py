"""``WS /api/v1/live``: subscribe, then receive."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Annotated

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import Field

from callcenter.errors import CallCenterError, OverloadedError, StorageError
from callcenter.web.auth import PRINCIPAL, Authenticator
from callcenter.web.body import parse_body
from callcenter.web.errors import Problem, RequestError, problem_of
from callcenter.web.live import LiveHub
from callcenter.web.messages import error_message
from callcenter.web.models import Body, Name
from callcenter.web.principal import Principal
from callcenter.web.subscription import Interest, Subscriber, Topic

log = logging.getLogger(__name__)

FIRST_MESSAGE_TIMEOUT_S = 10
SEND_TIMEOUT_S = 5
CLOSE_TIMEOUT_S = 2
PING_EVERY_S = 20
SIGN_IN_CHECK_S = 60
MAX_MESSAGE_BYTES = 4096
MAX_STRANGERS = 200
"""Sockets that may wait for their first message without having signed in; more are refused."""


class SubscribeBody(Body):
    """The first message. ``token`` is for clients that can set neither a header nor a cookie."""

    subscribe: Annotated[
        list[Annotated[Topic, Field(strict=False)]], Field(min_length=1, max_length=len(Topic))
    ]
    queue: Name | None = None
    token: Annotated[str, Field(max_length=200)] | None = None


class LiveRoutes:
    """The live socket: one subscription per socket, taken from its first message."""

    def __init__(self, hub: LiveHub, authenticator: Authenticator) -> None:
        self._hub = hub
        self._authenticator = authenticator
        self._strangers = 0

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it answers."""
        return [web.get("/api/v1/live", self.live)]

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Carry one watcher until it leaves, is too slow, loses its token, or we shut down."""
        if PRINCIPAL not in request and self._strangers >= MAX_STRANGERS:
            raise OverloadedError("too many sockets that have not signed in")
        # Messages are made once for all; compressed they would be once for each, at the cost of the audio.
        socket = web.WebSocketResponse(heartbeat=PING_EVERY_S, max_msg_size=MAX_MESSAGE_BYTES, compress=False)
        await socket.prepare(request)
        problem: Problem | None = None
        try:
            await self._serve(request, socket)
        except CallCenterError as error:
            problem = problem_of(error)
        await _close(request, socket, problem)
        return socket

    async def _serve(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        with self._counted(request):
            try:
                message = await socket.receive(timeout=FIRST_MESSAGE_TIMEOUT_S)
            except TimeoutError:
                raise RequestError("the first message did not come in time") from None
        if message.type is not WSMsgType.TEXT:
            return
        body = parse_body(SubscribeBody, message.data.encode(), "application/json")
        principal: Principal | None = request.get(PRINCIPAL)
        if principal is None:
            principal = await self._authenticator.of_token(body.token or "", request)
        interest = Interest(frozenset(body.subscribe), principal, body.queue)
        with self._hub.subscribe(interest) as subscriber:
            await self._carry(
                subscriber,
                asyncio.create_task(_drain(socket), name="live reader"),
                asyncio.create_task(_write(socket, subscriber), name="live writer"),
                asyncio.create_task(self._stay_signed_in(request, body.token), name="live sign-in"),
            )

    @contextlib.contextmanager
    def _counted(self, request: web.Request) -> Iterator[None]:
        """Hold a place among the strangers while one is waited for."""
        stranger = PRINCIPAL not in request
        self._strangers += stranger
        try:
            yield
        finally:
            self._strangers -= stranger

    async def _carry(self, subscriber: Subscriber, *tasks: asyncio.Task[None]) -> None:
        """Run until the first of the tasks ends; raises what it raised, were it not that the peer left."""
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        if subscriber.dropped or any(isinstance(result, TimeoutError) for result in results):
            self._hub.drop(subscriber)
            raise OverloadedError("too slow")
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, ConnectionError):
                raise result

    async def _stay_signed_in(self, request: web.Request, token: str | None) -> None:
        """Raise when the token has expired or was taken back."""
        while True:
            await asyncio.sleep(SIGN_IN_CHECK_S)
            with contextlib.suppress(StorageError):
                if PRINCIPAL in request:
                    await self._authenticator.principal(request)
                else:
                    await self._authenticator.of_token(token or "", request)


async def _drain(socket: web.WebSocketResponse) -> None:
    """Read until the client leaves; there is nothing more to be said to us."""
    async for _message in socket:
        pass


async def _write(socket: web.WebSocketResponse, subscriber: Subscriber) -> None:
    while (message := await subscriber.next()) is not None:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await socket.send_str(message)


async def _close(request: web.Request, socket: web.WebSocketResponse, problem: Problem | None) -> None:
    """Say why and close; a peer that takes nothing any more loses its connection."""
    code, reason = WSCloseCode.GOING_AWAY, b""
    if problem is not None:
        code = WSCloseCode.TRY_AGAIN_LATER if problem.status >= 500 else WSCloseCode.POLICY_VIOLATION
        reason = problem.code.encode()
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            if problem is not None and not socket.closed:
                await socket.send_str(error_message(problem.code, problem.message))
            await socket.close(code=code, message=reason)
    except ConnectionError:
        log.debug("a watcher left without a word")
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
