"""Answers to questions in free words, by hand and through the engine."""

from collections.abc import Callable
from typing import Any

import pytest

from ivr import (
    Entered,
    HangUp,
    Input,
    Listen,
    NoMatch,
    NotHeard,
    Play,
    Played,
    Speech,
    StopListening,
    Timeout,
)
from ivr.faq import answers_to

KNOWN = {
    "refund": ["When will I get my refund?", "Where is my money?"],
    "order": ["When will my order arrive?"],
}
FAQ = """\
answers:
  - name: refund
    questions: ["When will I get my refund?", "Where is my money?"]
    answer: In five days.
  - name: order
    questions: {en: ["When will my order arrive?"], ja: [注文はいつ届きますか]}
    answer: {en: Tomorrow., ja: 明日です。}
    next: bye
"""
FLOW = """\
    language: en
    start: ask
    operator: {phrases: [operator], key: "0", next: person}
    nodes:
      ask:
        kind: faq
        file: faq.yaml
        prompts: What is it?
        attempts: 2
        no_input: {next: silent}
        no_match: {prompts: I do not know., next: lost}
        done: bye
      person: {kind: hangup, prompts: An agent.}
      silent: {kind: hangup, reason: timed_out}
      lost: {kind: hangup, prompts: Lost.}
      bye: {kind: hangup, prompts: Goodbye.}
"""


@pytest.fixture
def ask(write: Callable[..., Any], spoken_call: Callable[..., Any]) -> Callable[..., Any]:
    """A caller who has heard the question."""

    def ask(hears: bool = True) -> Any:
        write(FAQ, "faq.yaml")
        caller = spoken_call(FLOW, hears)
        caller.start()
        if hears:
            caller.feed(Played())
        return caller

    return ask


def scores(heard: str, confidence: float = 1.0) -> dict[str, float]:
    return {match.name: match.score for match in answers_to(heard, confidence, KNOWN, "en")}


def test_scores_by_hand() -> None:
    """Both answers use when, will, my: each weighs 1/2; i, get, refund and order, arrive weigh 1.

    "When will my refund": refund is 0.5 + 0.5 + 0.5 + 1 of 4.5; order 1.5 of 3.5.
    """
    assert scores("When will my refund") == {"refund": round(2.5 / 4.5, 4), "order": round(1.5 / 3.5, 4)}
    assert scores("WHEN will I get my refund") == {"refund": 1.0, "order": round(1.5 / 3.5, 4)}
    assert scores("the weather") == {"refund": 0.0, "order": 0.0}


def test_a_misheard_word_counts_by_its_likeness() -> None:
    """ "refunds" is 6/7 like "refund"; "red" is not like it at all."""
    assert scores("When will I get my refunds")["refund"] == round((3.5 + 6 / 7) / 4.5, 4)
    assert scores("When will I get my red")["refund"] == round(3.5 / 4.5, 4)


def test_a_recognizer_in_doubt_counts_less() -> None:
    assert scores("Where is my money?", 0.5)["refund"] == 0.85


def test_japanese_is_compared_by_pairs_of_characters() -> None:
    """Nine characters are eight pairs, all of which are said."""
    (match,) = answers_to("注文はいつ届きますか", 1.0, {"order": ["注文はいつ届きますか"]}, "ja")
    assert match.score == 1.0
    (match,) = answers_to("えーと、いつ届きますか", 1.0, {"order": ["いつ届きますか"]}, "ja")
    assert match.score == 1.0


def test_an_answer_then_another_question_then_nothing_more(ask: Callable[..., Any]) -> None:
    caller = ask()
    caller.hear("When will I get my refund?")
    assert caller.heard == ["In five days.", "Is there anything else?"]
    caller.feed(Played())
    caller.hear("and when will my order arrive?")
    assert caller.heard == ["Tomorrow."]
    caller.feed(Played())
    assert caller.path[-1] == "bye"
    assert caller.inputs == [
        Input("ask", "speech", "refund", 1.0),
        Input("ask", "speech", "order", 1.0),
    ]


@pytest.mark.parametrize("words", ["No, thank you.", "That's all.", "No."])
def test_who_has_no_other_question_is_done(ask: Callable[..., Any], words: str) -> None:
    caller = ask()
    caller.hear("Where is my money?")
    caller.feed(Played())
    caller.hear(words)
    assert caller.path[-1] == "bye"
    assert caller.inputs[-1].value == "done"


def test_silence_after_an_answer_is_done(ask: Callable[..., Any]) -> None:
    caller = ask()
    caller.hear("Where is my money?")
    caller.feed(Played())
    caller.feed(Timeout(caller.timer.timer_id))
    assert caller.path[-1] == "bye"


def test_yes_there_is_something_else(ask: Callable[..., Any]) -> None:
    caller = ask()
    caller.hear("Where is my money?")
    caller.feed(Played())
    caller.hear("Yes.")
    assert caller.heard == ["What is it?"]


def test_a_question_that_is_not_clear_is_confirmed(ask: Callable[..., Any]) -> None:
    caller = ask()
    caller.hear("money", 1.0)
    assert NoMatch("ask") in caller.last  # 1 of the 3.5 that "Where is my money?" weighs
    caller.feed(Played())
    caller.hear("is money")
    assert caller.heard == ["Did you ask: When will I get my refund? Say yes or press 1, say no or press 2."]
    caller.feed(Played())
    caller.hear("yes")
    assert caller.heard[0] == "In five days."


def test_no_answer_twice(ask: Callable[..., Any]) -> None:
    caller = ask()
    caller.hear("the weather")
    assert caller.heard == ["I do not know.", "What is it?"]
    caller.feed(Played())
    caller.hear("the weather")
    assert caller.path[-1] == "lost"


@pytest.mark.parametrize("how", ["voice", "key"])
def test_the_operator(ask: Callable[..., Any], how: str) -> None:
    caller = ask()
    if how == "voice":
        caller.hear("operator please")
    else:
        caller.dial("0")
    assert caller.path[-1] == "person"


def test_without_a_recognizer_there_is_nobody_to_ask(ask: Callable[..., Any]) -> None:
    caller = ask(hears=False)
    assert caller.path == ["ask", "lost"]
    assert not any(isinstance(action, Listen) for action in caller.all)


def test_a_recognizer_that_fails_meanwhile(ask: Callable[..., Any]) -> None:
    caller = ask()
    actions = caller.feed(NotHeard())
    assert actions[0] == StopListening()
    assert caller.path[-1] == "lost"


def test_the_last_answer_cannot_be_talked_over(ask: Callable[..., Any]) -> None:
    caller = ask()
    caller.hear("When will my order arrive?")
    assert not isinstance(caller.all[-1], Listen)
    assert caller.feed(Speech("operator", 1.0)) == []
    caller.feed(Played())
    assert Entered("flow", "bye") in caller.last


def test_the_answer_in_the_callers_language(
    write: Callable[..., Any], spoken_call: Callable[..., Any]
) -> None:
    write(FAQ, "faq.yaml")
    caller = spoken_call(FLOW, language="ja")
    caller.start()
    caller.feed(Played())
    caller.hear("注文はいつ届きますか")
    play = next(action for action in caller.last if isinstance(action, Play))
    assert [(prompt.text, prompt.language) for prompt in play.prompts] == [("明日です。", "ja")]
    caller.feed(Played())
    caller.feed(Played())
    assert isinstance(caller.all[-1], HangUp)
