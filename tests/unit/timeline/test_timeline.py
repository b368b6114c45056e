"""One call's events become its times, its contacts and its one outcome."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from callcenter.events import EndCause, Event, EventType, LeftReason, Outcome
from callcenter.timeline import RELEVANT, ContactEnd, Timeline, build, outcome_of

START = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
CALL = UUID(int=1)
E = EventType


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def log(*steps: tuple[Any, ...]) -> list[Event]:
    """Make events of (second, type, fields...) where fields are queue, agent or payload keys."""
    events = []
    for seq, (second, kind, *rest) in enumerate(steps, start=1):
        fields: dict[str, Any] = dict(rest[0]) if rest else {}
        queue, agent = fields.pop("queue", None), fields.pop("agent", None)
        events.append(Event(kind, at(second), CALL, seq, queue=queue, agent=agent, data=fields))
    return events


def started(second: float = 0) -> tuple[Any, ...]:
    return (second, E.CALL_STARTED, {"direction": "inbound", "from": "+12025550101", "to": "+12025550199"})


IN_IVR = (started(), (1, E.CALL_ANSWERED), (1, E.IVR_ENTERED, {"flow": "main", "node": "menu"}))
QUEUED = (*IN_IVR, (11, E.QUEUE_ENTERED, {"queue": "sales", "position": 3}))
TALKING = (
    *QUEUED,
    (20, E.OFFER_SENT, {"queue": "sales", "agent": "ann"}),
    (26, E.OFFER_NO_ANSWER, {"queue": "sales", "agent": "ann"}),
    (27, E.OFFER_SENT, {"queue": "sales", "agent": "bob"}),
    (30, E.OFFER_ACCEPTED, {"queue": "sales", "agent": "bob"}),
    (31, E.AGENT_CONNECTED, {"queue": "sales", "agent": "bob"}),
)
SERVED = (
    *TALKING,
    (41, E.HOLD_STARTED),
    (46, E.HOLD_ENDED),
    (91, E.CONVERSATION_ENDED, {"by": "customer"}),
    (91, E.ACW_STARTED, {"agent": "bob"}),
    (92, E.CALL_ENDED, {"cause": "caller_hangup"}),
    (111, E.ACW_ENDED, {"agent": "bob", "disposition": "sale"}),
)


def ended(cause: str, second: float = 60) -> tuple[Any, ...]:
    return (second, E.CALL_ENDED, {"cause": cause})


def left(reason: str, second: float = 40) -> tuple[Any, ...]:
    return (second, E.QUEUE_LEFT, {"queue": "sales", "reason": reason})


def test_an_answered_call_has_all_its_times() -> None:
    call = build(log(*SERVED), None)
    assert (call.started_at, call.answered_at, call.ended_at) == (START, at(1), at(92))
    assert (call.direction, call.from_number, call.to_number) == ("inbound", "+12025550101", "+12025550199")
    assert (call.outcome, call.end_cause) == (Outcome.ANSWERED, EndCause.CALLER_HANGUP)
    assert (call.ivr_s, call.total_s) == (10, 92)
    (contact,) = call.contacts
    assert (contact.queue, contact.agent, contact.ended) == ("sales", "bob", ContactEnd.ANSWERED)
    assert (contact.entered_at, contact.connected_at, contact.left_at) == (at(11), at(31), at(31))
    assert contact.conversation_ended_at == at(91)
    assert (contact.wait_s, contact.ring_s, contact.offers) == (20, 9, 2)
    assert (contact.talk_s, contact.hold_s, contact.acw_s, contact.handle_s) == (55, 5, 20, 80)
    assert (contact.position, contact.original_position) == (3, 3)


def test_wrap_up_before_the_end_of_the_call_counts_the_same() -> None:
    call = build(
        log(
            *TALKING,
            (51, E.CONVERSATION_ENDED, {"by": "agent"}),
            (51, E.ACW_STARTED, {"agent": "bob"}),
            (51, E.IVR_ENTERED, {"node": "survey"}),
            (61, E.ACW_ENDED, {"agent": "bob"}),
            ended("completed", 71),
        ),
        None,
    )
    assert call.contacts[0].acw_s == 10
    assert call.ivr_s == 10 + 20
    assert call.outcome is Outcome.ANSWERED


def test_a_transfer_gives_a_second_contact_and_each_agent_his_own_wrap_up() -> None:
    call = build(
        log(
            *TALKING,
            (51, E.CONVERSATION_ENDED, {"by": "agent"}),
            (51, E.ACW_STARTED, {"agent": "bob"}),
            (51, E.QUEUE_ENTERED, {"queue": "billing", "position": 1}),
            (61, E.AGENT_CONNECTED, {"queue": "billing", "agent": "cy"}),
            (66, E.ACW_ENDED, {"agent": "bob"}),
            (81, E.CONVERSATION_ENDED, {"by": "customer"}),
            (81, E.ACW_STARTED, {"agent": "cy"}),
            ended("caller_hangup", 81),
            (85, E.ACW_ENDED, {"agent": "cy"}),
        ),
        None,
    )
    assert [(c.queue, c.agent, c.wait_s, c.talk_s, c.acw_s) for c in call.contacts] == [
        ("sales", "bob", 20, 20, 15),
        ("billing", "cy", 10, 20, 4),
    ]


ASKED = (
    *TALKING,
    (41, E.HOLD_STARTED, {"queue": "sales", "agent": "bob"}),
    (41, E.CONSULT_STARTED, {"queue": "sales", "agent": "bob", "to": "billing", "kind": "queue"}),
)


def test_an_attended_transfer_gives_the_second_agent_a_contact_that_nobody_waited_for() -> None:
    call = build(
        log(
            *ASKED,
            (61, E.CONSULT_ENDED, {"agent": "bob", "result": "completed"}),
            (61, E.TRANSFER_ATTENDED, {"agent": "bob", "to": "billing", "kind": "queue"}),
            (61, E.HOLD_ENDED, {"agent": "bob"}),
            (61, E.CONVERSATION_ENDED, {"agent": "bob", "by": "transfer"}),
            (61, E.ACW_STARTED, {"agent": "bob"}),
            (61, E.AGENT_CONNECTED, {"queue": "billing", "agent": "cy"}),
            (66, E.ACW_ENDED, {"agent": "bob"}),
            (81, E.CONVERSATION_ENDED, {"agent": "cy", "by": "customer"}),
            (81, E.ACW_STARTED, {"agent": "cy"}),
            ended("caller_hangup", 81),
            (85, E.ACW_ENDED, {"agent": "cy"}),
        ),
        None,
    )
    first, second = call.contacts
    assert (first.agent, first.wait_s, first.talk_s, first.hold_s, first.acw_s) == ("bob", 20, 10, 20, 5)
    assert (second.queue, second.agent, second.attended, second.ended) == (
        "billing",
        "cy",
        True,
        ContactEnd.ANSWERED,
    )
    assert (second.wait_s, second.talk_s, second.hold_s, second.acw_s) == (0, 20, 0, 4)
    assert (second.entered_at, second.connected_at) == (at(61), at(61))
    assert call.outcome is Outcome.ANSWERED


def test_one_handed_over_to_an_agent_who_is_lost_at_once_waits_without_a_place() -> None:
    call = build(
        log(
            *ASKED,
            (61, E.TRANSFER_ATTENDED, {"agent": "bob", "to": "billing", "kind": "queue"}),
            (61, E.CONVERSATION_ENDED, {"agent": "bob", "by": "transfer"}),
            (61, E.AGENT_CONNECTED, {"queue": "billing", "agent": "cy"}),
            (62, E.CONVERSATION_ENDED, {"agent": "cy", "by": "system", "bridge": "failed"}),
            (70, E.QUEUE_ABANDONED, {"queue": "billing"}),
            ended("caller_hangup", 70),
        ),
        None,
    )
    _, second = call.contacts
    assert (second.ended, second.wait_s, second.position) == (ContactEnd.ABANDONED, 9, None)


def test_a_consult_that_comes_to_nothing_is_time_on_hold() -> None:
    call = build(
        log(
            *ASKED,
            (51, E.CONSULT_ENDED, {"agent": "bob", "result": "cancelled"}),
            (51, E.HOLD_ENDED, {"agent": "bob"}),
            (71, E.CONVERSATION_ENDED, {"agent": "bob", "by": "agent"}),
            ended("agent_hangup", 71),
        ),
        None,
    )
    (contact,) = call.contacts
    assert (contact.talk_s, contact.hold_s, contact.wait_s) == (30, 10, 20)


def test_supervisors_change_no_time() -> None:
    watched = log(
        *TALKING,
        (35, E.MONITOR_STARTED, {"agent": "bob", "user": "eve", "mode": "listen"}),
        (36, E.MONITOR_CHANGED, {"agent": "bob", "user": "eve", "mode": "barge"}),
        (40, E.MONITOR_ENDED, {"agent": "bob", "user": "eve"}),
        (51, E.CONVERSATION_ENDED, {"agent": "bob", "by": "agent"}),
        ended("agent_hangup", 51),
    )
    alone = [event for event in watched if not event.type.value.startswith("monitor")]
    assert build(watched, None) == build(alone, None)


def test_an_agent_lost_at_once_was_no_answer_and_the_wait_goes_on() -> None:
    lost = (34, E.CONVERSATION_ENDED, {"agent": "bob", "by": "system", "bridge": "failed"})
    again = (
        (40, E.OFFER_SENT, {"queue": "sales", "agent": "cy"}),
        (45, E.OFFER_ACCEPTED, {"queue": "sales", "agent": "cy"}),
        (46, E.AGENT_CONNECTED, {"queue": "sales", "agent": "cy"}),
        (66, E.CONVERSATION_ENDED, {"agent": "cy", "by": "agent"}),
        ended("agent_hangup", 66),
    )
    (contact,) = build(log(*TALKING, lost, *again), None).contacts
    assert (contact.agent, contact.wait_s, contact.talk_s, contact.offers) == ("cy", 35, 20, 3)
    assert (contact.ring_s, contact.connected_at) == (14, at(46))
    gave_up = (50, E.QUEUE_ABANDONED, {"queue": "sales", "position": 1, "original_position": 3})
    call = build(log(*TALKING, lost, gave_up, ended("caller_hangup", 50)), None)
    (contact,) = call.contacts
    assert (contact.ended, contact.agent, contact.wait_s) == (ContactEnd.ABANDONED, None, 39)
    assert call.outcome is Outcome.ABANDONED


def test_an_agent_who_gets_the_same_caller_again_has_two_wrap_ups() -> None:
    call = build(
        log(
            *TALKING,
            (51, E.CONVERSATION_ENDED, {"agent": "bob", "by": "transfer"}),
            (51, E.ACW_STARTED, {"agent": "bob"}),
            (51, E.QUEUE_ENTERED, {"queue": "billing", "position": 1}),
            (61, E.AGENT_CONNECTED, {"queue": "billing", "agent": "bob"}),
            (62, E.ACW_ENDED, {"agent": "bob"}),
            (81, E.CONVERSATION_ENDED, {"agent": "bob", "by": "customer"}),
            (81, E.ACW_STARTED, {"agent": "bob"}),
            ended("caller_hangup", 81),
            (85, E.ACW_ENDED, {"agent": "bob"}),
        ),
        None,
    )
    assert [(c.queue, c.talk_s, c.acw_s) for c in call.contacts] == [("sales", 20, 11), ("billing", 20, 4)]


def test_an_abandoned_call_knows_its_place_in_line() -> None:
    call = build(
        log(
            *QUEUED,
            (20, E.QUEUE_ANNOUNCED, {"position": 2}),
            (25, E.OFFER_SENT, {"agent": "ann"}),
            (31, E.QUEUE_ABANDONED, {"queue": "sales", "position": 1, "original_position": 3, "wait_s": 20}),
            (31, E.OFFER_CANCELLED, {"agent": "ann", "reason": "abandoned"}),
            ended("caller_hangup", 31),
        ),
        None,
    )
    (contact,) = call.contacts
    assert (contact.ended, contact.wait_s, contact.ring_s, contact.offers) == (ContactEnd.ABANDONED, 20, 6, 1)
    assert (contact.position, contact.original_position) == (1, 3)
    assert (contact.connected_at, contact.talk_s, call.outcome) == (None, 0, Outcome.ABANDONED)


@pytest.mark.parametrize(
    ("wait", "threshold", "outcome"),
    [
        (6, 6, Outcome.SHORT_ABANDONED),
        (6.000001, 6, Outcome.ABANDONED),
        (0, 0, Outcome.ABANDONED),
        (5, 0, Outcome.ABANDONED),
    ],
)
def test_short_abandons_are_those_up_to_the_threshold(
    wait: float, threshold: float, outcome: Outcome
) -> None:
    events = log(*QUEUED, (11 + wait, E.QUEUE_ABANDONED), ended("caller_hangup", 11 + wait))
    assert build(events, None, threshold).outcome is outcome


def test_a_long_wait_in_one_queue_is_no_short_abandon_in_the_next() -> None:
    call = build(
        log(
            *QUEUED,
            left("timeout", 311),
            (311, E.QUEUE_ENTERED, {"queue": "overflow", "position": 1}),
            (313, E.QUEUE_ABANDONED),
            ended("caller_hangup", 313),
        ),
        None,
    )
    assert [contact.left_reason for contact in call.contacts] == [LeftReason.TIMEOUT, None]
    assert call.outcome is Outcome.ABANDONED


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ((*IN_IVR, ended("caller_hangup")), Outcome.IVR_ABANDONED),
        ((*IN_IVR, ended("completed")), Outcome.SELF_SERVED),
        ((*IN_IVR, ended("transferred")), Outcome.SELF_SERVED),
        ((*IN_IVR, ended("closed")), Outcome.CLOSED),
        ((*IN_IVR, ended("full")), Outcome.BLOCKED),
        ((*IN_IVR, ended("timed_out")), Outcome.TIMED_OUT),
        ((*IN_IVR, ended("voicemail")), Outcome.VOICEMAIL),
        ((*IN_IVR, ended("failed")), Outcome.FAILED),
        ((*IN_IVR, ended("agent_hangup")), Outcome.FAILED),
        ((*IN_IVR, ended("no such cause")), Outcome.FAILED),
        ((*IN_IVR, (60, E.CALL_ENDED)), Outcome.FAILED),
        ((*QUEUED, left("timeout"), ended("caller_hangup")), Outcome.TIMED_OUT),
        ((*QUEUED, left("timeout"), ended("completed")), Outcome.TIMED_OUT),
        ((*QUEUED, left("full"), ended("completed")), Outcome.BLOCKED),
        ((*QUEUED, left("empty"), ended("completed")), Outcome.BLOCKED),
        ((*QUEUED, left("closed"), ended("caller_hangup")), Outcome.CLOSED),
        ((*QUEUED, left("key"), ended("caller_hangup")), Outcome.IVR_ABANDONED),
        ((*QUEUED, left("key"), ended("completed")), Outcome.SELF_SERVED),
        ((*QUEUED, left("transfer"), ended("transferred")), Outcome.SELF_SERVED),
        ((*QUEUED, left("callback"), ended("completed")), Outcome.CALLBACK_REQUESTED),
        ((*QUEUED, left("callback"), ended("caller_hangup")), Outcome.CALLBACK_REQUESTED),
        ((*QUEUED, left("voicemail"), ended("caller_hangup")), Outcome.IVR_ABANDONED),
        (
            (
                *QUEUED,
                left("voicemail"),
                (45, E.RECORDING_STARTED, {"kind": "voicemail"}),
                ended("caller_hangup"),
            ),
            Outcome.VOICEMAIL,
        ),
        (
            (*TALKING, (35, E.RECORDING_STARTED, {"kind": "conversation"}), ended("agent_hangup")),
            Outcome.ANSWERED,
        ),
        ((*QUEUED, ended("caller_hangup")), Outcome.ABANDONED),
        ((*TALKING, ended("failed")), Outcome.FAILED),
    ],
)
def test_every_ended_call_has_its_one_outcome(steps: Sequence[tuple[Any, ...]], outcome: Outcome) -> None:
    assert build(log(*steps), None).outcome is outcome


@pytest.mark.parametrize(
    ("cause", "end", "reason"),
    [
        ("caller_hangup", ContactEnd.ABANDONED, None),
        ("closed", ContactEnd.LEFT, LeftReason.CLOSED),
        ("timed_out", ContactEnd.LEFT, LeftReason.TIMEOUT),
        ("failed", ContactEnd.FAILED, None),
        ("completed", ContactEnd.FAILED, None),
    ],
)
def test_a_wait_that_the_log_did_not_end_ends_with_the_call(
    cause: str, end: ContactEnd, reason: LeftReason | None
) -> None:
    (contact,) = build(log(*QUEUED, ended(cause, 60)), at(900)).contacts
    assert (contact.ended, contact.left_reason, contact.left_at, contact.wait_s) == (end, reason, at(60), 49)


def test_leaving_for_a_reason_nobody_knows_is_a_failure() -> None:
    (contact,) = build(log(*QUEUED, left("crash"), ended("failed")), None).contacts
    assert (contact.ended, contact.left_reason) == (ContactEnd.FAILED, None)


def test_a_crash_during_the_conversation_leaves_an_answered_contact_in_a_failed_call() -> None:
    call = build(
        log(
            *TALKING,
            (131, E.CONVERSATION_ENDED, {"by": "system"}),
            (131, E.ACW_STARTED, {"agent": "bob"}),
            (131, E.ACW_ENDED, {"agent": "bob"}),
            ended("failed", 131),
        ),
        at(9999),
    )
    assert (call.outcome, call.contacts[0].ended) == (Outcome.FAILED, ContactEnd.ANSWERED)
    assert (call.contacts[0].talk_s, call.contacts[0].acw_s, call.total_s) == (100, 0, 131)


def test_a_call_cut_off_on_hold_counts_talk_and_hold_to_its_end() -> None:
    call = build(log(*TALKING, (41, E.HOLD_STARTED), ended("caller_hangup", 61)), at(500))
    assert (call.contacts[0].talk_s, call.contacts[0].hold_s) == (10, 20)
    assert call.contacts[0].conversation_ended_at == at(61)


@pytest.mark.parametrize(("reason", "contacts"), [("full", 1), ("closed", 1), ("empty", 1), ("timeout", 0)])
def test_a_caller_turned_away_at_the_door_is_seen_by_the_queue(reason: str, contacts: int) -> None:
    call = build(log(*IN_IVR, left(reason, 11), ended("completed", 15)), None)
    assert [(c.queue, c.wait_s, c.left_at) for c in call.contacts] == [("sales", 0, at(11))] * contacts
    assert call.ivr_s == 14


def test_an_open_call_is_timed_up_to_now() -> None:
    waiting = build(log(*QUEUED, (20, E.OFFER_SENT, {"agent": "ann"})), at(71))
    assert (waiting.outcome, waiting.ended_at, waiting.total_s) == (None, None, 71)
    (contact,) = waiting.contacts
    assert (contact.ended, contact.left_at, contact.wait_s, contact.ring_s) == (ContactEnd.OPEN, None, 60, 51)
    talking = build(log(*TALKING), at(61)).contacts[0]
    assert (talking.ended, talking.talk_s, talking.conversation_ended_at) == (ContactEnd.ANSWERED, 30, None)
    assert build(log(*IN_IVR), at(31)).ivr_s == 30


def test_without_now_an_open_call_is_timed_up_to_its_last_event() -> None:
    assert build(log(*TALKING), None).contacts[0].talk_s == 0
    assert build(log(*TALKING), at(2)).total_s == 31  # a clock behind the log does not run times backwards


def test_a_running_wrap_up_counts_up_to_now_and_the_call_does_not() -> None:
    call = build(log(*SERVED[:-1]), at(191))
    assert (call.contacts[0].acw_s, call.total_s) == (100, 92)


def test_an_entry_into_another_queue_ends_the_stay_in_the_first() -> None:
    call = build(log(*QUEUED, (21, E.QUEUE_ENTERED, {"queue": "billing", "position": 1})), at(31))
    first, second = call.contacts
    assert (first.ended, first.left_reason, first.wait_s) == (ContactEnd.LEFT, LeftReason.TRANSFER, 10)
    assert (second.ended, second.wait_s) == (ContactEnd.OPEN, 10)


def test_an_ivr_menu_while_waiting_does_not_stop_the_wait() -> None:
    call = build(log(*QUEUED, (15, E.IVR_ENTERED, {"node": "offer"}), (31, E.AGENT_CONNECTED)), None)
    assert (call.ivr_s, call.contacts[0].wait_s) == (10, 20)


def test_a_log_without_its_beginning_is_read_from_where_it_begins() -> None:
    call = build(log(*SERVED[3:]), None)
    assert (call.started_at, call.from_number, call.direction) == (at(11), "", "inbound")
    assert (call.contacts[0].wait_s, call.outcome) == (20, Outcome.ANSWERED)


def test_crossing_clocks_never_make_a_negative_time() -> None:
    events = log(*QUEUED, (5, E.AGENT_CONNECTED, {"agent": "bob"}), ended("caller_hangup", 40))
    (contact,) = build(events, None).contacts
    assert (contact.wait_s, contact.talk_s, contact.connected_at) == (0, 29, at(11))


def test_late_events_do_not_reopen_an_ended_call() -> None:
    late = (
        (120, E.QUEUE_ENTERED, {"queue": "sales"}),
        (121, E.AGENT_CONNECTED, {"agent": "bob"}),
        (122, E.RECORDING_STARTED, {"kind": "voicemail"}),
        (123, E.CALL_ENDED, {"cause": "failed"}),
    )
    closed = (*IN_IVR, ended("caller_hangup"))
    assert build(log(*closed, *late), None) == build(log(*closed), None)


def test_wrap_up_of_nobody_is_ignored() -> None:
    steps = (*IN_IVR, (2, E.ACW_STARTED, {"agent": "bob"}), (4, E.ACW_ENDED, {"agent": "bob"}))
    assert build(log(*steps), None).contacts == ()


def test_the_order_in_which_events_arrive_does_not_matter() -> None:
    events = log(*SERVED)
    assert build(events[::-1], None) == build(events, None)


def test_events_that_a_timeline_does_not_need_may_be_left_out() -> None:
    events = log(*IN_IVR, (5, E.IVR_INPUT, {"value": "1"}), (9, E.TRANSCRIPT_SEGMENT), ended("completed"))
    assert build([event for event in events if event.type in RELEVANT], None) == build(events, None)


def test_no_events_and_mixed_events_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one event"):
        build([], None)
    first, second, *_ = log(*SERVED)
    with pytest.raises(ValueError, match="more than one call"):
        build([first, replace(second, call_id=UUID(int=2))], None)


@pytest.mark.parametrize("cause", list(EndCause))
@pytest.mark.parametrize("steps", [IN_IVR, QUEUED, (*QUEUED, left("timeout")), TALKING, SERVED[:9]])
def test_the_outcome_foretold_is_the_outcome_found(
    steps: tuple[tuple[Any, ...], ...], cause: EndCause
) -> None:
    found = build(log(*steps, ended(cause.value, 95)), None).outcome
    foretold = outcome_of(log(*steps), cause)
    # A wait that the end itself cuts short is foretold by the time waited so far.
    assert foretold is found or (foretold, found) == (Outcome.SHORT_ABANDONED, Outcome.ABANDONED)


def test_the_outcome_of_no_events_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one event"):
        outcome_of([], EndCause.COMPLETED)


def test_a_timeline_is_a_value() -> None:
    call: Timeline = build(log(*SERVED), None)
    with pytest.raises(AttributeError):
        call.outcome = None  # type: ignore[misc]


CALLING_BACK = (0, E.CALL_STARTED, {"direction": "callback", "from": "", "to": "+12025550101"})
OFFERED_FIRST = (2, E.OFFER_SENT, {"queue": "sales", "agent": "ann"})
AGENT_FIRST = (
    CALLING_BACK,
    OFFERED_FIRST,
    (5, E.OFFER_ACCEPTED, {"queue": "sales", "agent": "ann"}),
    (17, E.CALL_ANSWERED),
    (18, E.AGENT_CONNECTED, {"queue": "sales", "agent": "ann"}),
    (78, E.CONVERSATION_ENDED, {"by": "customer"}),
    (78, E.CALL_ENDED, {"cause": "caller_hangup"}),
    (78, E.ACW_STARTED, {"agent": "ann"}),
    (90, E.ACW_ENDED, {"agent": "ann"}),
)
CUSTOMER_FIRST = (
    CALLING_BACK,
    (8, E.CALL_ANSWERED),
    (10, E.QUEUE_ENTERED, {"queue": "sales", "position": 1}),
    (20, E.OFFER_SENT, {"queue": "sales", "agent": "ann"}),
)


def test_a_customer_who_is_called_back_is_a_contact_from_the_ringing_of_the_agent_on() -> None:
    call = build(log(*AGENT_FIRST), None)
    assert (call.direction, call.outcome, call.answered_at) == ("callback", Outcome.ANSWERED, at(17))
    (contact,) = call.contacts
    assert (contact.queue, contact.agent, contact.ended) == ("sales", "ann", ContactEnd.ANSWERED)
    assert (contact.entered_at, contact.connected_at, contact.offers) == (at(2), at(18), 1)
    assert (contact.wait_s, contact.ring_s, contact.talk_s, contact.acw_s) == (16, 3, 60, 12)
    entered = (1, E.QUEUE_ENTERED, {"queue": "sales", "position": 1})
    (contact,) = build(log(CALLING_BACK, entered, *AGENT_FIRST[1:]), None).contacts
    assert (contact.entered_at, contact.wait_s, contact.talk_s) == (at(1), 17, 60)


def test_a_customer_who_is_called_first_waits_like_a_caller() -> None:
    call = build(log(*CUSTOMER_FIRST, *((second + 5, *rest) for second, *rest in AGENT_FIRST[4:])), None)
    (contact,) = call.contacts
    assert (contact.entered_at, contact.wait_s, contact.talk_s, contact.offers) == (at(10), 13, 60, 1)
    assert (call.outcome, call.answered_at) == (Outcome.ANSWERED, at(8))


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ((*AGENT_FIRST[:3], ended("unreached")), Outcome.UNREACHED),
        ((CALLING_BACK, OFFERED_FIRST, ended("unreached")), Outcome.UNREACHED),
        ((*AGENT_FIRST[:3], ended("agent_hangup")), Outcome.UNREACHED),
        ((*AGENT_FIRST[:4], ended("caller_hangup")), Outcome.CALLBACK_ABANDONED),
        ((*CUSTOMER_FIRST, (25, E.QUEUE_ABANDONED), ended("caller_hangup")), Outcome.CALLBACK_ABANDONED),
        ((*CUSTOMER_FIRST[:3], left("timeout"), ended("unreached")), Outcome.UNREACHED),
        ((*CUSTOMER_FIRST[:2], ended("unreached")), Outcome.UNREACHED),
        ((*AGENT_FIRST[:4], ended("failed")), Outcome.FAILED),
        ((*AGENT_FIRST[:3], ended("nonsense")), Outcome.FAILED),
    ],
)
def test_a_callback_has_one_of_four_outcomes(steps: Sequence[tuple[Any, ...]], outcome: Outcome) -> None:
    assert build(log(*steps), None).outcome is outcome


def test_the_turn_of_a_customer_who_was_not_reached_was_left_not_broken() -> None:
    (contact,) = build(log(*AGENT_FIRST[:3], ended("unreached")), None).contacts
    assert (contact.ended, contact.left_reason, contact.agent) == (ContactEnd.LEFT, None, None)
