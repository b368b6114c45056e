import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from callback.errors import FenceLostError, RefusedError, TransitionError, VersionError
from callback.request import Callback, Mode, Result
from callback.state import State, Step
from callback.store import Store
from callcenter.storage.pool import Database
from support.claiming import agent_has_come, claimed, dialled, dialling, fall_due
from support.wishes import BY, a_slot, requested, some_terms, steps_of


async def test_cancelled_before_anybody_was_dialled(store: Store) -> None:
    waiting, due = await requested(store, in_s=60), await requested(store)
    await fall_due(store)
    claim = await claimed(store)
    for callback_id in (waiting.callback_id, due.callback_id, claim.callback.callback_id):
        ended = await store.cancel(callback_id, by=BY, cause="page")
        assert (ended.state, ended.ended_by, ended.cause) == (State.CANCELLED, BY, "page")
        assert ended.ended_at is not None
        with pytest.raises(TransitionError):
            await store.cancel(callback_id, by=BY)
    with pytest.raises(FenceLostError):
        await store.step(claim, Step.RESERVE)


async def test_too_late_to_cancel_or_move(store: Store) -> None:
    claim, attempt = await dialling(store)
    callback_id = claim.callback.callback_id
    await store.reached(claim, attempt.attempt_id)
    for change in (
        store.cancel(callback_id, by=BY),
        store.move(callback_id, some_terms(in_s=60), None, by=BY),
        store.reassign(callback_id, by=BY, queue="help"),
    ):
        with pytest.raises(TransitionError):
            await change
    assert (await store.get(callback_id)).state is State.ANSWERED


async def test_a_stale_version_changes_nothing(store: Store) -> None:
    callback = await requested(store)
    edited = await store.edit(callback.callback_id, by=BY, version=1, note="new")
    assert edited.version == 2
    changes: list[Callable[[], Awaitable[Callback]]] = [
        lambda: store.cancel(callback.callback_id, by=BY, version=1),
        lambda: store.edit(callback.callback_id, by=BY, version=1, note="x"),
        lambda: store.move(callback.callback_id, some_terms(), None, by=BY, version=1),
        lambda: store.expedite(callback.callback_id, by=BY, version=1),
        lambda: store.reassign(callback.callback_id, by=BY, version=1, queue="help"),
    ]
    for change in changes:
        with pytest.raises(VersionError):
            await change()
    assert await store.get(callback.callback_id) == edited


async def test_of_two_who_edit_one_version_one_wins(store: Store) -> None:
    callback = await requested(store)

    async def edit(note: str) -> bool:
        try:
            await store.edit(callback.callback_id, by=BY, version=1, note=note)
        except VersionError:
            return False
        return True

    assert sum(await asyncio.gather(*(edit(f"n{n}") for n in range(20)))) == 1


async def test_moved_to_a_slot_and_back_to_its_turn(store: Store) -> None:
    callback = await requested(store)
    slot = a_slot(in_s=7200)
    moved = await store.move(callback.callback_id, some_terms(slot.start), slot, by=BY, zone="Asia/Tokyo")
    assert (moved.state, moved.slot_start, moved.slot_end) == (State.SCHEDULED, slot.start, slot.end)
    assert (moved.not_before, moved.zone, moved.version) == (slot.start, "Asia/Tokyo", 2)
    assert moved.arrived_at == callback.arrived_at
    assert await store.taken("sales", slot.start, slot.end) == {slot.start: 1}

    back = await store.move(callback.callback_id, some_terms(in_s=5), None, by=BY)
    assert (back.state, back.slot_start, back.slot_end) == (State.QUEUED, None, None)
    assert await store.taken("sales", slot.start, slot.end) == {}
    assert (await steps_of(store, callback.callback_id))[2:] == ["moved", "moved"]


async def test_moving_takes_it_from_a_worker_that_has_not_dialled(store: Store) -> None:
    claim = await claimed(store)
    await agent_has_come(store, claim)
    slot = a_slot()

    moved = await store.move(claim.callback.callback_id, some_terms(slot.start), slot, by=BY)

    assert (moved.state, moved.worker, moved.lease_until) == (State.SCHEDULED, None, None)
    with pytest.raises(FenceLostError):
        await dialled(store, claim)


