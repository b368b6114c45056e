"""The composition root: the only place that names concrete adapters and ties their lifetimes together.

Start-up goes down the lines of ``serving``; shutdown goes back up them, after the calls were drained.
"""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from uuid import UUID, uuid4

import uvloop
from aiohttp import web

import ivr
from callcenter import config, places
from callcenter import flows as flow_files
from callcenter.acd.dispatcher import Dispatcher
from callcenter.acd.waits import WaitTimes
from callcenter.call.background import Background
from callcenter.call.partials import Partials
from callcenter.call.relay import CallRelay
from callcenter.call.services import CallServices
from callcenter.call.supervisor import CallSupervisor
from callcenter.callback_work import CallbackWork, Turns
from callcenter.callbacks.opening import open_callbacks
from callcenter.errors import UsageError
from callcenter.gateways import Gateways, open_gateways
from callcenter.housekeeping import keep_house, keep_rollups
from callcenter.lookup import Lookups
from callcenter.media.pacer import Pacer
from callcenter.media.prompts import Prompts
from callcenter.media.recorder import RecordingWriter
from callcenter.process_figures import figures_of
from callcenter.queueing import SkillTree
from callcenter.reports.intervals import reporting_zone
from callcenter.reports.query import Reports
from callcenter.reports.rollups import Rollups
from callcenter.reports.talk_store import TalkStore
from callcenter.speech import Speech, open_speech
from callcenter.storage.closures import ClosureBoard, Closures
from callcenter.storage.event_log import EventLog
from callcenter.storage.history import History
from callcenter.storage.messages import Messages
from callcenter.storage.nodes import Nodes
from callcenter.storage.pool import Database
from callcenter.storage.recordings import Recordings
from callcenter.storage.room import AgentRoom
from callcenter.storage.transcripts import Transcripts
from callcenter.storage.users import Users
from callcenter.stores import Stores, open_stores
from callcenter.telephony.handover import Handover
from callcenter.web.access_log import AccessLog
from callcenter.web.feed import LiveFeed
from callcenter.web.live import LiveHub
from callcenter.web.metrics import ProcessFigures
from callcenter.web.server import WebServices, build_app, build_worker_app
from callcenter.web.server_log import server_logger
from callcenter.webhooks import open_webhooks

log = logging.getLogger(__name__)

BACKGROUND_GRACE_S = 20.0
STALE_OFFER_MARGIN_S = 15.0
SHUTDOWN_TIMEOUT_S = 5.0
GC_THRESHOLD = 20_000


class Role(Enum):
    """What a process does."""

    SERVICE = auto()  # everything
    WORKER = auto()  # it carries callbacks: no callers, no pages, no API


@dataclass(frozen=True, slots=True)
class Place:
    """Where this process listens: a socket bound beforehand, else the settings' host and port."""

    sock: socket.socket | None = None
    shares_ports: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, as its owner sees it. ``work`` is ``None`` where no callbacks are carried."""

    url: str
    asterisk_port: int | None
    node_id: UUID
    database: Database
    supervisor: CallSupervisor
    events: EventLog
    work: CallbackWork | None = None

    async def drain(self, timeout_s: float) -> None:
        """Claim and take no more, let what is in progress end until the time is up; then end it."""
        ending = [self.supervisor.drain(timeout_s)]
        if self.work is not None:
            ending.insert(0, self.work.stop())
        await asyncio.gather(*ending)


def run_service(settings: config.Settings, place: Place | None = None, role: Role = Role.SERVICE) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status."""
    return uvloop.run(_serve_until_told(settings, place, role))


async def _serve_until_told(settings: config.Settings, place: Place | None, role: Role) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings, place, role=role) as service:
        log.info("listening on %s", service.url)
        spare_garbage_collection()
        for doubt in config.doubts(settings):
            log.warning("%s", doubt)
        await stop.wait()
        log.info("shutting down: no new calls, %d in progress", service.supervisor.calls)
        await service.drain(settings.server.drain_timeout_s)
    return 0


