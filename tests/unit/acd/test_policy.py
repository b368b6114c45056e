from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from callcenter.acd.policy import (
    IdleAgent,
    WaitingCaller,
    agent_rank,
    all_pairs,
    caller_rank,
    eligible,
    first_pair,
)

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
QUEUES = ["billing", "sales", "support"]


def at(second: int) -> datetime:
    return NOON + timedelta(seconds=second)


def agent(name: str, idle_since: int = 0, queues: str = "sales", rest_until: int | None = None) -> IdleAgent:
    rest = None if rest_until is None else at(rest_until)
    return IdleAgent(name, at(idle_since), frozenset(queues.split()), rest)


def caller(
    entry: int, entered: int = 0, queue: str = "sales", priority: int = 0, **refused: int
) -> WaitingCaller:
    return WaitingCaller(
        entry, queue, priority, at(entered), {who: at(until) for who, until in refused.items()}
    )


def names(pair: tuple[IdleAgent, WaitingCaller] | None) -> tuple[str, int] | None:
    return None if pair is None else (pair[0].agent_id, pair[1].entry_id)


def test_nobody_to_match() -> None:
    assert first_pair([], [caller(1)], NOON) is None
    assert first_pair([agent("a")], [], NOON) is None
    assert first_pair([agent("a", queues="billing")], [caller(1)], NOON) is None


def test_the_longest_idle_agent_is_chosen() -> None:
    assert names(first_pair([agent("a", 5), agent("b", 3)], [caller(1)], NOON)) == ("b", 1)


def test_agents_idle_equally_long_go_by_name() -> None:
    assert names(first_pair([agent("b"), agent("a")], [caller(1)], NOON)) == ("a", 1)


def test_priority_goes_before_time_and_time_before_number() -> None:
    line = [caller(1, 9), caller(2, 5), caller(3, 5), caller(4, 9, priority=1)]
    assert [each.entry_id for each in sorted(line, key=caller_rank)] == [4, 2, 3, 1]
    assert names(first_pair([agent("a")], line, NOON)) == ("a", 4)


def test_one_line_over_all_queues_of_an_agent() -> None:
    line = [caller(1, 9, "sales"), caller(2, 5, "billing"), caller(3, 1, "support")]
    assert names(first_pair([agent("a", queues="sales billing")], line, NOON)) == ("a", 2)


def test_who_refused_is_skipped_until_the_time_is_over() -> None:
    agents, line = [agent("a"), agent("b", 1)], [caller(1, a=30)]
    assert names(first_pair(agents, line, at(29))) == ("b", 1)
    assert names(first_pair(agents, line, at(30))) == ("a", 1)


def test_who_refused_gets_the_next_caller() -> None:
    assert names(first_pair([agent("a")], [caller(1, 1, a=30), caller(2, 2)], NOON)) == ("a", 2)


def test_an_agent_at_rest_gets_nobody() -> None:
    assert not eligible(agent("a", rest_until=10), caller(1), at(9))
    assert eligible(agent("a", rest_until=10), caller(1), at(10))


some_queues = st.sets(st.sampled_from(QUEUES), min_size=1).map(" ".join)
some_agents = st.lists(
    st.builds(agent, st.sampled_from("abcdef"), st.integers(0, 3), some_queues),
    unique_by=lambda a: a.agent_id,
)
some_callers = st.lists(
    st.builds(caller, st.integers(1, 9), st.integers(0, 3), st.sampled_from(QUEUES), st.integers(0, 1)),
    unique_by=lambda c: c.entry_id,
)


@settings(deadline=None)
@given(some_agents, some_callers)
def test_beginning_with_the_callers_gives_the_same_pairs(
    agents: list[IdleAgent], line: list[WaitingCaller]
) -> None:
    idle, by_caller = list(agents), set()
    for each in sorted(line, key=caller_rank):
        able = sorted((a for a in idle if eligible(a, each, NOON)), key=agent_rank)
        if able:
            idle.remove(able[0])
            by_caller.add((able[0].agent_id, each.entry_id))
    assert {names(pair) for pair in all_pairs(agents, line, NOON)} == by_caller


@settings(deadline=None)
@given(some_agents, some_callers)
def test_nobody_is_matched_twice_and_nobody_matchable_is_left(
    agents: list[IdleAgent], line: list[WaitingCaller]
) -> None:
    pairs = all_pairs(agents, line, NOON)
    busy, served = [a.agent_id for a, _ in pairs], [c.entry_id for _, c in pairs]
    assert len(set(busy)) == len(busy)
    assert len(set(served)) == len(served)
    idle = [a for a in agents if a.agent_id not in busy]
    assert not any(eligible(a, c, NOON) for a in idle for c in line if c.entry_id not in served)
