"""``/api/v1/callbacks/abandoned``: callers who hung up in a queue, for a callback with one click."""

from collections.abc import Callable
from datetime import datetime, timedelta

from aiohttp import web

from callcenter.storage.abandoned import AbandonedCaller, AbandonedCallers
from callcenter.web import callback_bodies as bodies
from callcenter.web import callback_models as models
from callcenter.web import paging
from callcenter.web.body import parse_query
from callcenter.web.params import answer, principal_of

SINCE = timedelta(days=1)


class AbandonedRoutes:
    """The list, for supervisors. ``now`` is UTC on the database's clock."""

    def __init__(self, callers: AbandonedCallers, now: Callable[[], datetime]) -> None:
        self._callers = callers
        self._now = now

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it answers."""
        return [web.get("/api/v1/callbacks/abandoned", self.list)]

    async def list(self, request: web.Request) -> web.Response:
        """Who hung up and was not served since, newest first."""
        principal_of(request).require_supervisor()
        query = parse_query(bodies.AbandonedQuery, request.query)
        found = await self._callers.list(
            query.since or self._now() - SINCE,
            query.queue,
            after=paging.decode(query.cursor) if query.cursor is not None else None,
            limit=query.limit + 1,
        )
        page, more = found[: query.limit], len(found) > query.limit
        cursor = paging.encode(paging.Place(page[-1].abandoned_at, page[-1].call_id)) if more else None
        return answer(models.AbandonedPage(callers=[_caller(one) for one in page], next_cursor=cursor))


def _caller(one: AbandonedCaller) -> models.AbandonedCaller:
    return models.AbandonedCaller(
        call_id=one.call_id,
        number=one.number,
        queue=one.queue,
        abandoned_at=one.abandoned_at,
        waited_s=max(one.waited_s, 0.0),
        calls=one.calls,
    )
