"""A node that asks another system: what is sent, what is understood, and when the caller goes on."""

import pytest

from ivr import (
    CancelTimer,
    Digit,
    Entered,
    LookedUp,
    LookUp,
    Play,
    Played,
    Secret,
    StartTimer,
    StopPlaying,
    found,
)

FLOW = """
language: en
start: crm
variables: {name: nobody, pin: ""}
nodes:
  crm:
    kind: lookup
    method: post
    url: "https://CRM.example.com:8443/v1/callers/{caller}/{pin}?to={called}"
    headers: {X-Site: north, Authorization: {env: CRM_TOKEN, prefix: "Bearer "}}
    body: {number: "{caller}", tags: [ivr, "{pin}"]}
    timeout_s: 2
    prompts: One moment please.
    into: {name: $.customer.name}
    next: greet
    failed: sorry
  greet:
    {kind: menu, prompts: "Hello {name}.", choices: {1: bye}, no_input: {next: bye}, no_match: {next: bye}}
  sorry: {kind: play, prompts: Sorry., barge_in: true, next: greet}
  bye: {kind: hangup}
"""


def test_what_is_asked(call) -> None:
    caller = call(FLOW, pin="1/../2 ?&#é")
    _, asked, play = caller.start()
    assert isinstance(asked, LookUp)
    assert (asked.node, asked.request.method, asked.request.timeout_s) == ("crm", "POST", 2)
    assert asked.request.url == (
        "https://CRM.example.com:8443/v1/callers/%2B12025550123/1%2F..%2F2%20%3F%26%23%C3%A9?to=%2B12025550100"
    )
    assert asked.request.body == {"number": "+12025550123", "tags": ["ivr", "1/../2 ?&#é"]}
    assert asked.request.headers == {
        "X-Site": "north",
        "Authorization": Secret(env="CRM_TOKEN", prefix="Bearer "),
    }
    assert isinstance(play, Play)


def test_a_value_of_dots_does_not_climb_and_a_long_one_is_cut(call) -> None:
    assert "/callers/%2B12025550123/?to=" in call(FLOW, pin="..").start()[1].request.url
    assert f"/{'7' * 200}?to=" in call(FLOW, pin="7" * 5000).start()[1].request.url


def test_neither_the_number_nor_what_was_found_shows_in_a_representation(call) -> None:
    asked = call(FLOW, pin="4711").start()[1]
    assert "2025550123" not in repr(asked)
    assert "4711" not in repr(asked)
    assert "Ann" not in repr(LookedUp(1, {"name": "Ann"}))


def test_the_caller_goes_on_when_the_answer_is_there_and_the_prompt_is_over(call) -> None:
    caller = call(FLOW)
    _, asked, play = caller.start()
    assert caller.feed(LookedUp(asked.lookup_id, {"name": "Ann"})) == []
    caller.feed(Played(play.play_id))
    assert caller.heard == ["Hello Ann."]


def test_the_other_way_round(call) -> None:
    caller = call(FLOW)
    _, asked, play = caller.start()
    assert caller.feed(Played(play.play_id)) == []
    assert caller.feed(LookedUp(asked.lookup_id + 7, {"name": "Eve"})) == []
    caller.feed(LookedUp(asked.lookup_id, {"name": "Ann"}))
    assert caller.heard == ["Hello Ann."]


def test_a_failure_leaves_the_variables_as_they_were(call) -> None:
    caller = call(FLOW)
    _, asked, play = caller.start()
    caller.feed(LookedUp(asked.lookup_id, None))
    caller.feed(Played(play.play_id))
    assert caller.path == ["crm", "sorry"]
    assert caller.engine.variables["name"] == "nobody"


def test_a_key_cuts_the_prompt_short_and_is_dialled_ahead(call) -> None:
    caller = call(FLOW)
    _, asked, _ = caller.start()
    assert caller.feed(Digit("1")) == [StopPlaying()]
    assert caller.feed(Digit("2")) == []
    caller.feed(LookedUp(asked.lookup_id, {"name": "Ann"}))
    assert caller.path == ["crm", "greet", "bye"]


def test_a_lookup_without_prompts_waits_for_the_answer_alone(call) -> None:
    caller = call(FLOW.replace("    prompts: One moment please.\n", ""))
    entered, asked = caller.start()
    assert entered == Entered("flow", "crm")
    assert caller.feed(Played()) == []
    caller.feed(LookedUp(asked.lookup_id, {"name": "Ann"}))
    assert caller.heard == ["Hello Ann."]


def test_no_timer_runs_meanwhile(call) -> None:
    caller = call(FLOW)
    caller.start()
    assert not [action for action in caller.all if isinstance(action, StartTimer | CancelTimer)]


DOCUMENT = {
    "customer": {
        "name": "Ann\n\x1b O'Hara",
        "vip": True,
        "age": 41,
        "rate": 0.5,
        "gone": None,
        "tags": ["x", "y"],
    },
    "long": "z" * 500,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.customer.name", "Ann O'Hara"),
        ("$.customer.vip", "true"),
        ("$.customer.age", "41"),
        ("$.customer.rate", "0.5"),
        ("$.customer.gone", ""),
        ("$.customer.tags.1", "y"),
        ("$.long", "z" * 200),
    ],
)
def test_what_is_found(path: str, value: str) -> None:
    assert found(DOCUMENT, {"it": path}) == {"it": value}


@pytest.mark.parametrize("path", ["$.x", "$.customer.name.x", "$.customer.tags.2", "$.customer.tags.x"])
def test_a_path_that_leads_nowhere(path: str) -> None:
    with pytest.raises(ValueError, match=r"^the answer has nothing at \$\.[\w.]+$"):
        found(DOCUMENT, {"it": path})


@pytest.mark.parametrize("path", ["$.customer", "$.customer.tags"])
def test_a_path_to_more_than_one_value(path: str) -> None:
    with pytest.raises(ValueError, match="no single value"):
        found(DOCUMENT, {"it": path})
    with pytest.raises(ValueError, match="nothing at"):
        found([], {"it": path})
