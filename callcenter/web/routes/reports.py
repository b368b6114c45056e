"""``/api/v1/reports``: figures over a range of time."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from aiohttp import web
from pydantic import Field

from callcenter import config
from callcenter.reports.export import to_json
from callcenter.reports.intervals import parse_interval, parse_range, reporting_zone
from callcenter.reports.query import Question, Reports
from callcenter.reports.summary import CountBy
from callcenter.reports.thresholds import changed_thresholds
from callcenter.web.body import parse_query
from callcenter.web.errors import InvalidError
from callcenter.web.models import Name, Query
from callcenter.web.params import principal_of

MAX_RANGE = timedelta(days=731)


class SummaryQuery(Query):
    """The range and how to cut it; ``today`` in the reporting zone where nothing is said."""

    from_: str | None = Field(None, alias="from", max_length=40)
    to: str | None = Field(None, max_length=40)
    queue: Name | None = None
    interval: str = Field("day", max_length=10)
    by: CountBy = CountBy.OFFERED
    service_level_s: float | None = Field(None, gt=0, le=86_400)
    short_abandon_s: float | None = Field(None, ge=0, le=86_400)
    target: float | None = Field(None, gt=0, le=1)


class ReportRoutes:
    """Reports, for supervisors. ``now`` is UTC on the database's clock."""

    def __init__(self, reports: Reports, thresholds: config.Metrics, now: Callable[[], datetime]) -> None:
        self._reports = reports
        self._thresholds = thresholds
        self._now = now

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [web.get("/api/v1/reports/summary", self.summary)]

    async def summary(self, request: web.Request) -> web.Response:
        """The figures of a range: total, by queue, by interval, by agent."""
        principal_of(request).require_supervisor()
        query = parse_query(SummaryQuery, request.query)
        interval = parse_interval(query.interval)
        thresholds = changed_thresholds(
            self._thresholds,
            service_level_s=query.service_level_s,
            short_abandon_s=query.short_abandon_s,
            target=query.target,
        )
        zone = reporting_zone(thresholds.timezone)
        since, until = parse_range(query.from_, query.to, zone, self._now())
        if until - since > MAX_RANGE:
            raise InvalidError(f"the range is longer than {MAX_RANGE.days} days", "to")
        summary = await self._reports.summary(
            Question(thresholds, since, until, interval, query.queue, query.by)
        )
        # In a thread, so that a long range does not hold up the audio of calls.
        return web.json_response(await asyncio.to_thread(to_json, summary))
