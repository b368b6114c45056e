"""The plan of load holds everything that reports must count."""

from collections import Counter

import pytest

from callcenter.simulator import load
from callcenter.simulator.scenario import HandoverMode, Script

ALL = 30


@pytest.mark.parametrize("seed", range(5))
def test_thirty_calls_hold_every_kind(seed: int) -> None:
    plan = load.scenario(seed, ALL, agents=14)
    handovers = Counter((to.mode, to.to) for caller in plan.callers for to in caller.handovers)
    scripts = Counter(caller.script for caller in plan.callers)
    assert len(plan.callers) == ALL
    assert {mode for mode, _ in handovers} == set(HandoverMode)
    assert {to for _, to in handovers} == {"queue", "agent"}
    assert {Script.CALLBACK, Script.ABANDON, Script.TIMED_OUT, Script.TURNED_AWAY} <= scripts.keys()
    assert sum(caller.hold_after is not None for caller in plan.callers) >= 2
    assert sum(bool(caller.survey) for caller in plan.callers) >= 2
    assert {caller.queue for caller in plan.callers} >= set(load.KEYS)


def test_a_plan_is_repeatable_and_nobody_shares_a_number() -> None:
    plan = load.scenario(3, 1000, agents=36, at_once=50)
    assert plan == load.scenario(3, 1000, agents=36, at_once=50)
    assert plan != load.scenario(4, 1000, agents=36, at_once=50)
    assert len({caller.number for caller in plan.callers}) == 1000
    assert len({agent.address for agent in plan.agents}) == 36


@pytest.mark.parametrize("agents", [load.MIN_AGENTS, 14, 36, load.MAX_AGENTS])
def test_every_queue_with_staff_is_served_by_agents_of_its_own(agents: int) -> None:
    plan = load.scenario(agents=agents)
    assert len(plan.agents) == agents
    assert Counter(queue for agent in plan.agents for queue in agent.queues).keys() == load.STAFF.keys()
    assert all(len(agent.queues) == 1 for agent in plan.agents)


def test_handovers_name_an_agent_who_serves_the_queue() -> None:
    plan = load.scenario(calls=300)
    serves = {agent.id: agent.queues for agent in plan.agents}
    named = [to for caller in plan.callers for to in caller.handovers if to.to == "agent"]
    assert named
    assert all(serves[to.name] == (to.queue,) for to in named)


@pytest.mark.parametrize("sizes", [(0, 14, 5), (30, 6, 5), (30, 101, 5), (2701, 14, 5), (30, 14, 0)])
def test_more_or_fewer_people_than_that_works_with_are_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="7 to 100 agents, 1 to 2700 calls, at least 1 at once"):
        load.scenario(1, *sizes)
