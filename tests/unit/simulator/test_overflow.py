"""Who was sent on to another queue, and when, follows from who was rung."""

from callcenter.simulator import overflow
from callcenter.simulator.overflow import Overflow
from callcenter.simulator.truth import CallTruth, Offered

NOON = 1_790_000_000.0
WAYS = {"express": Overflow("relief", after_s=3.0), "desk": Overflow("relief", when_waiting=1)}


def caller(queue: str, number: int = 0, at: float = 0.0) -> CallTruth:
    call = CallTruth(f"+121255501{number:02d}", "+13125550100", "talk", NOON + at - 2)
    call.enter(queue, NOON + at)
    return call


def stays(call: CallTruth) -> list[tuple[str, float, str]]:
    return [(each.queue, each.entered_at - NOON, each.left_for) for each in call.contacts]


def ring(call: CallTruth, begin: float, end: float) -> None:
    call.offers.append(Offered("ann", NOON + begin, "missed", ("express",), NOON + end))


def test_an_agent_of_the_other_queue_proves_that_the_caller_went_there_in_time() -> None:
    call = caller("express")
    overflow.rung(call, ("relief",), NOON + 5, WAYS)
    assert stays(call) == [("express", 0, "overflow"), ("relief", 3, "")]
    assert call.contacts[0].wait_s == 3
    assert call.problems == []


def test_a_telephone_that_rings_keeps_the_caller_until_it_is_silent() -> None:
    call = caller("express")
    ring(call, 2, 4.5)
    overflow.rung(call, ("relief",), NOON + 6, WAYS)
    assert stays(call) == [("express", 0, "overflow"), ("relief", 4.5, "")]


def test_an_own_agent_answers_in_time_or_too_late() -> None:
    soon, late = caller("express"), caller("express")
    overflow.rung(soon, ("express",), NOON + 2.9, WAYS)
    overflow.rung(late, ("express",), NOON + 3.6, WAYS)
    assert (stays(soon), soon.problems) == ([("express", 0, "")], [])
    assert late.problems == ["was still offered to agents of express after the overflow"]


def test_nobody_is_sent_to_a_queue_to_which_there_is_no_way() -> None:
    call = caller("express")
    overflow.rung(call, ("sales",), NOON + 5, WAYS)
    assert call.problems == ["was offered to an agent who does not serve express"]


def test_who_hangs_up_has_been_sent_on_before_or_not_yet() -> None:
    patient, hasty = caller("express"), caller("express")
    for call, at in ((patient, NOON + 4), (hasty, NOON + 2)):
        overflow.ended(call, at, WAYS)
        call.ended("caller", at)
    assert stays(patient) == [("express", 0, "overflow"), ("relief", 3, "abandoned")]
    assert stays(hasty) == [("express", 0, "abandoned")]
    assert (patient.outcome(3.5), patient.outcome(4.5)) == ("abandoned", "short_abandoned")


def test_a_line_that_is_long_sends_on_at_once_and_one_that_is_short_must_not() -> None:
    first, second = caller("desk", 0), caller("desk", 1, at=2)
    first.contacts[0].connected_at = NOON + 10
    overflow.rung(second, ("relief",), NOON + 3, WAYS)
    assert stays(second) == [("desk", 2, "overflow"), ("relief", 2, "")]
    assert list(overflow.crowding([first, second], WAYS)) == []

    first.contacts[0].connected_at = NOON + 1
    assert list(overflow.crowding([first, second], WAYS)) == [
        "+12125550101 was sent on from desk while 0 waited at most"
    ]


def test_who_stays_in_a_line_that_is_long_is_noticed() -> None:
    first, second = caller("desk", 0), caller("desk", 1, at=2)
    for call in (first, second):
        call.contacts[0].connected_at = NOON + 10
    assert list(overflow.crowding([first, second], WAYS)) == ["+12125550101 was kept in desk though 1 waited"]
