"""Whether conversations are recorded: told, asked, or refused."""

from datetime import UTC, datetime

import pytest

from ivr import (
    Consented,
    Digit,
    Engine,
    Listen,
    NoInput,
    NoMatch,
    Play,
    Played,
    Speech,
    SpeechEnded,
    SpeechStarted,
    Timeout,
)

NOON = datetime(2025, 3, 5, 12, tzinfo=UTC)

FLOW = """
language: en
start: consent
nodes:
  consent: {kind: consent, prompts: "May we record?", record: RECORD, REFUSED next: bye}
  bye: {kind: hangup, prompts: "Consent {recording_consent}."}
  off: {kind: hangup, prompts: Then not.}
"""


def flow(record: str, refused: bool = False) -> str:
    text = FLOW.replace("RECORD", record).replace("REFUSED", "refused: off," if refused else "")
    return text if refused else text.replace("  off: {kind: hangup, prompts: Then not.}\n", "")


@pytest.mark.parametrize(("record", "given", "heard"), [("always", True, "yes"), ("never", False, "no")])
def test_an_announcement_decides_by_itself(call, record: str, given: bool, heard: str) -> None:
    caller = call(flow(record))
    caller.start()
    assert caller.heard == ["May we record?"]
    assert caller.feed(Digit("2")) == []
    assert Consented("consent", given) in caller.feed(Played())
    assert caller.heard == [f"Consent {heard}."]


@pytest.mark.parametrize(("key", "given", "heard"), [("1", True, "Consent yes."), ("2", False, "Then not.")])
def test_the_caller_is_asked(call, key: str, given: bool, heard: str) -> None:
    caller = call(flow("ask", refused=True))
    caller.start()
    caller.feed(Played())
    assert caller.timer.seconds == 5
    assert Consented("consent", given) in caller.feed(Digit(key))
    assert caller.heard == [heard]


def test_silence_is_no_consent(call) -> None:
    caller = call(flow("ask"))
    caller.start()
    caller.feed(Played())
    assert caller.feed(Timeout(caller.timer.timer_id))[0] == NoInput("consent")
    assert caller.heard == ["May we record?"]
    caller.feed(Played())
    actions = caller.feed(Timeout(caller.timer.timer_id))
    assert actions[:2] == [NoInput("consent"), Consented("consent", False)]
    assert caller.engine.variables["recording_consent"] == "no"


def test_another_key_asks_again(call) -> None:
    caller = call(flow("ask"))
    caller.start()
    caller.feed(Played())
    assert NoMatch("consent") in caller.feed(Digit("*"))
    assert isinstance(caller.last[-1], Play)
    caller.feed(Played())
    assert Consented("consent", True) in caller.feed(Digit("1"))


@pytest.mark.parametrize(
    ("words", "given"), [("yes", True), ("Yes, please.", True), ("no", False), ("no thank you", False)]
)
def test_the_answer_may_be_said(load, words: str, given: bool) -> None:
    engine = Engine(load(flow("ask")), {}, "+12025550123", "+12025550100", hears=True)
    engine.start(NOON)
    listen = next(action for action in engine.feed(Played(), NOON) if isinstance(action, Listen))
    assert "yes" in listen.hot_words
    engine.feed(SpeechStarted(), NOON)
    engine.feed(SpeechEnded(), NOON)
    assert Consented("consent", given) in engine.feed(Speech(words, 0.97), NOON)


def test_what_was_heard_badly_is_no_consent(load) -> None:
    engine = Engine(load(flow("ask")), {}, "+12025550123", "+12025550100", hears=True)
    engine.start(NOON)
    engine.feed(Played(), NOON)
    for _ in range(2):
        engine.feed(SpeechStarted(), NOON)
        last = engine.feed(Speech("yes", 0.2), NOON)
        engine.feed(Played(), NOON)
    assert Consented("consent", False) in last
