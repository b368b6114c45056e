"""What customers and staff may do, on a real database."""

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from callback.errors import NotFoundError, RefusedError, TransitionError, VersionError
from callback.links import Purpose
from callback.policy import UNKNOWN_WAIT, Wait
from callback.refusal import Refusal
from callback.request import Source
from callback.search import Search
from callback.state import State
from callcenter.acd.wait_time import UNAVAILABLE
from callcenter.errors import NotFoundError as NoSuchQueueError
from callcenter.storage.closures import Scope
from integration.callbacks.conftest import Office, a_queue, asked, wait


async def refusal(office: Office, number: str | None = None, **values: object) -> str:
    with pytest.raises(RefusedError) as caught:
        await office.desk.request(asked(number, **values), by="customer")
    return caught.value.refusal.value


async def test_a_wish_is_kept_with_its_terms(office: Office) -> None:
    office.waits.told = {"sales": wait(600, 900)}
    before = office.now()
    callback = await office.asked("(202) 555-0143", name="Ann", skills={"refunds": 2}, priority=1)
    assert (callback.number, callback.zone, callback.state) == (
        "+12025550143",
        "America/New_York",
        State.QUEUED,
    )
    assert callback.priority == 3  # the queue's own and hers
    assert "refunds" in callback.needs
    assert timedelta(seconds=60) <= callback.not_before - before < timedelta(seconds=62)
    assert callback.promised_from - before <= timedelta(seconds=600)
    assert callback.promised_until - before >= timedelta(seconds=900)
    assert callback.expires_at - before > timedelta(hours=23)
    status = await office.desk.status(callback)
    assert (status.place, status.attempts_left, status.may_change) == (1, 3, True)
    assert status.next_at == callback.not_before
    assert status.wait == Wait(600, 900)


async def test_a_second_request_returns_the_first_one(office: Office) -> None:
    first = await office.asked("+12025550143")
    second, is_new = await office.desk.request(asked("202-555-0143", name="Other"), by="customer")
    assert (second.callback_id, is_new) == (first.callback_id, False)
    other, is_new = await office.desk.request(asked("+12025550143", queue="support"), by="customer")
    assert is_new
    assert [one.callback_id for one in await office.desk.open_of("+12025550143")] == [
        first.callback_id,
        other.callback_id,
    ]


async def test_a_second_request_returns_the_first_one_even_when_nothing_is_taken_any_more(
    office: Office,
) -> None:
    first = await office.asked("+12025550143", key="abc", body_hash=b"1")
    await office.put(a_queue(accept=False))
    again, is_new = await office.desk.request(asked("+12025550143"), by="customer")
    assert (again.callback_id, is_new) == (first.callback_id, False)
    await office.desk.cancel(first.callback_id, by="customer")
    same, is_new = await office.desk.request(asked("+12025550143", key="abc", body_hash=b"1"), by="customer")
    assert (same.callback_id, is_new, same.state) == (first.callback_id, False, State.CANCELLED)
    assert await refusal(office, "+12025550143") == "not_offered"
    assert await refusal(office, "+12025550143", key="abc", body_hash=b"2") == "not_offered"


async def test_a_hundred_at_once_are_one(office: Office) -> None:
    found = await asyncio.gather(
        *(office.desk.request(asked("+12025550143"), by="customer") for _ in range(100))
    )
    assert len({callback.callback_id for callback, _ in found}) == 1
    assert sum(is_new for _, is_new in found) == 1


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("911", "number_emergency"),
        ("+1 900 555 0100", "number_premium"),
        ("+1 202 555 0100", "number_own"),
        ("hello", "number_invalid"),
    ],
)
async def test_withheld_or_invalid_number(office: Office, number: str, reason: str) -> None:
    assert await refusal(office, number) == reason


async def test_what_stands_in_the_way(office: Office) -> None:
    with pytest.raises(NoSuchQueueError):
        await office.desk.request(asked(queue="nowhere"), by="customer")
    assert await refusal(office, zone="Mars/Olympus") == "zone_unknown"
    assert await refusal(office, source=Source.PAGE) == "consent_missing"
    await office.put(a_queue(max_pending=1))
    await office.asked()
    assert await refusal(office) == "too_many"
    await office.asked(source=Source.SUPERVISOR)
    await office.put(a_queue("support", hours={"zone": "UTC", "weekly": []}))
    assert await refusal(office, queue="support") == "closed"
    with pytest.raises(RefusedError, match="never open"):
        await office.desk.request(asked(queue="support", source=Source.SUPERVISOR), by="user bo")
    await office.put(a_queue("support", accept=False))
    assert await refusal(office, queue="support") == "not_offered"
    with pytest.raises(RefusedError):
        await office.desk.slots("support")


