"""Owners who did not come, queues that are gone, zones with new rules."""

from datetime import timedelta

import pytest

from callback.state import State
from callcenter.errors import TransitionError
from integration.callbacks.conftest import Office, a_queue


async def test_owner_agent_absent_at_the_deadline(office: Office) -> None:
    await office.put(a_queue("support", owner_absent="cancel"))
    waiting = await office.asked(owner="ann")
    anybody = await office.asked(owner="ann")
    nobody = await office.asked(owner="ann", queue="support")
    for callback in (anybody, nobody):
        await office.database.execute(
            "UPDATE callback.callback SET owner_until = now() WHERE callback_id = $1", callback.callback_id
        )
    await office.callbacks.upkeep.once()
    assert (await office.desk.get(waiting.callback_id)).owner == "ann"
    freed = await office.desk.get(anybody.callback_id)
    assert (freed.owner, freed.state) == (None, State.QUEUED)
    gone = await office.desk.get(nobody.callback_id)
    assert (gone.state, gone.cause, gone.ended_by) == (State.CANCELLED, "owner_absent", "clock")


async def test_queue_deleted_its_callbacks_go_to_the_fallback(office: Office) -> None:
    await office.put(a_queue("second", fallback="sales"))
    await office.put(a_queue("first", fallback="second"))
    callback = await office.asked(queue="first")
    slot = (await office.desk.slots("first"))[5]
    scheduled = await office.asked(queue="first", slot_start=slot.start)
    await office.remove("first")
    await office.remove("second")
    rules = office.desk.rules("first")
    assert (rules.accept, rules.process) == (False, False)
    assert await office.desk.gone_queues() == {"first"}
    await office.callbacks.upkeep.once()
    moved = await office.desk.get(callback.callback_id)
    assert (moved.queue, moved.state, moved.arrived_at) == ("sales", State.QUEUED, callback.arrived_at)
    assert (await office.desk.get(scheduled.callback_id)).slot_start == slot.start
    assert await office.desk.gone_queues() == frozenset()
    assert await office.line.place_of(callback.callback_id) == 1


async def test_queue_deleted_without_a_fallback_supervisors_see_them(office: Office) -> None:
    await office.put(a_queue("first"))
    callback = await office.asked("+12025550143", queue="first")
    await office.remove("first")
    await office.callbacks.upkeep.once()
    assert await office.desk.gone_queues() == {"first"}
    assert (await office.desk.get(callback.callback_id)).state is State.QUEUED
    given = await office.desk.reassign(callback.callback_id, by="user bo", queue="sales")
    assert given.queue == "sales"
    await office.put(a_queue("first"))
    assert await office.desk.gone_queues() == frozenset()


async def test_queue_deleted_one_whose_number_is_in_the_other_queue_already_stays(office: Office) -> None:
    await office.put(a_queue("first", fallback="sales"))
    stays = await office.asked("+12025550143", queue="first")
    await office.asked("+12025550143")
    goes = await office.asked(queue="first")
    await office.remove("first")
    await office.callbacks.upkeep.once()
    assert (await office.desk.get(stays.callback_id)).queue == "first"
    assert await office.desk.gone_queues() == {"first"}
    assert (await office.desk.get(goes.callback_id)).queue == "sales"


async def test_a_queue_in_which_callers_wait_is_not_removed(office: Office) -> None:
    await office.caller("support")
    with pytest.raises(TransitionError, match="callers wait"):
        await office.remove("support")


async def test_a_fallback_must_be_there_when_it_is_named(office: Office) -> None:
    with pytest.raises(TransitionError, match="fall back to nowhere"):
        await office.put(a_queue(fallback="nowhere"))
    await office.put(a_queue("first", fallback="support"))
    await office.remove("support")
    await office.put(a_queue(attempts=5))  # others can still be changed
    assert office.desk.rules("sales").attempts == 5


async def test_clock_change_chosen_times_follow_new_rules_of_their_zone(office: Office) -> None:
    slots = await office.desk.slots("sales", zone="Asia/Tokyo")
    stays = await office.asked(slot_start=slots[9].start, zone="Asia/Tokyo")
    drifts = await office.asked(slot_start=slots[20].start, zone="Asia/Tokyo")
    # Chosen when the zone was thought to be an hour further.
    await office.database.execute(
        "UPDATE callback.callback SET slot_local = slot_local + interval '1 hour' WHERE callback_id = $1",
        drifts.callback_id,
    )
    await office.callbacks.upkeep.once()
    moved = await office.desk.get(drifts.callback_id)
    assert moved.slot_start == slots[20].start + timedelta(hours=1)
    assert (moved.not_before, moved.state) == (moved.slot_start, State.SCHEDULED)
    same = await office.desk.get(stays.callback_id)
    assert (same.slot_start, same.version) == (slots[9].start, stays.version)
    await office.callbacks.upkeep.once()
    assert (await office.desk.get(drifts.callback_id)).version == moved.version
