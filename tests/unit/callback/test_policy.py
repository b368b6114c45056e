"""The rules of callbacks; where a row of the case table is a rule, the test has its name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callback import policy
from callback.errors import RefusedError
from callback.hours import Calendar, Dialling, Period
from callback.policy import (
    UNKNOWN_WAIT,
    AtClose,
    Dial,
    Expire,
    OwnerVerdict,
    PutOff,
    Reject,
    Rules,
    Wait,
    may_dial,
)
from callback.refusal import Refusal
from callback.request import Slot, Source, Wish
from support.callbacks import NOON, a_callback, at

DAY = timedelta(days=1)
TODAY = Period(at("2026-03-04T09:00"), at("2026-03-04T17:00"))
TOMORROW = Period(at("2026-03-05T09:00"), at("2026-03-05T17:00"))
OFFICE = Calendar((TODAY, TOMORROW))
SLOT = Slot(at("2026-03-05T10:00"), at("2026-03-05T10:15"), 2, 2)


def a_wish(**values: Any) -> Wish:
    return Wish(**{"queue": "sales", "number": "+12025550143", "source": Source.API} | values)


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


# Terms.


def test_dialled_a_minute_later_at_the_earliest_and_given_up_at_the_end_of_the_next_open_period() -> None:
    terms = policy.terms(a_wish(), Rules(calendar=OFFICE), NOON, Wait(300, 900))
    assert terms.not_before == NOON + s(60)
    assert terms.expires_at == TOMORROW.end
    assert (terms.promised_from, terms.promised_until) == (NOON + s(300), NOON + s(900))
    assert terms.attempts == 3
    assert terms.owner_until is None


def test_queue_closes_what_expires_does_so_at_closing() -> None:
    rules = Rules(calendar=OFFICE, at_close=AtClose.EXPIRE)
    assert policy.terms(a_wish(), rules, NOON, Wait(300, 900)).expires_at == TODAY.end


def test_a_wish_while_closed_is_for_the_next_open_period() -> None:
    terms = policy.terms(a_wish(), Rules(calendar=OFFICE), at("2026-03-04T20:00"), UNKNOWN_WAIT)
    assert terms.not_before == TOMORROW.start
    assert terms.expires_at == TOMORROW.end
    assert terms.promised_from == TOMORROW.start


def test_always_open_it_is_given_up_after_a_day() -> None:
    assert policy.terms(a_wish(), Rules(), NOON, Wait(0, 0)).expires_at == NOON + s(60) + DAY
    around = Calendar((Period(NOON - 9 * DAY, NOON + 90 * DAY),))
    assert policy.terms(a_wish(), Rules(calendar=around), NOON, Wait(0, 0)).expires_at == NOON + s(60) + DAY


def test_a_wait_goes_on_when_the_queue_opens_again() -> None:
    terms = policy.terms(a_wish(), Rules(calendar=OFFICE), at("2026-03-04T16:30"), Wait(3600, 7200))
    assert terms.promised_from == at("2026-03-05T09:30")
    assert terms.promised_until == at("2026-03-05T10:30")


def test_without_an_estimate_the_longest_wait_is_promised() -> None:
    terms = policy.terms(a_wish(), Rules(max_wait_s=3600), NOON, UNKNOWN_WAIT)
    assert (terms.promised_from, terms.promised_until) == (NOON, NOON + s(3600))


def test_the_customers_night_is_kept() -> None:
    rules = Rules(dialling=Dialling(8 * 60, 21 * 60))
    terms = policy.terms(a_wish(zone="Asia/Tokyo"), rules, NOON, Wait(300, 600))
    assert terms.not_before == at("2026-03-04T23:00")
    assert terms.promised_from >= terms.not_before
    assert terms.expires_at > terms.promised_until


def test_a_customer_who_sleeps_while_the_queue_is_open_is_told_so() -> None:
    rules = Rules(calendar=OFFICE, dialling=Dialling(8 * 60, 21 * 60))
    with pytest.raises(RefusedError) as caught:
        policy.terms(a_wish(zone="Pacific/Auckland"), rules, NOON, UNKNOWN_WAIT)
    assert caught.value.refusal is Refusal.CLOSED


def test_terms_of_a_slot_are_its_own() -> None:
    terms = policy.terms(a_wish(slot=SLOT), Rules(calendar=OFFICE), NOON, Wait(300, 900))
    assert terms.not_before == terms.promised_from == SLOT.start
    assert terms.promised_until == SLOT.end
    assert terms.expires_at == TOMORROW.end
    assert policy.terms(a_wish(slot=SLOT), Rules(), NOON, Wait()).expires_at == SLOT.start + DAY


def test_an_owner_is_waited_for_from_when_it_may_be_dialled() -> None:
    terms = policy.terms(a_wish(slot=SLOT, owner="ann"), Rules(owner_wait_s=600), NOON, Wait())
    assert terms.owner_until == SLOT.start + s(600)


@given(
    st.datetimes(datetime(2026, 3, 1), datetime(2026, 3, 20), timezones=st.just(UTC)),
    st.one_of(st.none(), st.floats(0, 90_000)),
    st.floats(0, 90_000),
    st.sampled_from([AtClose.CARRY_OVER, AtClose.EXPIRE, AtClose.SERVE]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo"]),
)
def test_what_is_promised_can_be_kept(
    now: datetime, p50: float | None, more: float, at_close: AtClose, zone: str
) -> None:
    calendar = Calendar(tuple(Period(TODAY.start + n * DAY, TODAY.end + n * DAY) for n in range(-5, 40)))
    rules = Rules(calendar=calendar, dialling=Dialling(6 * 60, 22 * 60), at_close=at_close)
    wait = Wait(p50, None if p50 is None else p50 + more)
    terms = policy.terms(a_wish(zone=zone), rules, now, wait)
    assert now + s(60) <= terms.not_before < terms.expires_at
    assert calendar.at(terms.not_before) is not None
    assert rules.dialling.allows(terms.not_before, zone)
    assert terms.promised_from < terms.promised_until
    assert terms.promised_from.second == terms.promised_from.microsecond == 0
    assert terms.promised_from >= now
    assert terms.promised_until <= max(terms.expires_at, terms.promised_from + s(60))
    due = a_callback(now, not_before=terms.not_before, expires_at=terms.expires_at, zone=zone)
    assert may_dial(due, rules, terms.not_before) == Dial()


@pytest.mark.parametrize(
    ("first_s", "last_s", "told"),
    [
        (0, 0, ("12:00", "12:05")),
        (62, 80, ("12:01", "12:06")),
        (290, 500, ("12:04", "12:09")),
        (1500, 2400, ("12:25", "12:40")),
        (3600, 7300, ("13:00", "14:15")),
        (7300, 7310, ("14:00", "14:15")),
    ],
)
def test_a_promise_is_never_nothing_and_as_fine_as_it_can_be(
    first_s: float, last_s: float, told: tuple[str, str]
) -> None:
    begins, ends = policy.window(NOON, NOON + s(first_s), NOON + s(last_s))
    assert (begins.strftime("%H:%M"), ends.strftime("%H:%M")) == told


# Whether it is taken.


SHORT = Wait(60, 90)


def refusal(wish: Wish, rules: Rules, now: datetime = NOON, pending: int = 0, wait: Wait = SHORT) -> str:
    try:
        policy.may_register(wish, rules, now, pending=pending, wait=wait)
    except RefusedError as error:
        return error.refusal.value
    return ""


def test_the_switch_for_new_ones_holds_for_everybody() -> None:
    closed = Rules(accept=False)
    assert refusal(a_wish(), closed) == "not_offered"
    assert refusal(a_wish(source=Source.SUPERVISOR), closed) == "not_offered"
    assert refusal(a_wish(slot=SLOT), closed) == "not_offered"
    assert refusal(a_wish(), Rules(process=False)) == ""


def test_overload_stops_the_offering_and_never_the_processing() -> None:
    rules = Rules(max_pending=10, max_wait_s=600)
    assert refusal(a_wish(), rules, pending=9) == ""
    assert refusal(a_wish(), rules, pending=10) == "too_many"
    assert refusal(a_wish(slot=SLOT), rules, pending=10) == "too_many"
    assert refusal(a_wish(), rules, wait=Wait(601, 700)) == "too_many"
    assert refusal(a_wish(slot=SLOT), rules, wait=Wait(601, 700)) == ""
    assert refusal(a_wish(), rules, wait=UNKNOWN_WAIT) == ""
    assert refusal(a_wish(source=Source.AGENT), rules, pending=10, wait=Wait(601, 700)) == ""
    assert may_dial(a_callback(), rules, NOON) == Dial()


def test_queue_closes_no_new_ones_two_minutes_before() -> None:
    rules = Rules(calendar=OFFICE)
    assert refusal(a_wish(), rules, TODAY.end - s(121)) == ""
    assert refusal(a_wish(), rules, TODAY.end - s(120)) == "closed"
    assert refusal(a_wish(), rules, TODAY.end) == "closed"
    assert refusal(a_wish(slot=SLOT), rules, TODAY.end) == ""
    assert refusal(a_wish(source=Source.SUPERVISOR), rules, TODAY.end) == ""
    assert refusal(a_wish(source=Source.DIRECT), rules, TODAY.end) == "closed"
    assert refusal(a_wish(), Rules()) == ""


def test_who_asks_on_the_page_must_consent() -> None:
    assert refusal(a_wish(source=Source.PAGE), Rules()) == "consent_missing"
    assert refusal(a_wish(source=Source.PAGE, consent=True), Rules()) == ""
    assert refusal(a_wish(source=Source.IVR), Rules()) == ""


def test_callers_hear_the_offer_when_they_would_wait_longer_than_three_minutes() -> None:
    assert not policy.is_offered_unasked(Rules(), Wait(180, 400))
    assert policy.is_offered_unasked(Rules(), Wait(181, 400))
    assert not policy.is_offered_unasked(Rules(), UNKNOWN_WAIT)


# Whether it may be dialled.


def test_what_is_checked_when_due_and_right_before_dialling() -> None:
    rules = Rules(calendar=OFFICE, dialling=Dialling(8 * 60, 21 * 60))
    due = a_callback()
    assert may_dial(due, rules, NOON) == Dial()
    assert may_dial(due, rules, NOON, forbidden=True) == Reject("do_not_call")
    assert may_dial(replace(due, number=""), rules, NOON) == Reject("erased")
    assert may_dial(replace(due, erased_at=NOON), rules, NOON) == Reject("erased")
    assert may_dial(replace(due, number="+19005550100"), rules, NOON) == Reject("number_premium")
    assert may_dial(replace(due, number="+1911"), rules, NOON) == Reject("number_emergency")
    assert may_dial(replace(due, expires_at=NOON), rules, NOON) == Expire("expired")
    assert may_dial(due, replace(rules, process=False), NOON) == PutOff(NOON + s(60), "paused")
    assert may_dial(replace(due, not_before=NOON + s(5)), rules, NOON) == PutOff(NOON + s(5), "early")


def test_the_customers_night_and_the_queues() -> None:
    rules = Rules(calendar=OFFICE, dialling=Dialling(8 * 60, 21 * 60))
    sleeping = a_callback(zone="America/New_York", expires_at=TOMORROW.end)
    assert may_dial(sleeping, rules, at("2026-03-04T12:30")) == PutOff(at("2026-03-04T13:00"), "quiet_hours")
    assert may_dial(sleeping, rules, TODAY.end) == PutOff(at("2026-03-05T13:00"), "closed")
    sooner = replace(sleeping, expires_at=at("2026-03-05T13:00"))
    assert may_dial(sooner, rules, TODAY.end) == Expire("closed")


def test_queue_closes_the_rest_are_carried_over_expired_or_served() -> None:
    left = a_callback(expires_at=TOMORROW.end)
    carried, expired, served = (Rules(calendar=OFFICE, at_close=way) for way in
                                (AtClose.CARRY_OVER, AtClose.EXPIRE, AtClose.SERVE))  # fmt: skip
    assert may_dial(left, carried, TODAY.end) == PutOff(TOMORROW.start, "closed")
    assert may_dial(left, expired, TODAY.end) == Expire("closed")
    assert may_dial(left, served, TODAY.end) == Dial()
    late = replace(left, not_before=TODAY.end)
    assert may_dial(late, served, TODAY.end) == PutOff(TOMORROW.start, "closed")
    night = replace(served, dialling=Dialling(8 * 60, 17 * 60))
    assert may_dial(left, night, TODAY.end) == PutOff(TOMORROW.start, "closed")


@pytest.mark.parametrize("at_close", list(AtClose))
def test_closed_by_hand_they_wait_whatever_happens_at_closing_time(at_close: AtClose) -> None:
    def rules(until: datetime) -> Rules:
        closed = Period(NOON - s(60), until)
        return Rules(calendar=OFFICE.without(closed), closed=closed, at_close=at_close)

    waiting = a_callback(expires_at=TODAY.end)
    endless = datetime.max.replace(tzinfo=UTC)
    assert may_dial(waiting, rules(endless), NOON) == PutOff(NOON + s(60), "closed")
    assert may_dial(waiting, rules(NOON + s(600)), NOON) == PutOff(NOON + s(600), "closed")
    assert may_dial(waiting, rules(TOMORROW.end), NOON) == PutOff(NOON + s(60), "closed")
    assert may_dial(waiting, rules(TOMORROW.start + s(600)), NOON) == Expire("closed")


@given(
    st.datetimes(datetime(2026, 3, 3), datetime(2026, 3, 7), timezones=st.just(UTC)),
    st.integers(-100_000, 100_000),
    st.integers(1, 300_000),
    st.sampled_from(list(AtClose)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Auckland"]),
    st.booleans(),
)
def test_what_is_put_off_is_put_off_to_later_and_what_is_dialled_may_be(
    now: datetime, begins_s: int, lasts_s: int, at_close: AtClose, zone: str, process: bool
) -> None:
    rules = Rules(calendar=OFFICE, dialling=Dialling(8 * 60, 21 * 60), at_close=at_close, process=process)
    not_before = now + s(begins_s)
    one = a_callback(now, not_before=not_before, expires_at=not_before + s(lasts_s), zone=zone)
    match may_dial(one, rules, now):
        case PutOff(until, _):
            assert now < until < max(one.expires_at, now + s(61))
        case Dial():
            assert not_before <= now < one.expires_at
            assert rules.dialling.allows(now, zone)
            assert rules.calendar.at(now) or at_close is AtClose.SERVE
        case Expire(cause):
            assert now >= one.expires_at or cause in {"closed", "quiet_hours"}
        case other:
            raise AssertionError(other)


def test_outage_backlog_what_is_past_its_time_is_dropped() -> None:
    assert may_dial(a_callback(expires_at=NOON + s(1)), Rules(), NOON + s(2)) == Expire("expired")


# Another time.


def test_reschedule_no_earlier_than_the_current_wait_estimate() -> None:
    moving = a_callback(arrived_at=NOON - DAY)
    soon = Slot(NOON + s(900), NOON + s(1800), 2, 2)
    with pytest.raises(RefusedError) as caught:
        policy.moved(moving, soon, Rules(), NOON, Wait(901, 1200))
    assert caught.value.refusal is Refusal.TOO_EARLY
    assert policy.moved(moving, soon, Rules(), NOON, Wait(900, 1200)).not_before == soon.start
    terms = policy.moved(moving, None, Rules(), NOON, Wait(900, 1200))
    assert terms.not_before == NOON + s(900)
    assert (terms.promised_from, terms.promised_until) == (NOON + s(900), NOON + s(1200))
    assert policy.moved(moving, None, Rules(), NOON, UNKNOWN_WAIT).not_before == NOON + s(60)


def test_snooze_no_earlier_than_the_current_wait_estimate() -> None:
    snoozing = a_callback(expires_at=NOON + 3 * DAY)
    assert policy.snoozed(snoozing, Rules(), NOON, Wait(0, 0)).not_before == NOON + s(600)
    terms = policy.snoozed(snoozing, Rules(), NOON, Wait(1200, 1300))
    assert terms.not_before == NOON + s(1200)
    assert terms.expires_at == snoozing.expires_at
    ending = policy.snoozed(a_callback(expires_at=NOON + s(30)), Rules(), NOON, UNKNOWN_WAIT)
    assert ending.expires_at > ending.not_before


# Who makes the call.


def test_owner_agent_absent_at_the_deadline_anybody_or_nobody() -> None:
    owned = a_callback(owner="ann", owner_until=NOON)
    before = NOON - s(1)
    assert policy.owner_verdict(owned, Rules(), before) is OwnerVerdict.WAIT
    assert policy.owner_verdict(owned, Rules(), NOON) is OwnerVerdict.ANYBODY
    assert policy.owner_verdict(owned, Rules(owner_absent="cancel"), NOON) is OwnerVerdict.CANCEL
    assert policy.owner_verdict(a_callback(), Rules(owner_absent="cancel"), NOON) is OwnerVerdict.WAIT
