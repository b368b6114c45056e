"""Mistakes in what callers may say, each answered with one line that says where it is and what it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ivr import check

FLOW = """\
language: en
start: menu
operator:
  phrases: [operator]
  key: "0"
  next: bye
repeat: {phrases: say that again, key: "*"}
nodes:
  menu:
    kind: menu
    prompts: {en: Choose., ja: どうぞ。}
    choices:
      1:
        phrases: [sales, new orders]
        next: bye
      2:
        phrases:
          en: [support]
          ja: [サポート]
        set_language: ja
        next: ask
      returns:
        phrases: [returns]
        next: number
    no_input: {next: bye}
    no_match: {next: bye}
  number:
    kind: gather
    variable: number
    spoken: true
    no_input: {next: bye}
    no_match: {next: bye}
    next: bye
  ask:
    kind: faq
    file: faq.yaml
    no_input: {next: bye}
    no_match: {next: bye}
    done: bye
  bye: {kind: hangup}
"""
FAQ = """\
answers:
  - name: refund
    questions:
      - When will I get my refund?
      - Where is my money?
    answer: In five days.
  - name: order
    questions: When will my order arrive?
    answer: {en: Tomorrow., ja: 明日。}
    next: bye
"""


@pytest.fixture
def written(write: Callable[..., Path]) -> Callable[[str, str], Path]:
    """Writes both files."""

    def written(flow: str, faq: str) -> Path:
        write(faq, "faq.yaml")
        return write(flow)

    return written


def test_the_files_that_the_mistakes_are_made_in_are_good(written: Callable[..., Path]) -> None:
    flow = check(written(FLOW, FAQ))
    assert [answer.name for answer in flow.faqs["faq.yaml"].answers] == ["refund", "order"]


MISTAKES = [
    # what stands there, what is put there instead, the error
    ("  next: bye\nrepeat", "  next: by\nrepeat", "6: operator.next: no such node 'by'"),
    ("  next: bye\nrepeat", "  nxt: bye\nrepeat", "3: operator.next: is missing"),
    ('  phrases: [operator]\n  key: "0"\n', "", "3: operator: must have phrases, a key, or both"),
    ('key: "0"', "key: zero", "5: operator.key: String should match pattern '^[0-9*#]$'"),
    ('key: "*"', 'key: "0"', "7: repeat.key: '0' is also the operator's"),
    ("say that again", "[Operator.]", "7: repeat.phrases.0: 'Operator.' is also the operator's"),
    ("[operator]", "[um]", "4: operator.phrases.0: 'um' has no word in it"),
    (
        "      returns:",
        "      0: bye\n      returns:",
        "22: node menu: choices.0: '0' is also the operator's; take another key, or write operator: no",
    ),
    (
        "      returns:",
        '      "*": bye\n      returns:',
        "22: node menu: choices.*: '*' is also the key of repeat",
    ),
    ("[sales, new orders]", "[]", "14: node menu: choices.1.phrases: must not be empty"),
    ("[sales, new orders]", '[sales, ""]', "14: node menu: choices.1.phrases.1: must not be empty"),
    ("[sales, new orders]", "[sales, ...]", "14: node menu: choices.1.phrases.1: '...' has no word in it"),
    ("[sales, new orders]", "[sales, um]", "14: node menu: choices.1.phrases.1: 'um' has no word in it"),
    (
        "[sales, new orders]",
        f"[{', '.join(f'word{i}' for i in range(51))}]",
        "14: node menu: choices.1.phrases: 51 phrases are too many; at most 50",
    ),
    (
        "[sales, new orders]",
        "[sales, Returns!]",
        "14: node menu: choices.1.phrases.1: 'Returns!' means choice returns as well as choice 1",
    ),
    (
        "[sales, new orders]",
        "[sales, Operator!]",
        "14: node menu: choices.1.phrases.1: 'Operator!' means operator as well as choice 1",
    ),
    (
        "[returns]",
        "{en: [returns], ja: [さぽーと]}",
        "19: node menu: choices.2.phrases.ja.0: 'サポート' means choice returns as well as choice 2",
    ),
    (
        "phrases: [returns]\n        next",
        "next",
        "22: node menu: choices.returns.phrases: is missing: without a key the choice must be said",
    ),
    (
        "      returns:",
        "      12:",
        "22: node menu: choices.12: '12' is neither a key (0-9, * or #) nor a name",
    ),
    ("[sales, new orders]\n", "[sales]\n        word: a\n", "15: node menu: choices.1.word: unknown key"),
    ("set_language: ja", "set_language: '?'", None),
    (
        "set_language: ja",
        "set_language: fr",
        "20: node menu: choices.2.set_language: questions can be answered by voice in en and ja, not in 'fr'",
    ),
    (
        "language: en",
        "language: de",
        "1: language: questions can be answered by voice in en and ja, not in 'de'",
    ),
    (
        "{en: Choose., ja: どうぞ。}",
        "{ja: どうぞ。}",
        "11: node menu: prompts: is missing in the flow's own language 'en'",
    ),
    (
        "    kind: menu\n",
        "    kind: menu\n    sure: 2\n",
        "11: node menu: sure: Input should be less than or equal to 1",
    ),
    (
        "    kind: menu\n",
        "    kind: menu\n    unsure: 0.9\n",
        "11: node menu: unsure: 0.9 is more than sure, 0.88",
    ),
    (
        "    spoken: true\n",
        "    spoken: loud\n",
        "30: node number: spoken: Input should be a valid boolean, unable to interpret input",
    ),
    ("file: faq.yaml", "file: fak.yaml", "36: node ask: file: no such file 'fak.yaml'"),
    ("    done: bye\n", "", "34: node ask: done: is missing"),
    ("    done: bye\n", "    done: by\n", "39: node ask: done: no such node 'by'"),
]


@pytest.mark.parametrize(("there", "instead", "message"), MISTAKES, ids=[str(case[2]) for case in MISTAKES])
def test_a_mistake_in_a_flow(
    written: Callable[..., Path], error_of: Callable[..., str], there: str, instead: str, message: str | None
) -> None:
    assert there in FLOW
    found = error_of(written(FLOW.replace(there, instead, 1), FAQ))
    if message is None:
        assert found.startswith(
            "flow.yaml:20: node menu: choices.2.set_language: String should match pattern"
        )
    else:
        assert found == f"flow.yaml:{message}"


IN_FAQ = [
    ("answers:", "answer:", "1: answers: is missing"),
    ("  - name: order\n", "  - nmae: order\n", "7: answers.1.name: is missing"),
    ("name: order", "name: refund", "7: answers.1.name: 'refund' is also the name of answer 0"),
    ("    questions: When will my order arrive?\n", "", "7: answers.1.questions: is missing"),
    ("questions: When will my order arrive?", "questions: []", "8: answers.1.questions: must not be empty"),
    ("When will my order arrive?", '"?"', "8: answers.1.questions: '?' has no word in it"),
    (
        "When will my order arrive?",
        "[When will it arrive, where is MY money]",
        "8: answers.1.questions.1: 'where is MY money' asks for 'order' as well as for 'refund'",
    ),
    ("    answer: In five days.\n", "", "2: answers.0.answer: is missing"),
    ("In five days.", "[]", "6: answers.0.answer: must not be empty"),
    ("In five days.", "{wav: no.wav}", "6: answers.0.answer.wav: no such file 'no.wav'"),
    ("In five days.", "In {days} days.", "6: answers.0.answer: no such variable 'days'"),
    ("In five days.", "{prompt: no}", "6: answers.0.answer.prompt: no such prompt 'no'"),
    (
        "{en: Tomorrow., ja: 明日。}",
        "{ja: 明日。}",
        "9: answers.1.answer: is missing in the flow's own language 'en'",
    ),
    ("next: bye", "next: by", "10: answers.1.next: no such node 'by' in the flow flow"),
    ("next: bye", "then: bye", "10: answers.1.then: unknown key"),
]


@pytest.mark.parametrize(("there", "instead", "message"), IN_FAQ, ids=[case[2] for case in IN_FAQ])
def test_a_mistake_in_the_answers(
    written: Callable[..., Path], error_of: Callable[..., str], there: str, instead: str, message: str
) -> None:
    assert there in FAQ
    assert error_of(written(FLOW, FAQ.replace(there, instead, 1))) == f"faq.yaml:{message}"


def test_texts_that_are_missing_in_a_language_are_told_and_do_no_harm(written: Callable[..., Path]) -> None:
    told: list[Any] = []
    flow = FLOW.replace("kind: hangup", "kind: hangup, prompts: [Bye., {en: Bye., ja: では。}]")
    check(written(flow, FAQ), warn=told.append)
    assert [(one.node, one.field, one.problem) for one in told] == [
        ("bye", "prompts.0", "no text in 'ja'; 'en' is heard")
    ]


def test_an_operator_whom_only_a_sub_flow_can_ask_for_is_reached(write: Callable[..., Path]) -> None:
    flow = """\
        language: en
        start: sub
        operator: {key: "0", next: person}
        nodes:
          sub: {kind: call, flow: inner, next: bye}
          person: {kind: hangup}
          bye: {kind: hangup}
        flows:
          inner:
            start: ask
            nodes:
              ask: {kind: menu, choices: {1: return}, no_input: {next: ask}, no_match: {next: ask}}
        """
    assert check(write(flow)).operator is not None


def test_a_loop_of_questions_that_nobody_can_answer_is_found(
    write: Callable[..., Path], error_of: Callable[..., str]
) -> None:
    flow = """\
        language: en
        start: a
        nodes:
          a:
            kind: menu
            choices: {red: {phrases: [red], next: bye}}
            no_input: {next: bye}
            no_match: {next: a}
          bye: {kind: hangup}
        """
    assert "goes round without input and without time passing: a -> a" in error_of(write(flow))
