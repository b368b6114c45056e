"""The telephone networks that the settings name, opened for one process."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from aiohttp import ClientSession, web

from callcenter.call.callback_carrier import take_news
from callcenter.call.expected import ExpectedCallers
from callcenter.call.relay import CallRelay
from callcenter.call.services import CallServices
from callcenter.call.supervisor import CallSupervisor
from callcenter.telephony.audiosocket import AudioSocketGateway
from callcenter.telephony.handover import Handover
from callcenter.telephony.shell import AttemptEvent, MediaCounters
from callcenter.telephony.twilio import TwilioGateway, Urls


@dataclass(slots=True)
class Gateways:
    """What the networks' gateways serve and count. ``asterisk_port`` is where AudioSocket is listened for."""

    handover: Handover
    routes: list[web.RouteDef] = field(default_factory=list)
    counters: list[MediaCounters] = field(default_factory=list)
    asterisk_port: int | None = None


async def open_gateways(
    stack: AsyncExitStack,
    urls: Urls,
    services: CallServices,
    supervisor: CallSupervisor,
    relay: CallRelay,
    *,
    shares_ports: bool,
    takes_callers: bool,
) -> Gateways:
    """Open them; without ``takes_callers`` only those come in who were dialled from here."""
    settings = services.settings.gateways
    client = await stack.enter_async_context(ClientSession())
    handover = Handover(services.settings.data_dir, services.node_id)
    await stack.enter_async_context(handover)
    opened = Gateways(handover)
    expected = ExpectedCallers(services, supervisor, settings.twilio.auth_token)

    async def told(event: AttemptEvent) -> None:
        await take_news(event, services.callbacks.store, relay)

    if settings.twilio.enabled:
        twilio = TwilioGateway(
            settings.twilio,
            urls,
            client,
            accept=supervisor.accept,
            announce=expected.twilio,
            on_dial_result=relay.dial_failed,
            on_attempt=told,
            handover=handover,
            takes_callers=takes_callers,
        )
        services.gateways[twilio.name] = twilio
        opened.routes += twilio.routes()
        opened.counters.append(twilio.counters)
    if settings.asterisk.enabled:
        asterisk = AudioSocketGateway(
            settings.asterisk,
            client,
            accept=supervisor.accept,
            announce=expected.asterisk,
            owner_of=services.leg_tokens.peek,
            node_id=services.node_id,
            handover=handover,
            reuse_port=shares_ports,
            listens=takes_callers,
        )
        await stack.enter_async_context(asterisk)
        services.gateways[asterisk.name] = asterisk
        opened.counters.append(asterisk.counters)
        if takes_callers:
            opened.routes += asterisk.routes()
            opened.asterisk_port = asterisk.port
    return opened
