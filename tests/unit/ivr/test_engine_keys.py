import pytest

from ivr import (
    CancelTimer,
    Digit,
    Entered,
    Input,
    JoinQueue,
    NoInput,
    NoMatch,
    Phase,
    Play,
    Played,
    QueueEnded,
    QueueExit,
    StartTimer,
    StopPlaying,
    Timeout,
)

ACCOUNT = """
    language: en
    start: account
    nodes:
      account:
        kind: gather
        prompts: Your account number?
        variable: account
        min_length: 2
        max_length: 4
        first_digit_timeout_s: 6
        inter_digit_timeout_s: 3
        attempts: 2
        EXTRA
        no_input: {prompts: Nothing heard., next: silent}
        no_match: {prompts: Not a number., next: lost}
        next: menu
      menu:
        kind: menu
        prompts: Press 1.
        choices: {1: one, CHOICE: two}
        no_input: {next: silent}
        no_match: {prompts: Wrong., next: lost}
      one: {kind: hangup, prompts: "{account}"}
      two: {kind: hangup}
      silent: {kind: hangup}
      lost: {kind: hangup}
"""


def account(extra: str = "secret: false", choice: str = "2") -> str:
    return ACCOUNT.replace("EXTRA", extra).replace("CHOICE", choice)


def inputs(caller) -> list[Input]:
    return [action for action in caller.all if isinstance(action, Input)]


def test_a_terminator_ends_the_number(call) -> None:
    caller = call(account())
    caller.start()
    assert caller.feed(Digit("4")) == [StopPlaying(), StartTimer(2, 3.0)]
    assert caller.feed(Digit("7")) == [CancelTimer(2), StartTimer(3, 3.0)]
    assert caller.feed(Digit("#"))[:3] == [
        CancelTimer(3),
        Input("account", "gather", "47"),
        Entered("flow", "menu"),
    ]
    assert caller.engine.variables["account"] == "47"


def test_the_greatest_length_ends_the_number(call) -> None:
    caller = call(account())
    caller.start()
    caller.dial("4711")
    assert inputs(caller) == [Input("account", "gather", "4711")]


def test_a_pause_ends_the_number(call) -> None:
    caller = call(account())
    caller.start()
    caller.dial("471")
    assert caller.feed(Timeout(caller.timer.timer_id), after_s=3)[0] == Input("account", "gather", "471")


def test_silence_is_no_input(call) -> None:
    caller = call(account())
    caller.start()
    assert caller.feed(Played()) == [StartTimer(2, 6.0)]
    assert caller.feed(Timeout(2), after_s=6)[0] == NoInput("account")
    assert caller.heard == ["Nothing heard.", "Your account number?"]
    caller.feed(Played())
    caller.feed(Timeout(caller.timer.timer_id), after_s=6)
    assert caller.path[-1] == "silent"


@pytest.mark.parametrize("keys", ["4#", "#", "4*", "47A"])
def test_too_few_and_wrong_keys_are_no_match(call, keys: str) -> None:
    caller = call(account())
    caller.start()
    assert NoMatch("account") in caller.dial(keys)
    assert caller.heard == ["Not a number.", "Your account number?"]
    caller.dial("9#")
    assert caller.path[-1] == "lost"
    assert "account" not in caller.engine.variables


def test_too_few_keys_and_a_pause_are_no_match(call) -> None:
    caller = call(account())
    caller.start()
    caller.dial("4")
    assert caller.feed(Timeout(caller.timer.timer_id), after_s=3)[0] == NoMatch("account")


def test_keys_of_a_failed_attempt_are_forgotten(call) -> None:
    caller = call(account())
    caller.start()
    caller.dial("4*")
    caller.dial("12#")
    assert caller.engine.variables["account"] == "12"


def test_a_secret_is_masked_in_every_action(call) -> None:
    caller = call(account("secret: true"))
    caller.start()
    caller.dial("4711")
    assert inputs(caller) == [Input("account", "gather", "****")]
    assert "4711" not in repr(caller.all)
    assert caller.engine.variables["account"] == "4711"


def test_other_digits_and_no_terminator(call) -> None:
    caller = call(account('terminator: ""\n        digits: "12*#"'))
    caller.start()
    caller.dial("1*#2")
    assert caller.engine.variables["account"] == "1*#2"


def test_keys_dialled_ahead_answer_the_next_question_without_its_prompt(call) -> None:
    caller = call(account())
    caller.start()
    caller.feed(Digit("4"))
    caller.dial("7#1")
    assert inputs(caller) == [Input("account", "gather", "47"), Input("menu", "menu", "1")]
    menu_prompts = [a for a in caller.all if isinstance(a, Play) and a.prompts[0].text == "Press 1."]
    assert len(menu_prompts) == 1  # it began at once after the number and was cut short by the key
    assert caller.heard == ["47"]


