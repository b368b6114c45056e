from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from callcenter.acd.policy import (
    IdleAgent,
    Need,
    Pair,
    QueueRule,
    Strategy,
    WaitingCaller,
    all_pairs,
    caller_rank,
    class_of,
    eligible,
    needed_skills,
)

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
QUEUES = ["billing", "sales", "support"]


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def agent(name: str, idle_since: int = 0, queues: str = "sales", **known: Any) -> IdleAgent:
    return IdleAgent(name, at(idle_since), frozenset(queues.split()), **known)


def caller(
    entry: int, entered: int = 0, queue: str = "sales", priority: int = 0, **known: Any
) -> WaitingCaller:
    return WaitingCaller(entry, queue, priority, at(entered), **known)


def matched(
    agents: list[IdleAgent],
    line: list[WaitingCaller],
    now: datetime = NOON,
    **rules: QueueRule,
) -> list[tuple[int, str]]:
    """Pairs as entry and agents, which are one letter each."""
    return [shown(pair) for pair in all_pairs(agents, line, rules, now)]


def shown(pair: Pair) -> tuple[int, str]:
    return pair.caller.entry_id, "".join(agent.agent_id for agent in pair.agents)


def test_nobody_to_match() -> None:
    assert matched([], [caller(1)]) == []
    assert matched([agent("a")], []) == []
    assert matched([agent("a", queues="billing")], [caller(1)]) == []


def test_the_longest_idle_agent_is_chosen_and_then_by_name() -> None:
    assert matched([agent("a", 5), agent("b", 3)], [caller(1)]) == [(1, "b")]
    assert matched([agent("b"), agent("a")], [caller(1)]) == [(1, "a")]


def test_priority_goes_before_time_and_time_before_number() -> None:
    line = [caller(1, 9), caller(2, 5), caller(3, 5), caller(4, 9, priority=1)]
    ranked = sorted(line, key=lambda one: caller_rank(one, 1.0, at(10)))
    assert [one.entry_id for one in ranked] == [4, 2, 3, 1]


def test_one_line_over_all_queues_of_an_agent() -> None:
    line = [caller(1, 9, "sales"), caller(2, 5, "billing"), caller(3, 1, "support")]
    assert matched([agent("a", queues="sales billing")], line, at(20)) == [(2, "a")]


def test_a_weight_makes_waiting_count_for_more() -> None:
    line = [caller(1, 0, "billing"), caller(2, 20, "sales")]
    one = [agent("a", queues="sales billing")]
    double = QueueRule(weight=2.0)
    # At 30 s the one waited 30 s, the other 10 s times two; at 50 s it is 50 against 60.
    assert matched(one, line, at(30), sales=double) == [(1, "a")]
    assert matched(one, line, at(50), sales=double) == [(2, "a")]
    assert matched(one, line, at(50)) == [(1, "a")]


def test_priority_beats_every_weight() -> None:
    line = [caller(1, 0, "billing"), caller(2, 20, "sales", priority=1)]
    one = [agent("a", queues="sales billing")]
    assert matched(one, line, at(30), billing=QueueRule(weight=1000.0)) == [(2, "a")]


def test_who_refused_is_skipped_until_the_time_is_over() -> None:
    agents, line = [agent("a"), agent("b", 1)], [caller(1, refused_until={"a": at(30)})]
    assert matched(agents, line, at(29)) == [(1, "b")]
    assert matched(agents, line, at(30)) == [(1, "a")]


def test_who_refused_gets_the_next_caller() -> None:
    line = [caller(1, 1, refused_until={"a": at(30)}), caller(2, 2)]
    assert matched([agent("a")], line, at(3)) == [(2, "a")]


def test_an_agent_at_rest_gets_nobody() -> None:
    assert not eligible(agent("a", rest_until=at(10)), caller(1), at(9))
    assert eligible(agent("a", rest_until=at(10)), caller(1), at(10))


# Strategies.


def test_fewest_calls() -> None:
    agents = [agent("a", 0, calls=3), agent("b", 5, calls=1), agent("c", 9, calls=1)]
    rule = QueueRule(Strategy.FEWEST_CALLS)
    line = [caller(number, number) for number in (1, 2, 3)]
    assert matched(agents, line, at(10), sales=rule) == [(1, "b"), (2, "c"), (3, "a")]