def spare_garbage_collection() -> None:
    """Search for garbage seldom, and never in what start-up made: a whole search stops all calls for 50 ms.

    Frames of sound leave no cycles behind; what does (calls, requests) is found a little later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)


@asynccontextmanager
async def serving(
    settings: config.Settings,
    place: Place | None = None,
    *,
    role: Role = Role.SERVICE,
    demo_token: str | None = None,
) -> AsyncIterator[Service]:
    """Run the whole service while the ``async with`` lasts.

    Raises ``UsageError`` for settings that cannot work and ``StorageError`` without a database. Calls that
    are in progress at the end are cut; drain the service first. ``demo_token`` signs in browsers on this
    machine by itself.
    """
    place, workers, serves = place or Place(), settings.callbacks.workers, role is Role.SERVICE
    if not (serves or workers):
        raise UsageError("callbacks.workers: is 0, so there is nothing for a worker to carry")
    flows = flow_files.load_flows(settings)
    for doubt in flow_files.doubts(flows):
        log.warning("%s", doubt)
    node_id = uuid4()
    async with AsyncExitStack() as stack:
        speech = await open_speech(stack, settings.asr)
        stores = await open_stores(stack, settings)
        sock = place.sock or places.bind(settings.server)
        stack.callback(sock.close)
        urls = places.urls(settings.server, sock, node_id)
        nodes = Nodes(stores.database, stores.listener, node_id)
        await stack.enter_async_context(nodes.registered(urls.node))
        # Closed before the process is forgotten, else another could end calls whose end is not stored yet.
        await stack.enter_async_context(stores.events)
        turns = Turns()
        services = await _open_calls(stack, settings, stores, node_id, speech, flows, turns)
        supervisor = CallSupervisor(services)
        relay = CallRelay(
            node_id,
            supervisor,
            stores.calls,
            stores.leg_tokens,
            Messages(stores.database),
            settings.gateways.transfer_prefixes,
        )
        await stack.enter_async_context(relay.attached(stores.listener, services.background))
        gateways = await open_gateways(
            stack,
            urls,
            services,
            supervisor,
            relay,
            shares_ports=place.shares_ports,
            takes_callers=serves,
        )
        work = None
        if workers:
            room = AgentRoom(stores.database)
            work = CallbackWork(services, supervisor, room, stores.calls, stores.listener, turns)
        await _keep_up(stack, nodes, stores.database, services)
        webhooks = await open_webhooks(stack, stores, services) if serves else None

        def figures() -> ProcessFigures:
            return figures_of(stores, services, supervisor, gateways, work, webhooks)

        if serves:
            webside = await _open_web(
                stack, stores, services, supervisor, relay, gateways, figures, demo_token
            )
        else:
            webside = _worker_web(stores, services, supervisor, gateways, figures)
        await _listen(stack, webside, sock, gateways.handover)
        if work is not None:
            await stack.enter_async_context(work)
        port = gateways.asterisk_port
        yield Service(urls.node, port, node_id, stores.database, supervisor, stores.events, work)


async def _open_calls(
    stack: AsyncExitStack,
    settings: config.Settings,
    stores: Stores,
    node_id: UUID,
    speech: Speech,
    flows: dict[str, ivr.Flow],
    turns: Turns,
) -> CallServices:
    enter = stack.enter_async_context
    skills = SkillTree(settings.skills)
    dispatcher = Dispatcher(
        stores.line,
        stores.agents,
        stores.listener,
        node_id,
        rules=stores.queues.rules,
        skills=skills,
        stale_offer_s=lambda: stores.queues.longest_ring_s + STALE_OFFER_MARGIN_S,
        on_turn=turns if settings.callbacks.workers else None,
    )
    waits = await enter(WaitTimes(stores.wait_estimates, stores.queues, skills))
    closures = await enter(ClosureBoard(Closures(stores.database), stores.listener))
    callbacks = open_callbacks(
        stores.database, stores.queues, stores.line, settings, waits, closures, stores.clock.now
    )
    return CallServices(
        node_id=node_id,
        settings=settings,
        now=stores.clock.now,
        append=stores.events.append,
        flows=flows,
        gateways={},
        background=await enter(Background(BACKGROUND_GRACE_S)),
        queues=stores.queues,
        dispatcher=await enter(dispatcher),
        pacer=await enter(Pacer()),
        prompts=await enter(Prompts(settings.prompts, settings.data_dir / "prompts")),
        recorder=await enter(RecordingWriter()),
        recordings_dir=places.private_folder(settings.data_dir / "recordings"),
        recordings=Recordings(stores.database),
        transcripts=Transcripts(stores.database),
        leg_tokens=stores.leg_tokens,
        recognizer=speech.recognizer,
        confirmer=speech.confirmer,
        partials=await enter(Partials(Messages(stores.database))),
        waits=waits,
        wait_estimates=stores.wait_estimates,
        look_up=await enter(Lookups(settings.ivr.lookups_at_once)),
        closures=closures,
        history=History(stores.database),
        callbacks=callbacks,
    )


# The web side.


async def _open_web(
    stack: AsyncExitStack,
    stores: Stores,
    services: CallServices,
    supervisor: CallSupervisor,
    relay: CallRelay,
    gateways: Gateways,
    figures: Callable[[], ProcessFigures],
    demo_token: str | None,
) -> web.Application:
    database, settings = stores.database, services.settings
    hub = LiveHub(_feed(stores, services))
    hub.attach(stores.listener)
    await stack.enter_async_context(hub)
    return build_app(
        WebServices(
            settings=settings,
            database=database,
            calls=stores.calls,
            transcripts=services.transcripts,
            recordings=services.recordings,
            recordings_dir=services.recordings_dir,
            agents=stores.agents,
            queue_line=stores.line,
            queues=stores.queues,
            queue_rows=stores.queue_rows,
            reports=Reports(database),
            waits=services.waits,
            wait_estimates=services.wait_estimates,
            users=Users(database),
            hub=hub,
            control=relay,
            readiness=lambda: _readiness(services, supervisor),
            node=str(services.node_id),
            figures=figures,
            now=services.now,
            callbacks=services.callbacks.desk,
            demo_token=demo_token,
        ),
        gateways.routes,
    )


def _worker_web(
    stores: Stores,
    services: CallServices,
    supervisor: CallSupervisor,
    gateways: Gateways,
    figures: Callable[[], ProcessFigures],
) -> web.Application:
    return build_worker_app(
        stores.database,
        _feed(stores, services),
        str(services.node_id),
        figures,
        lambda: _readiness(services, supervisor),
        gateways.routes,
    )


def _feed(stores: Stores, services: CallServices) -> LiveFeed:
    estimates, metrics = services.waits.of_newcomers, services.settings.metrics
    return LiveFeed(stores.database, lambda: stores.queues.names, metrics, estimates)


def _readiness(services: CallServices, supervisor: CallSupervisor) -> dict[str, bool]:
    return {
        "model": services.recognizer is not None or not services.settings.asr.enabled,
        "accepting_calls": not supervisor.draining,
    }


async def _listen(
    stack: AsyncExitStack, application: web.Application, sock: socket.socket, handover: Handover
) -> None:
    runner = web.AppRunner(
        application,
        access_log_class=AccessLog,
        logger=server_logger(),
        handle_signals=False,
        shutdown_timeout=SHUTDOWN_TIMEOUT_S,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    server = runner.server
    assert server is not None
    handover.receive("http", server)
    await web.SockSite(runner, sock, backlog=places.BACKLOG).start()


# What goes on beside the calls.


async def _keep_up(stack: AsyncExitStack, nodes: Nodes, database: Database, services: CallServices) -> None:
    zone = reporting_zone(services.settings.metrics.timezone)
    works = {
        "housekeeping": keep_house(nodes, database, services),
        "callbacks in order": services.callbacks.upkeep.keep(),
        "talk measures": TalkStore(database).keep_up(),
        "keeping reports up to date": keep_rollups(Rollups(database), zone),
    }
    for name, work in works.items():
        await stack.enter_async_context(_running(work, name))


@asynccontextmanager
async def _running(work: Coroutine[None, None, None], name: str) -> AsyncIterator[None]:
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
