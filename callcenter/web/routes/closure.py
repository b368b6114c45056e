"""``/api/v1/closure``: what is closed at the moment by somebody's decision, and changing it."""

from collections.abc import Callable, Collection
from datetime import datetime

from aiohttp import web

from callcenter.errors import NotFoundError
from callcenter.storage.closures import Closure, Closures, Scope
from callcenter.web import floor_models
from callcenter.web.body import parse_body, parse_query
from callcenter.web.errors import InvalidError
from callcenter.web.params import answer, principal_of


class ClosureRoutes:
    """Closures. ``queues`` tells the names that there are, ``flows`` are those of the routes."""

    def __init__(
        self,
        closures: Closures,
        now: Callable[[], datetime],
        queues: Callable[[], Collection[str]],
        flows: Collection[str],
    ) -> None:
        self._closures = closures
        self._now = now
        self._queues = queues
        self._flows = frozenset(flows)

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [
            web.get("/api/v1/closure", self.list),
            web.put("/api/v1/closure", self.put),
            web.delete("/api/v1/closure", self.delete),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """All that is closed; needs the role supervisor, as everything here."""
        principal_of(request).require_supervisor()
        closures = [_closure(closure) for closure in await self._closures.in_force()]
        return answer(floor_models.ClosureList(closures=closures))

    async def put(self, request: web.Request) -> web.Response:
        """Close, or change the message and the end of what is closed."""
        principal = principal_of(request)
        principal.require_supervisor()
        body = parse_body(floor_models.ClosureBody, await request.read(), request.content_type)
        scope, name = self._place(body)
        if body.until is not None and body.until <= self._now():
            raise InvalidError("until: must be in the future", "until")
        closed = await self._closures.close(
            scope, name, message=body.message, by_whom=principal.user, until=body.until
        )
        return answer(_closure(closed))

    async def delete(self, request: web.Request) -> web.Response:
        """Open again."""
        principal_of(request).require_supervisor()
        scope, name = self._place(parse_query(floor_models.ClosureQuery, request.query))
        if not await self._closures.open(scope, name):
            raise NotFoundError("this is not closed")
        return web.Response(status=204)

    def _place(self, place: floor_models.ClosureBody | floor_models.ClosureQuery) -> tuple[Scope, str]:
        if place.queue is not None:
            if place.queue not in self._queues():
                raise InvalidError(f"queue: no such queue: {place.queue}", "queue")
            return Scope.QUEUE, place.queue
        if place.flow is not None:
            if place.flow not in self._flows:
                raise InvalidError(f"flow: no such flow: {place.flow}", "flow")
            return Scope.FLOW, place.flow
        return Scope.ALL, ""


def _closure(closure: Closure) -> floor_models.Closure:
    return floor_models.Closure(
        scope=closure.scope,
        name=closure.name,
        message=closure.message,
        since=closure.since,
        by=closure.by_whom,
        until=closure.until,
    )
