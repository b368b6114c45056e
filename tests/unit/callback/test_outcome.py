"""What follows an attempt; where a row of the case table is a rule, the test has its name."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callback.hours import Calendar, Dialling, Period
from callback.outcome import Next, after_attempt, counts
from callback.policy import Rules
from callback.request import Result
from callback.state import TABLE, State, Step
from support.callbacks import NOON, a_callback, at

TALKING = a_callback(state=State.WAITING_AGENT, not_before=NOON - timedelta(minutes=1))


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("result", "pause_s"),
    [
        (Result.BUSY, 120),
        (Result.NO_ANSWER, 300),
        (Result.FAILED, 300),
        (Result.MACHINE, 1800),
        (Result.UNKNOWN, 300),
    ],
)
def test_busy_no_answer_failed_and_machine_are_retried_each_after_its_time(
    result: Result, pause_s: float
) -> None:
    ringing = a_callback(state=State.DIALING)
    expected = Next(Step.RETRY, counted=True, cause=result.value, not_before=NOON + s(pause_s))
    assert after_attempt(result, ringing, Rules(), NOON, 0.0) == expected
    latest = after_attempt(result, ringing, Rules(), NOON, 1.0)
    assert latest.not_before == NOON + s(pause_s * 1.2)


def test_an_invalid_number_ends_it() -> None:
    found = after_attempt(Result.INVALID, TALKING, Rules(), NOON, 0.5)
    assert found == Next(Step.REJECT, counted=False, cause="number_invalid")


def test_attempts_exhausted() -> None:
    last = a_callback(state=State.DIALING, attempts=2)
    assert after_attempt(Result.BUSY, last, Rules(), NOON, 0.5) == Next(Step.EXHAUST, True, "busy")
    before = replace(last, attempts=1)
    assert after_attempt(Result.BUSY, before, Rules(), NOON, 0.5).step is Step.RETRY


def test_an_attempt_counts_only_if_the_customer_was_really_dialled() -> None:
    last = a_callback(state=State.DIALING, attempts=2)
    found = after_attempt(Result.FAILED, last, Rules(), NOON, 0.0, dialled=False)
    assert found == Next(Step.RETRY, counted=False, cause="failed", not_before=NOON + s(300))
    for result in Result:
        assert not counts(result, dialled=False)
    assert not counts(Result.AGENT_GONE)
    assert counts(Result.NO_ANSWER)


@pytest.mark.parametrize(
    ("machine", "left", "step"),
    [
        ("retry", False, Step.RETRY),
        ("message_retry", True, Step.RETRY),
        ("message_complete", True, Step.COMPLETE),
        ("message_complete", False, Step.RETRY),  # it hung up before the end of the message
        ("retry", True, Step.RETRY),
    ],
)
def test_answering_machine(machine: str, left: bool, step: Step) -> None:
    rules = Rules(machine=machine)  # type: ignore[arg-type]
    found = after_attempt(Result.MACHINE, TALKING, rules, NOON, 0.0, message_left=left)
    assert (found.step, found.counted) == (step, True)


def test_human_who_does_not_press_confirm_is_the_wrong_person() -> None:
    found = after_attempt(Result.NOT_CONFIRMED, TALKING, Rules(), NOON, 0.0)
    assert found == Next(Step.RETRY, True, "not_confirmed", NOON + s(1800))


def test_snooze_and_cancel_keys() -> None:
    later = after_attempt(Result.POSTPONED, TALKING, Rules(), NOON, 0.5)
    assert later == Next(Step.SCHEDULE, False, "key", NOON + s(600))
    # Who asks for later has been promised a call, whatever attempts are left.
    last = replace(TALKING, attempts=2)
    assert after_attempt(Result.POSTPONED, last, Rules(), NOON, 0.5).step is Step.SCHEDULE
    assert after_attempt(Result.CANCELLED, TALKING, Rules(), NOON, 0.5).step is Step.CANCEL


def test_customer_is_up_agent_is_gone() -> None:
    found = after_attempt(Result.AGENT_GONE, TALKING, Rules(), NOON, 0.5)
    assert found == Next(Step.RETRY, False, "agent_gone", NOON, apologise=True)
    again = after_attempt(Result.AGENT_GONE, replace(TALKING, apologise=True), Rules(), NOON, 0.0)
    assert again.not_before == NOON + s(60)
    ringing = replace(TALKING, state=State.DIALING)
    assert not after_attempt(Result.AGENT_GONE, ringing, Rules(), NOON, 0.5).apologise


def test_customer_is_up_agent_is_gone_and_the_customer_hangs_up() -> None:
    found = after_attempt(Result.ABANDONED, TALKING, Rules(), NOON, 0.0)
    assert found == Next(Step.RETRY, True, "abandoned", NOON + s(300), apologise=True)


def test_bridge_fails_redialled_once_with_an_apology() -> None:
    first = after_attempt(Result.BRIDGE_FAILED, replace(TALKING, attempts=2), Rules(), NOON, 0.5)
    assert first == Next(Step.RETRY, False, "bridge_failed", NOON, apologise=True, redial=True)
    second = after_attempt(Result.BRIDGE_FAILED, replace(TALKING, bridge_redials=1), Rules(), NOON, 0.0)
    assert second == Next(Step.RETRY, True, "bridge_failed", NOON + s(300), apologise=True)
    last = replace(TALKING, bridge_redials=1, attempts=2)
    assert after_attempt(Result.BRIDGE_FAILED, last, Rules(), NOON, 0.0).step is Step.EXHAUST


def test_phones_in_while_we_dial_no_attempt_used() -> None:
    assert after_attempt(Result.MERGED, TALKING, Rules(), NOON, 0.5) == Next(Step.MERGE, False)


def test_a_conversation_completes_it() -> None:
    last = replace(TALKING, attempts=2)
    assert after_attempt(Result.BRIDGED, last, Rules(), NOON, 0.5) == Next(Step.COMPLETE, True)


def test_a_lost_worker_apologises() -> None:
    found = after_attempt(Result.LOST, TALKING, Rules(), NOON, 0.0)
    assert found == Next(Step.RETRY, True, "lost", NOON + s(60), apologise=True)


def test_retries_keep_the_hours() -> None:
    office = Calendar(
        (
            Period(at("2026-03-04T09:00"), at("2026-03-04T12:02")),
            Period(at("2026-03-05T09:00"), at("2026-03-05T17:00")),
        )
    )
    rules = Rules(calendar=office, dialling=Dialling(8 * 60, 21 * 60))
    ringing = a_callback(state=State.DIALING)
    busy = after_attempt(Result.BUSY, ringing, rules, NOON, 0.5)
    assert busy.not_before == at("2026-03-05T09:00")
    abroad = replace(ringing, zone="America/New_York")
    assert after_attempt(Result.BUSY, abroad, rules, NOON, 0.5).not_before == at("2026-03-05T13:00")
    never = replace(rules, calendar=Calendar(()))
    assert after_attempt(Result.NO_ANSWER, ringing, never, NOON, 0.0).not_before == NOON + s(300)


REACHED = {
    Result.BRIDGED: {State.BRIDGED},
    Result.POSTPONED: {State.ANSWERED, State.CONFIRMING, State.WAITING_AGENT},
    Result.CANCELLED: {State.ANSWERED, State.CONFIRMING, State.WAITING_AGENT},
    Result.MACHINE: {State.ANSWERED, State.CONFIRMING, State.WAITING_AGENT},
    Result.NOT_CONFIRMED: {State.ANSWERED, State.CONFIRMING},
    Result.ABANDONED: {State.ANSWERED, State.CONFIRMING, State.WAITING_AGENT},
}


@given(
    st.sampled_from(list(Result)),
    st.integers(0, 2),
    st.integers(0, 1),
    st.floats(0, 1),
    st.sampled_from(["retry", "message_retry", "message_complete"]),
    st.booleans(),
)
def test_what_follows_is_always_allowed_and_never_in_the_past(
    result: Result, attempts: int, redials: int, chance: float, machine: str, left: bool
) -> None:
    rules = Rules(machine=machine)  # type: ignore[arg-type]
    states = REACHED.get(result, {State.DIALING, State.ANSWERED, State.CONFIRMING, State.WAITING_AGENT})
    for state in states:
        dialled = a_callback(state=state, attempts=attempts, bridge_redials=redials)
        found = after_attempt(result, dialled, rules, NOON, chance, message_left=left)
        assert found.step in TABLE[state]
        assert (found.not_before is not None) == (found.step in {Step.RETRY, Step.SCHEDULE})
        assert found.not_before is None or NOON <= found.not_before <= NOON + s(2 * 1800)
