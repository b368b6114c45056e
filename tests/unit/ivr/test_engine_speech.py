"""Questions that are answered by voice: every path, with the actions in order."""

from collections.abc import Callable
from typing import Any

import pytest

from ivr import (
    CancelTimer,
    Digit,
    Entered,
    Input,
    JoinQueue,
    Listen,
    NoInput,
    NoMatch,
    NotHeard,
    Play,
    Played,
    Say,
    Speech,
    SpeechEnded,
    SpeechStarted,
    StartTimer,
    StopListening,
    StopPlaying,
    Timeout,
)

MENU = """\
    language: en
    start: menu
    operator: {phrases: [operator], key: "0", next: person}
    repeat: {phrases: [say that again], key: "*"}
    nodes:
      menu:
        kind: menu
        prompts: Press 1, 2 or 9.
        say_or_press: Say sales, billing, returns.
        attempts: 3
        EXTRA
        choices:
          1: {phrases: [sales], next: sales}
          2: {phrases: [billing], name: invoices, next: billing}
          9: hours
          returns: {phrases: [returns, send it back], next: returns}
        no_input: {prompts: "Are you there?", next: SILENT}
        no_match: {prompts: Sorry., next: lost}
      sales: {kind: queue, queue: q, timeout: silent, empty: lost, full: lost, closed: lost}
      billing: {kind: hangup, prompts: Billing.}
      returns: {kind: hangup, prompts: Returns.}
      hours: {kind: hangup, prompts: Hours.}
      person: {kind: hangup, prompts: A person.}
      silent: {kind: hangup, prompts: Silent.}
      lost: {kind: hangup, prompts: Lost.}
"""
CONFIRM = "Did you say {}? Say yes or press 1, say no or press 2."


@pytest.fixture
def menu(spoken_call: Callable[..., Any]) -> Callable[..., Any]:
    """A caller who hears the menu, or has heard it."""

    def menu(
        heard: bool = True, hears: bool = True, extra: str = "barge_in: true", silent: str = "silent"
    ) -> Any:
        caller = spoken_call(MENU.replace("EXTRA", extra).replace("SILENT", silent), hears)
        caller.start()
        if heard:
            caller.feed(Played())
        return caller

    return menu


def kinds(actions: list[Any]) -> list[type]:
    return [type(action) for action in actions]


def test_a_question_listens_while_its_prompt_plays(menu: Callable[..., Any]) -> None:
    caller = menu(heard=False)
    play, listen = caller.last[-2:]
    assert play.prompts == (Say("Say sales, billing, returns.", "en"),)
    words = ("sales", "billing", "returns", "send it back", "operator", "say that again")
    assert listen == Listen(listen.listen_id, "menu", words, "en")


def test_without_a_recognizer_it_asks_for_keys(menu: Callable[..., Any]) -> None:
    caller = menu(heard=False, hears=False)
    assert caller.heard == ["Press 1, 2 or 9."]
    assert Listen not in kinds(caller.all)
    assert caller.feed(SpeechStarted()) == []
    assert caller.feed(Speech("sales", 1.0)) == []
    caller.dial("9")
    assert caller.path[-1] == "hours"


def test_before_a_prompt_that_may_not_be_interrupted_nobody_listens(menu: Callable[..., Any]) -> None:
    caller = menu(heard=False, extra="barge_in: false")
    assert Listen not in kinds(caller.all)
    assert caller.feed(SpeechStarted()) == []
    assert kinds(caller.feed(Played())) == [Listen, StartTimer]
    caller.hear("sales")
    assert caller.path[-1] == "sales"


def test_a_voice_stops_the_prompt_and_the_words_are_awaited(menu: Callable[..., Any]) -> None:
    caller = menu(heard=False)
    stop, guard = caller.feed(SpeechStarted())
    assert (stop, guard.seconds) == (StopPlaying(), 20.0)
    cancel, deadline = caller.feed(SpeechEnded())
    assert (cancel, deadline.seconds) == (CancelTimer(guard.timer_id), 3.0)
    assert caller.feed(Speech("Sales, please.", 0.9)) == [
        CancelTimer(deadline.timer_id),
        Input("menu", "speech", "sales", 1.0),
        StopListening(),
        Entered("flow", "sales"),
        JoinQueue("q", 0, None, True, language="en"),
    ]


