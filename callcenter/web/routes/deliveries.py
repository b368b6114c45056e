"""``/api/v1/webhooks/deliveries``: what webhooks were told, and what could not be delivered."""

import re

from aiohttp import web

from callback.deliveries import Deliveries
from callcenter.errors import NotFoundError
from callcenter.web import callback_bodies as bodies
from callcenter.web import callback_models as models
from callcenter.web.body import parse_body, parse_query
from callcenter.web.params import answer, principal_of

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


class DeliveryRoutes:
    """Deliveries, for supervisors."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [
            web.get("/api/v1/webhooks/deliveries", self.list),
            web.post("/api/v1/webhooks/deliveries/retry", self.retry_all),
            web.post("/api/v1/webhooks/deliveries/{number}/retry", self.retry),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Deliveries, newest first."""
        principal_of(request).require_supervisor()
        query = parse_query(bodies.DeliveryQuery, request.query)
        found = await self._deliveries.listed(
            state=query.state,
            webhook=query.webhook,
            callback_id=query.callback,
            after=query.cursor,
            limit=query.limit + 1,
        )
        page = [models.WebhookDelivery.of(one) for one in found[: query.limit]]
        more = len(found) > query.limit
        return answer(
            models.DeliveryPage(deliveries=page, next_cursor=page[-1].delivery_id if more else None)
        )

    async def retry(self, request: web.Request) -> web.Response:
        """Try a dead one again."""
        principal_of(request).require_supervisor()
        text = request.match_info["number"]
        if not _NUMBER.fullmatch(text):
            raise NotFoundError("there is no such delivery")
        await self._deliveries.again(int(text))
        return web.Response(status=204)

    async def retry_all(self, request: web.Request) -> web.Response:
        """Try all dead ones again."""
        principal_of(request).require_supervisor()
        raw = await request.read()
        body = parse_body(bodies.RetryBody, raw, request.content_type) if raw else bodies.RetryBody()
        return answer(models.Retried(retried=await self._deliveries.all_again(body.webhook)))
