"""A watcher of the live socket."""

import asyncio
import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType

LIVE = "/api/v1/live"
EVERYTHING = {"subscribe": ["events", "transcript", "state"]}


class Watcher:
    def __init__(self, socket: Any) -> None:
        self.socket = socket

    async def next(self, kind: str, timeout_s: float = 5) -> Any:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await self.socket.receive()
                assert message.type is WSMsgType.TEXT, message
                document = json.loads(message.data)
                if document["type"] == kind:
                    return document

    async def close_code(self) -> int:
        async with asyncio.timeout(5):
            while (await self.socket.receive()).type is WSMsgType.TEXT:
                pass
        return int(self.socket.close_code)


@asynccontextmanager
async def watching(site: Any, body: Any = EVERYTHING, *, role: str = "supervisor", **options: Any) -> Any:
    options.setdefault("headers", site.auth(role))
    async with site.client.ws_connect(site.url + LIVE, **options) as socket:
        await (socket.send_str(body) if isinstance(body, str) else socket.send_json(body))
        yield Watcher(socket)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # what is watched is a counter
            await asyncio.sleep(0.01)