def test_nobody_is_asked_whether_they_are_there_while_they_speak(menu: Callable[..., Any]) -> None:
    caller = menu()
    silence = caller.timer
    assert caller.feed(SpeechStarted())[0] == CancelTimer(silence.timer_id)
    assert caller.feed(Timeout(silence.timer_id)) == []


def test_words_whose_beginning_nobody_noticed_count_too(menu: Callable[..., Any]) -> None:
    caller = menu(heard=False)
    actions = caller.feed(Speech("returns", 1.0))
    assert kinds(actions) == [StopPlaying, Input, StopListening, Entered, Play]
    assert caller.path[-1] == "returns"


def test_what_came_to_nothing_changes_nothing(menu: Callable[..., Any]) -> None:
    caller = menu(heard=False)
    assert caller.feed(Speech("", 0.0)) == []
    caller = menu()
    caller.feed(SpeechStarted())
    caller.feed(SpeechEnded())
    cancel, timer = caller.feed(Speech("", 0.0))
    assert isinstance(cancel, CancelTimer)
    assert timer.seconds == 5
    assert caller.feed(Timeout(timer.timer_id))[0] == NoInput("menu")


def test_a_choice_without_a_key_and_one_with_a_name(menu: Callable[..., Any]) -> None:
    caller = menu()
    caller.hear("I want to send it back")
    assert (caller.path[-1], caller.inputs[-1].value) == ("returns", "returns")
    caller = menu()
    caller.hear("billing")
    assert (caller.path[-1], caller.inputs[-1].value) == ("billing", "invoices")


def test_a_key_wins_over_words_that_are_on_their_way(menu: Callable[..., Any]) -> None:
    caller = menu(heard=False)
    caller.feed(SpeechStarted())
    caller.feed(SpeechEnded())
    actions = caller.feed(Digit("9"))
    assert kinds(actions) == [CancelTimer, StopListening, Input, Entered, Play]
    assert caller.feed(Speech("sales", 1.0)) == []
    assert caller.path[-1] == "hours"


def test_words_of_an_earlier_question_are_late(menu: Callable[..., Any]) -> None:
    caller = menu(heard=False)
    first = caller.last[-1].listen_id
    caller.hear("the weather")
    assert caller.feed(Speech("sales", 1.0, first)) == []
    assert caller.path == ["menu"]


def test_what_is_said_in_two_pieces_is_one_answer(menu: Callable[..., Any]) -> None:
    caller = menu()
    for event in (SpeechStarted(), SpeechEnded(), SpeechStarted(), Speech("Send it", 1.0), SpeechEnded()):
        caller.feed(event)
    assert caller.path == ["menu"]
    caller.feed(Speech("back.", 1.0))
    assert caller.path[-1] == "returns"


def test_no_match_asks_again_and_in_the_end_goes_on(menu: Callable[..., Any]) -> None:
    caller = menu()
    for _ in range(2):
        caller.hear("the weather")
        assert NoMatch("menu") in caller.last
        assert caller.heard == ["Sorry.", "Say sales, billing, returns."]
        caller.feed(Played())
    caller.hear("the weather")
    assert caller.path[-1] == "lost"


# Confirmation.


def test_what_was_misheard_is_confirmed_by_yes(menu: Callable[..., Any]) -> None:
    caller = menu()
    caller.hear("sale")
    assert caller.heard == [CONFIRM.format("sales")]
    assert {"yes", "no"} <= set(caller.last[-1].hot_words)
    caller.feed(Played())
    caller.hear("Yes, please.")
    assert (caller.path[-1], caller.inputs) == ("sales", [Input("menu", "speech", "sales", 0.8)])


