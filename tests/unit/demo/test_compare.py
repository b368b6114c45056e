"""Figures of both sides: equal where they must be, different where anything is off."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callcenter.config import Metrics
from callcenter.demo.compare import (
    CALL_FIGURES,
    LEFT,
    OUTCOMES,
    REFUSED,
    SERVICE_LEVELS,
    TOLERANCE_S,
    Compared,
    Unit,
    agree,
    compare,
)
from callcenter.events import Outcome
from callcenter.reports import Interval, summarise, to_json
from callcenter.reports.definitions import ServiceLevel
from callcenter.simulator.truth import CallTruth, ContactTruth, Held, Truth

START = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
EMPTY = to_json(
    summarise(
        [],
        Metrics(),
        since=datetime(2026, 1, 1, tzinfo=UTC),
        until=datetime(2026, 1, 2, tzinfo=UTC),
        interval=Interval.DAY,
    )
)


def answered(number: str = "+12125550100", wait_s: float = 5.0) -> CallTruth:
    connected = START + 2 + wait_s
    contact = ContactTruth(
        "sales",
        START + 2,
        agent="alice",
        connected_at=connected,
        parted_at=connected + 10,
        holds=[Held(connected + 3, connected + 5)],
        wrap_up_ended_at=connected + 11,
    )
    return CallTruth(
        number=number,
        dialled="+13125550100",
        script="talk",
        started_at=START - 0.6,
        answered_at=START,
        contacts=[contact],
        ended_at=connected + 10,
        ended_by="caller",
    )


def abandoned(number: str = "+12125550101", wait_s: float = 8.0) -> CallTruth:
    return CallTruth(
        number=number,
        dialled="+13125550100",
        script="abandon",
        started_at=START - 0.6,
        answered_at=START,
        contacts=[ContactTruth("sales", START + 2, START + 2 + wait_s, "abandoned")],
        ended_at=START + 2 + wait_s,
        ended_by="caller",
    )


def hung_up(number: str = "+12125550102") -> CallTruth:
    return CallTruth(
        number=number,
        dialled="+13125550100",
        script="hang_up_in_menu",
        started_at=START - 0.6,
        answered_at=START,
        ended_at=START + 3,
        ended_by="caller",
    )


def ratio(numerator: float, denominator: float) -> dict[str, float | None]:
    return {
        "value": round(numerator / denominator, 4) if denominator else None,
        "numerator": numerator,
        "denominator": denominator,
    }


def queue_figures() -> dict[str, Any]:
    """What a report says of one answered call (5 s) and one abandoned one (8 s)."""
    return {
        **copy.deepcopy(EMPTY["total"]),
        "offered": 2,
        "answered": 1,
        "handled": 1,
        "abandoned": 1,
        "answer_rate": ratio(1, 2),
        "abandonment_rate": {"gross": ratio(1, 2), "net": ratio(1, 2)},
        "aht_s": ratio(11.0, 1),
        "aht_per_call_s": ratio(11.0, 1),
        "att_s": ratio(8.0, 1),
        "average_hold_s": ratio(2.0, 1),
        "average_acw_s": ratio(1.0, 1),
        "asa": {"mean_s": ratio(5.0, 1), "p50_s": 5.0, "p90_s": 5.0, "max_s": 5.0},
        "service_level": {
            "standard": ratio(1, 2),
            "answered_only": ratio(1, 1),
            "abandons_count_as_met": ratio(2, 2),
            "abandons_ignored": ratio(1, 1),
            "abandons_negative": ratio(1, 2),
            "abandons_positive": ratio(2, 2),
        },
    }


def report() -> dict[str, Any]:
    total = queue_figures() | {"calls": 3}
    total["outcomes"] |= {"answered": 1, "abandoned": 1, "ivr_abandoned": 1}
    return copy.deepcopy(EMPTY) | {
        "total": total,
        "by_queue": {"sales": queue_figures()},
        "by_agent": {"alice": queue_figures()},
    }


def at(seconds: float) -> str:
    return (datetime.fromtimestamp(START, UTC) + timedelta(seconds=seconds)).isoformat()


def api_call(outcome: str, total_s: float, ivr_s: float, contact: dict[str, Any] | None) -> dict[str, Any]:
    contacts = [] if contact is None else [contact]
    return {"outcome": outcome, "timeline": {"total_s": total_s, "ivr_s": ivr_s, "contacts": contacts}}


def calls() -> dict[str, dict[str, Any]]:
    talk = {
        "queue": "sales",
        "agent_id": "alice",
        "connected_at": at(7),
        "wait_s": 5.0,
        "talk_s": 8.0,
        "hold_s": 2.0,
        "acw_s": 1.0,
    }
    wait = talk | {
        "agent_id": None,
        "connected_at": None,
        "wait_s": 8.0,
        "talk_s": 0,
        "hold_s": 0,
        "acw_s": 0,
    }
    return {
        "+12125550100": api_call("answered", 17.0, 2.0, talk),
        "+12125550101": api_call("abandoned", 10.0, 2.0, wait),
        "+12125550102": api_call("ivr_abandoned", 3.0, 3.0, None),
    }


def truth() -> Truth:
    return Truth([answered(), abandoned(), hung_up()])


def different(rows: list[Compared]) -> set[tuple[str, str]]:
    return {(row.scope, row.name) for row in rows if not row.equal}


def test_a_true_report_equals_the_truth() -> None:
    rows = compare(report(), calls(), truth())
    assert different(rows) == set()
    assert {row.scope for row in rows} == {
        "day",
        "queue sales",
        "agent alice",
        "call +12125550100",
        "call +12125550101",
        "call +12125550102",
    }
    assert len(rows) == (2 + len(OUTCOMES)) + 2 * (17 + len(LEFT) + len(REFUSED) + 5) + 5 + 3 * len(
        CALL_FIGURES
    )


def test_what_callers_said_and_what_the_service_took_it_for_are_compared() -> None:
    said, heard = truth(), calls()
    said.calls[0].understood = ["question", "refund"]
    assert different(compare(report(), heard, said)) == {("call +12125550100", "said")}
    heard["+12125550100"]["spoken"] = ["question", "price"]
    assert different(compare(report(), heard, said)) == {("call +12125550100", "said")}
    heard["+12125550100"]["spoken"] = ["question", "refund"]
    assert different(compare(report(), heard, said)) == set()


def test_every_outcome_and_service_level_is_compared() -> None:
    ours_to_customers = {Outcome.CALLBACK_ABANDONED, Outcome.UNREACHED}
    assert set(OUTCOMES) == {outcome.value for outcome in set(Outcome) - ours_to_customers}
    assert set(SERVICE_LEVELS) == {level.value for level in ServiceLevel}


@pytest.mark.parametrize("key", ["offered", "answered", "abandoned", "short_abandoned", "handled", "calls"])
def test_a_wrong_count_is_found(key: str) -> None:
    wrong = report()
    wrong["total"][key] += 1
    found = different(compare(wrong, calls(), truth()))
    assert {scope for scope, _ in found} == {"day"}
    assert len(found) == 1


def test_a_wrong_ratio_and_a_wrong_time_are_found() -> None:
    wrong = report()
    wrong["total"]["service_level"]["standard"] = ratio(1, 3)
    wrong["by_agent"]["alice"]["att_s"] = ratio(8.26, 1)
    wrong["total"]["asa"]["p90_s"] = 5.24
    assert different(compare(wrong, calls(), truth())) == {
        ("day", "service level, standard"),
        ("agent alice", "talk time (ATT)"),
    }


def test_a_wrong_call_is_found() -> None:
    wrong = calls()
    wrong["+12125550100"]["timeline"]["contacts"][0] |= {"wait_s": 5.3, "agent_id": "bob"}
    wrong["+12125550102"]["outcome"] = "failed"
    assert different(compare(report(), wrong, truth())) == {
        ("call +12125550100", "wait"),
        ("call +12125550100", "agent"),
        ("call +12125550102", "outcome"),
    }


def test_a_call_that_one_side_does_not_know() -> None:
    known = calls()
    del known["+12125550102"]
    known["+12125550109"] = api_call("failed", 1.0, 1.0, None)
    found = different(compare(report(), known, truth()))
    assert ("call +12125550102", "outcome") in found
    assert ("call +12125550109", "outcome") in found


def test_a_queue_that_the_report_does_not_know() -> None:
    wrong = report()
    wrong["by_queue"] = {}
    assert ("queue sales", "offered") in different(compare(wrong, calls(), truth()))


def test_a_day_without_calls() -> None:
    assert different(compare(EMPTY, {}, Truth())) == set()


def test_a_call_still_open_differs() -> None:
    still = calls()
    still["+12125550100"] |= {"outcome": None, "timeline": None}
    assert ("call +12125550100", "length") in different(compare(report(), still, truth()))


def nearly_late(wait_s: float) -> tuple[dict[str, Any], dict[str, dict[str, Any]], Truth]:
    """The report counts the answer as in time; the truth waited ``wait_s``."""
    said = report()
    for place in (said["total"], said["by_queue"]["sales"]):
        place["asa"] = {"mean_s": ratio(19.999, 1), "p50_s": 19.999, "p90_s": 19.999, "max_s": 19.999}
    known = calls()
    known["+12125550100"]["timeline"]["contacts"][0]["wait_s"] = 19.999
    known["+12125550100"]["timeline"]["total_s"] = 32.0
    return said, known, Truth([answered(wait_s=wait_s), abandoned(), hung_up()])


def test_a_wait_at_the_threshold_may_count_on_either_side() -> None:
    assert different(compare(*nearly_late(20.003))) == set()


def test_a_wait_past_the_threshold_may_not() -> None:
    found = {name for _, name in different(compare(*nearly_late(20.3)))}
    assert "service level, standard" in found


def test_a_short_abandon_at_the_threshold() -> None:
    known = calls()
    known["+12125550101"]["outcome"] = "short_abandoned"
    known["+12125550101"]["timeline"]["contacts"][0]["wait_s"] = 5.999
    known["+12125550101"]["timeline"]["total_s"] = 8.0
    near = Truth([answered(), abandoned(wait_s=6.002), hung_up()])
    far = Truth([answered(), abandoned(wait_s=6.4), hung_up()])
    assert ("call +12125550101", "outcome") not in different(compare(report(), known, near))
    assert ("call +12125550101", "outcome") in different(compare(report(), known, far))


def test_agreement() -> None:
    assert agree(Unit.SECONDS, 1.0, 1.0 + TOLERANCE_S)
    assert not agree(Unit.SECONDS, 1.0, 1.0 + TOLERANCE_S + 0.001)
    assert not agree(Unit.SECONDS, 0.0, None)
    assert agree(Unit.SECONDS, None, None)
    assert agree(Unit.RATIO, 2 / 3, 1 - 1 / 3)
    assert not agree(Unit.RATIO, 0.6667, 2 / 3)
    assert not agree(Unit.COUNT, 3, 4)
    assert not agree(Unit.NAME, "alice", None)
    assert agree(Unit.NAME, "alice", "alice")
