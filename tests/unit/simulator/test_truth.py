import json

import pytest

from callcenter.simulator.figures import nearest_rank, service_level
from callcenter.simulator.truth import CallTruth, Held, Pressed, Said, Truth

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
