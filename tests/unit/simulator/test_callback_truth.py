"""What a customer's own telephone says of a callback."""

from callcenter.simulator.callback_plan import Pickup
from callcenter.simulator.callback_truth import CallbackTruth

NOON = 1_790_000_000.0


def wish(**more: object) -> CallbackTruth:
    return CallbackTruth("+12125550100", "sales", NOON, **more)  # type: ignore[arg-type]


def test_one_ringing_after_the_other_is_as_it_should_be() -> None:
    asked = wish()
    for at in (5.0, 20.0, 40.0):
        asked.ring(NOON + at, f"CA{at}", Pickup.BUSY).ended_at = NOON + at + 3
    assert asked.duplicates == []
    assert asked.first_ring_s == 5.0


def test_every_ringing_that_should_not_have_been_is_told() -> None:
    asked = wish(attempts_max=2, earliest_at=NOON + 10)
    asked.ring(NOON + 5, "CA1", Pickup.ANSWER)
    asked.ring(NOON + 12, "CA2", Pickup.BUSY)
    asked.end("cancelled", NOON + 13)
    for ring in asked.rings:
        ring.ended_at = NOON + 14
    asked.ring(NOON + 20, "CA3", Pickup.BUSY)
    assert asked.duplicates == [
        "rang 5.0 s too early (CA1)",
        "rang twice at once (CA2)",
        "rang 7.0 s after the end (CA3)",
        "rang more than 2 times (CA3)",
    ]


def test_a_telephone_that_was_dialled_before_the_end_was_known_is_none() -> None:
    asked = wish()
    asked.end("cancelled", NOON + 10)
    asked.ring(NOON + 10.3, "CA1", Pickup.BUSY)
    assert asked.duplicates == []


def test_the_first_end_counts_and_only_the_customer_is_the_right_party() -> None:
    asked = wish()
    asked.ring(NOON + 5, "CA1", Pickup.STRANGER).answered_at = NOON + 6
    assert (asked.is_open, asked.right_party, asked.connected) == (True, False, False)
    asked.rings[0].ended_at = NOON + 7
    ring = asked.ring(NOON + 30, "CA2", Pickup.ANSWER)
    ring.answered_at = ring.connected_at = NOON + 31
    asked.end("served", NOON + 40)
    asked.end("cancelled", NOON + 50)
    assert (asked.is_open, asked.right_party, asked.connected) == (False, True, True)
    assert (asked.ended_for, asked.ended_at) == ("served", NOON + 40)
