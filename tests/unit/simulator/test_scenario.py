import ast
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

import callcenter.simulator
from callcenter.simulator.callers import MENU_BEGINS
from callcenter.simulator.dialogue import Speaker, Topic
from callcenter.simulator.scenario import (
    MENU_NAMES,
    MENU_WORDS,
    MUMBLES,
    QUESTIONS,
    QUESTIONS_CHOICE,
    QUESTIONS_WORDS,
    Answer,
    Scenario,
    Script,
)
from ivr import Engine, Input, Played, check
from ivr import Speech as Heard
from ivr.questions import Menu

FORBIDDEN = ("call", "acd", "web", "storage", "reports", "timeline", "telephony", "events")
NOW = datetime(2025, 3, 5, 12, tzinfo=UTC)
PACKAGE = Path(callcenter.simulator.__file__).parent


ELSEWHERE = {*(Script.CALLBACK, Script.TIMED_OUT, Script.TURNED_AWAY, Script.AGAIN)}


@pytest.mark.parametrize("seed", range(12))
def test_a_demo_day_holds_every_script(seed: int) -> None:
    day = Scenario.demo(seed)
    scripts = Counter(caller.script for caller in day.callers)
    assert len(day.callers) == 20
    assert set(scripts) == set(Script) - ELSEWHERE
    assert sorted(c.patience_s for c in day.callers if c.script is Script.ABANDON) == [4.0, 8.0]
    assert sum(caller.hold_after is not None for caller in day.callers) == 1
    assert Counter(a for agent in day.agents for a in agent.answers)[Answer.REJECT] == 1
    assert Counter(a for agent in day.agents for a in agent.answers)[Answer.MISS] == 1
    assert max(caller.start_s for caller in day.callers) < 40


def test_somebody_is_interrupted_on_most_days() -> None:
    interrupted = [
        any(turn.gap_s < 0 for caller in Scenario.demo(seed).callers for turn in caller.turns)
        for seed in range(20)
    ]
    assert sum(interrupted) >= 15


def test_a_seed_repeats_the_day_and_another_changes_it() -> None:
    assert Scenario.demo(7) == Scenario.demo(7)
    assert Scenario.demo(7) != Scenario.demo(8)


def test_numbers_are_fictional_and_belong_to_one_person() -> None:
    day = Scenario.demo(1, calls=250, agents=8)
    numbers = [caller.number for caller in day.callers] + [agent.address for agent in day.agents]
    numbers.append(day.dialled)
    assert len(set(numbers)) == len(numbers)
    assert all(re.fullmatch(r"\+1[2-9]\d\d55501\d\d", number) for number in numbers)


def test_those_who_give_up_come_while_everybody_is_busy() -> None:
    for agents in (1, 4, 10):
        day = Scenario.demo(2, calls=5 * agents + 5, agents=agents)
        first = min(c.start_s for c in day.callers if c.script is Script.ABANDON)
        ahead = [c for c in day.callers if c.start_s < first and c.turns]
        assert len(ahead) == 2 * agents


def test_agents_are_known_by_name_and_serve_every_queue() -> None:
    agents = Scenario.demo(1, agents=6).agents
    assert [agent.id for agent in agents[:4]] == ["alice", "bob", "carol", "dave"]
    assert len({agent.id for agent in agents}) == 6
    assert all(set(agent.queues) == {str(topic) for topic in Topic} for agent in agents)


def test_billing_callers_have_an_account_number() -> None:
    callers = [c for c in Scenario.demo(3).callers if c.script is Script.ACCOUNT]
    assert callers
    assert all(c.topic is Topic.BILLING and re.fullmatch(r"\d{6}", c.account) for c in callers)
    assert all(c.topic is not Topic.BILLING for c in Scenario.demo(3).callers if c.script is Script.TALK)


def test_those_who_speak_say_what_the_menu_knows() -> None:
    callers = [c for seed in range(5) for c in Scenario.demo(seed).callers if c.words]
    assert {c.script for c in callers} == {Script.SPOKEN_CHOICE, Script.SECOND_TRY, Script.QUESTION}
    for caller in callers:
        match caller.script:
            case Script.SPOKEN_CHOICE:
                assert caller.words == (MENU_WORDS[caller.topic],)
            case Script.SECOND_TRY:
                assert caller.words[0] in MUMBLES
                assert caller.words[1:] == (MENU_WORDS[caller.topic],)
            case _:
                assert caller.words[0] == QUESTIONS_WORDS
                assert caller.words[1] in QUESTIONS


def test_what_callers_hear_and_mean_is_what_the_sample_flow_says() -> None:
    flow = check(PACKAGE.parents[1] / "configs" / "ivr" / "main.yaml")
    menu, faq = flow.nodes["main-menu"], flow.faqs["faq.yaml"]
    assert isinstance(menu, Menu)
    assert MENU_BEGINS in menu.say_or_press[0].text
    for name, expected in QUESTIONS.values():
        assert faq.named(name).answer[0].text == expected
    assert flow.nodes["questions"].prompts[0].text == QUESTIONS_CHOICE[1]
    phrases = {QUESTIONS_WORDS: "question"} | {MENU_WORDS[topic]: MENU_NAMES[topic] for topic in MENU_NAMES}
    for words, name in phrases.items():
        engine = Engine(flow, {}, "+12025550123", "+12025550100", hears=True)
        engine.start(NOW)
        engine.feed(Played(), NOW)
        actions = engine.feed(Heard(words, 0.8), NOW)
        assert [one.value for one in actions if isinstance(one, Input)] == [name]


def test_the_simulator_shares_no_code_with_what_it_judges() -> None:
    found = set()
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
    ours = {name for name in found if name.startswith("callcenter.")}
    assert not {name for name in ours if name.split(".")[1] in FORBIDDEN}


def test_those_whose_agent_ends_the_call_know_what_to_answer() -> None:
    """Of many, all do something else: answer all, one of two, decline, or hang up."""
    callers = [c for seed in range(10) for c in Scenario.demo(seed, calls=40).callers]
    surveyed = [caller.survey for caller in callers if caller.ends is Speaker.AGENT]
    assert {len(survey) for survey in surveyed} == {0, 1, 2, 3}
    assert all(survey[:1] in ((), ("1",)) or survey == ("2",) for survey in surveyed)
    assert all(1 <= int(survey[1]) <= 5 for survey in surveyed if len(survey) > 1)
    assert all(0 <= int(survey[2]) <= 10 for survey in surveyed if len(survey) > 2)
    assert not any(caller.survey for caller in callers if caller.ends is Speaker.CALLER)
