"""Callers and callbacks in one line: order, turns, what becomes of them when nobody takes them."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from callcenter.acd.dispatcher import Offer, TurnGoneError
from callcenter.acd.policy import QueueRule, Strategy
from callcenter.storage.queue_line import Place
from callcenter.storage.recovery import Recovery
from support.acd import SALES, Node, a_node, soon


@pytest.fixture
async def turns() -> list[tuple[UUID, Offer]]:
    return []


@pytest.fixture
async def node(database_url: str, turns: list[tuple[UUID, Offer]]) -> AsyncIterator[Node]:
    async with a_node(database_url, on_turn=lambda callback, offer: turns.append((callback, offer))) as one:
        yield one


async def entry(center: Any, callback_id: UUID) -> asyncpg.Record | None:
    row: asyncpg.Record | None = await center.database.fetchrow(
        "SELECT * FROM callcenter.queue_entry WHERE callback_id = $1", callback_id
    )
    return row


async def stands(center: Any, callback_id: UUID) -> tuple[str, bool, UUID | None, list[str]]:
    row = await entry(center, callback_id)
    assert row is not None
    return row["state"], row["ready"], row["node_id"], row["offered_to"]


async def test_callers_and_callbacks_are_served_in_the_order_of_their_arrival(center: Any) -> None:
    first = await center.callback(age_s=20)
    second = await center.caller()
    third = await center.callback(age_s=-1)
    urgent = await center.callback(priority=1)
    for number in range(4):
        await center.agent(f"agent{number}", idle_s=10 - number)
    offers = [await center.offer() for _ in range(4)]
    assert [offer.callback_id or offer.call_id for offer in offers] == [urgent, first, second, third]
    assert [offer.node_id for offer in offers] == [None, None, center.node_id, None]


@pytest.mark.parametrize("state", ["queued", "retry_wait", "claimed"])
async def test_whose_time_has_not_come_keeps_a_place_and_is_passed_over(center: Any, state: str) -> None:
    early = await center.callback(age_s=60)
    await center.becomes(early, state)
    caller = await center.caller()
    assert await center.line.position(caller) == 2
    assert await center.line.place_of(early) == 1
    await center.agent("ada")
    await center.agent("bob")
    assert (await center.offer()).call_id == caller
    assert await center.match() is None
    await center.becomes(early, "due")
    assert (await center.offer()).callback_id == early


async def test_who_chose_a_time_stands_in_no_line_until_then(center: Any) -> None:
    callback = await center.callback(state="scheduled")
    assert await center.line.place_of(callback) is None
    await center.becomes(callback, "due")
    assert await center.line.place_of(callback) == 1
    await center.becomes(callback, "cancelled")
    assert await center.line.place_of(callback) is None


async def test_callbacks_take_no_room_from_callers(center: Any) -> None:
    await center.callback()
    await center.caller(max_length=1)
    assert not isinstance(await center.line.enter(uuid4(), center.node_id, SALES, 0), str)
    assert [entry.callback_id is None for entry in await center.line.entries()] == [False, True, True]


async def test_a_turn_is_taken_and_accepted(center: Any, node: Node, turns: list[tuple[UUID, Offer]]) -> None:
    callback = await center.callback()
    await center.agent("ada")
    await soon(lambda: turns)
    assert turns[0][0] == turns[0][1].callback_id == callback
    await center.becomes(callback, "claimed")
    call_id = uuid4()
    async with node.dispatcher.take_turn(callback, call_id, SALES) as ticket:
        assert node.dispatcher.waiting == 0
        offer = await ticket.offer()
        assert (offer.call_id, offer.node_id, offer.callback_id) == (call_id, node.node_id, callback)
        assert offer.agent_id == "ada"
        assert await stands(center, callback) == ("offered", False, node.node_id, ["ada"])
        assert await node.dispatcher.ringing(offer)
        assert await ticket.accepted(offer)
    assert await center.state("ada") == ("talking", "")
    assert (await center.look("ada")).call_id == call_id
    await center.becomes(callback, "agent_accepted")
    assert await entry(center, callback) is None
    await center.becomes(callback, "retry_wait")
    assert await stands(center, callback) == ("waiting", False, None, [])


async def test_an_agent_who_refuses_leaves_the_place_and_is_not_asked_again_at_once(
    center: Any, node: Node, turns: list[tuple[UUID, Offer]]
) -> None:
    callback = await center.callback()
    await center.agent("ada")
    await soon(lambda: turns)
    await center.becomes(callback, "claimed")
    async with node.dispatcher.take_turn(callback, uuid4(), SALES) as ticket:
        offer = await ticket.offer()
        assert not ticket.is_waiting
        await ticket.refused(offer, "rejected")
        assert ticket.is_waiting
    assert await stands(center, callback) == ("waiting", False, None, [])
    turns.clear()
    await center.becomes(callback, "due")
    assert (await center.state("ada"))[0] == "available"
    await center.agent("bob")
    await soon(lambda: turns)
    assert turns[0][1].agent_id == "bob"
    assert turns[0][1].call_id != offer.call_id


@pytest.mark.parametrize("given_back_first", [False, True])
async def test_a_turn_that_is_given_up_frees_the_agent(
    center: Any, node: Node, turns: list[tuple[UUID, Offer]], given_back_first: bool
) -> None:
    callback = await center.callback()
    await center.agent("ada")
    await soon(lambda: turns)
    await center.becomes(callback, "claimed")
    async with node.dispatcher.take_turn(callback, uuid4(), SALES) as ticket:
        offer = await ticket.offer()
        await node.dispatcher.ringing(offer)
        if given_back_first:
            await center.becomes(callback, "due")
    turns.clear()
    await center.becomes(callback, "due")
    await soon(lambda: turns)  # ada again, in a call of its own
    assert turns[0][1].call_id != offer.call_id
    assert (await center.look("ada")).call_id == turns[0][1].call_id


async def test_a_cancelled_callback_frees_the_agent_whose_telephone_rings(
    center: Any, node: Node, turns: list[tuple[UUID, Offer]]
) -> None:
    callback = await center.callback()
    await center.agent("ada")
    await soon(lambda: turns)
    await center.becomes(callback, "claimed")
    async with node.dispatcher.take_turn(callback, uuid4(), SALES) as ticket:
        offer = await ticket.offer()
        await center.becomes(callback, "cancelled")
        assert not await ticket.accepted(offer)
    assert await center.state("ada") == ("available", "")
    assert await center.line.entries() == []


async def test_one_of_two_processes_gets_the_turn(
    center: Any, node: Node, database_url: str, turns: list[tuple[UUID, Offer]]
) -> None:
    callback = await center.callback()
    await center.agent("ada")
    await soon(lambda: turns)
    await center.becomes(callback, "claimed")
    async with a_node(database_url) as other, other.dispatcher.take_turn(callback, uuid4(), SALES):
        with pytest.raises(TurnGoneError):
            async with node.dispatcher.take_turn(callback, uuid4(), SALES):
                pass
        assert (await stands(center, callback))[2] == other.node_id
        assert (await center.look("ada")).state == "reserved"


async def test_all_whose_telephones_ring_come_with_the_turn(
    center: Any, database_url: str, turns: list[tuple[UUID, Offer]]
) -> None:
    for name in ("ada", "bob"):
        await center.agent(name)
    callback = await center.callback()
    rules = {"sales": QueueRule(Strategy.RING_ALL)}

    def on_turn(callback: UUID, offer: Offer) -> None:
        turns.append((callback, offer))

    async with a_node(database_url, on_turn=on_turn, rules=lambda: rules) as node:
        await soon(lambda: turns)
        await center.becomes(callback, "claimed")
        async with node.dispatcher.take_turn(callback, uuid4(), SALES) as ticket:
            offers = [await ticket.offer(), await ticket.offer()]
            assert [offer.agent_id for offer in offers] == ["ada", "bob"]
            assert await ticket.accepted(offers[1])
        assert [(await center.state(name))[0] for name in ("ada", "bob")] == ["available", "talking"]


async def test_a_lost_notification_costs_a_second(
    center: Any, database_url: str, turns: list[tuple[UUID, Offer]]
) -> None:
    callback = await center.callback()
    await center.agent("ada")
    assert (await center.offer()).callback_id == callback
    async with a_node(database_url, on_turn=lambda callback, offer: turns.append((callback, offer))):
        await soon(lambda: turns, within_s=2)
    assert turns[0][0] == callback


async def test_a_turn_that_nobody_takes_lets_those_behind_pass(center: Any) -> None:
    callback = await center.callback(age_s=60)
    caller = await center.caller()
    await center.agent("ada")
    assert (await center.offer()).callback_id == callback
    assert await center.line.sweep(35) == 0
    await _age_agents(center, 6)
    assert await center.line.sweep(35) == 1
    assert (await center.offer()).call_id == caller
    await center.agent("bob")
    assert await center.match() is None
    assert await center.line.place_of(callback) == 1


async def test_agents_kept_for_a_callback_that_went_are_free_at_once(center: Any) -> None:
    callback = await center.callback()
    await center.agent("ada")
    await center.offer()
    await center.becomes(callback, "cancelled")
    assert await center.state("ada") == ("available", "")
    await center.callback(age_s=10)
    await center.offer()
    await center.database.execute("UPDATE callcenter.agent SET next_state = 'break', next_reason = 'tea'")
    await center.database.execute("UPDATE callback.callback SET state = 'scheduled' WHERE ended_at IS NULL")
    assert await center.state("ada") == ("break", "tea")


@pytest.mark.parametrize(
    "change",
    ["priority = 3", "state = 'queued'", "needs = '[[0, {\"french\": 1}]]'"],
    ids=lambda text: text[:8],
)
async def test_agents_kept_for_a_callback_that_was_changed_are_free_at_once(center: Any, change: str) -> None:
    await center.callback()
    await center.agent("ada")
    await center.offer()
    await center.database.execute(f"UPDATE callback.callback SET {change}")
    assert await center.state("ada") == ("available", "")
    caller = await center.caller(priority=9)
    assert (await center.offer()).call_id == caller


async def test_callers_are_served_while_nobody_takes_turns(center: Any) -> None:
    """However many callbacks stand before them: one turn in vain is enough."""
    for number in range(20):
        await center.callback("sales" if number % 2 else "support", age_s=60)
    caller = await center.caller()
    await center.agent("ada", "sales support")
    assert (await center.offer()).callback_id is not None
    await _age_agents(center, 6)
    assert await center.line.sweep(35) == 1
    assert (await center.offer()).call_id == caller
    await center.agent("bob", "sales support")
    assert await center.match() is None
    await center.database.execute(
        "UPDATE callcenter.queue_entry SET held_until = held_until - interval '11 s'"
    )
    assert (await center.offer()).callback_id is not None


async def test_turns_of_a_dead_process_are_left_to_their_callbacks(center: Any) -> None:
    dead, alive = uuid4(), uuid4()
    callback = await center.callback(age_s=60)
    await center.agent("ada")
    await center.offer()
    await center.becomes(callback, "claimed")
    assert await center.line.take_turn(callback, uuid4(), dead) is not None
    await Recovery(center.database, alive).recover_node(dead)
    assert await center.state("ada") == ("available", "")
    assert await stands(center, callback) == ("waiting", False, None, [])
    assert await center.match() is None
    await center.becomes(callback, "due")
    assert (await center.offer()).callback_id == callback


async def test_a_turn_without_a_session_is_given_back(center: Any, node: Node) -> None:
    callback = await center.callback()
    await center.agent("ada")
    await soon(lambda: _offered(center, callback))
    await center.becomes(callback, "claimed")
    assert await center.line.take_turn(callback, uuid4(), node.node_id) is not None
    await soon(lambda: _is_available(center, "ada"), within_s=12)
    assert await stands(center, callback) == ("waiting", False, None, [])


async def test_who_leaves_for_a_callback_is_found_by_nobody_or_by_an_agent(center: Any) -> None:
    """Many rounds of both at once: exactly one of them wins."""
    await center.agent("ada")
    left, ahead = 0, random.Random(1)
    for number in range(400):
        call_id = await center.caller()
        pause_s = ahead.uniform(-0.004, 0.008)
        taken, offer = await asyncio.gather(_leave(center, call_id, pause_s), _match(center, -pause_s))
        offer = offer or await center.match()
        assert (taken is None) == (offer is not None), number
        left += taken is not None
        if offer is not None:
            assert offer.call_id == call_id
            await center.line.leave(call_id)
        else:
            row = await center.database.fetchrow("DELETE FROM callback.callback RETURNING arrived_at")
            assert row["arrived_at"] == taken.entered_at
            await center.database.execute("DELETE FROM callcenter.queue_entry")
    assert 0 < left < 400


async def test_a_transaction_that_fails_keeps_the_caller_in_line(center: Any) -> None:
    call_id = await center.caller()
    with pytest.raises(ZeroDivisionError):
        await _fail_to_leave(center, call_id)
    assert await center.line.position(call_id) == 1
    async with center.database.transaction() as connection:
        assert await center.line.leave_for_callback(connection, call_id) == Place(
            1, (await center.database.fetchrow("SELECT entered_at FROM callcenter.queue_entry"))[0]
        )
        assert await center.line.leave_for_callback(connection, call_id) is None


async def _fail_to_leave(center: Any, call_id: UUID) -> None:
    async with center.database.transaction() as connection:
        assert await center.line.leave_for_callback(connection, call_id) is not None
        raise ZeroDivisionError


async def _match(center: Any, pause_s: float) -> Offer | None:
    await asyncio.sleep(max(0.0, pause_s))
    offer: Offer | None = await center.match()
    return offer


async def _leave(center: Any, call_id: UUID, pause_s: float) -> Place | None:
    """As a caller does who confirms: out of the line, and the callback, or neither."""
    await asyncio.sleep(max(0.0, pause_s))
    place: Place | None
    async with center.database.transaction() as connection:
        place = await center.line.leave_for_callback(connection, call_id)
        if place is not None:
            await connection.execute(
                "INSERT INTO callback.callback (callback_id, queue, number, source, mode, state, arrived_at,"
                " not_before, expires_at, promised_from, promised_until, zone, chain_id, attempts_max)"
                " VALUES ($1, 'sales', '+12025550142', 'ivr', 'agent_first', 'queued', $2, now(), now(),"
                " now(), now(), 'UTC', $1, 3)",
                uuid4(),
                place.entered_at,
            )
    return place


async def _age_agents(center: Any, seconds: float) -> None:
    await center.database.execute(
        "UPDATE callcenter.agent SET state_since = state_since - make_interval(secs => $1)", float(seconds)
    )


async def _offered(center: Any, callback_id: UUID) -> bool:
    return (await stands(center, callback_id))[0] == "offered"


async def _is_available(center: Any, agent_id: str) -> bool:
    return bool((await center.look(agent_id)).state == "available")
