from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ivr import (
    CancelTimer,
    Digit,
    Entered,
    HangUp,
    HangUpReason,
    Input,
    JoinQueue,
    NoInput,
    NoMatch,
    Phase,
    Play,
    Played,
    QueueEnded,
    QueueExit,
    Say,
    StartTimer,
    StopPlaying,
    Timeout,
    Transfer,
    TransferFailed,
    Voicemail,
    VoicemailEnded,
    Wav,
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


def test_play_goes_on_when_it_has_been_heard(call) -> None:
    caller = call(
        """
        language: de
        start: hello
        variables: {name: Anna}
        prompts: {thanks: Danke.}
        nodes:
          hello: {kind: play, prompts: ["Hallo {name}.", {prompt: thanks}], next: bye}
          bye: {kind: hangup}
        """
    )
    started = caller.start()
    assert started == [
        Entered("flow", "hello"),
        Play((Say("Hallo Anna.", "de"), Say("Danke.", "de", "thanks")), False, 1),
    ]
    assert [prompt.varies for prompt in started[1].prompts] == [True, False]
    assert caller.feed(Played(1)) == [Entered("flow", "bye"), HangUp(HangUpReason.COMPLETED)]
    assert caller.engine.ended


def test_a_sound_file_is_found_beside_the_flow(call, tmp_path: Path) -> None:
    (tmp_path / "tune.wav").write_bytes(b"RIFF")
    caller = call(
        """
        language: en
        start: tune
        prompts: {jingle: {wav: tune.wav}}
        nodes: {tune: {kind: hangup, prompts: [{wav: tune.wav}, {prompt: jingle}]}}
        """
    )
    play = caller.start()[-1]
    assert play.prompts == (Wav(tmp_path / "tune.wav"), Wav(tmp_path / "tune.wav", "jingle"))


def test_a_text_that_comes_out_empty_is_not_played(call) -> None:
    caller = call(
        """
        language: en
        start: say
        variables: {nothing: ""}
        nodes:
          say: {kind: play, prompts: "{nothing}", next: bye}
          bye: {kind: hangup}
        """
    )
    assert caller.start() == [Entered("flow", "say"), Entered("flow", "bye"), HangUp(HangUpReason.COMPLETED)]


def test_menu_takes_a_choice(call) -> None:
    caller = call(MENU)
    caller.start()
    assert caller.feed(Played()) == [StartTimer(2, 4.0)]
    assert caller.feed(Digit("*")) == [
        CancelTimer(2),
        Input("menu", "menu", "*"),
        Entered("flow", "star"),
        HangUp(HangUpReason.COMPLETED),
    ]


def test_menu_asks_again_and_gives_up(call) -> None:
    caller = call(MENU)
    caller.start()
    caller.feed(Played())
    again = caller.feed(Timeout(caller.timer.timer_id), after_s=4)
    assert again == [
        NoInput("menu"),
        Play((Say("Still there?", "en"), Say("Press 1 or star.", "en")), True, 3),
    ]
    caller.feed(Played())
    assert caller.feed(Timeout(caller.timer.timer_id), after_s=4) == [
        NoInput("menu"),
        Entered("flow", "silent"),
        HangUp(HangUpReason.TIMED_OUT),
    ]


def test_menu_counts_silence_and_wrong_keys_together(call) -> None:
    caller = call(MENU)
    caller.start()
    caller.feed(Played())
    caller.feed(Timeout(caller.timer.timer_id))
    caller.feed(Played())
    assert caller.feed(Digit("7"))[1:] == [
        NoMatch("menu"),
        Entered("flow", "lost"),
        HangUp(HangUpReason.COMPLETED),
    ]


@pytest.mark.parametrize("key", ["7", "#", "A"])
def test_menu_refuses_other_keys(call, key: str) -> None:
    caller = call(MENU)
    caller.start()
    assert caller.feed(Digit(key))[:2] == [StopPlaying(), NoMatch("menu")]
    assert caller.heard == ["No such choice.", "Press 1 or star."]


BRANCH = """
    language: en
    start: branch
    variables: {tier: ""}
    hours:
      office: {zone: America/New_York, weekly: {days: mon-fri, from: "9:00", to: "17:00"}}
    nodes:
      branch:
        kind: branch
        cases:
          - {caller_withheld: true, next: withheld}
          - {variable: tier, equals: gold, next: gold}
          - {variable: tier, in: [silver, bronze], next: metal}
          - {variable: tier, prefix: ["7", "8"], next: numbered}
          - {caller_prefix: ["+1202", "+1303"], next: near}
          - {hours: office, next: office}
        else: other
      withheld: {kind: hangup}
      gold: {kind: hangup}
      metal: {kind: hangup}
      numbered: {kind: hangup}
      near: {kind: hangup}
      office: {kind: hangup}
      other: {kind: hangup}
"""


@pytest.mark.parametrize(
    ("number", "tier", "hour", "node"),
    [
        ("anonymous", "gold", 3, "withheld"),
        ("", "", 3, "withheld"),
        ("+14155550100", "gold", 3, "gold"),
        ("+14155550100", "bronze", 3, "metal"),
        ("+14155550100", "8a", 3, "numbered"),
        ("+14155550100", "golden", 3, "other"),
        ("+12025550123", "", 3, "near"),
        ("+13035550123", "", 3, "near"),
        ("+14155550100", "", 14, "office"),  # 09:00 in New York
        ("+14155550100", "", 13, "other"),
    ],
)
def test_branch_takes_the_first_case_that_holds(call, number: str, tier: str, hour: int, node: str) -> None:
    caller = call(BRANCH, caller=number, tier=tier)
    caller.start(datetime(2025, 1, 8, hour, tzinfo=UTC))
    assert caller.path == ["branch", node]


def test_set_gives_values_that_later_nodes_use(call) -> None:
    caller = call(
        """
        language: en
        start: set
        nodes:
          set: {kind: set, values: {zip: 007, text: "{zip} from {caller}", loud: yes}, next: bye}
          bye: {kind: hangup, prompts: "{text} {loud} to {called}"}
        """
    )
    caller.start()
    assert caller.heard == ["007 from +12025550123 yes to +12025550100"]


def test_values_of_the_call_go_before_values_of_the_flow(call) -> None:
    text = """
        language: en
        start: bye
        variables: {name: nobody}
        nodes: {bye: {kind: hangup, prompts: "{name}"}}
    """
    nobody, anna = call(text), call(text, name="Anna", caller="+12025550123")
    nobody.start()
    anna.start()
    assert (nobody.heard, anna.heard) == (["nobody"], ["Anna"])


QUEUE = """
    language: en
    start: wait
    nodes:
      wait:
        kind: queue
        queue: sales
        priority: 5
        announce_position: false
        exit_key: "#"
        callback_key: "1"
        skills: {japanese: 2}
        preferred_agent: "{called}"
        timeout: timeout
        empty: empty
        full: full
        closed: closed
        key: key
        callback: callback
        answered: answered
      timeout: {kind: hangup, reason: timed_out}
      empty: {kind: hangup, reason: closed}
      full: {kind: hangup, reason: full}
      closed: {kind: hangup, reason: closed}
      key: {kind: hangup}
      callback: {kind: hangup}
      answered: {kind: hangup}
"""


def joined(caller: Any, *, comes_back: bool) -> JoinQueue:
    return JoinQueue(
        "sales",
        5,
        "#",
        False,
        comes_back=comes_back,
        skills={"japanese": 2},
        preferred_agent=caller.engine.variables["called"],
        callback_key="1",
        language="en",
    )


@pytest.mark.parametrize("reason", [reason for reason in QueueExit if reason != "answered"])
def test_queue_has_a_target_for_each_way_out(call, reason: QueueExit) -> None:
    caller = call(QUEUE)
    assert caller.start() == [Entered("flow", "wait"), joined(caller, comes_back=True)]
    caller.feed(QueueEnded(reason))
    assert caller.path == ["wait", str(reason)]
    assert caller.engine.ended


def test_a_queue_without_the_way_answered_keeps_the_caller(call) -> None:
    caller = call(QUEUE.replace("answered: answered", "").replace("answered: {kind: hangup}", ""))
    assert caller.start()[-1] == joined(caller, comes_back=False)


def test_keys_mean_nothing_in_a_queue(call) -> None:
    caller = call(QUEUE)
    caller.start()
    assert caller.dial("#123") == []
    assert caller.engine.phase is Phase.QUEUED


def test_voicemail_records_after_its_prompt(call) -> None:
    caller = call(
        """
        language: en
        start: box
        nodes:
          box: {kind: voicemail, mailbox: sales, prompts: Speak., max_length_s: 30, silence_s: 2, next: bye}
          bye: {kind: hangup}
        """
    )
    caller.start()
    assert caller.heard == ["Speak."]
    assert caller.feed(Played()) == [Voicemail("sales", 30.0, 2.0)]
    assert caller.dial("1") == []
    caller.feed(VoicemailEnded(duration_s=3.5))
    assert caller.path == ["box", "bye"]


def test_a_key_skips_the_greeting_of_voicemail(call) -> None:
    caller = call(
        """
        language: en
        start: box
        nodes:
          box: {kind: voicemail, mailbox: sales, prompts: Speak., next: return}
        """
    )
    caller.start()
    assert caller.feed(Digit("#")) == [StopPlaying(), Voicemail("sales", 120.0, 5.0)]


def test_transfer_goes_on_only_when_it_fails(call) -> None:
    caller = call(
        """
        language: en
        start: over
        nodes:
          over: {kind: transfer, number: "+12025550199", failed: bye}
          bye: {kind: hangup}
        """
    )
    assert caller.start()[-1] == Transfer("+12025550199")
    assert caller.dial("5") == []
    caller.feed(TransferFailed())
    assert caller.path == ["over", "bye"]


def test_hang_up_waits_for_its_prompt_and_takes_no_keys(call) -> None:
    caller = call(
        """
        language: en
        start: bye
        nodes: {bye: {kind: hangup, prompts: Goodbye., reason: full}}
        """
    )
    assert caller.start()[-1] == Play((Say("Goodbye.", "en"),), False, 1)
    assert caller.dial("12") == []
    assert caller.feed(Played(1)) == [HangUp(HangUpReason.FULL)]
