"""The queue file: what is wrong with it is one line with file, line and field."""

from itertools import pairwise
from pathlib import Path

import pytest

from callcenter import config
from callcenter.errors import ConfigError
from callcenter.queueing import Queue, SkillTree, cycle_of, needs_of, overflow_fault

SETTINGS = """
queues: queues.yaml
agents:
  - {id: alice, address: "+12065550101", queues: [sales], skills: {senior: 2}}
  - {id: bob, address: "+12065550102"}
"""
GOOD = """
skills:
  refunds: {}
  senior: {implies: [refunds]}
queues:
  - name: sales
    agents: [bob]
    overflow:
      - {to: support, after_s: 60}
  - name: support
    strategy: skill_match
    needs: {refunds: 3}
    relax:
      - {after_s: 30, needs: {refunds: 1}}
      - {after_s: 90}
"""


def write(folder: Path, queues: str, settings: str = SETTINGS) -> Path:
    (folder / "queues.yaml").write_text(queues)
    path = folder / "callcenter.yaml"
    path.write_text(settings)
    return path


def problem(folder: Path, queues: str, settings: str = SETTINGS) -> str:
    with pytest.raises(ConfigError) as caught:
        config.load(write(folder, queues, settings), {})
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{folder}/", "")


def test_a_good_file(tmp_path: Path) -> None:
    settings = config.load(write(tmp_path, GOOD), {})
    assert [queue.name for queue in settings.queues] == ["sales", "support"]
    assert {agent.id: agent.queues for agent in settings.staff()} == {"alice": ["sales"], "bob": ["sales"]}
    tree = SkillTree(settings.skills)
    assert tree.expand({"senior": 2}) == {"senior": 2, "refunds": 2}
    assert tree.expand({"senior": 2, "refunds": 5}) == {"senior": 2, "refunds": 5}


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("agents: [bob]", "agents: [carol]", "queues.yaml:7: queue sales: no such agent: carol"),
        (
            "refunds: {}",
            "refunds: {implies: [senior]}",
            "queues.yaml:3: skills imply each other: refunds -> senior -> refunds",
        ),
        ("[refunds]}", "[refound]}", "queues.yaml:4: skill senior: no such skill: refound"),
        (
            "needs: {refunds: 3}",
            "needs: {refunds: 3, tax: 1}",
            "queues.yaml:12: queue support: no such skill: tax",
        ),
        (
            "strategy: skill_match",
            "overflow: [{to: sales, when_waiting: 9}]",
            "queues.yaml:9: overflow goes round: sales -> support -> sales",
        ),
        (
            "{to: support, after_s: 60}",
            "{to: nowhere, after_s: 60}",
            "queues.yaml:9: queue sales overflows to nowhere, which does not exist",
        ),
        (
            "{to: support, after_s: 60}",
            "{to: support, after_s: -60}",
            "queues.yaml:9: queues.0.overflow.0.after_s: Input should be greater than 0",
        ),
        (
            "{to: support, after_s: 60}",
            "{to: support}",
            "queues.yaml:9: queues.0.overflow.0: exactly one of after_s and when_waiting is needed",
        ),
        (
            "after_s: 30, needs: {refunds: 1}",
            "after_s: 30, needs: {refunds: 4}",
            "queues.yaml:10: queues.1: relax: after 30 s more of refunds is needed than before",
        ),
        ("after_s: 90", "after_s: 20", "queues.yaml:10: queues.1: relax: 20 s is not after 30 s"),
        ("skill_match", "by_mood", "queues.yaml:11: queues.1.strategy: Input should be "),
        ("- name: support", "- name: sales", "queues.yaml:10: queue named twice: sales"),
        ("skills:", "server: {port: 1}\nskills:", "queues.yaml:2: server: only queues, skills may stand"),
        ("queues:\n", "queues: [\n", "queues.yaml:6: expected the node content"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, good: str, bad: str, message: str) -> None:
    assert good in GOOD
    assert problem(tmp_path, GOOD.replace(good, bad)).startswith(message)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "callcenter.yaml"
    path.write_text("queues: none.yaml\n")
    with pytest.raises(ConfigError, match=r"none\.yaml: No such file or directory"):
        config.load(path, {})


def test_skills_may_stand_in_one_file_only(tmp_path: Path) -> None:
    message = problem(tmp_path, GOOD, SETTINGS + "skills: {}\n")
    assert message == "queues.yaml:3: skills: stands in callcenter.yaml:6 already"


def test_an_agent_with_an_unknown_skill(tmp_path: Path) -> None:
    settings = SETTINGS.replace("senior: 2", "dancing: 2")
    assert problem(tmp_path, GOOD, settings) == "callcenter.yaml:4: agent alice: no such skill: dancing"


def test_needs_step_by_step() -> None:
    queue = Queue.model_validate(
        {"name": "q", "needs": {"a": 3}, "relax": [{"after_s": 30, "needs": {"a": 1}}, {"after_s": 60}]}
    )
    assert needs_of(queue, {}) == ((0, {"a": 3}), (30, {"a": 1}), (60, {}))
    assert needs_of(queue, {"b": 2, "a": 2}) == (
        (0, {"a": 3, "b": 2}),
        (30, {"a": 2, "b": 2}),
        (60, {"a": 2, "b": 2}),
    )
    assert needs_of(Queue(name="q"), {}) == ()


def test_a_long_chain_of_overflows_is_no_loop() -> None:
    names = [f"q{number}" for number in range(3000)]
    queues = [
        Queue.model_validate({"name": name, "overflow": [{"to": to, "after_s": 1}]})
        for name, to in pairwise(names)
    ]
    assert overflow_fault([*queues, Queue(name=names[-1])]) is None
    closed = Queue.model_validate({"name": names[-1], "overflow": [{"to": "q0", "after_s": 1}]})
    fault = overflow_fault([*queues, closed])
    assert fault is not None
    assert fault[0].startswith("overflow goes round: q")


def test_cycles() -> None:
    assert cycle_of({"a": ["b"], "b": ["c"]}) == []
    assert cycle_of({"a": ["a"]}) == ["a", "a"]
    cycle = cycle_of({"a": ["b"], "b": ["c"], "c": ["b"]})
    assert sorted(cycle[1:]) == ["b", "c"]
    assert cycle[0] == cycle[-1]
