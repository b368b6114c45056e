import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from callback.errors import NotFoundError, RefusedError, TransitionError
from callback.refusal import Refusal
from callback.request import Callback, Mode, Source
from callback.search import Search
from callback.state import State
from callback.store import Store
from callcenter.storage.pool import Database
from support.numbers import new_number
from support.wishes import BY, a_slot, a_wish, requested, some_terms, steps_of


async def test_a_wish_is_kept_as_it_was_made(store: Store) -> None:
    wish = a_wish(
        name="Ada",
        topic="bill",
        note="n",
        language="ja",
        priority=3,
        consent=True,
        owner="eve",
        call_id=uuid4(),
    )
    terms = some_terms(in_s=60, attempts=5, mode=Mode.CUSTOMER_FIRST)

    made, is_new = await store.request(wish, terms, by=BY)

    assert is_new
    assert await store.get(made.callback_id) == made
    assert (made.name, made.topic, made.note, made.language) == ("Ada", "bill", "n", "ja")
    assert (made.priority, made.consent, made.owner, made.call_id) == (3, True, "eve", wish.call_id)
    assert (made.not_before, made.expires_at, made.attempts_max) == (terms.not_before, terms.expires_at, 5)
    assert (made.mode, made.source, made.state) == (Mode.CUSTOMER_FIRST, Source.API, State.QUEUED)
    assert (made.version, made.fence, made.attempts, made.chain_id) == (1, 0, 0, made.callback_id)
    assert [(one.step, one.before, one.after, one.by) for one in await store.history(made.callback_id)] == [
        ("request", "", "requested", BY),
        ("queue", "requested", "queued", BY),
    ]


async def test_the_place_in_line_is_where_the_customer_stood(store: Store) -> None:
    arrived = datetime.now(UTC) - timedelta(minutes=7)
    chain = uuid4()

    made, _ = await store.request(a_wish(arrived_at=arrived, chain_id=chain), some_terms(), by=BY)

    assert made.arrived_at == arrived
    assert made.chain_id == chain


async def test_a_number_has_one_open_callback_in_a_queue(store: Store) -> None:
    first = await requested(store, "+12025550101")
    again, is_new = await store.request(a_wish("+12025550101", note="other"), some_terms(), by=BY)
    other, is_other_new = await store.request(a_wish("+12025550101", queue="help"), some_terms(), by=BY)

    assert (again, is_new) == (first, False)
    assert is_other_new
    assert await store.open_of("+12025550101") == [first, other]
    assert await store.open_of("+12025550101", "help") == [other]


async def test_many_requests_at_once_make_one_callback(store: Store) -> None:
    async def ask() -> tuple[Callback, bool]:
        return await store.request(a_wish("+12025550102"), some_terms(), by=BY)

    answers = await asyncio.gather(*(ask() for _ in range(20)))

    assert len({callback.callback_id for callback, _ in answers}) == 1
    assert sum(is_new for _, is_new in answers) == 1


async def test_requests_race_with_cancelling(store: Store) -> None:
    """Whoever asks after it was cancelled gets a new one; nobody gets an ended one as theirs."""

    async def ask_and_cancel() -> None:
        callback, _ = await store.request(a_wish("+12025550103"), some_terms(), by=BY)
        assert callback.is_open
        with suppress(TransitionError):
            await store.cancel(callback.callback_id, by=BY)

    await asyncio.gather(*(ask_and_cancel() for _ in range(20)))
    assert await store.open_of("+12025550103") == []


async def test_a_key_makes_one_callback(store: Store) -> None:
    wish = a_wish("+12025550104", key="k1", body_hash=b"1")
    first, is_new = await store.request(wish, some_terms(), by="user api")
    await store.cancel(first.callback_id, by=BY)
    again, is_again_new = await store.request(wish, some_terms(), by="user api")

    assert (is_new, is_again_new) == (True, False)
    assert again.callback_id == first.callback_id
    assert again.state is State.CANCELLED
    with pytest.raises(RefusedError) as refused:
        await store.request(a_wish("+12025550105", key="k1", body_hash=b"2"), some_terms(), by="user api")
    assert refused.value.refusal is Refusal.KEY_REUSED
    _, is_others_new = await store.request(wish, some_terms(), by="user other")
    assert is_others_new


async def test_a_key_sent_many_times_at_once_makes_one_callback(store: Store) -> None:
    async def ask() -> tuple[Callback, bool]:
        wish = a_wish("+12025550106", key="k", body_hash=b"1")
        return await store.request(wish, some_terms(), by="user api")

    answers = await asyncio.gather(*(ask() for _ in range(20)))

    assert len({callback.callback_id for callback, _ in answers}) == 1
    assert sum(is_new for _, is_new in answers) == 1