async def test_many_move_to_the_last_place_of_a_slot(store: Store) -> None:
    slot = a_slot(capacity=2)
    made = [await requested(store) for _ in range(10)]

    async def move(callback: Callback) -> bool:
        try:
            await store.move(callback.callback_id, some_terms(slot.start), slot, by=BY)
        except RefusedError:
            return False
        return True

    results = await asyncio.gather(*(move(callback) for callback in made))

    assert sum(results) == 2
    again = made[results.index(True)]
    assert await move(again)


async def test_moves_and_requests_of_one_slot_do_not_wait_for_each_other(store: Store) -> None:
    slot = a_slot(capacity=100)
    made = [await requested(store, f"+120255501{n:02d}") for n in range(10)]

    async def ask(number: str) -> None:
        await requested(store, number, slot=slot)

    async def move(callback: Callback) -> None:
        await store.move(callback.callback_id, some_terms(slot.start), slot, by=BY)

    async with asyncio.timeout(10):
        await asyncio.gather(
            *(work for one in made for work in (ask(one.number), move(one)) for _ in range(3))
        )
    assert await store.pending("sales") == 10


async def test_another_number_takes_it_from_a_worker(store: Store) -> None:
    claim = await claimed(store)
    await agent_has_come(store, claim)

    edited = await store.edit(claim.callback.callback_id, by="user eve", number="+12025550111")

    assert (edited.state, edited.number) == (State.DUE, "+12025550111")
    with pytest.raises(FenceLostError):
        await dialled(store, claim)


async def test_another_number_while_dialling_is_for_the_next_time(store: Store) -> None:
    claim, attempt = await dialling(store)

    edited = await store.edit(claim.callback.callback_id, by="user eve", number="+12025550112")

    assert (edited.state, edited.number) == (State.DIALING, "+12025550112")
    await store.reached(claim, attempt.attempt_id)


async def test_other_words_leave_the_worker_alone(store: Store) -> None:
    claim = await claimed(store)
    edited = await store.edit(
        claim.callback.callback_id, by="user eve", name="Ada", topic="t", note="n", language="ja", priority=4
    )
    assert (edited.name, edited.topic, edited.note, edited.language) == ("Ada", "t", "n", "ja")
    assert (edited.priority, edited.state) == (4, State.CLAIMED)
    await store.step(claim, Step.RESERVE)
    assert await store.edit(claim.callback.callback_id, by=BY) == await store.get(claim.callback.callback_id)
    change = (await store.history(claim.callback.callback_id))[4]
    assert (change.step, change.data) == (
        "edited",
        {"fields": ["language", "name", "note", "priority", "topic"]},
    )


async def test_a_number_may_not_become_one_that_has_an_open_callback(store: Store) -> None:
    first = await requested(store, "+12025550113")
    other = await requested(store, "+12025550114")
    elsewhere = await requested(store, "+12025550113", queue="help")
    with pytest.raises(TransitionError, match="open callback"):
        await store.edit(other.callback_id, by=BY, number=first.number)
    with pytest.raises(TransitionError, match="open callback"):
        await store.reassign(elsewhere.callback_id, by=BY, queue="sales")
    assert await store.get(other.callback_id) == other


async def test_a_forbidden_number_is_no_new_number(store: Store) -> None:
    callback = await requested(store)
    await store.forbid("+12025550115", by="user eve")
    with pytest.raises(RefusedError):
        await store.edit(callback.callback_id, by=BY, number="+12025550115")


async def test_reassigned_to_an_agent_and_to_all(store: Store) -> None:
    callback = await requested(store)
    until = datetime.now(UTC) + timedelta(hours=1)
    owned = await store.reassign(callback.callback_id, by="user eve", owner="ann", owner_until=until)
    assert (owned.owner, owned.owner_until) == ("ann", until)
    free = await store.reassign(callback.callback_id, by="user eve", owner="", queue="help", needs="[[0,{}]]")
    assert (free.owner, free.owner_until, free.queue, free.needs) == (None, None, "help", "[[0,{}]]")
    assert await store.reassign(callback.callback_id, by="user eve") == free


