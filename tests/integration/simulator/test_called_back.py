"""Customers who are called back, against a service that does it right, and against some that do not."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import ClientSession, web

from callcenter.simulator.asking import STANDS
from callcenter.simulator.callback_plan import CallbackPlan, Doing, Meanwhile, Pickup
from callcenter.simulator.callback_truth import CallbackTruth
from callcenter.simulator.dialogue import Speaker, Turn
from callcenter.simulator.run import Simulation
from callcenter.simulator.scenario import AgentPlan, CallerPlan, PlannedTurn, Scenario, Script
from callcenter.simulator.speech import utter
from callcenter.simulator.truth import Truth
from callcenter.simulator.voices import Voice

from .conftest import PROMPT, FakeService, Leg

VOICE = Voice("en-us", 190, 50, 50, 0)
TURNS = (
    PlannedTurn(Turn(Speaker.AGENT, "Hello."), 0.3),
    PlannedTurn(Turn(Speaker.CALLER, "Yes, please?"), 0.3),
)
CONFIRMED = utter(STANDS, Voice("en-us", 165, 50, 50, 0))
NUMBER, AGENT, OWN = "+12125550100", "+12065550100", "+13125550100"


@dataclass(eq=False)
class Service(FakeService):
    """Dials the agent, then the customer, and brings them together; ``tries`` times, ``at_once`` telephones.

    ``customer_first`` waits for a key of the customer before it dials the agent.
    """

    tries: int = 1
    at_once: int = 1
    customer_first: bool = False
    after_s: float = 3.0
    keys: dict[str, str] = field(default_factory=dict)
    joined: dict[str, Leg] = field(default_factory=dict)
    results: dict[str, asyncio.Event] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def pressed(self, leg: Leg, digit: str) -> None:
        who = leg.parameters["token"]
        self.keys[who] = self.keys.get(who, "") + digit
        if who in self.joined:
            self.results[f"{who} pressed"].set()
            return
        await leg.send("clear")
        for frame in (CONFIRMED if self.keys[who] == "111" else PROMPT).frames:
            await leg.play(frame)
        if self.keys[who] == "111":
            self.tasks.add(asyncio.create_task(self.call_back()))
        elif self.keys[who] == "1112":
            await leg.ws.close()

    async def call_back(self) -> None:
        await asyncio.sleep(self.after_s)
        for number in range(self.tries):
            if self.customer_first:
                customer = await self.rung(NUMBER, OWN, f"c{number}")
                if customer is None:
                    continue
                self.results[f"c{number} pressed"] = asyncio.Event()
                for frame in PROMPT.frames:
                    await customer.play(frame)
                await self.results[f"c{number} pressed"].wait()
                agent = await self.rung(AGENT, NUMBER, f"a{number}")
            else:
                agent = await self.rung(AGENT, NUMBER, f"a{number}")
                rings = [self.rung(NUMBER, OWN, f"c{number}{one}") for one in range(self.at_once)]
                customer = next(filter(None, await asyncio.gather(*rings)), None)
            assert agent is not None
            if customer is not None:
                agent.peer, customer.peer = customer, agent
                self.states["agent0"] = "talking"
            else:
                await agent.ws.close()

    async def rung(self, to: str, number: str, token: str) -> Leg | None:
        """Dial, wait for what comes of it."""
        done = self.results[token] = asyncio.Event()
        self.offers[token] = (token, None, number)  # type: ignore[assignment]
        await self.dial(to, number, token)
        async with asyncio.timeout(10):
            await done.wait()
        return self.joined.get(token)

    async def join(self, leg: Leg, offer: tuple[str, Leg, str]) -> None:
        self.joined[offer[0]] = leg
        self.results[offer[0]].set()

    async def status(self, request: web.Request) -> web.Response:
        self.offers.pop(request.match_info["token"], None)
        self.results[request.match_info["token"]].set()
        return web.Response()

    async def gone(self, leg: Leg) -> None:
        if leg.peer is not None and not leg.peer.ws.closed:
            self.states["agent0"] = "wrap_up"
            await leg.peer.ws.close()


@pytest.fixture
async def calling() -> AsyncIterator[Service]:
    service = Service()
    runner = web.AppRunner(service.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession() as service.session:
        yield service
        for task in service.tasks:
            task.cancel()
        await asyncio.gather(*service.tasks, return_exceptions=True)
        for leg in service.legs:
            await leg.ws.close()
    await runner.cleanup()


CUSTOMER = CallerPlan(
    NUMBER,
    Script.KEEP_PLACE,
    0.0,
    VOICE,
    TURNS,
    think_s=0.2,
    patience_s=0.5,
    callback=CallbackPlan(keys=("1", "1"), waits_s=15, ring_s=0.2, patience_s=3),
)


async def lived(service: Service, lingers_s: float = 0.0, **plan: object) -> tuple[CallbackTruth, Truth]:
    callback = replace(CUSTOMER.callback, **plan)  # type: ignore[type-var]
    agent = AgentPlan("agent0", AGENT, ("sales",), VOICE, 0.2, 0.3)
    service.agents = {agent.id: agent.address}
    scenario = Scenario((replace(CUSTOMER, callback=callback),), (agent,), deadline_s=30, lingers_s=lingers_s)
    async with Simulation(scenario, service.url, "desk", "AC1", "secret") as simulation:
        service.gateway_url = simulation.gateway_url
        truth = await simulation.run()
    (call, *_), (wish,) = truth.calls, truth.callbacks
    assert call.outcome(6) == "callback_requested"
    assert 0.4 < call.contacts[0].wait_s < 4
    return wish, truth


async def test_the_agent_first_and_then_the_customer(calling: Service) -> None:
    wish, truth = await lived(calling)
    (ring,), (talk,) = wish.rings, wish.talks
    assert (wish.ended_for, wish.duplicates, wish.problems, truth.problems) == ("served", [], [], [])
    assert wish.asked_at < ring.at < ring.answered_at <= ring.connected_at < ring.ended_at
    assert [line.heard for line in talk.said] == [True, True]
    assert (talk.agent, talk.ended_by) == ("agent0", "caller")
    assert 0.2 <= talk.contacts[0].wrap_up_s < 1.2


async def test_the_customer_first_with_a_key(calling: Service) -> None:
    calling.customer_first = True
    wish, truth = await lived(calling, confirm="1")
    (ring,) = wish.rings
    assert (wish.ended_for, wish.duplicates, truth.problems) == ("served", [], [])
    assert ring.answered_at < ring.confirmed_at < ring.connected_at


async def test_who_is_not_there_is_served_at_the_second_try(calling: Service) -> None:
    calling.tries, calling.ring_timeout_s = 2, 1
    wish, truth = await lived(calling, pickups=(Pickup.NO_ANSWER,))
    assert [(ring.pickup, ring.connected_at is not None) for ring in wish.rings] == [
        (Pickup.NO_ANSWER, False),
        (Pickup.ANSWER, True),
    ]
    assert (wish.ended_for, wish.duplicates, truth.problems) == ("served", [], [])


async def test_a_machine_beeps_and_hears_what_is_said(calling: Service) -> None:
    wish, _ = await lived(calling, pickups=(Pickup.MACHINE,), waits_s=12, attempts=1)
    (ring,) = wish.rings
    assert (ring.pickup, ring.connected_at, ring.message_heard) == (Pickup.MACHINE, None, False)
    assert wish.ended_for == "exhausted"


async def test_two_telephones_at_once_are_noticed(calling: Service) -> None:
    calling.at_once = 2
    wish, _ = await lived(calling)
    assert [ring.pickup for ring in wish.rings] == [Pickup.ANSWER, Pickup.BUSY]
    assert wish.ended_for == "served"
    assert [problem.partition(" (")[0] for problem in wish.duplicates] == ["rang twice at once"]


async def test_ringing_too_often_is_noticed(calling: Service) -> None:
    calling.tries = 2
    wish, _ = await lived(calling, lingers_s=2, attempts=1, pickups=(Pickup.BUSY,))
    assert wish.ended_for == "exhausted"
    assert [problem.partition(" (")[0] for problem in wish.duplicates] == ["rang more than 1 times"]


async def test_ringing_after_the_end_is_noticed(calling: Service) -> None:
    calling.customer_first, calling.after_s = True, 5
    off = Doing(Meanwhile.CANCEL, 0.1, ("9",))
    wish, _ = await lived(calling, lingers_s=2, meanwhile=(off,))
    assert wish.ended_for == "cancelled"
    assert "s after the end" in wish.duplicates[0]


async def test_phoning_in_and_calling_it_off(calling: Service) -> None:
    calling.tries = 0
    off = Doing(Meanwhile.CANCEL, 1.0, ("2",))
    wish, truth = await lived(calling, meanwhile=(off,))
    assert (wish.ended_for, wish.rings) == ("cancelled", [])
    assert [call.script for call in truth.calls] == ["keep_place", "again"]
