import json

import pytest

from callcenter.simulator.figures import Limit, nearest_rank, ratings, service_level
from callcenter.simulator.truth import CallTruth, ContactTruth, Held, Pressed, Rated, Said, Truth

NOON = 1_790_000_000.0


def waiting(wait_s: float, *, ended_by: str = "caller", script: str = "abandon") -> CallTruth:
    call = CallTruth("+12125550100", "+13125550100", script, NOON)
    call.keys = [Pressed("1", NOON + 2)]
    call.enter("sales", NOON + 2)
    call.ended(ended_by, NOON + 2 + wait_s)
    return call


def answered(wait_s: float, talk_s: float = 60.0, hold_s: float = 0.0, wrap_up_s: float = 0.0) -> CallTruth:
    call = CallTruth("+12125550100", "+13125550100", "talk", NOON)
    contact, connected_at = call.enter("sales", NOON + 2), NOON + 2 + wait_s
    contact.agent, contact.connected_at = "alice", connected_at
    call.ended("caller", connected_at + talk_s + hold_s)
    contact.wrap_up_ended_at = connected_at + talk_s + hold_s + wrap_up_s
    if hold_s:
        contact.holds = [Held(connected_at + 5, connected_at + 5 + hold_s)]
    return call


def in_menu(script: str, ended_by: str, keys: str = "") -> CallTruth:
    call = CallTruth("+12125550100", "+13125550100", script, NOON)
    call.keys = [Pressed(key, NOON + 1) for key in keys]
    call.ended(ended_by, NOON + 5)
    return call


def test_each_call_has_one_outcome() -> None:
    message = in_menu("voicemail", "caller", "0")
    message.message_left = True
    cases = [
        (answered(3), "answered"),
        (waiting(7), "abandoned"),
        (waiting(6), "short_abandoned"),
        (waiting(30, ended_by="service"), "timed_out"),
        (waiting(30, ended_by="network"), "failed"),
        (in_menu("hours", "service", "9"), "self_served"),
        (in_menu("hours", "service"), "failed"),
        (in_menu("hang_up_in_menu", "caller"), "ivr_abandoned"),
        (in_menu("talk", "network"), "failed"),
        (message, "voicemail"),
    ]
    assert [call.outcome(6) for call, _ in cases] == [name for _, name in cases]


def test_the_first_to_end_a_call_counts() -> None:
    call = in_menu("hours", "service", "9")
    call.ended("caller", NOON + 100)
    assert (call.ended_by, call.ended_at) == ("service", NOON + 5)


def test_handling_time_and_waits() -> None:
    calls = [
        answered(10, 60, 20, 10),
        answered(20, 40, 0, 30),
        waiting(3),
        waiting(9),
        in_menu("x", "caller"),
    ]
    day = Truth(calls).figures(answer_within_s=15, short_abandon_s=6)
    assert (day.calls, day.offered, day.handled, day.abandoned, day.short_abandoned) == (5, 4, 2, 2, 1)
    assert (day.talk_s, day.hold_s, day.wrap_up_s, day.aht_s) == (100, 20, 40, 80)
    assert (day.asa_mean_s, day.asa_p50_s, day.asa_p90_s, day.asa_max_s) == (15, 10, 20, 20)
    assert (day.abandonment_gross.part, day.abandonment_gross.whole) == (2, 4)
    assert (day.abandonment_net.part, day.abandonment_net.whole) == (1, 3)
    assert day.answer_rate.value == 2 / 4
    assert day.outcomes == {"abandoned": 1, "answered": 2, "ivr_abandoned": 1, "short_abandoned": 1}


def test_the_known_example_of_service_levels() -> None:
    calls = [answered(5)] * 70 + [waiting(10)] * 10 + [answered(30)] * 20
    levels = service_level([call.contacts[0] for call in calls], answer_within_s=20, short_abandon_s=0)
    level = {name: share.value for name, share in levels.items()}
    assert level["abandons_ignored"] == pytest.approx(0.778, abs=0.0005)
    assert level["abandons_negative"] == pytest.approx(0.7)
    assert level["abandons_positive"] == pytest.approx(0.8)
    assert level["standard"] == pytest.approx(0.7)
    assert level["answered_only"] == pytest.approx(70 / 90)
    assert level["abandons_count_as_met"] == pytest.approx(0.8)


def test_short_abandons_leave_the_standard_service_level() -> None:
    contacts = [call.contacts[0] for call in [answered(5)] * 8 + [waiting(3)] * 2]
    assert service_level(contacts, 20, 6)["standard"].value == 1.0
    assert service_level(contacts, 20, 0)["standard"].value == 0.8


def test_nothing_divided_by_nothing_is_nothing() -> None:
    day = Truth().figures()
    assert day.aht_s is None
    assert day.asa_p50_s is None
    assert day.abandonment_net.value is None
    assert {share.value for share in day.service_level.values()} == {None}