async def test_expedited(store: Store) -> None:
    callback = await requested(store, in_s=3600)
    now = await store.expedite(callback.callback_id, by="user eve")
    assert now.state is State.DUE
    assert now.not_before < callback.not_before
    assert await store.expedite(callback.callback_id, by="user eve") == now
    await store.cancel(callback.callback_id, by=BY)
    with pytest.raises(TransitionError):
        await store.expedite(callback.callback_id, by="user eve")


async def test_merged_while_it_waits_and_while_it_is_dialled(store: Store) -> None:
    waiting = await requested(store)
    claim, attempt = await dialling(store)
    call_id = uuid4()

    first = await store.merge(waiting.callback_id, by=BY, call_id=call_id)
    second = await store.merge(claim.callback.callback_id, by=BY, call_id=call_id)

    assert (first.state, second.state, second.attempts) == (State.MERGED, State.MERGED, 0)
    (kept,) = await store.attempts_of(claim.callback.callback_id)
    assert (kept.result, kept.counted) == (Result.MERGED, False)
    for late in (
        store.reached(claim, attempt.attempt_id),
        store.over(claim, attempt.attempt_id, Result.BUSY, Step.RETRY, counted=True),
    ):
        with pytest.raises(FenceLostError):
            await late
    assert await store.merge(waiting.callback_id, by=BY, call_id=call_id) == first  # its commit was hidden
    with pytest.raises(TransitionError):
        await store.merge(waiting.callback_id, by=BY, call_id=uuid4())


async def test_merging_joins_a_transaction(store: Store, database: Database) -> None:
    callback = await requested(store)

    async def give_up() -> None:
        async with database.transaction() as connection:
            await store.merge(callback.callback_id, by=BY, call_id=uuid4(), connection=connection)
            raise LookupError

    with pytest.raises(LookupError):
        await give_up()
    assert await store.get(callback.callback_id) == callback


async def test_erased(store: Store, database: Database) -> None:
    number = "+12025550116"
    ended = await requested(store, number, name="Ada", note="n", topic="t")
    await store.cancel(ended.callback_id, by=BY)
    waiting = await requested(store, number, name="Ada", key="k", body_hash=b"1")
    elsewhere = await requested(store, number, queue="help")
    claim = await claimed(store)
    other = claim.callback

    assert await store.erase(number, by="user eve") == 3

    for callback_id in (ended.callback_id, waiting.callback_id, elsewhere.callback_id):
        gone = await store.get(callback_id)
        assert (gone.number, gone.name, gone.note, gone.topic) == ("", "", "", "")
        assert gone.erased_at is not None
        assert gone.state is State.CANCELLED
        assert (await steps_of(store, callback_id))[-1] == "erased"
    assert await store.get(other.callback_id) == other
    assert await database.fetchval("SELECT count(*) FROM callback.idempotency") == 0
    assert await store.erase(number, by="user eve") == 0


async def test_a_number_that_is_forbidden_is_not_called_any_more(store: Store) -> None:
    claim = await claimed(store)
    busy, attempt = await dialling(store)

    await store.forbid(claim.callback.number, by="user eve")
    await store.forbid(busy.callback.number, by="user eve")

    rejected = await store.get(claim.callback.callback_id)
    assert (rejected.state, rejected.cause) == (State.REJECTED, "do_not_call")
    with pytest.raises(FenceLostError):
        await dialled(store, claim)
    assert (await store.get(busy.callback.callback_id)).state is State.DIALING
    await store.over(
        busy, attempt.attempt_id, Result.BUSY, Step.RETRY, counted=True, not_before=await store.now()
    )
    assert await fall_due(store) == []


async def test_no_telephone_number_is_in_the_history(store: Store, database: Database) -> None:
    claim = await claimed(store, number="+12025550117", mode=Mode.CUSTOMER_FIRST, name="Ada", note="secret")
    await store.edit(claim.callback.callback_id, by="user eve", number="+12025550118", name="Bea")
    await store.erase("+12025550118", by="user eve")
    for table in ("callback.event", "callcenter.event"):
        for row in await database.fetch(f"SELECT t::text AS text FROM {table} AS t"):
            assert not any(word in row["text"] for word in ("202555", "Ada", "Bea", "secret"))
