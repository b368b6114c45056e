"""``/api/v1/reports/quality``: resolution, satisfaction and talk over a range of time."""

from collections.abc import Callable
from datetime import datetime, timedelta

from aiohttp import web
from pydantic import Field

from callcenter import config
from callcenter.reports.intervals import parse_interval, parse_range, reporting_zone
from callcenter.reports.quality_export import to_json
from callcenter.reports.quality_query import QualityReports
from callcenter.web.body import parse_query
from callcenter.web.errors import InvalidError
from callcenter.web.models import Name, Query
from callcenter.web.params import principal_of

MAX_RANGE = timedelta(days=366)


class QualityQuery(Query):
    """The range, how to cut it, and whose quality; ``today`` in the reporting zone where nothing is said."""

    from_: str | None = Field(None, alias="from", max_length=40)
    to: str | None = Field(None, max_length=40)
    queue: Name | None = None
    agent: Name | None = None
    interval: str = Field("day", max_length=10)


class QualityRoutes:
    """The quality of service, for supervisors. ``now`` is UTC on the database's clock."""

    def __init__(
        self, reports: QualityReports, thresholds: config.Metrics, now: Callable[[], datetime]
    ) -> None:
        self._reports = reports
        self._thresholds = thresholds
        self._now = now

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [web.get("/api/v1/reports/quality", self.quality)]

    async def quality(self, request: web.Request) -> web.Response:
        """The quality of a range: total, by queue, by interval, by agent, by survey."""
        principal_of(request).require_supervisor()
        query = parse_query(QualityQuery, request.query)
        zone = reporting_zone(self._thresholds.timezone)
        since, until = parse_range(query.from_, query.to, zone, self._now())
        if until - since > MAX_RANGE:
            raise InvalidError(f"the range is longer than {MAX_RANGE.days} days", "to")
        report = await self._reports.report(
            self._thresholds,
            since=since,
            until=until,
            interval=parse_interval(query.interval),
            queue=query.queue,
            agent=query.agent,
        )
        return web.json_response(to_json(report))
