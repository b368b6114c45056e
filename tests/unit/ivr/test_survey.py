"""A survey after the conversation: its scales, what is out of them, who is asked."""

from uuid import UUID

import pytest

from ivr import (
    Action,
    Digit,
    Entered,
    HungUp,
    Input,
    JoinQueue,
    NoInput,
    NoMatch,
    Played,
    QueueEnded,
    QueueExit,
    RecordWords,
    SurveyAnswered,
    SurveyOffered,
    Timeout,
    VoicemailEnded,
    check,
)

FLOW = """
language: en
start: sales
nodes:
  sales: {kind: queue, queue: sales, answered: survey, timeout: bye, empty: bye, full: bye, closed: bye}
  survey:
    kind: survey
    prompts: Three questions. Press 2 to skip.
    decline: 2
    questions:
      - {id: happy, kind: csat, prompt: "How was it?"}
      - {id: friends, kind: nps, prompt: "Would you recommend us?"}
      - {id: why, kind: words, prompt: Tell us why.}
    again: From 1 to 5 or 0 to 10.
    next: bye
  bye: {kind: hangup, prompts: Goodbye.}
"""


@pytest.fixture
def caller(call):
    """A caller who has heard the offer of the survey."""
    caller = call(FLOW, call_id=str(UUID(int=1)))
    (_, join) = caller.start()
    assert join == JoinQueue("sales", 0, None, True, comes_back=True, language="en")
    assert caller.feed(QueueEnded(QueueExit.ANSWERED))[:2] == [
        Entered("flow", "survey"),
        SurveyOffered("survey", ("csat", "nps", "words")),
    ]
    assert caller.heard == ["Three questions. Press 2 to skip."]
    caller.feed(Played())
    return caller


def begun(caller):
    caller.feed(Timeout(caller.timer.timer_id))
    assert caller.heard == ["How was it?"]
    caller.feed(Played())
    return caller


def answers(caller) -> list[tuple[str, int]]:
    return [(action.question, action.score) for action in caller.all if isinstance(action, SurveyAnswered)]


def silence(caller) -> list[Action]:
    return caller.feed(Timeout(caller.timer.timer_id))


def test_a_whole_survey(caller) -> None:
    assert caller.timer.seconds == 2
    begun(caller)
    assert caller.timer.seconds == 5
    assert SurveyAnswered("survey", "happy", "csat", 5) in caller.feed(Digit("5"))
    assert caller.heard == ["Would you recommend us?"]
    caller.feed(Played())
    caller.feed(Digit("1"))
    assert caller.timer.seconds == 2
    assert SurveyAnswered("survey", "friends", "nps", 10) in caller.feed(Digit("0"))
    assert caller.heard == ["Tell us why."]
    assert caller.feed(Played()) == [RecordWords("survey", "why", 60, 3)]
    caller.feed(VoicemailEnded(4))
    assert caller.heard == ["Goodbye."]


@pytest.mark.parametrize("key", "12345")
def test_satisfaction_is_one_key(caller, key: str) -> None:
    begun(caller).feed(Digit(key))
    assert answers(caller) == [("happy", int(key))]


@pytest.mark.parametrize(
    ("keys", "score"),
    [("0", 0), ("2", 2), ("9", 9), ("1#", 1), ("10", 10)],
)
def test_recommendation_is_one_key_or_two(caller, keys: str, score: int) -> None:
    begun(caller).feed(Digit("3"))
    caller.feed(Played())
    caller.dial(keys)
    assert answers(caller)[1:] == [("friends", score)]


@pytest.mark.parametrize(("key", "score"), [("1", 1), ("2", 0)])
def test_yes_and_no_are_one_and_nought(call, key: str, score: int) -> None:
    caller = call(FLOW.replace("id: happy, kind: csat", "id: resolved, kind: yes_no"), call_id="x")
    caller.start()
    caller.feed(QueueEnded(QueueExit.ANSWERED))
    caller.feed(Played())
    begun(caller).feed(Digit(key))
    assert answers(caller) == [("resolved", score)]


def test_a_one_alone_is_a_one(caller) -> None:
    begun(caller).feed(Digit("3"))
    caller.feed(Played())
    caller.feed(Digit("1"))
    silence(caller)
    assert answers(caller)[1:] == [("friends", 1)]