async def until_closed(office: Office, closed: bool) -> None:
    for _ in range(500):
        if (office.board.of_queue("sales", office.now()) is not None) == closed:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the closure was not heard of")


async def test_a_closure_of_the_queue_closes_it_for_callbacks(office: Office) -> None:
    due = await office.asked()
    await office.closures.close(Scope.QUEUE, "sales", message="", by_whom="ann")
    await until_closed(office, True)
    assert await refusal(office) == "closed"
    assert await office.desk.slots("sales") == []
    assert office.desk.rules("sales").calendar.at(office.now()) is None
    await office.closures.open(Scope.QUEUE, "sales")
    await until_closed(office, False)
    assert (await office.desk.get(due.callback_id)).state is State.QUEUED
    await office.asked()


# Slots.


async def test_a_chosen_time_and_what_is_left_of_it(office: Office) -> None:
    await office.put(a_queue(slots={"minutes": 60, "capacity": 1, "lead_s": 60}))
    free = await office.desk.slots("sales", days=2)
    assert all((slot.capacity, slot.free) == (1, 1) for slot in free)
    chosen = free[3]
    callback = await office.asked(slot_start=chosen.start)
    assert (callback.state, callback.slot_start, callback.not_before) == (
        State.SCHEDULED,
        chosen.start,
        chosen.start,
    )
    assert (callback.promised_from, callback.promised_until) == (chosen.start, chosen.end)
    left = {slot.start: slot.free for slot in await office.desk.slots("sales")}
    assert left[chosen.start] == 0
    assert left[free[2].start] == 1


async def test_slot_full_the_nearest_free_ones_are_named(office: Office) -> None:
    await office.put(a_queue(slots={"minutes": 60, "capacity": 1, "lead_s": 60}))
    free = await office.desk.slots("sales")
    await office.asked(slot_start=free[4].start)
    with pytest.raises(RefusedError) as caught:
        await office.desk.request(asked(slot_start=free[4].start), by="customer")
    assert caught.value.refusal is Refusal.SLOT_FULL
    assert caught.value.nearest == [free[2].start, free[3].start, free[5].start]
    moving = await office.asked(slot_start=free[8].start)
    with pytest.raises(RefusedError) as caught:
        await office.desk.move(moving.callback_id, by="customer", slot_start=free[4].start)
    assert free[5].start in caught.value.nearest


async def test_the_last_place_is_taken_once(office: Office) -> None:
    await office.put(a_queue(slots={"minutes": 60, "capacity": 3, "lead_s": 60}))
    slot = (await office.desk.slots("sales"))[2]
    found = await asyncio.gather(
        *(office.desk.request(asked(slot_start=slot.start), by="customer") for _ in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, tuple) for one in found) == 3
    assert all(isinstance(one, tuple) or one.refusal is Refusal.SLOT_FULL for one in found)  # type: ignore[union-attr]


async def test_a_time_on_the_customers_own_wall_clock(office: Office) -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    tomorrow = (office.now() + timedelta(days=1)).astimezone(tokyo).date()
    local = datetime(tomorrow.year, tomorrow.month, tomorrow.day, 10, 15)
    callback = await office.asked(slot_local=local, zone="Asia/Tokyo")
    assert callback.slot_start == local.replace(tzinfo=tokyo)
    assert callback.zone == "Asia/Tokyo"
    assert await refusal(office, slot_local=local + timedelta(minutes=1), zone="Asia/Tokyo") == "slot_unknown"
    assert await refusal(office, slot_local=local - timedelta(days=9), zone="Asia/Tokyo") == "slot_past"
    assert await refusal(office, slot_local=local + timedelta(days=90), zone="Asia/Tokyo") == "slot_too_far"


async def test_slots_keep_the_customers_night(office: Office) -> None:
    await office.put(a_queue(dial_from="09:00", dial_until="18:00", slots={"minutes": 60}))
    for zone in ("Europe/Berlin", "America/New_York", "Asia/Tokyo"):
        hours = {
            slot.start.astimezone(ZoneInfo(zone)).hour for slot in await office.desk.slots("sales", zone=zone)
        }
        assert hours == set(range(9, 18))


