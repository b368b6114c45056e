"""A summary puts each contact, call and minute of an agent into the rows where it belongs."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from callcenter.config import Metrics
from callcenter.events import CALLBACK_OUTCOMES, Event, EventType, Outcome
from callcenter.reports.definitions import Ratio, merge
from callcenter.reports.export import to_csv, to_json
from callcenter.reports.intervals import Interval
from callcenter.reports.sections import Fact, Section, Unit
from callcenter.reports.summary import CountBy, Summary, summarise
from callcenter.reports.text import clock, percent, to_text
from callcenter.timeline import Timeline, build

E = EventType
METRICS = Metrics(timezone="Europe/Berlin")
NINE = datetime(2025, 3, 3, 8, tzinfo=UTC)  # in Berlin
TEN = NINE + timedelta(hours=1)


def call(
    at: datetime, *steps: tuple[float, EventType, dict[str, Any]], direction: str = "inbound"
) -> Timeline:
    """A call that starts at ``at`` and goes on as the steps say: (second, type, queue, agent or payload)."""
    events = [Event(E.CALL_STARTED, at, UUID(int=1), 1, data={"direction": direction})]
    for seq, (second, kind, given) in enumerate(steps, start=2):
        data = dict(given)
        queue, agent = data.pop("queue", None), data.pop("agent", None)
        moment = at + timedelta(seconds=second)
        events.append(Event(kind, moment, UUID(int=1), seq, queue=queue, agent=agent, data=data))
    return build(events, None)


def served(
    at: datetime, queue: str = "sales", wait_s: float = 10, agent: str = "bob", direction: str = "inbound"
) -> Timeline:
    return call(
        at,
        (5, E.QUEUE_ENTERED, {"queue": queue}),
        (5 + wait_s, E.AGENT_CONNECTED, {"queue": queue, "agent": agent}),
        (65 + wait_s, E.CONVERSATION_ENDED, {}),
        (65 + wait_s, E.ACW_STARTED, {"agent": agent}),
        (65 + wait_s, E.CALL_ENDED, {"cause": "caller_hangup"}),
        (85 + wait_s, E.ACW_ENDED, {"agent": agent}),
        direction=direction,
    )


def gone(at: datetime, queue: str = "sales", wait_s: float = 30) -> Timeline:
    return call(
        at,
        (5, E.QUEUE_ENTERED, {"queue": queue}),
        (5 + wait_s, E.QUEUE_ABANDONED, {}),
        (5 + wait_s, E.CALL_ENDED, {"cause": "caller_hangup"}),
    )


CALLS = [
    served(NINE),
    served(NINE + timedelta(minutes=20), wait_s=40),
    gone(NINE + timedelta(minutes=40)),
    served(NINE + timedelta(minutes=50), queue="billing", agent="ann"),
    call(NINE + timedelta(minutes=55), (20, E.CALL_ENDED, {"cause": "completed"})),
]


def state(minute: float, agent: str, after: str, before: str = "offline") -> Event:
    at = NINE + timedelta(minutes=minute)
    return Event(E.AGENT_STATE, at, agent=agent, data={"from": before, "to": after})


def hour(calls: Sequence[Timeline] = CALLS, **options: Any) -> Summary:
    given: Any = {"since": NINE, "until": TEN, "interval": Interval.HALF_HOUR} | options
    return summarise(calls, METRICS, **given)


def test_the_rows_of_an_hour() -> None:
    summary = hour()
    assert (summary.total.calls, summary.total.offered, summary.total.answered) == (5, 4, 3)
    assert {name: row.offered for name, row in summary.by_queue.items()} == {"billing": 1, "sales": 3}
    assert [(row.calls, row.offered, row.answered) for _, row in summary.by_interval] == [
        (2, 2, 2),
        (3, 2, 1),
    ]
    assert {name: row.handled for name, row in summary.by_agent.items()} == {"ann": 1, "bob": 2}
    assert summary.total.outcomes == {Outcome.ANSWERED: 3, Outcome.ABANDONED: 1, Outcome.SELF_SERVED: 1}
    assert summary.total.aht == Ratio(240, 3)


def test_one_queue_has_its_contacts_and_the_calls_that_entered_it() -> None:
    summary = hour(queue="sales", agent_states=[state(0, "bob", "available")], now=TEN)
    assert (summary.total.calls, summary.total.offered) == (3, 3)
    assert list(summary.by_queue) == ["sales"]
    assert list(summary.by_agent) == ["bob"]
    assert summary.total.occupancy.value is None


def test_a_queue_nobody_entered_is_empty_not_an_error() -> None:
    summary = hour(queue="night")
    assert (summary.total.calls, summary.total.offered, summary.by_queue) == (0, 0, {})
    assert len(summary.by_interval) == 2


def test_intervals_add_up_to_the_total_and_to_a_longer_report() -> None:
    summary = hour()
    rows = [figures for _, figures in summary.by_interval]
    assert merge(rows, METRICS) == summary.total
    halves = [hour(until=NINE + timedelta(minutes=30)), hour(since=NINE + timedelta(minutes=30))]
    assert merge([half.total for half in halves], METRICS) == summary.total


def test_a_contact_counts_where_it_was_offered() -> None:
    late = served(
        NINE + timedelta(minutes=29, seconds=50), wait_s=30
    )  # queued at 9:29:55, answered at 9:30:25
    assert [row.offered for _, row in hour([late]).by_interval] == [1, 0]
    assert [row.offered for _, row in hour([late], by=CountBy.HANDLED).by_interval] == [0, 1]


def test_a_call_from_before_the_range_is_offered_in_it_without_being_one_of_its_calls() -> None:
    early = served(NINE - timedelta(seconds=2))
    assert (hour([early]).total.calls, hour([early]).total.offered) == (0, 1)
    after = served(TEN - timedelta(seconds=2))
    assert (hour([after]).total.calls, hour([after]).total.offered) == (1, 0)


def test_calls_that_did_not_come_in_count_for_their_agent_alone() -> None:
    summary = hour([served(NINE, direction="callback")])
    assert (summary.total.offered, summary.by_queue) == (0, {})
    assert summary.by_agent["bob"].handled == 1


def called_back(at: datetime, *steps: tuple[float, EventType, dict[str, Any]]) -> Timeline:
    ring = (0, E.OFFER_SENT, {"queue": "sales", "agent": "bob"})
    return call(at, ring, *steps, direction="callback")


CALLED_BACK = [
    called_back(
        NINE + timedelta(minutes=10),
        (4, E.OFFER_ACCEPTED, {"queue": "sales", "agent": "bob"}),
        (12, E.CALL_ANSWERED, {}),
        (12, E.AGENT_CONNECTED, {"queue": "sales", "agent": "bob"}),
        (112, E.CONVERSATION_ENDED, {}),
        (112, E.CALL_ENDED, {"cause": "caller_hangup"}),
        (112, E.ACW_STARTED, {"agent": "bob"}),
        (122, E.ACW_ENDED, {"agent": "bob"}),
    ),
    called_back(NINE + timedelta(minutes=15), (20, E.CALL_ENDED, {"cause": "unreached"})),
    called_back(
        NINE + timedelta(minutes=16),
        (12, E.CALL_ANSWERED, {}),
        (14, E.CALL_ENDED, {"cause": "caller_hangup"}),
    ),
    called_back(NINE + timedelta(minutes=17)),  # still rings
]


@pytest.mark.parametrize("options", [{}, {"queue": "sales"}, {"by": CountBy.HANDLED}], ids=str)
def test_callbacks_change_no_figure_of_the_calls_that_came_in(options: dict[str, Any]) -> None:
    without, summary = hour(**options), hour([*CALLS, *CALLED_BACK], **options)
    assert summary.total == without.total
    assert summary.by_queue == without.by_queue
    assert summary.by_interval == without.by_interval
    assert summary.by_agent["bob"].handled == without.by_agent["bob"].handled + 1
    more = summary.by_agent["bob"].talk - without.by_agent["bob"].talk
    assert more == timedelta(seconds=100)


def test_agents_time_is_split_over_the_intervals_it_spans() -> None:
    states = [
        state(-60, "ann", "available"),  # from before the range on
        state(20, "ann", "talking", "available"),
        state(40, "ann", "wrap_up", "talking"),
        state(45, "ann", "break", "wrap_up"),
        state(-300, "bob", "available"),
        state(50, "bob", "ringing", "available"),
        state(40, "cleo", "available", "break"),  # what she did before is not in the log
    ]
    summary = hour([], agent_states=states, now=NINE + timedelta(minutes=55))
    first, second = (figures for _, figures in summary.by_interval)
    assert first.occupancy == Ratio(10 * 60, 60 * 60)
    assert second.occupancy == Ratio(15 * 60, 50 * 60)
    assert summary.by_agent["cleo"].paid == summary.by_agent["cleo"].available == timedelta(minutes=15)
    assert summary.by_agent["ann"].occupancy == Ratio(25 * 60, 45 * 60)
    assert summary.by_agent["ann"].shrinkage == Ratio(10 * 60, 55 * 60)
    assert summary.by_agent["bob"].paid == timedelta(minutes=55)
    assert summary.by_agent["bob"].occupancy == Ratio(0, 50 * 60)


def test_queues_share_their_agents_time_by_the_work_they_gave() -> None:
    """Ann gives 80 s to sales and 240 s to billing, is available for 400 s, on a break for 80 s."""
    calls = [served(NINE, "sales", agent="ann"), *[served(NINE, "billing", agent="ann")] * 3]
    states = [
        state(0, "ann", "available"),
        state(5, "ann", "talking", "available"),
        state(10 + 20 / 60, "ann", "available", "talking"),
        state(12, "ann", "break", "available"),
        state(13 + 20 / 60, "ann", "offline", "break"),
        state(0, "bob", "available"),  # he handles nothing, so no queue knows of him
    ]
    summary = hour(calls, agent_states=states, now=TEN)
    assert summary.by_agent["ann"].occupancy == Ratio(320, 720)
    assert summary.by_queue["sales"].occupancy == Ratio(80, 180)
    assert summary.by_queue["billing"].occupancy == Ratio(240, 540)
    assert summary.by_queue["sales"].shrinkage == Ratio(20, 200)
    assert summary.by_queue["billing"].shrinkage == Ratio(60, 600)


def test_hours_of_the_day_add_up_the_intervals_of_all_days() -> None:
    calls = [*CALLS, *[served(NINE + timedelta(days=1, minutes=35))] * 2, served(TEN + timedelta(minutes=1))]
    summary = hour(calls, until=NINE + timedelta(days=2))
    busy = {number: row.offered for number, row in summary.by_hour.items() if row.offered}
    assert busy == {9: 6, 10: 1}
    assert len(summary.by_hour) == 24
    assert hour(interval=Interval.DAY).by_hour == {}
    text = to_text(summary)
    assert " 09:00 " in text.split("Hour of the day")[1]


def test_the_hour_that_comes_twice_is_one_hour_of_the_day() -> None:
    midnight = datetime(2025, 10, 25, 22, tzinfo=UTC)
    night = [served(midnight + timedelta(hours=hours)) for hours in (2, 3)]  # 02:00 in summer and in winter
    summary = hour(night, since=midnight, until=midnight + timedelta(hours=25), interval=Interval.HOUR)
    assert len(summary.by_interval) == 25
    assert summary.by_hour[2].offered == 2


def overflowed() -> Timeline:
    """30 s in sales, then 20 s in billing until Ann answers; 60 s of talk, 40 s of wrap-up."""
    return call(
        NINE,
        (0, E.QUEUE_ENTERED, {"queue": "sales"}),
        (30, E.QUEUE_LEFT, {"queue": "sales", "reason": "overflow", "to": "billing"}),
        (30, E.QUEUE_ENTERED, {"queue": "billing"}),
        (50, E.AGENT_CONNECTED, {"queue": "billing", "agent": "ann"}),
        (110, E.CONVERSATION_ENDED, {}),
        (110, E.ACW_STARTED, {"agent": "ann"}),
        (110, E.CALL_ENDED, {"cause": "caller_hangup"}),
        (150, E.ACW_ENDED, {"agent": "ann"}),
    )


def test_an_overflow_is_offered_to_both_queues_and_answered_in_one() -> None:
    summary = hour([overflowed()])
    sales, billing = summary.by_queue["sales"], summary.by_queue["billing"]
    assert (sales.offered, sales.answered, sales.left, sales.abandoned) == (1, 0, {"overflow": 1}, 0)
    assert (billing.offered, billing.answered, billing.asa) == (1, 1, Ratio(20, 1))
    assert (summary.total.offered, summary.total.answered, summary.total.calls) == (2, 1, 1)
    assert summary.total.answer_rate == Ratio(1, 2)
    assert summary.total.outcomes == {Outcome.ANSWERED: 1}
    assert sales.past_threshold == 1
    assert (sales.aht.value, billing.aht) == (None, Ratio(100, 1))


def transferred() -> Timeline:
    """Bob talks for 100 s, 20 s of it on hold; then Ann in billing for 50 s; they wrap up for 10 and 30 s."""
    return call(
        NINE,
        (0, E.QUEUE_ENTERED, {"queue": "sales"}),
        (10, E.AGENT_CONNECTED, {"queue": "sales", "agent": "bob"}),
        (60, E.HOLD_STARTED, {"agent": "bob"}),
        (80, E.HOLD_ENDED, {"agent": "bob"}),
        (110, E.CONVERSATION_ENDED, {"by": "transfer"}),
        (110, E.QUEUE_ENTERED, {"queue": "billing"}),
        (110, E.ACW_STARTED, {"agent": "bob"}),
        (115, E.AGENT_CONNECTED, {"queue": "billing", "agent": "ann"}),
        (120, E.ACW_ENDED, {"agent": "bob"}),
        (165, E.CONVERSATION_ENDED, {"by": "customer"}),
        (165, E.ACW_STARTED, {"agent": "ann"}),
        (165, E.CALL_ENDED, {"cause": "caller_hangup"}),
        (195, E.ACW_ENDED, {"agent": "ann"}),
    )


def test_a_transferred_call_is_shown_per_segment_and_as_a_whole() -> None:
    summary = hour([transferred(), served(NINE)])  # the second: 60 s of talk and 20 s of wrap-up for Bob
    assert summary.by_agent["bob"].aht == Ratio(110 + 80, 2)
    assert summary.by_agent["bob"].average_hold == Ratio(20, 2)
    assert summary.by_agent["ann"].aht == Ratio(80, 1)
    assert summary.total.aht == Ratio(270, 3)
    assert summary.total.aht_per_call == Ratio(270, 2)
    assert summary.by_queue["billing"].asa == Ratio(5, 1)


def test_who_takes_a_caller_over_in_person_handles_a_contact_that_no_queue_was_offered() -> None:
    """Bob talks for 60 s and hands the caller to Ann, who talks for 40 s and wraps up for 10 s."""
    attended = call(
        NINE,
        (0, E.QUEUE_ENTERED, {"queue": "sales"}),
        (30, E.AGENT_CONNECTED, {"queue": "sales", "agent": "bob"}),
        (90, E.TRANSFER_ATTENDED, {"agent": "bob", "to": "billing", "kind": "queue"}),
        (90, E.CONVERSATION_ENDED, {"by": "transfer"}),
        (90, E.AGENT_CONNECTED, {"queue": "billing", "agent": "ann"}),
        (130, E.CONVERSATION_ENDED, {"by": "customer"}),
        (130, E.ACW_STARTED, {"agent": "ann"}),
        (130, E.CALL_ENDED, {"cause": "caller_hangup"}),
        (140, E.ACW_ENDED, {"agent": "ann"}),
    )
    summary = hour([attended])
    total, billing = summary.total, summary.by_queue["billing"]
    assert (total.offered, total.answered, total.handled) == (1, 1, 2)
    assert (total.aht, total.aht_per_call, total.asa) == (Ratio(110, 2), Ratio(110, 1), Ratio(30, 1))
    assert total.service_levels["standard"] == Ratio(0, 1)
    assert (billing.offered, billing.handled, billing.aht) == (0, 1, Ratio(50, 1))
    assert billing.answer_rate.value is None
    assert summary.by_agent["ann"].handled == 1


def test_the_handled_view_moves_contacts_not_calls() -> None:
    """Queued at 9:29:50: one answered at 9:30:10, one abandoned at 9:29:55, one who still waits."""
    at = NINE + timedelta(minutes=29, seconds=45)
    waiting = call(at, (5, E.QUEUE_ENTERED, {"queue": "sales"}))
    calls = [served(at, wait_s=20), gone(at, wait_s=5), waiting]
    offered, handled = hour(calls), hour(calls, by=CountBy.HANDLED)
    rows = [(row.offered, row.answered, row.waiting, row.calls) for _, row in offered.by_interval]
    assert rows == [(2, 1, 1, 3), (0, 0, 0, 0)]
    rows = [(row.offered, row.answered, row.waiting, row.calls) for _, row in handled.by_interval]
    assert rows == [(1, 0, 0, 3), (1, 1, 0, 0)]
    assert "by when contacts left the queue" in to_text(handled)


def test_callers_who_hang_up_in_the_menu_stand_apart() -> None:
    in_menu = call(NINE, (1, E.IVR_ENTERED, {}), (9, E.CALL_ENDED, {"cause": "caller_hangup"}))
    total = hour([in_menu, gone(NINE)]).total
    assert total.outcomes == {Outcome.IVR_ABANDONED: 1, Outcome.ABANDONED: 1}
    assert (total.offered, total.abandoned) == (1, 1)
    assert total.ivr == timedelta(seconds=8)


def test_thresholds_may_be_changed_afterwards() -> None:
    contact = hour().by_queue["sales"]
    assert (contact.answered_in_time, contact.short_abandoned) == (1, 0)
    other = replace(contact, thresholds=Metrics(service_level_s=40, short_abandon_s=30))
    assert (other.answered_in_time, other.abandoned_in_time, other.short_abandoned) == (2, 1, 1)
    total = replace(hour().total, thresholds=Metrics(short_abandon_s=30))
    assert total.outcomes[Outcome.SHORT_ABANDONED] == 1


def test_agents_who_went_home_before_the_range_cost_nothing() -> None:
    states = [
        state(-90, "ann", "available"),
        state(-60, "ann", "offline", "available"),
        state(70, "bob", "break"),
    ]
    summary = hour([], agent_states=states, now=TEN + timedelta(hours=1))
    assert summary.total.paid == timedelta(0)


def test_json_has_every_key_and_exact_parts() -> None:
    document = json.loads(json.dumps(to_json(hour(agent_states=[state(0, "bob", "available")], now=TEN))))
    assert document["since"] == "2025-03-03T09:00:00+01:00"
    assert (document["timezone"], document["interval"], document["queue"]) == ("Europe/Berlin", "30", None)
    total = document["total"]
    assert set(total["outcomes"]) == set(Outcome) - CALLBACK_OUTCOMES
    assert total["outcomes"]["answered"] == 3
    assert total["service_level"]["standard"] == {"value": 0.5, "numerator": 2, "denominator": 4}
    assert total["asa"] == {
        "mean_s": {"value": 20, "numerator": 60, "denominator": 3},
        "p50_s": 10,
        "p90_s": 40,
        "max_s": 40,
    }
    assert total["abandonment_rate"]["gross"]["value"] == 0.25
    assert total["occupancy"]["value"] == 0
    assert total["left"] == dict.fromkeys(
        ["timeout", "key", "empty", "transfer", "callback", "voicemail", "overflow", "failed"], 0
    )
    assert document["by_interval"][1]["start"] == "2025-03-03T09:30:00+01:00"
    assert document["by_agent"]["ann"]["aht_s"]["value"] == 80


def test_json_says_null_where_there_is_nothing_to_divide_by() -> None:
    total = to_json(hour([]))["total"]
    assert total["answer_rate"] == {"value": None, "numerator": 0, "denominator": 0}
    assert (total["target_met"], total["asa"]["p90_s"]) == (None, None)


def test_json_rounds_seconds_to_milliseconds_and_shares_to_four_digits() -> None:
    total = to_json(hour([served(NINE, wait_s=1.23456), gone(NINE), gone(NINE)]))["total"]
    assert total["asa"]["max_s"] == 1.235
    assert total["answer_rate"]["value"] == 0.3333


def test_csv_is_one_table_with_a_row_for_every_row() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(hour()))))
    assert [(row["scope"], row["name"]) for row in rows] == [
        ("total", ""),
        ("queue", "billing"),
        ("queue", "sales"),
        ("interval", ""),
        ("interval", ""),
        ("hour", "09"),
        ("agent", "ann"),
        ("agent", "bob"),
    ]
    assert rows[0]["service_level.standard.value"] == "0.5"
    assert rows[3]["start"] == "2025-03-03T09:00:00+01:00"
    assert rows[6]["abandonment_rate.gross.value"] == "0.0"
    assert rows[0]["occupancy.value"] == ""
    assert all(None not in row and None not in row.values() for row in rows)


def test_text_reads_like_a_report() -> None:
    text = to_text(hour())
    lines = {" ".join(line.split()) for line in text.splitlines()}
    assert "Report 2025-03-03 09:00 to 2025-03-03 10:00 (Europe/Berlin)" in lines
    assert "answered 3 (75.0 %)" in lines
    assert "speed of answer, p50 / p90 / max 0:10 / 0:40 / 0:40" in lines
    assert "standard 50.0 % 2 of 4 not met" in lines
    assert "sales 3 2 1 0 0 33.3 % 33.3 % 0:25 1:20 – –" in lines
    assert "occupancy –" in lines
    assert "2025-03-03 09:30 +0100 2 1 1 0 0 50.0 % 50.0 % 0:10 1:20" in lines
    outcomes = text.split("Outcome")[1].splitlines()
    assert len(outcomes[1]) == len("Outcome" + outcomes[0])
    assert not any(line.endswith(" ") for line in text.splitlines())


def with_sections() -> Summary:
    answers = {
        "sales": {"answers": Fact(4), "satisfied": Fact(Ratio(3, 4), Unit.SHARE)},
        "billing": {"answers": Fact(0), "satisfied": Fact(Ratio(0, 0), Unit.SHARE)},
    }
    wait = {"": {"mean wait": Fact(75.0, Unit.SECONDS), "score": Fact(-12.25, Unit.SCORE)}}
    sections = (Section("csat", "Satisfaction", answers), Section("callback", "Callbacks", wait))
    return replace(hour(), sections=(*sections, Section("empty", "Nothing", {})))


def test_sections_of_others_are_in_every_form() -> None:
    summary = with_sections()
    document = json.loads(json.dumps(to_json(summary)))["sections"]
    assert document["csat"]["rows"][0] == {
        "name": "sales",
        "answers": 4,
        "satisfied": {"value": 0.75, "numerator": 3, "denominator": 4},
    }
    assert (document["csat"]["title"], document["empty"]["rows"]) == ("Satisfaction", [])
    rows = list(csv.DictReader(io.StringIO(to_csv(summary))))
    found = [(row["scope"], row["name"], row["csat.satisfied.value"]) for row in rows[8:]]
    assert found == [("csat", "sales", "0.75"), ("csat", "billing", ""), ("callback", "", "")]
    assert (rows[10]["callback.score"], rows[0]["csat.answers"], rows[8]["offered"]) == ("-12.25", "", "")
    lines = {" ".join(line.split()) for line in to_text(summary).splitlines()}
    assert {"Satisfaction answers satisfied", "sales 4 75.0 %", "billing 0 –"} <= lines
    assert {"Callbacks", "mean wait 1:15", "score -12.2"} <= lines
    assert "Nothing" not in lines


def test_text_of_nothing_has_no_empty_tables() -> None:
    text = to_text(hour([]))
    assert "Queue" not in text
    assert "Interval" not in text
    assert "nan" not in text
    assert text.endswith("\n")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (61, "1:01"), (6000, "100:00")],
)
def test_seconds_are_shown_as_minutes(seconds: float | None, shown: str) -> None:
    assert clock(seconds) == shown


def test_shares_are_shown_with_one_decimal() -> None:
    assert [percent(Ratio(2, 3)), percent(Ratio(0, 5)), percent(Ratio(0, 0))] == ["66.7 %", "0.0 %", "–"]
