"""Runs a scenario against a service over real sockets and brings back what really happened."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Self

from aiohttp import ClientSession

from callcenter.simulator import overflow, page_visit
from callcenter.simulator.agents import Agent
from callcenter.simulator.browser import PageError
from callcenter.simulator.callers import Caller
from callcenter.simulator.calls import Account, PhoneCall
from callcenter.simulator.customers import Customer
from callcenter.simulator.gateway import Gateway
from callcenter.simulator.lateness import Lateness, probe
from callcenter.simulator.scenario import CallerPlan, Scenario, Script
from callcenter.simulator.service_api import ServiceApi, ServiceError
from callcenter.simulator.speech import SpeechBank
from callcenter.simulator.truth import CallTruth, Truth
from callcenter.simulator.world import Progress, Show, World, any_set

log = logging.getLogger(__name__)

WRAP_UP_TIMEOUT_S = 30.0
AROUND_S = 0.5


def show_nothing(_progress: Progress) -> None:
    """For those who only want the truth."""


class Simulation:
    """A network with its callers and agents, for as long as it is entered; ``run`` lives one scenario.

    ``service_url`` is the service's public URL; ``more_services`` get calls, too, in turn. The services' REST
    calls go to ``gateway_url``, which is known once the simulation has been entered, or before where
    ``gateway_port`` is not 0.
    """

    def __init__(
        self,
        scenario: Scenario,
        service_url: str,
        api_token: str,
        account_sid: str,
        auth_token: str,
        gateway_port: int = 0,
        show: Show = show_nothing,
        more_services: Sequence[str] = (),
    ) -> None:
        self._scenario = scenario
        self._service_url = service_url
        self._api_token = api_token
        self._show = show
        self._agents: dict[str, Agent] = {}
        self._customers: dict[str, Customer] = {}
        self._world: World | None = None
        self._stack = AsyncExitStack()
        self.gateway = Gateway(
            Account(account_sid, auth_token),
            service_url,
            self._on_dialled,
            port=gateway_port,
            more_services=more_services,
        )

    @property
    def gateway_url(self) -> str:
        """Where the service's REST calls go."""
        return self.gateway.url

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.gateway)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def run(self) -> Truth:
        """Sign the agents in, let the callers call, wait for the last wrap-up, sign out.

        Raises ``ServiceError`` when an agent cannot sign in. After the scenario's deadline everybody hangs
        up and the truth says so among its problems.
        """
        async with ClientSession() as session:
            lateness = Lateness()
            world = self._world = self._make_world(session, lateness)
            self._agents = {plan.address: Agent(world, plan) for plan in self._scenario.agents}
            for agent in self._agents.values():
                if not agent.plan.signs_in_s:
                    await agent.sign_in()
            try:
                async with asyncio.timeout(self._scenario.deadline_s), self._probing(world, lateness):
                    await self._live(world)
            except TimeoutError:
                world.truth.note(f"not over after {self._scenario.deadline_s:g} s")
            for agent in self._agents.values():
                await agent.sign_out()
            for problem in overflow.crowding(world.truth.calls, self._scenario.overflows):
                world.truth.note(problem)
            for call in world.truth.calls:
                _know_how_late(call, lateness)
            self._conclude(world.truth)
            return world.truth

    def _make_world(self, session: ClientSession, lateness: Lateness) -> World:
        epoch = time.time() - asyncio.get_running_loop().time()

        def took(seconds: float) -> None:
            now = epoch + asyncio.get_running_loop().time()
            lateness.note(now - seconds, now)

        return World(
            gateway=self.gateway,
            api=ServiceApi(
                session, self._service_url, self._api_token, took if self._scenario.probes else None
            ),
            bank=SpeechBank(self._scenario.seed),
            truth=Truth(),
            show=self._show,
            epoch=epoch,
            started_at=time.time(),
            overflows=self._scenario.overflows,
            listens=self._scenario.listens,
        )

    @asynccontextmanager
    async def _probing(self, world: World, lateness: Lateness) -> AsyncIterator[None]:
        probing = asyncio.create_task(probe(lateness, world.now, world.api.look), name="probe")
        if not self._scenario.probes:
            probing.cancel()
        try:
            yield
        finally:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)

    async def _live(self, world: World) -> None:
        lines = asyncio.Semaphore(self._scenario.at_once or len(self._scenario.callers))
        async with asyncio.TaskGroup() as group:
            for plan in self._scenario.callers:
                life = self._life(world, plan, lines)
                group.create_task(_isolated(life, plan.number, world.truth), name=f"caller {plan.number}")
            for agent in self._agents.values():
                if agent.plan.signs_in_s:
                    group.create_task(_late(agent), name=f"agent {agent.plan.id} comes later")
        await asyncio.sleep(self._scenario.lingers_s)
        for agent in self._agents.values():
            if not await any_set(WRAP_UP_TIMEOUT_S, agent.idle):
                world.truth.note(f"agent {agent.plan.id} did not come to an end")

    async def _life(self, world: World, plan: CallerPlan, lines: asyncio.Semaphore) -> None:
        await asyncio.sleep(plan.start_s)
        if plan.script is Script.BOOK:
            await page_visit.book(world, plan, self._scenario.dialled)
        else:
            async with lines:
                await Caller(world, plan, self._scenario.dialled).live()
        if plan.number in world.expecting:
            await self._customer(world, plan.number).live()

    def _customer(self, world: World, number: str) -> Customer:
        if number not in self._customers:
            self._customers[number] = Customer(world, world.expecting[number])
        return self._customers[number]

    async def _on_dialled(self, call: PhoneCall) -> None:
        agent, world = self._agents.get(call.to_number), self._world
        if agent is not None:
            await agent.ring(call)
        elif world is not None and call.to_number in world.expecting:
            await self._customer(world, call.to_number).ring(call)
        else:
            log.warning("a number that expects no call was dialled")
            if world is not None:
                world.truth.note("a number that expects no call was dialled")
            call.reject()

    def _conclude(self, truth: Truth) -> None:
        """Note what the network itself saw go wrong."""
        figures = self.gateway.figures
        for count, what in (
            (figures.failed_posts, "requests to the service failed"),
            (figures.failed_streams, "media streams were refused"),
            (figures.bad_twiml, "calls got no usable instructions"),
            (figures.protocol_errors, "messages of the service broke the protocol"),
        ):
            if count:
                truth.note(f"{count} {what}")


def _know_how_late(call: CallTruth, lateness: Lateness) -> None:
    """The call and its contacts are known no better than the machine was late meanwhile."""
    ends = [call.ended_at, *(contact.wrap_up_ended_at for contact in call.contacts)]
    until = max(end for end in (*ends, call.started_at) if end is not None)
    call.late_s = lateness.worst_s(call.started_at - AROUND_S, until + AROUND_S)
    for contact in call.contacts:
        contact.late_s = call.late_s


async def _late(agent: Agent) -> None:
    await asyncio.sleep(agent.plan.signs_in_s)
    await agent.sign_in()


async def _isolated(life: Awaitable[None], number: str, truth: Truth) -> None:
    """One caller's trouble is noted and stays that caller's."""
    try:
        await life
    except (ServiceError, PageError) as error:
        truth.note(f"caller {number}: {error}")
    except Exception as error:
        log.exception("a caller's life broke")
        truth.note(f"caller {number}: {type(error).__name__}")