async def test_no_slot_is_sooner_than_the_wait(office: Office) -> None:
    office.waits.told = {"sales": wait(7000, 9000)}
    first = (await office.desk.slots("sales"))[0]
    assert first.start - office.now() > timedelta(seconds=6990)


# Moving.


async def test_reschedule_no_earlier_than_the_current_wait_estimate(office: Office) -> None:
    free = await office.desk.slots("sales")
    scheduled = await office.asked(slot_start=free[40].start)
    office.waits.told = {"sales": wait(3600, 5000)}
    soon = await office.desk.move(scheduled.callback_id, by="customer")
    assert (soon.state, soon.slot_start) == (State.QUEUED, None)
    assert timedelta(seconds=3590) < soon.not_before - office.now() <= timedelta(seconds=3600)
    assert soon.arrived_at == scheduled.arrived_at
    with pytest.raises(RefusedError) as caught:
        await office.desk.move(scheduled.callback_id, by="customer", slot_start=free[1].start)
    assert caught.value.refusal is Refusal.TOO_EARLY
    moved = await office.desk.move(
        scheduled.callback_id, by="customer", slot_start=free[50].start, version=soon.version
    )
    assert (moved.state, moved.not_before) == (State.SCHEDULED, free[50].start)
    with pytest.raises(VersionError):
        await office.desk.move(scheduled.callback_id, by="customer", version=soon.version)
    with pytest.raises(RefusedError):
        await office.desk.move(scheduled.callback_id, by="customer", zone="Mars")


async def test_changes_by_staff(office: Office) -> None:
    await office.put(a_queue("support", owner_wait_s=100))
    callback = await office.asked(note="call me")
    edited = await office.desk.edit(callback.callback_id, by="user bo", number="+1 212 555 0123", note="")
    assert (edited.number, edited.note) == ("+12125550123", "")
    with pytest.raises(RefusedError):
        await office.desk.edit(callback.callback_id, by="user bo", number="112")
    given = await office.desk.reassign(callback.callback_id, by="user bo", queue="support", owner="ann")
    assert (given.queue, given.owner) == ("support", "ann")
    assert given.owner_until is not None
    assert timedelta(seconds=98) < given.owner_until - office.now() <= timedelta(seconds=100)
    with pytest.raises(NoSuchQueueError):
        await office.desk.reassign(callback.callback_id, by="user bo", queue="nowhere")
    freed = await office.desk.reassign(callback.callback_id, by="user bo", owner="")
    assert (freed.owner, freed.owner_until) == (None, None)
    due = await office.desk.expedite(callback.callback_id, by="user bo")
    assert due.state is State.DUE
    gone = await office.desk.cancel(callback.callback_id, by="user bo", cause="mistake")
    assert (gone.state, gone.ended_by, gone.cause) == (State.CANCELLED, "user bo", "mistake")
    status = await office.desk.status(gone)
    assert (status.place, status.next_at, status.may_change, status.attempts_left) == (None, None, False, 0)
    with pytest.raises(TransitionError):
        await office.desk.move(callback.callback_id, by="customer")
    found = await office.desk.find(Search(queue="support"))
    assert [one.callback_id for one in found] == [callback.callback_id]
    assert (await office.desk.history(callback.callback_id))[0].step == "request"
    assert await office.desk.attempts_of(callback.callback_id) == []


# Out of the line.


async def test_leaving_the_line_for_a_callback_keeps_the_place(office: Office) -> None:
    first, second = await office.caller(), await office.caller()
    third = await office.caller()
    offer = await office.desk.offered("sales", wait(600, 900))
    assert offer is not None
    assert (offer.unasked, offer.key) == (True, "1")
    callback = await office.desk.from_line(
        second, asked("+12025550143", source=Source.IVR, priority=1), wait(600, 900)
    )
    assert callback is not None
    assert callback.call_id == second
    assert await office.line.place_of(callback.callback_id) == 2
    assert await office.line.position(first) == 1
    assert await office.line.position(second) is None
    assert await office.line.position(third) == 3
    assert await office.desk.from_line(second, asked(source=Source.IVR), wait(600, 900)) is None


