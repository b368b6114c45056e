"""What load balancers and monitoring ask."""

import asyncio
import time
from collections.abc import Callable, Mapping

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from callcenter.errors import StorageError
from callcenter.storage.pool import Database
from callcenter.web.feed import LiveFeed
from callcenter.web.metrics import Metrics
from callcenter.web.models import Check, Readiness

CHECK_TIMEOUT_S = 2
EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8"

ReadinessChecks = Callable[[], Mapping[str, bool]]
"""What besides the database must be so before calls may come: ``{"model": True, "accepting": True}``."""


class HealthRoutes:
    """Open to everyone: they tell no names, numbers or words."""

    def __init__(
        self, database: Database, feed: LiveFeed, metrics: Metrics, readiness: ReadinessChecks
    ) -> None:
        self._database = database
        self._feed = feed
        self._metrics = metrics
        self._readiness = readiness

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
        ]

    async def healthz(self, _request: web.Request) -> web.Response:
        """Answer as long as the process can."""
        return web.Response(text="ok\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        """Whether calls may be sent here: 200 or 503, with each check."""
        checks = [Check(name="database", ok=await self._database_answers())]
        checks += [Check(name=name, ok=ok) for name, ok in self._readiness().items()]
        ready = all(check.ok for check in checks)
        answer = Readiness(ready=ready, checks=checks)
        return web.Response(
            text=answer.as_json(), content_type="application/json", status=200 if ready else 503
        )

    async def metrics(self, _request: web.Request) -> web.Response:
        """The figures; those of the database are left out while it is away."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                standing = await self._feed.standing()
        except (StorageError, TimeoutError):
            standing = None
        body = self._metrics.exposition(standing)
        return web.Response(body=body, headers={"Content-Type": EXPOSITION_TYPE})

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                return bool(await self._database.fetchval("SELECT true"))
        except (StorageError, TimeoutError):
            return False


def counted(metrics: Metrics) -> Middleware:
    """Count every request and the time it took; sockets are left out, they last as long as they like."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        response = await handler(request)
        resource = request.match_info.route.resource
        if not isinstance(response, web.WebSocketResponse):
            route = resource.canonical if resource is not None else "unknown"
            metrics.answered(request.method, route, response.status, time.perf_counter() - began)
        return response

    return middleware
