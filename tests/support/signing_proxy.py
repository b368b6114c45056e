"""Puts Twilio's signature on the calls of a simulator that sends none.

``streamdouble`` speaks the media protocol but signs nothing. The proxy does what stands between it and the
real network: it opens the service's media socket with the signature that belongs to that address, and
passes every message on untouched, both ways.
"""

import asyncio
from contextlib import suppress
from typing import Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from support.twilio_network import signature


class SigningProxy:
    """``async with SigningProxy("ws://host:port") as proxy``: ``proxy.url`` stands for that origin."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(self._relay, "127.0.0.1", 0, compression=None, ping_interval=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    async def _relay(self, caller: ServerConnection) -> None:
        assert caller.request is not None
        url = self._origin + caller.request.path
        headers = {"X-Twilio-Signature": signature(url)}
        async with connect(
            url, additional_headers=headers, compression=None, proxy=None, ping_interval=None
        ) as service:
            tasks = [
                asyncio.create_task(_copy(caller, service), name="caller to service"),
                asyncio.create_task(_copy(service, caller), name="service to caller"),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await service.close()
            await caller.close(service.close_code or 1000)
            await asyncio.gather(*tasks)


async def _copy(
    source: ClientConnection | ServerConnection, target: ClientConnection | ServerConnection
) -> None:
    with suppress(ConnectionClosed):
        async for message in source:
            await target.send(message)