async def test_who_is_refused_stays_in_line(office: Office) -> None:
    call_id = await office.caller()
    await office.desk.forbid("+12025550143", by="user bo")
    with pytest.raises(RefusedError) as caught:
        await office.desk.from_line(call_id, asked("+12025550143", source=Source.IVR), UNAVAILABLE)
    assert caught.value.refusal is Refusal.DO_NOT_CALL
    assert await office.line.position(call_id) == 1


async def test_what_is_offered(office: Office) -> None:
    quiet = await office.desk.offered("sales", wait(60, 90))
    assert quiet is not None
    assert not quiet.unasked
    assert quiet.promised_until - quiet.promised_from >= timedelta(minutes=5)
    unknown = await office.desk.offered("sales", UNAVAILABLE)
    assert unknown is not None
    assert not unknown.unasked
    assert await office.desk.offered("sales", wait(9000, 9999)) is None  # beyond max_wait_s
    assert await office.desk.offered("nowhere", wait(600, 900)) is None
    await office.put(a_queue(max_pending=1))
    await office.asked()
    assert await office.desk.offered("sales", wait(600, 900)) is None
    await office.put(a_queue(accept=False))
    assert await office.desk.offered("sales", wait(600, 900)) is None


async def test_waits_are_unknown_while_nobody_works(office: Office) -> None:
    assert await office.desk.wait("sales") == UNKNOWN_WAIT
    assert await office.desk.wait("nowhere") == UNKNOWN_WAIT


# Numbers that are not called, and those that are forgotten.


async def test_do_not_call(office: Office) -> None:
    callback = await office.asked("+12025550143")
    assert await office.desk.forbid("(202) 555-0143", by="user bo", note="wrote to us") == "+12025550143"
    assert (await office.desk.get(callback.callback_id)).state is State.REJECTED
    assert await refusal(office, "+12025550143") == "do_not_call"
    assert [one.number for one in await office.desk.forbidden()] == ["+12025550143"]
    assert await office.desk.allow("+1 202 555 0143")
    assert not await office.desk.allow("+1 202 555 0143")
    await office.asked("+12025550143")


async def test_erasure_leaves_a_tombstone(office: Office) -> None:
    callback = await office.asked("+12025550143", name="Ann", note="private")
    assert await office.desk.erase("202 555 0143", by="user bo") == 1
    gone = await office.desk.get(callback.callback_id)
    assert (gone.number, gone.name, gone.note, gone.is_open) == ("", "", "", False)


# Links.


async def test_a_link_leads_to_its_callback_and_to_nothing_else(office: Office) -> None:
    callback = await office.asked()
    link = await office.desk.link(callback)
    assert link.startswith("https://cc.example.com/callback/")
    token = link.rpartition("/")[2]
    assert (await office.desk.by_link(token)).callback_id == callback.callback_id
    for bad in (token[:-1] + ("A" if token[-1] != "A" else "B"), "", "x" * 84):
        with pytest.raises(NotFoundError):
            await office.desk.by_link(bad)
    with pytest.raises(NotFoundError):
        await office.desk.by_link(token, Purpose.AGAIN)
    assert await office.desk.code_key() == await office.store.signing_key()


async def test_attempts_exhausted_a_link_to_book_again(office: Office) -> None:
    callback = await office.asked("+12025550143")
    await office.database.execute(
        "UPDATE callback.callback SET state = 'exhausted', ended_at = now() WHERE callback_id = $1",
        callback.callback_id,
    )
    ended = await office.desk.get(callback.callback_id)
    link = await office.desk.link(ended, Purpose.AGAIN)
    found = await office.desk.by_link(link.rpartition("/")[2], Purpose.AGAIN)
    assert found.callback_id == callback.callback_id
    again = await office.asked(found.number, source=Source.PAGE, consent=True)
    assert again.callback_id != callback.callback_id


async def test_all_processes_sign_with_one_key(office: Office) -> None:
    keys = await asyncio.gather(*(office.store.signing_key() for _ in range(10)))
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32


async def test_there_is_no_such_callback(office: Office) -> None:
    for call in (office.desk.get, office.desk.expedite, office.desk.move, office.desk.cancel):
        with pytest.raises(NotFoundError):
            await call(uuid4(), **({} if call == office.desk.get else {"by": "customer"}))  # type: ignore[operator]
