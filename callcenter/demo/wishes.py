"""Another system that takes callers' wishes to be called back, as flows hand them over."""

from types import TracebackType
from typing import Self

from aiohttp import web

HOST = "127.0.0.1"


class Wishes:
    """An HTTP server for as long as it is entered; ``numbers`` are those who want to be called, in order."""

    def __init__(self) -> None:
        self.numbers: list[str] = []
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/wishes", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}/wishes"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        wish = await request.json()
        self.numbers.append(str(wish["number"]))
        return web.json_response({})