def test_round_robin_goes_by_the_last_offer_and_begins_with_who_had_none() -> None:
    agents = [agent("a", 0, offered_at=at(7)), agent("b", 5, offered_at=at(6)), agent("c", 9)]
    rule = QueueRule(Strategy.ROUND_ROBIN)
    line = [caller(number, number) for number in (1, 2, 3)]
    assert matched(agents, line, at(10), sales=rule) == [(1, "c"), (2, "b"), (3, "a")]


def test_skill_match_takes_the_best_and_spares_those_who_can_do_more() -> None:
    agents = [
        agent("a", 0, skills={"refunds": 1}),
        agent("b", 1, skills={"refunds": 3, "japanese": 1}),
        agent("c", 2, skills={"refunds": 3}),
    ]
    needs = (Need(0, {"refunds": 1}),)
    line = [caller(number, number, needs=needs) for number in (1, 2, 3)]
    rule = QueueRule(Strategy.SKILL_MATCH)
    assert matched(agents, line, at(9), sales=rule) == [(1, "c"), (2, "b"), (3, "a")]
    assert matched(agents, line, at(9)) == [(1, "a"), (2, "b"), (3, "c")]


def test_ring_all_rings_all_who_may_up_to_its_bound() -> None:
    agents = [agent("a", 2), agent("b", 1), agent("c", 0), agent("d", queues="billing")]
    line = [caller(1, refused_until={"b": at(60)}), caller(2, 1)]
    assert matched(agents, line, at(5), sales=QueueRule(Strategy.RING_ALL)) == [(1, "ca"), (2, "b")]
    few = QueueRule(Strategy.RING_ALL, ring_at_most=1)
    assert matched(agents, line, at(5), sales=few) == [(1, "c"), (2, "b")]


# Skills.


def test_levels_count() -> None:
    low, high = agent("a", 0, skills={"refunds": 1}), agent("b", 1, skills={"refunds": 2})
    line = [caller(1, needs=(Need(0, {"refunds": 2}),))]
    assert matched([low, high], line) == [(1, "b")]
    assert matched([low], line) == []


def test_a_need_relaxes_with_waiting() -> None:
    steps = (Need(0, {"refunds": 3}), Need(30, {"refunds": 1}), Need(60, {}))
    waiting = caller(1, needs=steps)
    assert [needed_skills(waiting, at(s)) for s in (0, 29.9, 30, 59, 60, 999)] == [
        {"refunds": 3},
        {"refunds": 3},
        {"refunds": 1},
        {"refunds": 1},
        {},
        {},
    ]
    expert, novice, anybody = (
        agent("e", skills={"refunds": 3}),
        agent("n", skills={"refunds": 1}),
        agent("x"),
    )
    assert [eligible(one, waiting, at(10)) for one in (expert, novice, anybody)] == [True, False, False]
    assert [eligible(one, waiting, at(40)) for one in (expert, novice, anybody)] == [True, True, False]
    assert [eligible(one, waiting, at(60)) for one in (expert, novice, anybody)] == [True, True, True]


# The agent who knows the caller.


def test_a_held_caller_waits_for_the_preferred_agent_and_then_for_anybody() -> None:
    held = caller(1, preferred_agent="b", held_until=at(20))
    assert matched([agent("a")], [held], at(19)) == []
    assert matched([agent("a"), agent("b", 9)], [held], at(19)) == [(1, "b")]
    assert matched([agent("a")], [held], at(20)) == [(1, "a")]
    # Free at the same time, the one who knows the caller goes first even then.
    assert matched([agent("a"), agent("b", 9)], [held], at(20)) == [(1, "b")]


def test_a_held_caller_lets_the_next_one_pass() -> None:
    line = [caller(1, preferred_agent="b", held_until=at(20)), caller(2, 1)]
    assert matched([agent("a")], line, at(5)) == [(2, "a")]


# What hands over the first callers of each class only.

