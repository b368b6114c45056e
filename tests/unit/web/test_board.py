"""What watchers are told of the state."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callcenter.acd.wait_time import UNAVAILABLE, Estimate, Method
from callcenter.reports.today import DayFigures
from callcenter.web import board as board_module
from callcenter.web.board import Boards
from callcenter.web.principal import Principal, Role
from callcenter.web.standing import Row, Standing, queue_rows, totals
from callcenter.web.subscription import Interest, Topic

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
SUE = Interest(frozenset({Topic.STATE}), Principal("sue", Role.SUPERVISOR))
ANN = Interest(frozenset({Topic.STATE}), Principal("ann", Role.AGENT, "a1"))
SALES = Interest(frozenset({Topic.STATE}), Principal("sue", Role.SUPERVISOR), "sales")
KEYS = {"queues": "name", "agents": "id", "calls": "call_id", "ended": "call_id"}


def agent(name: str, state: str = "available", *queues: str) -> Row:
    return {"id": name, "name": name.title(), "state": state, "queues": list(queues or ["sales"])}


def call(name: str, agent_id: str | None = None, queue: str = "sales") -> Row:
    return {
        "call_id": name,
        "from_number": "+15125550142",
        "to_number": "",
        "agent_id": agent_id,
        "queue": queue,
    }


def standing(second: float = 0, **more: Any) -> Standing:
    agents, lines = more.get("agents", [agent("a1")]), more.get("lines", {})
    today: dict[str, DayFigures] = more.get("today", {})
    return Standing(
        now=NOON + timedelta(seconds=second),
        queues=queue_rows(
            more.get("names", ["sales", "support"]), lines, agents, today, more.get("waits", {})
        ),
        agents=agents,
        calls=more.get("calls", []),
        ended=more.get("ended", []),
        totals=totals(lines, agents, today),
    )


def test_a_queue_with_its_day_and_its_agents() -> None:
    agents = [agent("a1", "talking"), agent("a2", "offline"), agent("a3", "available", "sales", "support")]
    state = standing(
        agents=agents,
        lines={"sales": {"waiting": 3, "oldest_at": NOON, "callbacks": 2}},
        today={"sales": DayFigures(10, 7, 2, 1, 6), "night": DayFigures(1, 0, 1, 0, 0)},
        waits={"sales": Estimate(Method.FORMULA, 29.2, 90.0), "support": UNAVAILABLE},
    )
    sales, support = state.queues
    assert (sales["waiting"], sales["oldest_at"], sales["callbacks"]) == (3, NOON, 2)
    assert state.totals["callbacks"] == 2
    assert sales["estimated_wait"] == {"method": "formula", "p50_s": 30, "p90_s": 90}
    assert sales["today"] == {
        "offered": 10,
        "answered": 7,
        "abandoned": 2,
        "service_level": {"value": 0.75, "numerator": 6, "denominator": 8},
    }
    assert (sales["agents"]["signed_in"], sales["agents"]["talking"], sales["agents"]["offline"]) == (2, 1, 1)
    assert (support["waiting"], support["oldest_at"], support["estimated_wait"]) == (0, None, None)
    assert support["today"]["service_level"]["value"] is None
    assert support["agents"]["available"] == 1
    assert state.totals["agents"]["available"] == 1  # once, though in two queues
    assert (state.totals["waiting"], state.totals["today"]["offered"]) == (3, 11)


def shown(boards: Boards, interest: Interest, state: Standing) -> Any:
    boards.show({interest.audience: interest}, state)
    return boards.of(interest.audience)


def test_a_small_state_is_always_told_as_a_whole() -> None:
    boards = Boards()
    board = shown(boards, SUE, standing())
    told = board.version
    assert json.loads(board.message(None))["type"] == "state"
    board = shown(
        boards, SUE, standing(5, lines={"sales": {"waiting": 1, "oldest_at": NOON, "callbacks": 0}})
    )
    assert board.version != told
    message = json.loads(board.message(told))
    assert (message["type"], message["queues"][0]["waiting"]) == ("state", 1)
    assert (message["queues"][0]["longest_wait_s"], message["now"]) == (5.0, "2025-03-01T12:00:05Z")


def test_time_alone_is_no_news_but_who_comes_later_is_told_the_time() -> None:
    boards = Boards()
    lines = {"sales": {"waiting": 1, "oldest_at": NOON, "callbacks": 0}}
    told = shown(boards, SUE, standing(1, lines=lines)).version
    board = shown(boards, SUE, standing(60, lines=lines))
    assert board.version == told
    message = json.loads(board.message(None))
    assert (message["now"], message["queues"][0]["longest_wait_s"]) == ("2025-03-01T12:01:00Z", 60.0)


def test_of_a_large_state_only_what_changed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "WHOLE_ROWS", 0)
    boards = Boards()
    board = shown(boards, SUE, standing(calls=[call("c1"), call("c2")]))
    first = board.version
    board = shown(boards, SUE, standing(1, calls=[call("c2"), call("c3", "a1")]))
    second = board.version
    message = json.loads(board.message(first))
    assert {key: value for key, value in message.items() if key != "now"} == {
        "type": "change",
        "calls": [{"call_id": "c3", "from": "+15125550142", "to": "", "agent_id": "a1", "queue": "sales"}],
        "calls_gone": ["c1"],
    }
    board = shown(
        boards, SUE, standing(2, agents=[agent("a1", "break")], calls=[call("c2"), call("c3", "a1")])
    )
    message = json.loads(board.message(second))
    assert set(message) == {"type", "now", "queues", "agents", "totals"}
    assert [row["name"] for row in message["queues"]] == ["sales"]  # support has no agent who changed
    late = json.loads(board.message(first))  # who missed one is told both at once
    assert [row["call_id"] for row in late["calls"]] == ["c3"]
    assert [row["state"] for row in late["agents"]] == ["break"]


def test_who_was_told_too_long_ago_is_told_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "WHOLE_ROWS", 0)
    monkeypatch.setattr(board_module, "MAX_GONE", 2)
    boards = Boards()
    first = shown(boards, SUE, standing(calls=[call("c1"), call("c2"), call("c3")])).version
    board = shown(boards, SUE, standing(calls=[call("c3")]))
    assert json.loads(board.message(first))["calls_gone"] == ["c1", "c2"]
    board = shown(boards, SUE, standing(calls=[]))
    assert json.loads(board.message(first))["type"] == "state"


def test_an_agent_is_told_of_the_own_calls_only_and_a_queue_of_itself() -> None:
    boards = Boards()
    state = standing(
        agents=[agent("a1"), agent("b1", "talking", "support")],
        calls=[call("c1", "a1"), call("c2", "b1", "support"), call("c3")],
        ended=[call("c4", "b1"), call("c5", "a1")],
        today={"support": DayFigures(1, 1, 0, 0, 1)},
    )
    audiences = {one.audience: one for one in (SUE, ANN, SALES)}
    boards.show(audiences, state)
    of = {one: json.loads(boards.of(one.audience).message(None)) for one in (SUE, ANN, SALES)}
    assert [row["call_id"] for row in of[ANN]["calls"] + of[ANN]["ended"]] == ["c1", "c5"]
    assert of[ANN]["queues"] == of[SUE]["queues"]
    assert len(of[SUE]["calls"]) == 3
    assert [row["name"] for row in of[SALES]["queues"]] == ["sales"]
    assert [row["id"] for row in of[SALES]["agents"]] == ["a1"]
    assert (of[SALES]["totals"]["today"]["offered"], of[SUE]["totals"]["today"]["offered"]) == (0, 1)
    nobody = Interest(frozenset({Topic.STATE}), Principal("x", Role.AGENT))
    boards.show({nobody.audience: nobody}, state)
    assert json.loads(boards.of(nobody.audience).message(None))["calls"] == []


def test_what_is_told_twice_is_made_once() -> None:
    boards = Boards()
    board = shown(boards, SUE, standing())
    assert boards._floors[None].whole() is boards._floors[None].whole()
    boards.show({SUE.audience: SUE, ANN.audience: ANN}, standing())
    assert boards.of(SUE.audience) is board
    assert boards.of(ANN.audience)._floor is board._floor


def put_together(known: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """What a client makes of the messages, as the document tells it to."""
    if message["type"] == "state":
        return {name: {row[key]: row for row in message[name]} for name, key in KEYS.items()} | {
            "totals": message["totals"]
        }
    for name, key in KEYS.items():
        known[name] |= {row[key]: row for row in message.get(name, [])}
        for gone in message.get(f"{name}_gone", []):
            known[name].pop(gone, None)
    return known | {"totals": message.get("totals", known["totals"])}


@pytest.mark.parametrize("seed", range(5))
def test_changes_put_together_are_the_state(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "WHOLE_ROWS", 4)
    monkeypatch.setattr(board_module, "MAX_GONE", 6)
    dice = random.Random(seed)
    boards, told, known = Boards(), None, {}
    kinds = set()
    for _ in range(200):
        names = [name for name in "abcdef" if dice.random() < 0.7]
        state = standing(
            agents=[agent(name, dice.choice(["talking", "break", "offline"])) for name in names],
            calls=[call(name, dice.choice(names or [None])) for name in "stuvw" if dice.random() < 0.5],
            ended=[call(name) for name in "stuvw" if dice.random() < 0.3],
        )
        board = shown(boards, SUE, state)
        if dice.random() < 0.6 and board.version != told:  # a watcher who is not always quick enough
            message = json.loads(board.message(told))
            kinds.add(message["type"])
            known, told = put_together(known, message), board.version
            whole = put_together({}, json.loads(board.message(None)))
            for row in (*known["queues"].values(), *whole["queues"].values()):
                row.pop("longest_wait_s", None)
            assert known == whole
    assert kinds == {"state", "change"}
