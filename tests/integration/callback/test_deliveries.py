"""The outbox: what is to be told is there with the change, in order, to one sender at a time."""

import asyncio
from collections.abc import Sequence

import pytest

from callback.deliveries import Deliveries, DeliveryState, Hook
from callback.errors import NotFoundError, TransitionError
from callback.request import Callback
from callback.store import Store
from callcenter.storage.pool import Database
from support.wishes import BY, requested

CRM = Hook("crm", "http://127.0.0.1/hook")


@pytest.fixture
async def deliveries(database: Database) -> Deliveries:
    outbox = Deliveries(database.transaction)
    await outbox.sync([CRM])
    return outbox


async def kinds(deliveries: Deliveries, webhook: str) -> list[str]:
    listed = await deliveries.listed(webhook=webhook)
    return [one.change.after if one.change.step != "edited" else "edited" for one in reversed(listed)]


async def test_a_change_and_what_is_told_of_it_are_one(store: Store, deliveries: Deliveries) -> None:
    callback = await requested(store)
    await store.edit(callback.callback_id, by=BY, topic="Delivery")
    await store.cancel(callback.callback_id, by=BY)
    assert await kinds(deliveries, "crm") == ["requested", "queued", "edited", "cancelled"]
    assert await deliveries.waiting() == {"crm": (4, 0)}


async def test_who_wants_only_some_is_told_of_those(store: Store, deliveries: Deliveries) -> None:
    await deliveries.sync([CRM, Hook("mail", "http://127.0.0.1/", ["cancelled", "edited"])])
    callback = await requested(store)
    await store.edit(callback.callback_id, by=BY, topic="Delivery")
    await store.cancel(callback.callback_id, by=BY)
    assert await kinds(deliveries, "mail") == ["edited", "cancelled"]


async def test_who_left_the_settings_is_told_nothing_new(store: Store, deliveries: Deliveries) -> None:
    await requested(store)
    await deliveries.sync([])
    await requested(store)
    assert len(await deliveries.listed()) == 2
    await deliveries.sync([CRM])
    assert len(await deliveries.claim("crm", 10, 30)) == 1


async def test_one_after_the_other(store: Store, deliveries: Deliveries) -> None:
    one, other = await requested(store), await requested(store)
    first = await deliveries.claim("crm", 10, 30)
    assert [(d.change.callback_id, d.change.after) for d in first] == [
        (one.callback_id, "requested"),
        (other.callback_id, "requested"),
    ]
    assert await deliveries.claim("crm", 10, 30) == []
    await deliveries.delivered(first[0])
    assert [d.change.after for d in await deliveries.claim("crm", 10, 30)] == ["queued"]


async def test_what_is_hard_to_deliver_holds_up_the_next_for_a_while_only(
    store: Store, deliveries: Deliveries
) -> None:
    await requested(store)
    for tries in (1, 2, 3):
        (delivery,) = await deliveries.claim("crm", 10, 30)
        assert (delivery.tries, delivery.change.after) == (tries, "requested")
        await deliveries.failed(delivery, "it answered 500", 0)
    after = {delivery.change.after for delivery in await deliveries.claim("crm", 10, 30)}
    assert after == {"requested", "queued"}


async def test_only_the_newest_try_is_written(store: Store, deliveries: Deliveries) -> None:
    await requested(store)
    (late,) = await deliveries.claim("crm", 1, 0.01)
    await asyncio.sleep(0.05)
    (newer,) = await deliveries.claim("crm", 1, 30)
    assert newer.tries == 2
    await deliveries.failed(late, "too late", None)
    await deliveries.give_back([late])
    assert (await deliveries.listed())[-1].state is DeliveryState.PENDING
    await deliveries.delivered(newer)
    await deliveries.failed(late, "too late", None)
    assert (await deliveries.listed())[-1].state is DeliveryState.DELIVERED


async def test_what_is_given_back_was_never_tried(store: Store, deliveries: Deliveries) -> None:
    await requested(store)
    held = await deliveries.claim("crm", 1, 30)
    await deliveries.give_back(held)
    assert [one.tries for one in await deliveries.claim("crm", 1, 30)] == [1]


async def test_the_dead_are_listed_and_tried_again(store: Store, deliveries: Deliveries) -> None:
    await requested(store)
    (delivery,) = await deliveries.claim("crm", 1, 30)
    await deliveries.failed(delivery, "it answered 410", None)
    (dead,) = await deliveries.listed(state=DeliveryState.DEAD)
    assert (dead.last_error, dead.done_at is None, dead.tries) == ("it answered 410", False, 1)
    assert await deliveries.waiting() == {"crm": (1, 1)}
    await deliveries.again(dead.delivery_id)
    with pytest.raises(TransitionError):
        await deliveries.again(dead.delivery_id)
    with pytest.raises(NotFoundError):
        await deliveries.again(dead.delivery_id + 99)
    (again,) = await deliveries.claim("crm", 1, 30)
    assert (again.delivery_id, again.tries) == (dead.delivery_id, 1)
    await deliveries.failed(again, "it answered 410", None)
    assert await deliveries.all_again("other") == 0
    assert await deliveries.all_again("crm") == 1


async def test_pages(store: Store, deliveries: Deliveries) -> None:
    for _ in range(3):
        await requested(store)
    every = await deliveries.listed()
    page = await deliveries.listed(limit=4)
    rest = await deliveries.listed(after=page[-1].delivery_id)
    assert [*page, *rest] == every
    one = every[0].change.callback_id
    assert len(await deliveries.listed(callback_id=one)) == 2


async def test_old_ones_are_forgotten(store: Store, database: Database, deliveries: Deliveries) -> None:
    await requested(store)
    for delivery in await deliveries.claim("crm", 2, 30):
        await deliveries.delivered(delivery)
    assert await deliveries.purge(30) == 0
    await database.execute("UPDATE callback.delivery SET done_at = done_at - interval '31 days'")
    assert await deliveries.purge(30) == 1
    assert len(await deliveries.listed()) == 1


async def test_a_number_forgotten_with_its_callback_leaves_nothing(
    store: Store, database: Database, deliveries: Deliveries
) -> None:
    callback = await requested(store)
    await database.execute("DELETE FROM callback.callback WHERE callback_id = $1", callback.callback_id)
    assert await deliveries.listed() == []


async def test_many_senders_share_without_doubles(store: Store, deliveries: Deliveries) -> None:
    """Whatever the interleaving: each is claimed once, and those of a callback in order."""
    callbacks: Sequence[Callback] = [await requested(store) for _ in range(20)]
    for callback in callbacks:
        await store.cancel(callback.callback_id, by=BY)
    told: list[tuple[object, int]] = []

    async def send() -> None:
        while claimed := await deliveries.claim("crm", 3, 30):
            for delivery in claimed:
                told.append((delivery.change.callback_id, delivery.change.event_id))
                await deliveries.delivered(delivery)

    while len(told) < 60:
        await asyncio.gather(*(send() for _ in range(4)))
    assert len(set(told)) == len(told) == 60
    for callback in callbacks:
        events = [event for callback_id, event in told if callback_id == callback.callback_id]
        assert events == sorted(events)