def test_a_recognizer_in_doubt_is_not_believed_either(menu: Callable[..., Any]) -> None:
    caller = menu()
    caller.hear("sales", 0.5)
    assert caller.heard == [CONFIRM.format("sales")]


def test_two_choices_at_once_are_confirmed(menu: Callable[..., Any]) -> None:
    caller = menu()
    caller.hear("sales or billing")
    assert caller.heard == [CONFIRM.format("sales")]


@pytest.mark.parametrize(("key", "path"), [("1", "sales"), ("2", "menu"), ("0", "person")])
def test_keys_confirm_too(menu: Callable[..., Any], key: str, path: str) -> None:
    caller = menu()
    caller.hear("sale")
    caller.dial(key)
    assert caller.path[-1] == path


def test_what_was_denied_is_not_offered_again(menu: Callable[..., Any]) -> None:
    caller = menu()
    caller.hear("sale")
    caller.feed(Played())
    caller.hear("No.")
    assert caller.heard == ["Say sales, billing, returns."]
    assert NoMatch("menu") in caller.last
    caller.feed(Played())
    caller.hear("sales or billing")
    assert caller.path[-1] == "billing"


def test_no_and_what_it_is_instead(menu: Callable[..., Any]) -> None:
    caller = menu()
    caller.hear("sale")
    caller.hear("No, billing.")
    assert caller.path[-1] == "billing"


def test_unsure_three_times_is_lost(menu: Callable[..., Any]) -> None:
    caller = menu()
    for heard, meant in (("sale", "sales"), ("billin", "billing"), ("return", "returns")):
        caller.hear(heard, 0.7)
        assert caller.heard == [CONFIRM.format(meant)]
        caller.hear("no")
    assert caller.path[-1] == "lost"


def test_silence_and_nonsense_at_a_confirmation(menu: Callable[..., Any]) -> None:
    caller = menu()
    caller.hear("sale")
    caller.feed(Played())
    caller.feed(Timeout(caller.timer.timer_id))
    assert caller.heard == [CONFIRM.format("sales")]
    caller.hear("the weather")
    assert caller.heard == [CONFIRM.format("sales")]
    caller.dial("7")
    assert caller.path[-1] == "lost"


# What every question understands.


@pytest.mark.parametrize("how", ["operator", "0"])
def test_the_operator(menu: Callable[..., Any], how: str) -> None:
    caller = menu()
    if how == "0":
        caller.dial(how)
    else:
        caller.hear("operator, please")
    assert caller.path[-1] == "person"
    assert caller.inputs[0].value in ("operator", "0")


def test_a_question_without_an_operator(menu: Callable[..., Any]) -> None:
    caller = menu(extra="operator: no", silent="person")
    caller.hear("operator")
    assert NoMatch("menu") in caller.last
    caller.feed(Played())
    caller.dial("0")
    assert NoMatch("menu") in caller.last


def test_hearing_it_again_costs_no_attempt(menu: Callable[..., Any]) -> None:
    caller = menu()
    for _ in range(5):
        caller.hear("say that again")
        assert caller.heard == ["Say sales, billing, returns."]
        caller.dial("*")
        assert caller.heard == ["Say sales, billing, returns."]
    assert not any(isinstance(action, NoMatch | NoInput) for action in caller.all)


def test_the_operator_of_the_flow_that_called(spoken_call: Callable[..., Any]) -> None:
    caller = spoken_call(
        """\
        language: en
        start: sub
        operator: {key: "0", next: person}
        nodes:
          sub: {kind: call, flow: inner, next: bye}
          person: {kind: hangup, prompts: A person.}
          bye: {kind: hangup}
        flows:
          inner:
            start: ask
            nodes:
              ask:
                kind: menu
                prompts: Ask.
                choices: {1: return}
                no_input: {next: ask}
                no_match: {next: ask}
        """
    )
    caller.start()
    caller.dial("0")
    assert caller.last[-2] == Entered("flow", "person")


# Where words cannot be had.


