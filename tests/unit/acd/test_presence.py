from itertools import product

import pytest

from callcenter.acd.presence import (
    BUSY,
    MISSED_OFFER,
    TABLE,
    AgentEvent,
    AgentState,
    Presence,
    refused,
    step,
)
from callcenter.errors import TransitionError

S, E = AgentState, AgentEvent

# Written down a second time, independently of the table: state, event, state without a wish.
ALLOWED = {
    (S.OFFLINE, E.SIGN_IN): S.AVAILABLE,
    (S.AVAILABLE, E.SIGN_OUT): S.OFFLINE,
    (S.AVAILABLE, E.TAKE_BREAK): S.BREAK,
    (S.AVAILABLE, E.RESERVE): S.RESERVED,
    (S.BREAK, E.SIGN_OUT): S.OFFLINE,
    (S.BREAK, E.TAKE_BREAK): S.BREAK,
    (S.BREAK, E.READY): S.AVAILABLE,
    (S.RESERVED, E.RING): S.RINGING,
    (S.RESERVED, E.CONNECT): S.TALKING,
    (S.RESERVED, E.REFUSE): S.AVAILABLE,
    (S.RESERVED, E.MISS): S.BREAK,
    (S.RESERVED, E.RELEASE): S.AVAILABLE,
    (S.RINGING, E.CONNECT): S.TALKING,
    (S.RINGING, E.REFUSE): S.AVAILABLE,
    (S.RINGING, E.MISS): S.BREAK,
    (S.RINGING, E.RELEASE): S.AVAILABLE,
    (S.TALKING, E.FINISH_CONVERSATION): S.WRAP_UP,
    (S.TALKING, E.RELEASE): S.AVAILABLE,
    (S.WRAP_UP, E.WRAP_UP_DONE): S.AVAILABLE,
    (S.WRAP_UP, E.RELEASE): S.AVAILABLE,
    (S.WRAP_UP, E.READY): S.AVAILABLE,
    **{(state, event): state for state in BUSY for event in (E.SIGN_OUT, E.TAKE_BREAK)},
    **{(state, E.READY): state for state in (S.RESERVED, S.RINGING, S.TALKING)},
}


@pytest.mark.parametrize(("state", "event"), list(product(S, E)))
def test_every_pair_of_state_and_event(state: AgentState, event: AgentEvent) -> None:
    if (state, event) in ALLOWED:
        assert step(Presence(state), event).state is ALLOWED[state, event]
    else:
        with pytest.raises(TransitionError, match=f"{state} cannot take {event}"):
            step(Presence(state), event)


def test_the_table_names_every_state_and_no_dead_end() -> None:
    assert TABLE.keys() == set(S)
    for state in S:
        assert set(TABLE[state].values()) - {state}


@pytest.mark.parametrize("busy", sorted(BUSY))
@pytest.mark.parametrize(("event", "wish"), [(E.TAKE_BREAK, S.BREAK), (E.SIGN_OUT, S.OFFLINE)])
def test_a_wish_during_a_call_waits_for_its_end(
    busy: AgentState, event: AgentEvent, wish: AgentState
) -> None:
    wishing = step(Presence(busy, "why"), event, "lunch")
    assert wishing == Presence(busy, "why", wish, "lunch")
    assert step(wishing, E.RELEASE) == Presence(wish, "lunch")


def test_a_wish_survives_the_whole_call() -> None:
    presence = step(Presence(S.RESERVED), E.TAKE_BREAK, "lunch")
    for event in (E.RING, E.CONNECT, E.FINISH_CONVERSATION):
        presence = step(presence, event)
        assert presence.next_state is S.BREAK
    assert step(presence, E.WRAP_UP_DONE) == Presence(S.BREAK, "lunch")


def test_the_last_wish_counts() -> None:
    presence = step(step(Presence(S.TALKING), E.TAKE_BREAK, "lunch"), E.SIGN_OUT, "shift over")
    assert step(presence, E.RELEASE) == Presence(S.OFFLINE, "shift over")


def test_ready_takes_a_wish_back() -> None:
    presence = step(step(Presence(S.TALKING), E.TAKE_BREAK, "lunch"), E.READY)
    assert presence == Presence(S.TALKING)
    assert step(presence, E.RELEASE) == Presence(S.AVAILABLE)


def test_ready_ends_the_wrap_up_whatever_was_wished() -> None:
    assert step(Presence(S.WRAP_UP, "", S.BREAK, "lunch"), E.READY) == Presence(S.AVAILABLE)


def test_a_missed_offer_is_a_break_unless_something_else_was_wished() -> None:
    assert step(Presence(S.RINGING), E.MISS) == Presence(S.BREAK, MISSED_OFFER)
    assert step(Presence(S.RINGING, "", S.OFFLINE, "home"), E.MISS) == Presence(S.OFFLINE, "home")


def test_a_refusal_honours_a_wish() -> None:
    assert step(Presence(S.RINGING, "", S.BREAK, "lunch"), E.REFUSE) == Presence(S.BREAK, "lunch")


def test_refused_names_where_an_offer_leaves_the_agent() -> None:
    assert refused(E.REFUSE) == Presence(S.AVAILABLE)
    assert refused(E.MISS) == Presence(S.BREAK, MISSED_OFFER)
    assert refused(E.RELEASE) == Presence(S.AVAILABLE)


def test_a_break_may_change_its_reason() -> None:
    assert step(Presence(S.BREAK, "lunch"), E.TAKE_BREAK, "training") == Presence(S.BREAK, "training")
