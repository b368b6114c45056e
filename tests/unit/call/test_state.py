"""The table of a call's states."""

from itertools import product

import pytest

from callcenter.call.state import TABLE, CallInput, CallState, after
from callcenter.errors import TransitionError

S, I = CallState, CallInput  # noqa: E741


def test_a_whole_call() -> None:
    state = S.IVR
    for given in (I.RECORD, I.RECORDED, I.JOIN, I.RING, I.UNRING, I.RING, I.CONNECT, I.HOLD, I.RESUME, I.END):
        state = after(state, given)
    assert state is S.ENDED


def test_a_call_can_end_whatever_it_does() -> None:
    assert [state for state in S if I.END not in TABLE[state]] == [S.ENDED]


def test_nothing_follows_the_end() -> None:
    for given in I:
        with pytest.raises(TransitionError, match=f"a call that is ended cannot {given.value}"):
            after(S.ENDED, given)


def test_what_the_table_does_not_name_is_refused() -> None:
    allowed = {(state, given) for state, row in TABLE.items() for given in row}
    for state, given in product(S, I):
        if (state, given) in allowed:
            assert after(state, given) is TABLE[state][given]
        else:
            with pytest.raises(TransitionError):
                after(state, given)


def test_every_state_is_in_the_table_and_can_be_reached() -> None:
    assert set(TABLE) == set(S)
    reached = {S.IVR} | {state for row in TABLE.values() for state in row.values()}
    assert reached == set(S)


def test_the_caller_goes_on_after_a_conversation_held_or_not() -> None:
    released = [state for state in S if I.RELEASE in TABLE[state]]
    assert released == [S.DIALLING, S.TALKING, S.HELD, S.CONSULTING]
    assert after(S.TALKING, I.RELEASE) is after(S.HELD, I.RELEASE) is S.IVR


def test_a_customer_is_dialled_for_an_agent_who_waits_or_for_nobody_yet() -> None:
    assert [state for state in S if I.DIAL in TABLE[state]] == [S.IVR, S.TALKING]
    assert after(S.DIALLING, I.CONNECT) is S.TALKING
    assert after(S.DIALLING, I.RELEASE) is S.IVR


def test_only_who_talks_can_be_held() -> None:
    assert [state for state in S if I.HOLD in TABLE[state]] == [S.TALKING]
    assert [state for state in S if I.RESUME in TABLE[state]] == [S.HELD]
