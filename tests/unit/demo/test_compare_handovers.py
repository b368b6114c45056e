"""Calls with several contacts, surveys and wishes on both sides: equal where they must be, else not."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from callcenter.config import Metrics
from callcenter.demo.api import handed
from callcenter.demo.compare import Compared, compare, compare_satisfaction
from callcenter.demo.proof import compare_wishes
from callcenter.reports import Interval, summarise, to_json
from callcenter.reports.ratio import Ratio
from callcenter.simulator.truth import CallTruth, ContactTruth, Held, Rated, Truth

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
NUMBER = "+12125550100"


def handed_over() -> CallTruth:
    """2 s in the flow; sales overflows after 3 s; 4 s in support; 10 s with ann, 6 s held; 5 s with bob."""
    return CallTruth(
        number=NUMBER,
        dialled="+13125550100",
        script="talk",
        started_at=START - 0.6,
        answered_at=START,
        contacts=[
            ContactTruth("sales", START + 2, START + 5, "overflow"),
            ContactTruth(
                "support",
                START + 5,
                agent="ann",
                connected_at=START + 9,
                parted_at=START + 19,
                holds=[Held(START + 13, START + 19)],
                wrap_up_ended_at=START + 22,
            ),
            ContactTruth(
                "support",
                START + 19,
                agent="bob",
                connected_at=START + 19,
                parted_at=START + 24,
                attended=True,
                wrap_up_ended_at=START + 25,
            ),
        ],
        handed=["completed"],
        ended_at=START + 30,
        ended_by="caller",
    )


def contact(queue: str, agent: str | None, *seconds: float) -> dict[str, Any]:
    times = dict(zip(("wait_s", "talk_s", "hold_s", "acw_s"), seconds, strict=True))
    return {"queue": queue, "agent_id": agent, "connected_at": agent and "2026-01-01T12:00:09+00:00", **times}


def api_call() -> dict[str, Any]:
    contacts = [
        contact("sales", None, 3, 0, 0, 0),
        contact("support", "ann", 4, 4, 6, 3),
        contact("support", "bob", 0, 5, 0, 1),
    ]
    timeline = {"total_s": 30.0, "ivr_s": 8.0, "contacts": contacts}
    return {"outcome": "answered", "timeline": timeline, "handed": ["completed"]}


def of_call(rows: list[Compared]) -> set[str]:
    return {row.name for row in rows if row.scope.startswith("call") and not row.equal}


def test_a_call_with_several_contacts_equals_the_truth() -> None:
    rows = compare(EMPTY, {NUMBER: api_call()}, Truth([handed_over()]))
    assert of_call(rows) == set()
    shown = {row.name: row.report for row in rows if row.scope.startswith("call")}
    assert (shown["queue"], shown["agent"]) == ("sales > support > support", "ann > bob")
    assert (shown["IVR"], shown["wait"], shown["talk"], shown["hold"], shown["ACW"]) == (8, 7, 9, 6, 4)


def test_a_contact_too_few_and_another_way_of_handing_over_are_found() -> None:
    wrong = api_call()
    del wrong["timeline"]["contacts"][0]
    wrong["handed"] = ["cancelled"]
    rows = compare(EMPTY, {NUMBER: wrong}, Truth([handed_over()]))
    assert of_call(rows) == {"queue", "wait", "handed"}


def test_figures_count_each_contact_where_it_belongs() -> None:
    rows = {(row.scope, row.name): row.truth for row in compare(EMPTY, {}, Truth([handed_over()]))}
    assert (rows["queue sales", "offered"], rows["queue sales", "left: overflow"]) == (1, 1)
    assert (rows["queue sales", "answered"], rows["queue sales", "handled"]) == (0, 0)
    assert (rows["queue support", "offered"], rows["queue support", "handled"]) == (1, 2)
    assert (rows["agent ann", "handle time (AHT)"], rows["agent bob", "handle time (AHT)"]) == (13, 6)
    assert rows["day", "handle time per call"] == 19


def test_times_are_held_against_each_other_as_exactly_as_they_are_known() -> None:
    wrong = api_call()
    wrong["timeline"]["contacts"][1]["wait_s"] = 4.6
    punctual, late = Truth([handed_over()]), Truth([handed_over()])
    late.calls[0].late_s = 0.1
    assert of_call(compare(EMPTY, {NUMBER: wrong}, punctual)) == {"wait"}
    assert of_call(compare(EMPTY, {NUMBER: wrong}, late)) == set()


def test_several_waits_near_a_threshold_may_each_count_on_either_side() -> None:
    calls = []
    for number, wait_s in enumerate((19.9, 20.1, 20.2, 25.0)):
        call = CallTruth(f"+121255501{number:02d}", "+13125550100", "talk", START, answered_at=START)
        entry = call.enter("sales", START)
        entry.agent, entry.connected_at = "ann", START + wait_s
        call.ended("caller", START + wait_s + 5)
        calls.append(call)
    said = {}
    for met in range(5):
        total = EMPTY["total"] | {"service_level": {"answered_only": Ratio(met, 4).parts(4)}}
        rows = compare(EMPTY | {"total": total}, {}, Truth(calls))
        said[met] = next(
            row.equal for row in rows if (row.scope, row.name) == ("day", "service level, answered only")
        )
    assert said == {0: True, 1: True, 2: True, 3: True, 4: False}


def surveyed(agent: str, *ratings: tuple[str, int]) -> CallTruth:
    call = handed_over()
    call.contacts[-1].agent = agent
    call.survey_heard, call.ratings = True, [Rated(*one) for one in ratings]
    return call


def satisfaction(offered: int, *shares: tuple[float, float]) -> dict[str, Any]:
    names = ("response", "csat", "csat_response", "nps", "nps_response")
    told = {name: Ratio(*share).parts(4) for name, share in zip(names, shares, strict=True)}
    return {"satisfaction": {"offered": offered, **told}}


def quality() -> dict[str, Any]:
    """Three were asked, two answered: 5 and 10; 2 and nothing."""
    whole = satisfaction(3, (2, 3), (1, 2), (2, 3), (100, 1), (1, 3))
    bob = satisfaction(2, (1, 2), (1, 1), (1, 2), (100, 1), (1, 2))
    eve = satisfaction(1, (1, 1), (0, 1), (1, 1), (0, 0), (0, 1))
    return {"total": whole, "by_queue": {"support": deepcopy(whole)}, "by_agent": {"bob": bob, "eve": eve}}


def test_what_callers_say_in_surveys_is_compared() -> None:
    truth = Truth([surveyed("bob", ("csat", 5), ("nps", 10)), surveyed("bob"), surveyed("eve", ("csat", 2))])
    rows = compare_satisfaction(quality(), truth)
    assert {row.scope for row in rows} == {"day", "queue support", "agent bob", "agent eve"}
    assert [row for row in rows if not row.equal] == []

    wrong = quality()
    wrong["total"]["satisfaction"]["csat"] = Ratio(2, 2).parts(4)
    wrong["by_agent"]["eve"]["satisfaction"]["offered"] = 2
    different = {(row.scope, row.name) for row in compare_satisfaction(wrong, truth) if not row.equal}
    assert different == {("day", "CSAT"), ("agent eve", "surveys offered")}


def test_each_wish_is_handed_over_once() -> None:
    calls = []
    for number in range(3):
        call = CallTruth(f"+121255501{number:02d}", "+13125550100", "callback", START)
        call.enter("sales", START + 2)
        call.leave("callback", START + 3)
        calls.append(call)
    numbers = [call.number for call in calls]
    assert [row for row in compare_wishes(Truth(calls), numbers) if not row.equal] == []
    twice = compare_wishes(Truth(calls), [numbers[0], numbers[0], numbers[1]])
    assert {row.scope for row in twice if not row.equal} == {f"call {numbers[0]}", f"call {numbers[2]}"}
    assert {row.scope for row in compare_wishes(Truth(calls[:2]), numbers) if not row.equal} == {
        "day",
        f"call {numbers[2]}",
    }


def test_handovers_are_read_from_the_events() -> None:
    events = [
        {"type": "agent.connected", "data": {}},
        {"type": "consult.ended", "data": {"result": "cancelled"}},
        {"type": "transfer.blind", "data": {"to": "sales", "kind": "queue"}},
        {"type": "consult.ended", "data": {"result": "completed"}},
        {"type": "transfer.attended", "data": {"to": "sales", "kind": "queue"}},
    ]
    assert handed(events) == ["cancelled", "blind", "completed"]