def test_words_that_do_not_come_in_time_are_given_up(menu: Callable[..., Any]) -> None:
    caller = menu()
    caller.feed(SpeechStarted())
    deadline = caller.feed(SpeechEnded())[-1]
    actions = caller.feed(Timeout(deadline.timer_id))
    assert kinds(actions) == [StopListening, Play]
    assert caller.heard == ["Press 1, 2 or 9."]
    assert kinds(caller.feed(Played())) == [StartTimer]
    caller.dial("1")
    assert caller.path[-1] == "sales"


def test_a_voice_that_never_ends_is_given_up(menu: Callable[..., Any]) -> None:
    caller = menu()
    guard = caller.feed(SpeechStarted())[-1]
    assert kinds(caller.feed(Timeout(guard.timer_id))) == [StopListening, Play]


@pytest.mark.parametrize("heard", [False, True])
def test_a_recognizer_that_fails_while_nobody_speaks_disturbs_nobody(
    menu: Callable[..., Any], heard: bool
) -> None:
    caller = menu(heard)
    assert caller.feed(NotHeard()) == [StopListening()]
    if not heard:
        assert kinds(caller.feed(Played())) == [StartTimer]
    caller.dial("9")
    assert caller.path[-1] == "hours"


def test_a_menu_of_words_only_is_left_where_nobody_listens(spoken_call: Callable[..., Any]) -> None:
    flow = """\
        language: en
        start: menu
        nodes:
          menu:
            kind: menu
            prompts: Red or blue?
            choices: {red: {phrases: [red], next: bye}, blue: {phrases: [blue], next: bye}}
            no_input: {next: silent}
            no_match: {next: lost}
          bye: {kind: hangup}
          silent: {kind: hangup, prompts: Silent.}
          lost: {kind: hangup, prompts: Lost.}
        """
    deaf = spoken_call(flow, hears=False)
    deaf.start()
    assert deaf.path == ["menu", "lost"]
    caller = spoken_call(flow)
    caller.start()
    caller.feed(NotHeard())
    caller.feed(Played())
    assert caller.path == ["menu", "lost"]


# Numbers.

NUMBER = """\
    language: en
    start: number
    nodes:
      number:
        kind: gather
        prompts: Your number?
        variable: number
        length: 4
        spoken: true
        attempts: 2
        EXTRA
        no_input: {next: silent}
        no_match: {prompts: Sorry., next: lost}
        next: bye
      bye: {kind: hangup, prompts: "{number|digits}"}
      silent: {kind: hangup, prompts: Silent.}
      lost: {kind: hangup, prompts: Lost.}
"""


def number(spoken_call: Callable[..., Any], extra: str = "secret: false") -> Any:
    caller = spoken_call(NUMBER.replace("EXTRA", extra))
    caller.start()
    caller.feed(Played())
    return caller


def test_a_number_is_said(spoken_call: Callable[..., Any]) -> None:
    caller = number(spoken_call)
    caller.hear("My number is four two seven one.")
    assert caller.heard == ["4 2 7 1"]
    assert caller.inputs == [Input("number", "speech", "4271", 1.0)]


def test_a_secret_number_is_not_in_the_log(spoken_call: Callable[..., Any]) -> None:
    caller = number(spoken_call, "secret: true")
    caller.hear("four two seven one")
    assert caller.inputs == [Input("number", "speech", "****", 1.0)]
    assert caller.engine.variables["number"] == "4271"
    assert "4271" not in repr(caller.inputs)


def test_a_number_in_groups_by_voice_and_by_key(spoken_call: Callable[..., Any]) -> None:
    caller = number(spoken_call)
    caller.hear("four two")
    assert caller.timer.seconds == 3
    caller.dial("7")
    caller.hear("one")
    assert caller.engine.variables["number"] == "4271"


def test_a_number_heard_badly_is_read_back(spoken_call: Callable[..., Any]) -> None:
    """A confidence of 0.5 counts 0.85, less than sure."""
    caller = number(spoken_call)
    caller.hear("four two seven one", 0.5)
    assert caller.heard == ["I heard 4 2 7 1. Is that right? Say yes or press 1, say no or press 2."]
    caller.hear("no")
    assert caller.heard == ["Your number?"]
    caller.hear("four two seven one", 0.5)
    caller.hear("that's right")
    assert caller.heard == ["4 2 7 1"]
    assert caller.inputs == [Input("number", "speech", "4271", 0.85)]


