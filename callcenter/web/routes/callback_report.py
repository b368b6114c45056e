"""``/api/v1/reports/callbacks``: how callbacks went, and who was served in the end."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from aiohttp import web
from pydantic import Field

from callcenter import config
from callcenter.reports.callback_export import to_json
from callcenter.reports.callback_query import CallbackQuestion, CallbackReports
from callcenter.reports.intervals import parse_interval, parse_range, reporting_zone
from callcenter.web.body import parse_query
from callcenter.web.errors import InvalidError
from callcenter.web.models import Name, Query
from callcenter.web.params import principal_of
from callcenter.web.routes.reports import MAX_RANGE


class CallbackReportQuery(Query):
    """The range and how to cut it; ``today`` in the reporting zone where nothing is said.

    ``calls`` that left for a callback are listed, with ``unserved`` only those whose customers were not
    served.
    """

    from_: str | None = Field(None, alias="from", max_length=40)
    to: str | None = Field(None, max_length=40)
    queue: Name | None = None
    interval: str = Field("day", max_length=10)
    calls: int = Field(100, ge=0, le=1000)
    unserved: bool = False


class CallbackReportRoutes:
    """The report, for supervisors. ``now`` is UTC on the database's clock."""

    def __init__(
        self, reports: CallbackReports, thresholds: config.Metrics, now: Callable[[], datetime]
    ) -> None:
        self._reports = reports
        self._thresholds = thresholds
        self._now = now

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it answers."""
        return [web.get("/api/v1/reports/callbacks", self.callbacks)]

    async def callbacks(self, request: web.Request) -> web.Response:
        """Figures in all, by queue, source and interval; chains."""
        principal_of(request).require_supervisor()
        query = parse_query(CallbackReportQuery, request.query)
        interval = parse_interval(query.interval)
        zone = reporting_zone(self._thresholds.timezone)
        since, until = parse_range(query.from_, query.to, zone, self._now())
        if until - since > MAX_RANGE:
            raise InvalidError(f"the range is longer than {MAX_RANGE.days} days", "to")
        report = await self._reports.report(
            CallbackQuestion(
                self._thresholds, since, until, interval, query.queue, query.calls, not query.unserved
            )
        )
        # In a thread, so that a long range does not hold up the audio of calls.
        return web.json_response(await asyncio.to_thread(to_json, report))
