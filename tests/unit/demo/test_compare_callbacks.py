"""Callbacks of both sides: equal where they must be, different where anything is off."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from callcenter.demo.compare_callbacks import compare_callbacks
from callcenter.demo.naming import lived, named
from callcenter.simulator.callback_plan import Pickup
from callcenter.simulator.callback_truth import CallbackTruth
from callcenter.simulator.truth import CallTruth, ContactTruth, Truth

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AT = NOON.timestamp()
NUMBERS = ("+12125550100", "+12125550101")
REPORT: dict[str, Any] = {
    "asked": 2,
    "accepted": 1,
    "dialled": 1,
    "picked_up": 1,
    "bridged": 1,
    "connect": {"value": 0.5, "numerator": 1, "denominator": 2},
    "ends": {"completed": 1, "cancelled": 1, "merged": 0, "exhausted": 0},
    "attempts": 2,
    "duplicate_dials": 0,
    "wait_after_pick_up_s": {"value": 0.1, "numerator": 0.1, "denominator": 1},
    "queue_time_saved_s": {"value": 8.0, "numerator": 8.0, "denominator": 1},
}


def truth() -> Truth:
    served = CallbackTruth(NUMBERS[0], "sales", AT)
    served.ring(AT + 8, "CA1", Pickup.BUSY).ended_at = AT + 9
    ring = served.ring(AT + 20, "CA2", Pickup.ANSWER)
    ring.answered_at, ring.connected_at, ring.ended_at = AT + 21, AT + 21.1, AT + 30
    served.end("served", AT + 30)
    cancelled = CallbackTruth(NUMBERS[1], "sales", AT + 1, source="page")
    cancelled.end("cancelled", AT + 5)
    return Truth(callbacks=[served, cancelled])


def attempt(start_s: float, bridged_s: float | None = None) -> dict[str, Any]:
    bridged = None if bridged_s is None else (NOON + timedelta(seconds=bridged_s)).isoformat()
    return {"started_at": (NOON + timedelta(seconds=start_s)).isoformat(), "bridged_at": bridged}


CALLBACKS = [
    {
        "number": NUMBERS[0],
        "queue": "sales",
        "source": "ivr",
        "state": "completed",
        "requested_at": NOON.isoformat(),
        "attempts_made": [attempt(8), attempt(20, 21.2)],
    },
    {
        "number": NUMBERS[1],
        "queue": "sales",
        "source": "page",
        "state": "cancelled",
        "requested_at": NOON.isoformat(),
        "attempts_made": [],
    },
]


def different(report: dict[str, Any], callbacks: list[dict[str, Any]], lived: Truth) -> set[tuple[str, str]]:
    whole = {"total": report, "by_queue": {"sales": report}}
    rows = compare_callbacks(whole, callbacks, lived)
    assert len(rows) > 30
    return {(one.scope, one.name) for one in rows if not one.equal}


def test_the_same_callbacks_on_both_sides_are_equal() -> None:
    assert different(REPORT, CALLBACKS, truth()) == set()


def test_telephones_that_rang_twice_at_once_are_no_matter_of_the_report() -> None:
    rang = truth()
    rang.callbacks[0].duplicates.append("rang twice at once (CA3)")
    assert different(REPORT, CALLBACKS, rang) == {
        ("day", "duplicate dials"),
        ("queue sales", "duplicate dials"),
    }


def test_an_attempt_that_nobody_heard_and_a_callback_that_nobody_asked_for_are_found() -> None:
    told = copy.deepcopy(CALLBACKS)
    told[0]["attempts_made"].append(attempt(40))
    told[1]["number"] = "+12125550109"
    found = different(REPORT | {"attempts": 3}, told, truth())
    assert ("day", "callback attempts") in found
    assert (f"callback {NUMBERS[0]}", "attempts") in found
    assert {scope for scope, _ in found} >= {"callback +12125550109", f"callback {NUMBERS[1]}"}


def test_calls_of_one_number_are_told_apart() -> None:
    assert named([("+1", False, "a"), ("+2", False, "b"), ("+1", True, "c"), ("+1", False, "d")]) == {
        "+1": "a",
        "+2": "b",
        "+1 back": "c",
        "+1 2": "d",
    }


def test_only_those_who_talked_to_an_agent_were_called_back() -> None:
    talk, in_vain = (CallTruth(NUMBERS[0], "+13125550100", "called_back", AT + start) for start in (20, 8))
    talk.contacts = [ContactTruth("sales", AT + 20, agent="ann", connected_at=AT + 21)]
    day = truth()
    day.calls = [CallTruth(NUMBERS[0], "+13125550100", "keep_place", AT - 5)]
    day.callbacks[0].talks = [in_vain, talk]
    assert lived(day) == {NUMBERS[0]: day.calls[0], f"{NUMBERS[0]} back": talk}