def test_a_strange_word_makes_it_unsure(spoken_call: Callable[..., Any]) -> None:
    caller = number(spoken_call)
    caller.hear("four two seven blah one")
    assert caller.heard[0].startswith("I heard 4 2 7 1.")


@pytest.mark.parametrize("said", ["the weather", "one two three four five", "four two"])
def test_what_is_no_such_number(spoken_call: Callable[..., Any], said: str) -> None:
    caller = number(spoken_call)
    caller.hear(said)
    if said == "four two":
        caller.feed(Timeout(caller.timer.timer_id))
    assert NoMatch("number") in caller.last
    assert caller.path == ["number"]


def test_words_are_nothing_where_only_keys_are_asked_for(spoken_call: Callable[..., Any]) -> None:
    caller = number(spoken_call, "secret: false").all
    assert Listen in kinds(caller)
    deaf = spoken_call(NUMBER.replace("EXTRA", "").replace("spoken: true", "spoken: false"))
    deaf.start()
    assert Listen not in kinds(deaf.all)


# Languages.

LANGUAGES = """\
    language: en
    start: choose
    prompts: {welcome: {en: Welcome., ja: ようこそ。}}
    nodes:
      choose:
        kind: menu
        prompts: {en: "English?", ja: "日本語?"}
        choices:
          1: {phrases: [english], next: menu}
          2: {phrases: {en: [japanese], ja: [日本語]}, set_language: ja, next: menu}
          3: german
        no_input: {next: menu}
        no_match: {next: menu}
      german: {kind: set, set_language: en-GB, next: menu}
      menu:
        kind: menu
        prompts: [{prompt: welcome}, "Plain."]
        choices: {1: {phrases: {en: [sales], ja: [営業]}, next: bye}}
        no_input: {next: bye}
        no_match: {next: bye}
      bye: {kind: hangup, prompts: "{language}"}
"""


@pytest.mark.parametrize(
    ("words", "language", "prompts", "hot_word"),
    [
        ("english", "en", [("Welcome.", "en"), ("Plain.", "en")], "sales"),
        ("japanese", "ja", [("ようこそ。", "ja"), ("Plain.", "en")], "営業"),
    ],
)
def test_the_language_that_was_chosen(
    spoken_call: Callable[..., Any], words: str, language: str, prompts: list[Any], hot_word: str
) -> None:
    caller = spoken_call(LANGUAGES)
    caller.start()
    caller.hear(words)
    play, listen = caller.last[-2:]
    assert [(prompt.text, prompt.language) for prompt in play.prompts] == prompts
    assert (listen.language, listen.hot_words) == (language, (hot_word,))
    assert caller.engine.variables.get("language", "") == ("ja" if language == "ja" else "")
    caller.hear(hot_word)
    assert caller.path[-1] == "bye"


def test_a_set_node_chooses_a_language_too(spoken_call: Callable[..., Any]) -> None:
    caller = spoken_call(LANGUAGES)
    caller.start()
    caller.dial("3")
    assert caller.last[-1].language == "en"
    assert caller.engine.variables["language"] == "en-GB"


def test_a_caller_whose_language_is_known(spoken_call: Callable[..., Any]) -> None:
    caller = spoken_call(LANGUAGES, language="ja")
    caller.start()
    assert caller.heard == ["日本語?"]
    caller.hear("日本語")
    caller.hear("営業")
    assert caller.heard == ["ja"]


def test_a_confirmation_in_japanese(spoken_call: Callable[..., Any]) -> None:
    caller = spoken_call(LANGUAGES, language="ja")
    caller.start()
    caller.hear("日本ご")
    assert caller.heard == ["日本語、でよろしいですか。はい、または1を、いいえ、または2を押してください。"]
    caller.hear("はい")
    assert caller.path[-1] == "menu"
