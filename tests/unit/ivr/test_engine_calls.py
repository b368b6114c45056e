from datetime import UTC, datetime

import pytest

from ivr import (
    Digit,
    Engine,
    Entered,
    HangUp,
    HangUpReason,
    HungUp,
    Input,
    Phase,
    Play,
    Played,
    QueueEnded,
    QueueExit,
    Say,
    StopPlaying,
    Timeout,
    TransferFailed,
    VoicemailEnded,
    check,
)

MENU = """
    language: en
    start: menu
    nodes:
      menu:
        kind: menu
        prompts: Press 1 or star.
        timeout_s: 4
        attempts: 2
        choices: {1: one, "*": star}
        no_input: {prompts: "Still there?", next: silent}
        no_match: {prompts: No such choice., next: lost}
      one: {kind: hangup}
      star: {kind: hangup}
      silent: {kind: hangup, reason: timed_out}
      lost: {kind: hangup}
"""


SUB_FLOW = """
    language: en
    start: first
    variables: {kept: main}
    nodes:
      first: {kind: call, flow: ask, next: second}
      second: {kind: call, file: other.yaml, next: bye}
      bye: {kind: hangup, prompts: "{n} {kept}"}
    flows:
      ask:
        language: fr
        start: number
        nodes:
          number:
            kind: gather
            prompts: Un chiffre.
            variable: n
            length: 1
            no_input: {next: return}
            no_match: {next: return}
            next: return
"""
OTHER = """
    language: es
    start: say
    variables: {kept: other, own: suya}
    nodes:
      say: {kind: play, prompts: "{kept} {own}", next: return}
"""


def test_sub_flows_return_and_speak_their_own_language(write, call) -> None:
    write(OTHER, "other.yaml")
    caller = call(SUB_FLOW)
    assert caller.start() == [
        Entered("flow", "first"),
        Entered("flow/ask", "number"),
        Play((Say("Un chiffre.", "fr"),), True, 1),
    ]
    assert caller.feed(Digit("6")) == [
        StopPlaying(),
        Input("number", "gather", "6"),
        Entered("flow", "second"),
        Entered("other", "say"),
        Play((Say("main suya", "es"),), False, 2),
    ]
    caller.feed(Played(2))
    assert caller.heard == ["6 main"]


def test_return_from_the_outermost_flow_ends_the_call(write, call) -> None:
    write(OTHER, "other.yaml")
    caller = call(OTHER)
    caller.start()
    assert caller.feed(Played()) == [HangUp(HangUpReason.COMPLETED)]


def test_nothing_comes_after_the_end(call) -> None:
    caller = call(MENU)
    caller.start()
    assert caller.feed(HungUp()) == []
    assert caller.engine.ended
    for event in (Played(), Digit("1"), Timeout(1), QueueEnded(QueueExit.FULL), HungUp(), TransferFailed()):
        assert caller.feed(event) == []


def test_nothing_comes_before_the_start_and_there_is_one_start(call) -> None:
    caller = call(MENU)
    assert caller.feed(Digit("1")) == []
    caller.start()
    with pytest.raises(RuntimeError, match="already been started"):
        caller.start()


def test_events_that_nobody_awaits_change_nothing(call) -> None:
    caller = call(MENU)
    caller.start()
    for event in (QueueEnded(QueueExit.FULL), VoicemailEnded(), TransferFailed(), Timeout(1), Played(99)):
        assert caller.feed(event) == []
    assert caller.feed(Digit("")) == caller.feed(Digit("11")) == []
    assert caller.engine.phase is Phase.PLAYING


def test_two_callers_share_a_flow_and_nothing_else(write) -> None:

    flow = check(write(SUB_FLOW.replace("kind: call, file: other.yaml", "kind: play, prompts: Hm.")))
    one, other = (Engine(flow, {}, "+12025550123", "+12025550100") for _ in range(2))
    for engine in (one, other):
        engine.start(datetime(2025, 1, 8, tzinfo=UTC))
    one.feed(Digit("4"), datetime(2025, 1, 8, tzinfo=UTC))
    assert one.variables["n"] == "4"
    assert "n" not in other.variables
