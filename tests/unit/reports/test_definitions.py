"""Every figure of the metrics means what its definition says."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.config import Metrics
from callcenter.events import EndCause, LeftReason, Outcome
from callcenter.reports.definitions import (
    Figures,
    Ratio,
    ServiceLevel,
    merge,
    nearest_rank,
    of_call,
    of_contact,
)
from callcenter.timeline import Contact, ContactEnd, Timeline

START = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
METRICS = Metrics()


def answered(wait_s: float, talk_s: float = 60, hold_s: float = 0, acw_s: float = 0) -> Contact:
    connected = START + timedelta(seconds=wait_s)
    return Contact(
        "sales",
        START,
        ContactEnd.ANSWERED,
        connected_at=connected,
        left_at=connected,
        agent="bob",
        wait_s=wait_s,
        talk_s=talk_s,
        hold_s=hold_s,
        acw_s=acw_s,
    )


def abandoned(wait_s: float) -> Contact:
    return Contact(
        "sales", START, ContactEnd.ABANDONED, left_at=START + timedelta(seconds=wait_s), wait_s=wait_s
    )


def left(reason: LeftReason, wait_s: float = 1) -> Contact:
    return replace(abandoned(wait_s), ended=ContactEnd.LEFT, left_reason=reason)


def call(outcome: Outcome | None, *contacts: Contact, ivr_s: float = 0) -> Timeline:
    return Timeline(
        call_id=None,
        chain_id=None,
        direction="inbound",
        from_number="+12025550101",
        to_number="+12025550199",
        started_at=START,
        answered_at=START,
        ended_at=START if outcome else None,
        end_cause=EndCause.COMPLETED if outcome else None,
        outcome=outcome,
        total_s=1000,
        ivr_s=ivr_s,
        contacts=contacts,
    )


def test_a_contact_from_the_hands_of_an_agent_is_handled_but_was_never_offered() -> None:
    taken_over = replace(answered(0, talk_s=40, acw_s=20), attended=True)
    figures = count([answered(30, talk_s=100, hold_s=20, acw_s=0), abandoned(50), taken_over])
    assert (figures.offered, figures.answered, figures.handled) == (2, 1, 2)
    assert figures.aht.value == (100 + 20 + 40 + 20) / 2
    assert figures.asa.value == 30
    assert figures.service_levels[ServiceLevel.STANDARD] == Ratio(0, 2)


def count(contacts: Iterable[Contact], thresholds: Metrics = METRICS) -> Figures:
    return merge((of_contact(contact, thresholds) for contact in contacts), thresholds)


def whole(*calls: Timeline) -> Figures:
    """The calls as such and their contacts, as a summary adds them up."""
    return merge(
        [*(of_call(each, METRICS) for each in calls), *(count(each.contacts) for each in calls)], METRICS
    )


def test_the_service_levels_of_seventy_ten_and_twenty() -> None:
    late = [answered(21)] * 12 + [abandoned(35)] * 5 + [left(LeftReason.TIMEOUT, 60)] * 3
    figures = count([*[answered(20)] * 70, *[abandoned(15)] * 10, *late])
    levels = figures.service_levels
    assert levels[ServiceLevel.ABANDONS_IGNORED] == Ratio(70, 90)
    assert levels[ServiceLevel.ABANDONS_NEGATIVE] == Ratio(70, 100)
    assert levels[ServiceLevel.ABANDONS_POSITIVE] == Ratio(80, 100)
    assert levels[ServiceLevel.STANDARD] == Ratio(70, 97)
    assert levels[ServiceLevel.ANSWERED_ONLY] == Ratio(70, 82)
    assert levels[ServiceLevel.ABANDONS_COUNT_AS_MET] == Ratio(80, 97)
    assert round(levels[ServiceLevel.ABANDONS_IGNORED].value or 0, 3) == 0.778


def test_standard_service_level_leaves_short_abandons_out() -> None:
    figures = count([*[answered(10)] * 8, abandoned(6), abandoned(6.001), abandoned(40)])
    assert figures.service_levels[ServiceLevel.STANDARD] == Ratio(8, 10)
    assert figures.target_met() is True
    assert figures.target_met(ServiceLevel.ABANDONS_NEGATIVE) is False
    assert count([abandoned(3)]).target_met() is None


def test_abandonment_gross_and_net() -> None:
    contacts = [
        *[answered(10)] * 6,
        abandoned(2),
        abandoned(30),
        left(LeftReason.KEY),
        left(LeftReason.CALLBACK),
    ]
    figures = count(contacts)
    assert (figures.offered, figures.abandoned, figures.short_abandoned) == (10, 2, 1)
    assert figures.abandonment_gross == Ratio(2, 10)
    assert figures.abandonment_net == Ratio(1, 9)
    assert figures.answer_rate == Ratio(6, 10)
    off = count(contacts, Metrics(short_abandon_s=0))
    assert off.abandonment_net == off.abandonment_gross == Ratio(2, 10)


def test_offered_has_no_refused_and_no_waiting_contacts() -> None:
    waiting = Contact("sales", START, wait_s=90)
    failed = replace(abandoned(50), ended=ContactEnd.FAILED)
    exits = [left(LeftReason.FULL), left(LeftReason.CLOSED, 300), left(LeftReason.EMPTY), waiting, failed]
    figures = count([answered(5), *exits])
    assert (figures.offered, figures.answered, figures.abandoned, figures.waiting) == (3, 1, 0, 1)
    assert figures.left == {"empty": 1, "failed": 1}
    assert figures.refused == {"full": 1, "closed": 1}
    assert figures.past_threshold == 2  # the one who waits and the one who was lost
    assert count([left(reason) for reason in LeftReason]).offered == len(LeftReason) - 2


def test_handle_times_are_means_over_the_handled() -> None:
    figures = count([answered(5, 100, 20, 30), answered(15, 50, 0, 10), abandoned(30)])
    assert figures.aht == Ratio(210, 2)
    assert (figures.att.value, figures.average_hold.value, figures.average_acw.value) == (75, 10, 20)
    assert figures.asa == Ratio(20, 2)
    assert figures.handled == 2


def test_a_transferred_call_is_shown_per_contact_and_per_call() -> None:
    both = (answered(5, 100, 0, 20), replace(answered(5, 60), queue="billing"))
    figures = whole(call(Outcome.ANSWERED, *both))
    assert figures.aht == Ratio(180, 2)
    assert figures.aht_per_call == Ratio(180, 1)
    assert (figures.calls, figures.offered) == (1, 2)


def test_nothing_divided_by_nothing_has_no_value() -> None:
    figures = Figures(METRICS)
    shares = [figures.aht, figures.asa, figures.answer_rate, figures.abandonment_net, figures.occupancy]
    assert [ratio.value for ratio in (*shares, *figures.service_levels.values())] == [None] * 11
    assert figures.wait_percentile_s(90) is None
    assert count([abandoned(2)]).abandonment_net.value is None  # all that was offered was a short abandon
    assert count([abandoned(20)]).answer_rate.value == 0


def test_ratios_are_added_never_averaged() -> None:
    assert Ratio(1, 1) + Ratio(0, 9) == Ratio(1, 10)


@pytest.mark.parametrize(
    ("percent", "value"), [(1, 15), (30, 20), (40, 20), (41, 35), (50, 35), (90, 50), (100, 50)]
)
def test_percentiles_are_nearest_rank(percent: int, value: float) -> None:
    assert nearest_rank([15, 20, 35, 40, 50], percent) == value


@pytest.mark.parametrize("percent", [0, 101, -5])
def test_a_percentile_beyond_the_values_is_refused(percent: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 100"):
        nearest_rank([1], percent)


def test_waits_give_the_spread_of_answers() -> None:
    figures = count([answered(wait) for wait in (40, 5, 10, 1)])
    assert [figures.wait_percentile_s(percent) for percent in (50, 90, 100)] == [5, 40, 40]


def test_outcomes_follow_the_threshold_of_the_report() -> None:
    made_short = call(Outcome.SHORT_ABANDONED, abandoned(5))
    assert of_call(made_short, Metrics(short_abandon_s=0)).outcomes == {Outcome.ABANDONED: 1}
    made_long = call(Outcome.ABANDONED, left(LeftReason.TIMEOUT, 20), abandoned(5))
    assert of_call(made_long, METRICS).outcomes == {Outcome.ABANDONED: 1}
    assert of_call(made_long, Metrics(short_abandon_s=25)).outcomes == {Outcome.SHORT_ABANDONED: 1}


def test_open_calls_have_no_outcome() -> None:
    figures = whole(call(None), call(Outcome.SELF_SERVED, ivr_s=12.5))
    assert (figures.calls, figures.open_calls, figures.outcomes.total()) == (2, 1, 1)
    assert figures.ivr == timedelta(seconds=12.5)


def test_a_failed_call_that_reached_an_agent_is_an_answered_contact() -> None:
    figures = whole(call(Outcome.FAILED, answered(5)))
    assert (figures.answered, figures.outcomes) == (1, {Outcome.FAILED: 1})


def test_figures_under_other_thresholds_are_not_added() -> None:
    with pytest.raises(ValueError, match="different thresholds"):
        merge([Figures(METRICS), Figures(Metrics(service_level_s=30))], METRICS)


seconds = st.integers(0, 10**9).map(lambda microseconds: microseconds / 10**6)
contacts = st.lists(
    st.one_of(
        st.builds(answered, seconds, seconds, seconds, seconds),
        st.builds(abandoned, seconds),
        st.builds(left, st.sampled_from(LeftReason), seconds),
        st.builds(lambda wait_s: Contact("sales", START, wait_s=wait_s), seconds),
        st.builds(lambda wait_s: replace(abandoned(wait_s), ended=ContactEnd.FAILED), seconds),
    ),
    max_size=30,
)


@given(contacts, st.lists(st.integers(0, 4), min_size=30, max_size=30))
def test_figures_of_parts_merge_into_the_figures_of_the_whole(found: list[Contact], parts: list[int]) -> None:
    groups = [
        [contact for contact, part in zip(found, parts, strict=False) if part == number]
        for number in range(5)
    ]
    whole = count(found)
    assert merge([count(group) for group in groups], METRICS) == whole
    assert merge([count(group) for group in reversed(groups)], METRICS) == whole
    summed = sum((count(group).aht for group in groups), Ratio(0, 0))
    assert summed.denominator == whole.aht.denominator
    assert summed.numerator == pytest.approx(whole.aht.numerator)


@given(contacts, st.integers(0, 60), st.integers(1, 60))
def test_every_contact_is_in_one_place_and_every_share_is_a_share(
    found: list[Contact], short_s: int, limit_s: int
) -> None:
    figures = count(found, Metrics(short_abandon_s=short_s, service_level_s=limit_s))
    assert figures.offered + figures.refused.total() + figures.waiting == len(found)
    assert figures.offered == figures.answered + figures.abandoned + figures.left.total()
    assert len(figures.waits) == figures.answered
    shares = [figures.answer_rate, figures.abandonment_gross, figures.abandonment_net]
    for ratio in (*shares, *figures.service_levels.values()):
        assert ratio.value is None or 0 <= ratio.value <= 1
