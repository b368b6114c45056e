"""A running installation and the simulator's people, who call it and are called back over real sockets."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from callcenter.simulator.callback_plan import CallbackPlan
from callcenter.simulator.callback_truth import CallbackTruth
from callcenter.simulator.dialogue import Speaker, Turn
from callcenter.simulator.gateway import Gateway
from callcenter.simulator.run import Simulation, show_nothing
from callcenter.simulator.scenario import (
    DIALLED,
    AgentPlan,
    CallerPlan,
    PlannedTurn,
    Scenario,
    Script,
)
from callcenter.simulator.truth import Truth
from callcenter.simulator.voices import Voice
from callcenter.simulator.world import Show
from support.program import ACCOUNT_SID, AUTH_TOKEN, Program, free_port

VOICE = Voice("en-us", 190, 50, 50, 0)
TURNS = (
    PlannedTurn(Turn(Speaker.AGENT, "Hello."), 0.4),
    PlannedTurn(Turn(Speaker.CALLER, "It does not work."), 0.3),
)
SOON = dict.fromkeys(("busy_s", "no_answer_s", "failed_s", "machine_s", "not_confirmed_s"), 1)
CALLBACK = {
    "enabled": True,
    "offer_after_s": 600,
    "earliest_s": 1.5,
    "ring_s": 5,
    "retry": {
        "busy_s": 1,
        "no_answer_s": 1,
        "failed_s": 1,
        "machine_s": 1,
        "not_confirmed_s": 1,
        "jitter": 0,
    },
    "dial_from": "00:00",
    "dial_until": "24:00",
    "slots": {"minutes": 5, "lead_s": 1},
}
"""Callbacks of a queue, quicker than in life."""


def queue(name: str, **callback: Any) -> dict[str, Any]:
    return {
        "name": name,
        "ring_timeout_s": 5,
        "wrap_up_s": 20,
        "redial_s": 0,
        "callback": CALLBACK | callback,
    }


def flow(queues: Sequence[str]) -> str:
    """A menu whose keys lead to the queues, the first one 1."""
    ways = "timeout: bye, empty: bye, full: bye, closed: bye"
    choices = ", ".join(f"{key}: {name}" for key, name in enumerate(queues, 1))
    nodes = "".join(f"  {name}: {{kind: queue, queue: {name}, {ways}}}\n" for name in queues)
    return (
        "language: en\nstart: hello\nnodes:\n"
        f"  hello: {{kind: menu, prompts: Welcome., timeout_s: 30, attempts: 1, choices: {{{choices}}},\n"
        "          no_input: {next: bye}, no_match: {next: bye}}\n"
        f"{nodes}  bye: {{kind: hangup, prompts: Goodbye., reason: completed}}\n"
    )


def settings(*queues: dict[str, Any], agents: Sequence[AgentPlan], gateway_port: int) -> dict[str, Any]:
    """Of an installation that the simulator's network is connected to."""
    twilio = {
        "enabled": True,
        "account_sid": ACCOUNT_SID,
        "auth_token": AUTH_TOKEN,
        "api_url": f"http://127.0.0.1:{gateway_port}",
        "from_number": DIALLED,
        "request_timeout_s": 2,
    }
    return {
        "gateways": {"twilio": twilio},
        "recording": {"enabled": False},
        "callbacks": {"lease_s": 3},
        "queues": list(queues),
        "agents": [{"id": one.id, "address": one.address, "queues": list(one.queues)} for one in agents],
    }


def agent(number: int, *queues: str, **more: Any) -> AgentPlan:
    plan = {"ring_s": 0.3, "wrap_up_s": 0.3} | more
    return AgentPlan(f"agent{number}", f"+120655501{number:02d}", queues, VOICE, **plan)


def caller(number: int, queue: str, key: str, **more: Any) -> CallerPlan:
    """Somebody who asks in the queue for a callback, or does what ``script`` says."""
    plan: dict[str, Any] = {
        "script": Script.KEEP_PLACE,
        "start_s": 0.0,
        "turns": TURNS,
        "think_s": 0.3,
        "patience_s": 0.5,
        "callback": CallbackPlan(waits_s=20),
    }
    return CallerPlan(number=f"+121255501{number:02d}", queue=queue, key=key, voice=VOICE, **(plan | more))


async def live(
    program: Program,
    people: Sequence[CallerPlan | AgentPlan],
    gateway_port: int,
    deadline_s: float = 30,
    lingers_s: float = 0.5,
    show: Show = show_nothing,
    spoil: Callable[[Gateway], None] = lambda _gateway: None,
) -> Truth:
    """Let them all live, against the running installation; ``show`` is told what happens.

    ``spoil`` may make the network misbehave.
    """
    callers = tuple(one for one in people if isinstance(one, CallerPlan))
    agents = tuple(one for one in people if isinstance(one, AgentPlan))
    scenario = Scenario(callers, agents, deadline_s=deadline_s, lingers_s=lingers_s)
    token = await asyncio.to_thread(program.sign_in)
    async with Simulation(
        scenario, program.url, token, ACCOUNT_SID, AUTH_TOKEN, gateway_port=gateway_port, show=show
    ) as simulation:
        spoil(simulation.gateway)
        return await simulation.run()


def wish_of(truth: Truth, *expected: str) -> CallbackTruth:
    """The only callback; nothing went wrong but what ends like this."""
    wrong = [problem for problem in truth.everything_wrong if not problem.endswith(expected)]
    assert wrong == [], wrong
    (wish,) = truth.callbacks
    return wish


__all__ = ["CALLBACK", "agent", "caller", "flow", "free_port", "live", "queue", "settings", "wish_of"]