TWO_PLAYS = """
    language: en
    start: notice
    nodes:
      notice: {kind: play, prompts: Notice., barge_in: FIRST, next: news}
      news: {kind: play, prompts: News., barge_in: SECOND, next: pin}
      pin:
        kind: gather
        prompts: Pin?
        variable: pin
        length: 3
        no_input: {next: pin2}
        no_match: {next: pin2}
        next: pin2
      pin2: {kind: hangup}
"""


def test_a_key_in_a_barge_in_play_counts_and_the_plays_after_it_are_skipped(call) -> None:
    caller = call(TWO_PLAYS.replace("FIRST", "true").replace("SECOND", "true"))
    caller.start()
    assert caller.feed(Digit("1")) == [
        StopPlaying(),
        Entered("flow", "news"),
        Entered("flow", "pin"),
        StartTimer(2, 3.0),
    ]
    caller.dial("23")
    assert caller.engine.variables["pin"] == "123"


def test_a_play_without_barge_in_drops_keys_during_it(call) -> None:
    caller = call(TWO_PLAYS.replace("FIRST", "false").replace("SECOND", "false"))
    caller.start()
    assert caller.dial("12") == []
    caller.feed(Played())
    assert caller.dial("34") == []
    caller.feed(Played())
    assert caller.heard == ["Pin?"]
    assert caller.engine.phase is Phase.PLAYING


def test_a_play_without_barge_in_drops_what_was_dialled_ahead(call) -> None:
    caller = call(TWO_PLAYS.replace("FIRST", "true").replace("SECOND", "false"))
    caller.start()
    caller.feed(Digit("1"))
    assert caller.heard == ["News."]
    caller.feed(Played())
    assert caller.heard == ["Pin?"]


def test_a_question_without_barge_in_takes_keys_only_after_its_prompt(call) -> None:
    caller = call(account("barge_in: false"))
    caller.start()
    assert caller.dial("12") == []
    caller.feed(Played())
    caller.dial("34#")
    assert caller.engine.variables["account"] == "34"


def test_a_queue_drops_what_was_dialled_ahead(call) -> None:
    caller = call(
        """
        language: en
        start: hello
        nodes:
          hello: {kind: play, prompts: Hello., barge_in: true, next: wait}
          wait: {kind: queue, queue: q, timeout: menu, empty: menu, full: menu, closed: menu}
          menu:
            kind: menu
            prompts: Press 1.
            choices: {1: return}
            no_input: {next: return}
            no_match: {next: return}
        """
    )

    caller.start()
    assert isinstance(caller.feed(Digit("1"))[-1], JoinQueue)
    caller.feed(QueueEnded(QueueExit.TIMEOUT))
    assert caller.heard == ["Press 1."]


def test_a_wrong_key_drops_what_was_dialled_after_it(call) -> None:
    caller = call(TWO_PLAYS.replace("FIRST", "true").replace("SECOND", "true"))
    caller.start()
    caller.dial("1*")
    assert caller.heard == ["Pin?"]
    assert caller.engine.phase is Phase.PLAYING


def test_a_terminator_after_the_last_digit_belongs_to_the_number(call) -> None:
    caller = call(account())
    caller.start()
    caller.dial("4711#")
    assert NoMatch("menu") not in caller.all
    assert caller.heard == ["Press 1."]
    caller.dial("#")
    assert NoMatch("menu") in caller.all


def test_a_terminator_long_after_the_last_digit_is_a_key_like_others(call) -> None:
    caller = call(account())
    caller.start()
    caller.dial("4711")
    assert NoMatch("menu") in caller.feed(Digit("#"), after_s=3.5)


def test_a_terminator_that_the_menu_asks_for_is_a_choice(call) -> None:
    caller = call(account(choice='"#"'))
    caller.start()
    caller.dial("4711#")
    assert inputs(caller)[-1] == Input("menu", "menu", "#")


def test_a_timer_starts_at_once_where_nothing_is_said(call) -> None:
    caller = call(account().replace("prompts: Your account number?", ""))
    assert caller.start() == [Entered("flow", "account"), StartTimer(1, 6.0)]


def test_late_answers_of_something_that_is_over_are_ignored(call) -> None:
    caller = call(account())
    play = caller.start()[-1]
    caller.dial("4")
    stale = caller.timer.timer_id
    assert caller.feed(Played(play.play_id)) == []
    caller.dial("7")
    assert caller.feed(Timeout(stale)) == []
    caller.dial("1#")
    assert caller.feed(Played(play.play_id)) == []  # the menu plays now, under another id
    assert caller.engine.variables["account"] == "471"
    assert caller.engine.phase is Phase.PLAYING