@pytest.mark.parametrize("key", ["*", "#", "0", "6", "9", "A"])
def test_what_is_not_on_the_scale_is_asked_once_more_and_left_out(caller, key: str) -> None:
    assert NoMatch("survey") in begun(caller).feed(Digit(key))
    assert caller.heard == ["From 1 to 5 or 0 to 10.", "How was it?"]
    caller.feed(Played())
    assert NoMatch("survey") in caller.feed(Digit("*"))
    assert caller.heard == ["Would you recommend us?"]
    assert answers(caller) == []


def test_twelve_is_none_of_ten(caller) -> None:
    begun(caller).feed(Digit("3"))
    caller.feed(Played())
    assert NoMatch("survey") in caller.dial("12")
    caller.feed(Played())
    caller.dial("10")
    assert answers(caller)[1:] == [("friends", 10)]


def test_silence_is_asked_once_more_and_left_out(caller) -> None:
    begun(caller)
    assert NoInput("survey") in silence(caller)
    caller.feed(Played())
    silence(caller)
    assert caller.heard == ["Would you recommend us?"]


def test_a_second_thought_counts(caller) -> None:
    begun(caller).feed(Digit("*"))
    caller.feed(Played())
    caller.feed(Digit("4"))
    assert answers(caller) == [("happy", 4)]


def test_the_caller_declines(caller) -> None:
    assert caller.feed(Digit("2"))[-2:-1] == [Entered("flow", "bye")]
    assert Input("survey", "survey", "2") in caller.all
    assert answers(caller) == []


def test_another_key_begins_at_once(caller) -> None:
    caller.feed(Digit("1"))
    assert caller.heard == ["How was it?"]


def test_keys_dialled_ahead_answer(caller) -> None:
    begun(caller)
    caller.dial("5")
    caller.dial("9")
    assert answers(caller) == [("happy", 5), ("friends", 9)]


def test_a_hang_up_in_the_middle_keeps_what_was_answered(caller) -> None:
    begun(caller).feed(Digit("5"))
    assert caller.feed(HungUp()) == []
    assert answers(caller) == [("happy", 5)]


def test_words_are_not_asked_of_who_did_not_consent(call) -> None:
    caller = call(FLOW, call_id="x", recording_consent="no")
    caller.start()
    caller.feed(QueueEnded(QueueExit.ANSWERED))
    caller.feed(Played())
    begun(caller).feed(Digit("5"))
    caller.feed(Played())
    caller.feed(Digit("9"))
    assert caller.heard == ["Goodbye."]


def test_without_a_key_to_decline_the_first_question_follows_the_offer(call) -> None:
    caller = call(FLOW.replace("    decline: 2\n", ""), call_id="x")
    caller.start()
    caller.feed(QueueEnded(QueueExit.ANSWERED))
    assert caller.heard == ["Three questions. Press 2 to skip.", "How was it?"]


def test_a_caller_who_is_not_answered_is_not_asked(call) -> None:
    caller = call(FLOW)
    caller.start()
    caller.feed(QueueEnded(QueueExit.TIMEOUT))
    assert caller.path == ["sales", "bye"]


def test_the_share_of_callers_is_drawn_by_the_call(write) -> None:
    survey = check(write(FLOW.replace("kind: survey\n", "kind: survey\n    share: 0.3\n"))).nodes["survey"]
    drawn = [survey.asks(str(UUID(int=number)), "survey") for number in range(10_000)]
    assert drawn == [survey.asks(str(UUID(int=number)), "survey") for number in range(10_000)]
    assert 2_860 < sum(drawn) < 3_140  # three standard deviations of 46 around 3,000


@pytest.mark.parametrize(("share", "asked"), [("0", 0), ("1", 1000)])
def test_nobody_or_everybody(write, share: str, asked: int) -> None:
    survey = check(write(FLOW.replace("kind: survey\n", f"kind: survey\n    share: {share}\n"))).nodes[
        "survey"
    ]
    assert sum(survey.asks(str(UUID(int=number)), "survey") for number in range(1000)) == asked


def test_who_is_not_drawn_goes_on_at_once(call) -> None:
    caller = call(FLOW.replace("kind: survey\n", "kind: survey\n    share: 0\n"), call_id="x")
    caller.start()
    caller.feed(QueueEnded(QueueExit.ANSWERED))
    assert caller.path == ["sales", "survey", "bye"]
    assert not [action for action in caller.all if isinstance(action, SurveyOffered)]
