"""Talk measures mean what their definitions say; all numbers are worked by hand."""

import random
from collections.abc import Sequence
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.reports.talk import (
    Party,
    Said,
    Side,
    Stretch,
    Talk,
    Unit,
    gaps,
    interruptions,
    joined,
    measure,
)

A, C = Party.AGENT, Party.CUSTOMER
MINUTE = Stretch(0, 60_000)


def say(party: Party, start_ms: int, end_ms: int, count: int = 1, unit: Unit = Unit.WORDS) -> Said:
    return Said(party, start_ms, end_ms, count, unit)


def test_a_conversation_worked_by_hand() -> None:
    said = [
        say(A, 0, 1000),
        say(A, 1500, 2000),  # 500 ms later: the same turn, 0 to 2000
        say(C, 4000, 5000),
        say(C, 5501, 6000),  # 501 ms later: a turn of its own
        say(A, 12_000, 14_000),
    ]
    talk = measure(said, Stretch(0, 20_000))
    assert talk == Talk(
        conversations=1,
        time_ms=20_000,
        non_talk_ms=6000 + 6000,  # 6000 to 12000 and 14000 to the end; 2000 to 4000 is not long enough
        longest_non_talk_ms=6000,
        agent=Side(talk_ms=4000, words=3, words_ms=4000),
        customer=Side(talk_ms=1499, words=2, words_ms=1499),
    )
    assert talk.agent_share.value == pytest.approx(4000 / 5499)
    assert talk.customer_share.value == pytest.approx(1499 / 5499)
    assert talk.non_talk.value == pytest.approx(0.6)
    assert talk.agent.words_per_minute.value == pytest.approx(45)  # 3 words in 4 s


@pytest.mark.parametrize(("pause_ms", "non_talk_ms"), [(3000, 0), (3001, 3001)])
def test_non_talk_is_longer_than_three_seconds(pause_ms: int, non_talk_ms: int) -> None:
    end_ms = 2000 + pause_ms
    said = [say(A, 0, 1000), say(C, 1000 + pause_ms, end_ms)]
    assert measure(said, Stretch(0, end_ms)).non_talk_ms == non_talk_ms


@pytest.mark.parametrize(
    ("spoken_ms", "goes_on_ms", "count"),
    [
        (500, 500, 1),
        (499, 500, 0),  # the other has only just begun
        (500, 499, 0),  # a listener's "mm"
        (2000, 500, 0),  # the other was through: the turn ends as this one begins
        (1999, 3000, 1),
    ],
)
def test_what_an_interruption_is(spoken_ms: int, goes_on_ms: int, count: int) -> None:
    said = [say(A, 0, 2000), say(C, spoken_ms, spoken_ms + goes_on_ms)]
    talk = measure(said, MINUTE)
    assert (talk.customer.interruptions, talk.agent.interruptions) == (count, 0)


def test_a_turn_that_others_outlast_interrupts_once_and_words_in_it_do_not() -> None:
    said = [say(C, 0, 10_000), say(A, 3000, 3400), say(A, 3600, 4000), say(A, 8000, 8600)]
    talk = measure(said, MINUTE)
    assert (talk.agent.interruptions, talk.customer.interruptions) == (2, 0)
    assert talk.agent_interruptions.value == 2
    assert measure([], MINUTE).agent_interruptions.value == 0


def test_both_at_once_is_talk_of_both() -> None:
    talk = measure([say(A, 0, 1000), say(C, 0, 1000)], Stretch(0, 1000))
    assert (talk.agent_share.value, talk.customer_share.value) == (0.5, 0.5)
    assert (talk.agent.interruptions, talk.customer.interruptions) == (0, 0)


def test_time_on_hold_belongs_to_nothing() -> None:
    said = [say(A, 0, 2000), say(C, 30_000, 31_000), say(A, 39_000, 41_000, 2), say(A, 42_000, 43_000)]
    talk = measure(said, Stretch(0, 50_000), [Stretch(4000, 40_000)])
    assert talk.time_ms == 14_000
    # 2000 to 4000 before the hold is short, 43000 to 50000 is not
    assert (talk.non_talk_ms, talk.longest_non_talk_ms) == (7000, 7000)
    assert talk.customer == Side()
    # of the word across the border one second counts as talk, but it began on hold
    assert (talk.agent.talk_ms, talk.agent.words) == (4000, 2)


def test_a_pause_across_a_hold_is_two_pauses() -> None:
    said = [say(A, 0, 1000), say(A, 15_000, 16_000)]
    talk = measure(said, Stretch(0, 16_000), [Stretch(3000, 12_500)])
    assert talk.non_talk_ms == 0  # 2 s before and 2.5 s after
    assert measure(said, Stretch(0, 16_000)).non_talk_ms == 14_000