some_skills = st.dictionaries(st.sampled_from(["x", "y"]), st.integers(1, 2))
some_needs = some_skills.map(lambda levels: (Need(0, levels), Need(5, {})) if levels else ())
some_agents = st.lists(
    st.builds(
        agent,
        st.sampled_from("abcdef"),
        st.integers(0, 3),
        st.sets(st.sampled_from(QUEUES), min_size=1).map(" ".join),
        skills=some_skills,
        calls=st.integers(0, 2),
    ),
    unique_by=lambda one: one.agent_id,
)
some_callers = st.lists(
    st.builds(
        caller,
        st.integers(1, 30),
        st.integers(0, 8),
        st.sampled_from(QUEUES),
        st.integers(0, 1),
        needs=some_needs,
        refused_until=st.dictionaries(st.sampled_from("abc"), st.just(at(99)), max_size=2),
    ),
    unique_by=lambda one: one.entry_id,
    max_size=20,
)
some_rules = st.dictionaries(
    st.sampled_from(QUEUES),
    st.builds(QueueRule, st.sampled_from(list(Strategy)), st.sampled_from([1.0, 2.5])),
)


@settings(deadline=None)
@given(some_agents, some_callers, some_rules)
def test_nobody_is_matched_twice_and_nobody_matchable_is_left(
    agents: list[IdleAgent], line: list[WaitingCaller], rules: dict[str, QueueRule]
) -> None:
    now = at(10)
    pairs = all_pairs(agents, line, rules, now)
    busy = [one.agent_id for pair in pairs for one in pair.agents]
    served = [pair.caller.entry_id for pair in pairs]
    assert len(set(busy)) == len(busy)
    assert len(set(served)) == len(served)
    assert all(eligible(one, pair.caller, now) for pair in pairs for one in pair.agents)
    idle = [one for one in agents if one.agent_id not in busy]
    assert not any(eligible(a, c, now) for a in idle for c in line if c.entry_id not in served)


@settings(deadline=None)
@given(some_agents, some_callers, some_rules, st.integers(1, 3))
def test_the_first_of_each_class_give_the_same_pairs_as_all(
    agents: list[IdleAgent], line: list[WaitingCaller], rules: dict[str, QueueRule], of_each: int
) -> None:
    now = at(10)
    left, idle, found = list(line), list(agents), []
    while True:
        heads, counts = [], Counter[Any]()
        for one in sorted(left, key=lambda one: (one.entered_at, one.entry_id)):
            if counts[class_of(one)] < of_each:
                counts[class_of(one)] += 1
                heads.append(one)
        cut_off = {name for name, count in counts.items() if count == of_each}
        pairs = all_pairs(idle, heads, rules, now, cut_off)
        if not pairs and cut_off and of_each < len(line):
            of_each = len(line)
            continue
        found += pairs
        if not pairs:
            break
        gone = {one.agent_id for pair in pairs for one in pair.agents}
        served = {pair.caller.entry_id for pair in pairs}
        idle = [one for one in idle if one.agent_id not in gone]
        left = [one for one in left if one.entry_id not in served]
    assert [shown(pair) for pair in found] == [shown(pair) for pair in all_pairs(agents, line, rules, now)]


def test_a_class_whose_first_callers_find_nobody_holds_up_no_other() -> None:
    # Of a long line in billing only the first caller is handed over, whom nobody serves.
    line = [caller(1, 0, "billing"), caller(2, 5, "sales")]
    pairs = all_pairs([agent("a")], line, {}, NOON, cut_off=[class_of(line[0])])
    assert [shown(pair) for pair in pairs] == [(2, "a")]


def test_a_class_whose_first_callers_were_refused_may_have_the_next_one_in_its_place() -> None:
    # Behind the first caller of billing, whom "a" has refused, stands one who came before the one in sales.
    line = [caller(1, 0, "billing", refused_until={"a": at(60)}), caller(3, 5, "sales")]
    only = [agent("a", queues="billing sales")]
    assert all_pairs(only, line, {}, NOON, cut_off=[class_of(line[0])]) == []
    behind = caller(2, 3, "billing")
    assert matched(only, [line[0], behind, line[1]], at(10)) == [(2, "a")]
