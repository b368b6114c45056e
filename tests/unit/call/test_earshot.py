"""Who hears whom, for every mode and every way to talk."""

from callcenter.call.earshot import AGENT, CALLER, SECOND, Mode, Talk, hears

BOTH = {CALLER, AGENT}


def test_two_hear_each_other() -> None:
    assert hears(Talk.CALLER_AND_AGENT, {}) == {CALLER: {AGENT}, AGENT: {CALLER}}


def test_who_listens_is_heard_by_nobody() -> None:
    assert hears(Talk.CALLER_AND_AGENT, {"eve": Mode.LISTEN}) == {
        CALLER: {AGENT},
        AGENT: {CALLER},
        "eve": BOTH,
    }


def test_who_whispers_is_heard_by_the_agent_alone() -> None:
    assert hears(Talk.CALLER_AND_AGENT, {"eve": Mode.WHISPER}) == {
        CALLER: {AGENT},
        AGENT: {CALLER, "eve"},
        "eve": BOTH,
    }


def test_who_barges_is_heard_by_all() -> None:
    assert hears(Talk.CALLER_AND_AGENT, {"eve": Mode.BARGE, "joe": Mode.LISTEN, "kim": Mode.BARGE}) == {
        CALLER: {AGENT, "eve", "kim"},
        AGENT: {CALLER, "eve", "kim"},
        "eve": BOTH | {"kim"},
        "joe": BOTH | {"eve", "kim"},
        "kim": BOTH | {"eve"},
    }


def test_a_caller_on_hold_hears_no_supervisor() -> None:
    heard = hears(Talk.AGENT_ALONE, {"eve": Mode.BARGE})
    assert heard == {AGENT: {"eve"}, "eve": {AGENT}}


def test_two_agents_who_talk_are_heard_without_the_caller() -> None:
    assert hears(Talk.TWO_AGENTS, {"eve": Mode.WHISPER, "joe": Mode.BARGE}) == {
        AGENT: {SECOND, "eve", "joe"},
        SECOND: {AGENT, "joe"},
        "eve": {AGENT, SECOND, "joe"},
        "joe": {AGENT, SECOND},
    }