def test_what_lies_outside_of_the_conversation_does_not_count() -> None:
    said = [say(C, 0, 5000, 9), say(A, 9000, 11_000), say(C, 20_000, 21_000)]
    talk = measure(said, Stretch(10_000, 20_000))
    assert talk.agent == Side(talk_ms=1000, words=0, words_ms=1000)
    assert talk.customer == Side()
    assert talk.non_talk_ms == 9000


def test_silence_and_nothing() -> None:
    assert measure([], MINUTE) == Talk(
        conversations=1, time_ms=60_000, non_talk_ms=60_000, longest_non_talk_ms=60_000
    )
    nothing = measure([], Stretch(5, 5))
    assert (nothing.non_talk.value, nothing.agent_share.value) == (None, None)
    all_held = measure([say(A, 0, 1000)], Stretch(0, 1000), [Stretch(0, 600), Stretch(500, 2000)])
    assert (all_held.time_ms, all_held.agent) == (0, Side())


def test_speed_is_counted_in_the_unit_of_the_language() -> None:
    said = [
        say(A, 0, 3000, 8),
        say(A, 10_000, 16_000, 30, Unit.CHARACTERS),
        say(C, 20_000, 22_000, 12, Unit.CHARACTERS),
    ]
    talk = measure(said, MINUTE)
    assert talk.agent == Side(talk_ms=9000, words=8, words_ms=3000, characters=30, characters_ms=6000)
    assert talk.agent.words_per_minute.value == pytest.approx(160)
    assert talk.agent.characters_per_minute.value == pytest.approx(300)
    assert talk.customer.words_per_minute.value is None
    assert talk.customer.characters_per_minute.value == pytest.approx(360)


def test_measures_add_up_and_the_longest_stays_the_longest() -> None:
    one = measure([say(A, 0, 1000)], Stretch(0, 10_000))
    two = measure([say(C, 0, 4000)], Stretch(0, 8000))
    both = one + two
    assert (both.conversations, both.time_ms) == (2, 18_000)
    assert (both.non_talk_ms, both.longest_non_talk_ms) == (9000 + 4000, 9000)
    assert both.agent_share.value == pytest.approx(0.2)
    assert sum([one, two], Talk()) == both


Stretches = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(1, 1500)).map(lambda pair: Stretch(pair[0], sum(pair))),
    max_size=25,
)


@given(agent=Stretches, customer=Stretches, holds=Stretches, seed=st.integers(0, 9))
def test_it_equals_a_count_of_every_millisecond(
    agent: Sequence[Stretch], customer: Sequence[Stretch], holds: Sequence[Stretch], seed: int
) -> None:
    whole = Stretch(200, 5200)
    said = [say(A, *one) for one in agent] + [say(C, *one) for one in customer]
    random.Random(seed).shuffle(said)
    talk = measure(said, whole, holds)

    def covered(stretches: Sequence[Stretch]) -> set[int]:
        return {ms for start, end in stretches for ms in range(start, end)}

    open_ = covered([whole]) - covered(holds)
    spoken = {party: covered(joined(own, 500)) & open_ for party, own in ((A, agent), (C, customer))}
    assert talk.time_ms == len(open_)
    assert (talk.agent.talk_ms, talk.customer.talk_ms) == (len(spoken[A]), len(spoken[C]))
    silent = open_ - spoken[A] - spoken[C]
    assert talk.non_talk_ms == sum(run for run in _runs(silent) if run > 3000)


def _runs(points: set[int]) -> list[int]:
    found: list[int] = []
    for point in sorted(points):
        if point - 1 in points:
            found[-1] += 1
        else:
            found.append(1)
    return found


def test_pieces() -> None:
    assert joined([Stretch(5, 6), Stretch(0, 2), Stretch(2, 3), Stretch(9, 8)]) == [(0, 3), (5, 6), (9, 9)]
    assert list(gaps([Stretch(0, 3), Stretch(5, 6)], Stretch(2, 9))) == [(3, 5), (6, 9)]
    assert interruptions([Stretch(700, 1300)], [Stretch(0, 500), Stretch(600, 900)]) == 0


def test_a_long_conversation_is_quick() -> None:
    dice = random.Random(1)
    said = [say(dice.choice([A, C]), at, at + 300) for at in range(0, 40_000_000, 400)]
    dice.shuffle(said)
    began = process_time()
    talk = measure(said, Stretch(0, 40_000_000))
    assert process_time() - began < 5  # 100,000 words; a quadratic way would take hours
    assert talk.agent.words + talk.customer.words == 100_000