@pytest.mark.parametrize(
    ("percent", "value"), [(50, 3.0), (90, 5.0), (100, 5.0), (20, 1.0), (21, 2.0), (0, 1.0)]
)
def test_percentiles_are_values_that_occurred(percent: float, value: float) -> None:
    assert nearest_rank([5.0, 1.0, 4.0, 2.0, 3.0], percent) == value


def test_the_truth_is_json() -> None:
    call = answered(4, hold_s=2)
    call.said = [Said("agent", "Hello.", NOON, NOON + 1, complete=True, score=0.9, heard_delay_ms=12.5)]
    truth = Truth([call])
    truth.note("odd")
    truth.note("odd")
    document = json.loads(json.dumps(truth.to_json()))
    assert document["calls"][0]["outcome"] == "answered"
    assert document["calls"][0]["said"][0]["heard_delay_ms"] == 12.5
    assert document["figures"]["handled"] == 1
    assert document["problems"] == ["odd"]
    assert call.said[0].heard


def test_what_callers_say_in_surveys() -> None:
    """CSAT 3 of 4 (4, 5, 5 of 4, 5, 5, 2); NPS (2 promoters less 1 detractor) of 4: 25."""
    calls = [answered(3) for _ in range(6)]
    for call, (csat, nps) in zip(calls, [(4, 9), (5, 10), (5, 8), (2, 6), (None, None)], strict=False):
        call.survey_heard = True
        call.ratings = [
            Rated(kind, score) for kind, score in (("csat", csat), ("nps", nps)) if score is not None
        ]
    survey = ratings(calls)
    assert (survey.offered, survey.answered) == (5, 4)
    assert (survey.csat_answers, survey.satisfied, survey.csat.value) == (4, 3, 0.75)
    assert (survey.nps_answers, survey.promoters, survey.detractors, survey.nps.value) == (4, 2, 1, 25.0)


def test_nobody_was_asked() -> None:
    survey = ratings([answered(3)])
    assert (survey.offered, survey.csat.value, survey.nps.value) == (0, None, None)


def test_the_time_of_a_survey_is_neither_talk_nor_wrap_up() -> None:
    call = answered(10, 60, 0, 20)
    contact = call.contacts[0]
    contact.parted_at = contact.connected_at + 40
    contact.wrap_up_ended_at = contact.parted_at + 5
    day = Truth([call]).figures()
    assert (day.talk_s, day.wrap_up_s) == (40, 5)


def handed_over() -> CallTruth:
    """12 s in a queue that overflows, 8 s in the next, 30 s with ann, 20 s of them on hold, then with bob."""
    call = CallTruth("+12125550100", "+13125550100", "talk", NOON, answered_at=NOON)
    call.enter("sales", NOON + 2)
    call.leave("overflow", NOON + 14)
    first = call.enter("support", NOON + 14)
    first.agent, first.connected_at = "ann", NOON + 22
    first.holds = [Held(NOON + 32, NOON + 52)]
    call.part(NOON + 52)
    first.wrap_up_ended_at = NOON + 55
    call.contacts.append(
        ContactTruth("support", NOON + 52, attended=True, agent="bob", connected_at=NOON + 52)
    )
    call.ended("caller", NOON + 62)
    call.contacts[-1].wrap_up_ended_at = NOON + 66
    return call


def test_a_call_with_several_contacts() -> None:
    call = handed_over()
    day = Truth([call]).figures(answer_within_s=10, short_abandon_s=6)
    assert call.outcome(6) == "answered"
    assert (day.calls, day.offered, day.answered, day.handled, day.left) == (1, 2, 1, 2, {"overflow": 1})
    assert (day.talk_s, day.hold_s, day.wrap_up_s) == (20, 20, 7)
    assert (day.aht_s, day.aht_per_call_s) == (23.5, 47)
    assert (day.asa_mean_s, day.asa_max_s) == (8, 8)
    # One answered within 10 s; the overflow came after more than that.
    assert (day.service_level["standard"].part, day.service_level["standard"].whole) == (1, 1)
    assert (day.service_level["abandons_negative"].part, day.service_level["abandons_negative"].whole) == (
        1,
        2,
    )


def test_a_caller_who_was_refused_or_wanted_a_callback() -> None:
    refused, wished = in_menu("turned_away", "service", "6"), in_menu("callback", "service", "1")
    for call, reason in ((refused, "full"), (wished, "callback")):
        call.ended_at = None
        call.enter("sales", NOON + 2)
        call.leave(reason, NOON + 4)
        call.ended("service", NOON + 5)
    assert (refused.outcome(6), wished.outcome(6)) == ("blocked", "callback_requested")
    day = Truth([refused, wished]).figures()
    assert (day.offered, day.left, day.refused) == (1, {"callback": 1}, {"full": 1})


def test_a_wait_is_known_no_better_than_the_machine_was_on_time() -> None:
    call = waiting(6.5)
    limits = [Limit(6.0, sign, 0.25) for sign in (-1, 0, 1)]
    assert [call.outcome(limit) for limit in limits] == ["abandoned"] * 3
    call.late_s = 0.3
    assert [call.outcome(limit) for limit in limits] == ["abandoned", "abandoned", "short_abandoned"]
