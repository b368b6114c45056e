"""Whether conversations are recorded: told, asked, or refused."""

import pytest

from ivr import Consented, Digit, NoInput, NoMatch, Play, Played, Timeout

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
