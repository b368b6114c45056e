"""Puts the web side together: routes, and what every request passes through."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path

from aiohttp import web

from callback.deliveries import Deliveries
from callback.store import Store
from callcenter.acd.queues import Queues
from callcenter.acd.waits import WaitTimes
from callcenter.callbacks.desk import CallbackDesk
from callcenter.config import Settings
from callcenter.reports.callback_query import CallbackReports
from callcenter.reports.quality_query import QualityReports
from callcenter.reports.query import Reports
from callcenter.storage.abandoned import AbandonedCallers
from callcenter.storage.agents import Agents
from callcenter.storage.calls import Calls
from callcenter.storage.closures import Closures
from callcenter.storage.page_codes import PageCodes, PageUses
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine
from callcenter.storage.queues import QueueRows
from callcenter.storage.recordings import Recordings
from callcenter.storage.transcripts import Transcripts
from callcenter.storage.users import Users
from callcenter.storage.wait_estimates import WaitEstimates
from callcenter.web import middleware
from callcenter.web.auth import Authenticator, TokenLookup
from callcenter.web.callback_access import CallbackAccess
from callcenter.web.customer.booking import Booking
from callcenter.web.customer.codes import CodeSender
from callcenter.web.customer.drawing import Drawing
from callcenter.web.customer.limits import Limits
from callcenter.web.customer.topics import Topics
from callcenter.web.customer.way import Way
from callcenter.web.feed import LiveFeed
from callcenter.web.live import LiveHub
from callcenter.web.metrics import Metrics, ProcessFigures, WatcherFigures
from callcenter.web.ports import CallControl
from callcenter.web.principal import Principal, Role
from callcenter.web.routes.abandoned import AbandonedRoutes
from callcenter.web.routes.agents import AgentRoutes
from callcenter.web.routes.callback_changes import CallbackChangeRoutes
from callcenter.web.routes.callback_link import CallbackLink
from callcenter.web.routes.callback_page import CallbackPage
from callcenter.web.routes.callback_report import CallbackReportRoutes
from callcenter.web.routes.callback_steps import CallbackSteps
from callcenter.web.routes.callbacks import CallbackRoutes
from callcenter.web.routes.calls import CallRoutes
from callcenter.web.routes.closure import ClosureRoutes
from callcenter.web.routes.deliveries import DeliveryRoutes
from callcenter.web.routes.do_not_call import DoNotCallRoutes
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
    if settings.callbacks.page.enabled:
        app.add_routes(_customers_page(services))
    app.router.add_static("/static/", str(resources.files("callcenter.web").joinpath("static")))
    app.add_routes(routes)
    app.on_shutdown.append(_send_watchers_away(hub))
    return app


def build_worker_app(
    database: Database,
    feed: LiveFeed,
    node: str,
    figures: Callable[[], ProcessFigures],
    readiness: ReadinessChecks,
    routes: Iterable[web.AbstractRouteDef],
) -> web.Application:
    """The application of a process that carries callbacks only: health, and the gateways' ``routes``."""
    metrics = Metrics(node, figures, WatcherFigures)
    app = web.Application(
        client_max_size=MAX_BODY_BYTES,
        middlewares=[middleware.request_id, counted(metrics), middleware.errors],
    )
    app.on_response_prepare.append(middleware.set_headers)
    app.add_routes(HealthRoutes(database, feed, metrics, readiness).routes())
    app.add_routes(routes)
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
        *_callbacks(services),
        *DocumentRoutes().routes(),
    ]


def _callbacks(services: WebServices) -> list[web.AbstractRouteDef]:
    desk, store = services.callbacks, Store(services.database.transaction)
    access = CallbackAccess(desk, services.agents, services.queues)
    return [
        # Before what has an id in this place.
        *AbandonedRoutes(AbandonedCallers(services.database), services.now).routes(),
        *CallbackRoutes(desk, store, access, services.calls).routes(),
        *CallbackChangeRoutes(desk, access).routes(),
        *DoNotCallRoutes(desk, store).routes(),
        *DeliveryRoutes(Deliveries(services.database.transaction)).routes(),
    ]


def _customers_page(services: WebServices) -> list[web.AbstractRouteDef]:
    settings, desk, now = services.settings.callbacks.page, services.callbacks, services.now
    codes, topics, drawing = PageCodes(services.database), Topics(services.queues), Drawing(settings, now)
    booking = Booking(desk, codes, None if settings.code == "off" else CodeSender(settings, now))
    way = Way(desk, booking, codes, drawing)
    limits = Limits(settings, desk, PageUses(services.database))
    return [
        *CallbackPage(desk, topics, drawing, way, codes, limits, 3 if booking.needs_code else 2).routes(),
        *CallbackSteps(settings, desk, drawing, way, booking, codes, limits).routes(),
        *CallbackLink(desk, topics, drawing).routes(),
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
