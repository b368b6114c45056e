"""Puts the web side together: routes, and what every request passes through."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path

from aiohttp import web

from callcenter.acd.queues import Queues
from callcenter.acd.waits import WaitTimes
from callcenter.callbacks.desk import CallbackDesk
from callcenter.config import Settings
from callcenter.reports.callback_query import CallbackReports
from callcenter.reports.quality_query import QualityReports
from callcenter.reports.query import Reports
from callcenter.storage.agents import Agents
from callcenter.storage.calls import Calls
from callcenter.storage.closures import Closures
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine
from callcenter.storage.queues import QueueRows
from callcenter.storage.recordings import Recordings
from callcenter.storage.transcripts import Transcripts
from callcenter.storage.users import Users
from callcenter.storage.wait_estimates import WaitEstimates
from callcenter.web import middleware
from callcenter.web.auth import Authenticator, TokenLookup
from callcenter.web.live import LiveHub
from callcenter.web.metrics import Metrics, ProcessFigures, WatcherFigures
from callcenter.web.ports import CallControl
from callcenter.web.principal import Principal, Role
from callcenter.web.routes.agents import AgentRoutes
from callcenter.web.routes.callback_report import CallbackReportRoutes
from callcenter.web.routes.calls import CallRoutes
from callcenter.web.routes.closure import ClosureRoutes
from callcenter.web.routes.document import DocumentRoutes
from callcenter.web.routes.handovers import HandoverRoutes
from callcenter.web.routes.health import HealthRoutes, ReadinessChecks, counted
from callcenter.web.routes.live import LiveRoutes
from callcenter.web.routes.pages import Pages
from callcenter.web.routes.quality import QualityRoutes
from callcenter.web.routes.queues import QueueRoutes
from callcenter.web.routes.recordings import RecordingRoutes
from callcenter.web.routes.reports import ReportRoutes
from callcenter.web.routes.wait_report import WaitReportRoutes

MAX_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class WebServices:
    """The collaborators of the web side; all are running already.

    ``recordings_dir`` is the folder that recordings' paths are relative to, ``now`` UTC on the database's
    clock, ``figures`` what the process reports of itself, ``node`` the name by which others know it.
    ``demo_token``, set by the demo alone, signs in browsers on this machine by themselves.
    """

    settings: Settings
    database: Database
    calls: Calls
    transcripts: Transcripts
    recordings: Recordings
    recordings_dir: Path
    agents: Agents
    queue_line: QueueLine
    queues: Queues
    queue_rows: QueueRows
    reports: Reports
    waits: WaitTimes
    wait_estimates: WaitEstimates
    users: Users
    hub: LiveHub
    control: CallControl
    readiness: ReadinessChecks
    node: str
    figures: Callable[[], ProcessFigures]
    now: Callable[[], datetime]
    callbacks: CallbackDesk
    demo_token: str | None = None


def build_app(services: WebServices, routes: Iterable[web.AbstractRouteDef] = ()) -> web.Application:
    """The application: API, live socket, pages and health, and ``routes`` of others such as gateways.

    Serve it with ``access_log_class=callcenter.web.access_log.AccessLog``. When it shuts down, watchers
    of the live socket are sent away first.
    """
    settings, hub = services.settings, services.hub
    authenticator = Authenticator(_token_lookup(services.users), settings.server.public_url)
    metrics = Metrics(
        services.node,
        services.figures,
        lambda: WatcherFigures(watchers=hub.subscribers, watchers_dropped=hub.dropped_total),
    )
    app = web.Application(
        client_max_size=MAX_BODY_BYTES,
        middlewares=[
            middleware.request_id,
            counted(metrics),
            middleware.errors,
            middleware.sign_in(authenticator),
        ],
    )
    app.on_response_prepare.append(middleware.set_headers)
    app.add_routes(_api(services))
    app.add_routes(LiveRoutes(hub, authenticator).routes())
    app.add_routes(HealthRoutes(services.database, hub.feed, metrics, services.readiness).routes())
    pages = Pages(hub.feed, authenticator, settings.metrics.service_level_s, services.demo_token)
    app.add_routes(pages.routes())
    app.router.add_static("/static/", str(resources.files("callcenter.web").joinpath("static")))
    app.add_routes(routes)
    app.on_shutdown.append(_send_watchers_away(hub))
    return app


def _api(services: WebServices) -> list[web.AbstractRouteDef]:
    skills = services.settings.skills
    thresholds, now = services.settings.metrics, services.now
    return [
        *CallRoutes(
            services.calls, services.transcripts, services.control, now, thresholds.short_abandon_s
        ).routes(),
        *HandoverRoutes(services.calls, services.agents, services.control).routes(),
        *RecordingRoutes(services.recordings, services.calls, services.recordings_dir).routes(),
        *QueueRoutes(
            services.queue_line, services.queues, services.queue_rows, now, skills, services.waits
        ).routes(),
        *AgentRoutes(services.agents, services.control, services.queues, skills).routes(),
        *ReportRoutes(services.reports, thresholds, now).routes(),
        *ClosureRoutes(
            Closures(services.database),
            now,
            lambda: services.queues.names,
            [route.flow.stem for route in services.settings.routes],
        ).routes(),
        *WaitReportRoutes(services.wait_estimates, thresholds.timezone, now).routes(),
        *CallbackReportRoutes(CallbackReports(services.database), thresholds, now).routes(),
        *QualityRoutes(QualityReports(services.database), thresholds, now).routes(),
        *DocumentRoutes().routes(),
    ]


def _token_lookup(users: Users) -> TokenLookup:
    async def look_up(token: str) -> Principal | None:
        owner = await users.of_token(token)
        return None if owner is None else Principal(owner.user_name, Role(owner.role), owner.agent_id)

    return look_up


def _send_watchers_away(hub: LiveHub) -> Callable[[web.Application], Awaitable[None]]:
    async def send_away(_app: web.Application) -> None:
        hub.close()

    return send_away
