"""``/api/v1/reports/ewt``: how right estimated waits were."""

from collections.abc import Callable
from datetime import datetime

from aiohttp import web
from pydantic import Field

from callcenter.reports.intervals import parse_range, reporting_zone
from callcenter.reports.wait_accuracy import accuracy_to_json
from callcenter.storage.wait_estimates import WaitEstimates
from callcenter.web.body import parse_query
from callcenter.web.models import Name, Query
from callcenter.web.params import principal_of


class WaitQuery(Query):
    """The range; ``today`` in the reporting zone where nothing is said."""

    from_: str | None = Field(None, alias="from", max_length=40)
    to: str | None = Field(None, max_length=40)
    queue: Name | None = None


class WaitReportRoutes:
    """The report, for supervisors. ``now`` is UTC on the database's clock."""

    def __init__(self, rows: WaitEstimates, zone: str, now: Callable[[], datetime]) -> None:
        self._rows = rows
        self._zone = zone
        self._now = now

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it answers."""
        return [web.get("/api/v1/reports/ewt", self.ewt)]

    async def ewt(self, request: web.Request) -> web.Response:
        """Bias, mean absolute error and coverage: in all, by queue, by method, by moment."""
        principal_of(request).require_supervisor()
        query = parse_query(WaitQuery, request.query)
        since, until = parse_range(query.from_, query.to, reporting_zone(self._zone), self._now())
        found = await self._rows.accuracy(since, until, query.queue)
        return web.json_response(accuracy_to_json(found, since, until))