async def test_a_key_of_a_refused_request_may_be_used_again(store: Store) -> None:
    await store.forbid("+12025550107", by="user eve")
    wish = a_wish("+12025550107", key="k", body_hash=b"1")
    with pytest.raises(RefusedError) as refused:
        await store.request(wish, some_terms(), by="user api")
    assert refused.value.refusal is Refusal.DO_NOT_CALL

    await store.allow("+12025550107")
    _, is_new = await store.request(wish, some_terms(), by="user api")
    assert is_new


async def test_a_key_of_a_number_that_has_an_open_one_leads_there(store: Store) -> None:
    first = await requested(store, "+12025550108")
    wish = a_wish("+12025550108", key="k", body_hash=b"1")

    for _ in range(2):
        again, is_new = await store.request(wish, some_terms(), by="user api")
        assert (again, is_new) == (first, False)


async def test_a_slot_has_room_for_so_many(store: Store) -> None:
    slot = a_slot(capacity=3)

    async def ask() -> Callback | Refusal:
        try:
            callback, _ = await store.request(a_wish(slot=slot), some_terms(slot.start), by=BY)
        except RefusedError as error:
            return error.refusal
        return callback

    answers = await asyncio.gather(*(ask() for _ in range(20)))

    made = [one for one in answers if isinstance(one, Callback)]
    assert len(made) == 3
    assert answers.count(Refusal.SLOT_FULL) == 17
    assert await store.taken("sales", slot.start, slot.end) == {slot.start: 3}
    assert all(one.state is State.SCHEDULED and one.slot_start == slot.start for one in made)
    await store.cancel(made[0].callback_id, by=BY)
    assert isinstance(await ask(), Callback)


async def test_a_slot_is_kept_as_the_customers_clock_shows_it(store: Store, database: Database) -> None:
    slot = a_slot()
    made = await requested(store, slot=slot, zone="Asia/Tokyo")

    local = await database.fetchval("SELECT slot_local FROM callback.callback")

    assert local == slot.start.replace(tzinfo=None) + timedelta(hours=9)
    assert await steps_of(store, made.callback_id) == ["request", "schedule"]


async def test_what_was_refused_leaves_nothing(store: Store, database: Database) -> None:
    await store.forbid("+12025550109", by="user eve")

    with pytest.raises(RefusedError):
        await requested(store, "+12025550109")

    assert await database.fetchval("SELECT count(*) FROM callback.callback") == 0


async def test_a_request_joins_a_transaction(store: Store, database: Database) -> None:
    wish = a_wish("+12025550110")

    async def give_up() -> None:
        async with database.transaction() as connection:
            await store.request(wish, some_terms(), by=BY, connection=connection)
            raise LookupError

    with pytest.raises(LookupError):
        await give_up()

    assert await store.open_of("+12025550110") == []


async def test_the_list_is_asked_by_page(store: Store) -> None:
    made = [await requested(store, queue="sales" if n % 2 else "help") for n in range(6)]
    made.reverse()

    first = await store.find(Search(limit=4))
    rest = await store.find(Search(limit=4, after=(first[-1].requested_at, first[-1].callback_id)))

    assert first + rest == made
    assert await store.find(Search(queue="help")) == [one for one in made if one.queue == "help"]
    assert await store.find(Search(number=made[2].number)) == [made[2]]
    assert await store.find(Search(states={State.CANCELLED})) == []
    assert await store.find(Search(states={State.QUEUED}, source=Source.API)) == made
    assert await store.find(Search(since=made[1].requested_at)) == made[:2]
    assert await store.find(Search(until=made[1].requested_at)) == made[2:]
    assert await store.find(Search(owner="eve")) == []


async def test_the_pending_ones_are_counted(store: Store) -> None:
    made = [await requested(store) for _ in range(3)]
    await store.cancel(made[0].callback_id, by=BY)

    assert await store.pending("sales") == 2
    assert await store.pending("help") == 0


async def test_who_is_unknown_is_not_found(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await store.get(uuid4())


async def test_the_do_not_call_list(store: Store) -> None:
    numbers = sorted(new_number() for _ in range(3))
    for number in numbers:
        assert await store.forbid(number, by="user eve", note="wrote a letter")
    assert not await store.forbid(numbers[0], by="user eve")

    page = await store.forbidden(limit=2)

    assert [one.number for one in page] == numbers[:2]
    assert (page[0].added_by, page[0].note) == ("user eve", "wrote a letter")
    assert [one.number for one in await store.forbidden(after=page[-1].number)] == numbers[2:]
    assert await store.is_forbidden(numbers[0])
    assert await store.allow(numbers[0])
    assert not await store.allow(numbers[0])
    assert not await store.is_forbidden(numbers[0])
