import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from callcenter import config
from callcenter.acd.presence import AgentEvent, AgentState, Presence, step
from callcenter.acd.ticket import AFTER
from callcenter.errors import StorageError
from callcenter.events import LeftReason
from callcenter.storage.queue_line import AfterOffer, Offer, Place

E = AgentEvent
PLAIN = AfterOffer("available")


async def row(center: Any, call_id: UUID) -> Any:
    return await center.database.fetchrow("SELECT * FROM callcenter.queue_entry WHERE call_id = $1", call_id)


async def test_positions_count_from_one_and_follow_priority(center: Any) -> None:
    first, second = await center.caller(), await center.caller()
    urgent = await center.caller(priority=5)
    elsewhere = await center.caller("billing")
    assert [await center.line.position(call) for call in (urgent, first, second, elsewhere)] == [1, 2, 3, 1]
    await center.line.leave(first)
    assert await center.line.position(second) == 2
    assert await center.line.position(first) is None


async def test_entering_tells_the_position(center: Any) -> None:
    queue = config.Queue(name="sales")
    await center.caller(priority=3)
    place = await center.line.enter(uuid4(), center.node_id, queue, 0)
    assert isinstance(place, Place)
    assert place.position == 2
    ahead = await center.line.enter(uuid4(), center.node_id, queue, 9)
    assert isinstance(ahead, Place)
    assert ahead.position == 1


async def test_entering_again_keeps_the_place(center: Any) -> None:
    queue = config.Queue(name="sales", max_length=2)
    call_id = uuid4()
    first = await center.line.enter(call_id, center.node_id, queue, 0)
    await center.caller(max_length=2)
    assert await center.line.enter(call_id, center.node_id, queue, 0) == first


async def test_a_full_queue_refuses(center: Any) -> None:
    await center.caller(max_length=1)
    queue = config.Queue(name="sales", max_length=1)
    assert await center.line.enter(uuid4(), center.node_id, queue, 0) is LeftReason.FULL
    assert await center.line.enter(uuid4(), center.node_id, config.Queue(name="b", max_length=0), 0) is (
        LeftReason.FULL
    )


async def test_callers_who_come_at_once_do_not_overfill_a_queue(center: Any) -> None:
    queue = config.Queue(name="sales", max_length=7)
    places = await asyncio.gather(*(center.line.enter(uuid4(), center.node_id, queue, 0) for _ in range(20)))
    assert sorted(place.position for place in places if isinstance(place, Place)) == list(range(1, 8))
    assert places.count(LeftReason.FULL) == 13


async def test_an_unstaffed_queue_refuses_where_it_is_told_to(center: Any) -> None:
    strict = config.Queue(name="sales", refuse_when_unstaffed=True)
    await center.agent("ada", idle_s=None)
    await center.agent("ben", "billing")
    assert await center.line.enter(uuid4(), center.node_id, strict, 0) is LeftReason.EMPTY
    assert isinstance(await center.line.enter(uuid4(), center.node_id, config.Queue(name="sales"), 0), Place)
    await center.roster.signal("ada", E.SIGN_IN)
    await center.roster.signal("ada", E.TAKE_BREAK)
    assert isinstance(await center.line.enter(uuid4(), center.node_id, strict, 0), Place)


async def test_nobody_to_match(center: Any) -> None:
    assert await center.match() is None
    await center.agent("ada", "billing")
    await center.caller("sales")
    assert await center.match() is None


async def test_a_match_reserves_both(center: Any) -> None:
    await center.agent("ada")
    call_id = await center.caller()
    offer = await center.offer()
    assert offer == Offer(offer.offer_id, call_id, center.node_id, "ada", "Ada", "twilio", "+12025550142")
    ada = await center.look("ada")
    assert (ada.state, ada.call_id, ada.offer_id, ada.node_id) == (
        "reserved",
        call_id,
        offer.offer_id,
        center.node_id,
    )
    assert (await row(center, call_id))["state"] == "offered"
    assert await center.match() is None
    assert await center.line.offers_of(center.node_id) == [offer]
    assert await center.line.offers_of(uuid4()) == []


@pytest.mark.parametrize("state", ["offline", "break", "disabled"])
async def test_who_is_not_available_gets_nobody(center: Any, state: str) -> None:
    await center.agent("ada", idle_s=None if state == "offline" else 0)
    if state == "break":
        await center.roster.signal("ada", E.TAKE_BREAK)
    if state == "disabled":
        await center.agents.update(config.Agent(id="ada", address="2001", queues=["sales"]), enabled=False)
    await center.caller()
    assert await center.match() is None


async def test_an_accepted_offer(center: Any) -> None:
    await center.agent("ada")
    call_id = await center.caller()
    offer = await center.offer()
    assert await center.line.ring(offer)
    assert await center.line.ring(offer)
    assert await center.line.accept(offer)
    assert (await center.state("ada"))[0] == "talking"
    assert await row(center, call_id) is None
    assert [to for _, to, _ in await center.log("ada")] == ["available", "reserved", "ringing", "talking"]


async def test_accepting_may_be_repeated_after_an_outage(center: Any) -> None:
    await center.agent("ada")
    await center.caller()
    offer = await center.offer()
    assert await center.line.accept(offer)
    assert await center.line.accept(offer)
    assert (await center.log("ada"))[-1][1] == "talking"


async def test_an_offer_that_was_taken_back_cannot_be_used(center: Any) -> None:
    await center.agent("ada")
    call_id = await center.caller()
    offer = await center.offer()
    assert await center.line.take_back(offer, PLAIN)
    assert not await center.line.ring(offer)
    assert not await center.line.accept(offer)
    assert not await center.line.take_back(offer, AFTER["missed"])
    again = await center.offer()
    assert (again.call_id, again.agent_id) == (call_id, "ada")
    assert again.offer_id != offer.offer_id
    assert not await center.line.accept(offer)
    assert (await center.state("ada"))[0] == "reserved"


async def test_who_rejects_goes_to_the_end_and_is_not_asked_again_for_this_caller(center: Any) -> None:
    await center.agent("ada", idle_s=20)
    await center.agent("ben", idle_s=10)
    first, second = await center.caller(), await center.caller()
    offer = await center.offer()
    assert (offer.agent_id, offer.call_id) == ("ada", first)
    await center.line.take_back(offer, AFTER["rejected"])
    assert await center.line.position(first) == 1

    offers = [await center.offer(), await center.offer()]
    assert [(offer.agent_id, offer.call_id) for offer in offers] == [("ben", first), ("ada", second)]


async def test_each_refusal_runs_out_by_itself(center: Any) -> None:
    await center.agent("ada", idle_s=20)
    await center.agent("ben", idle_s=10)
    call_id = await center.caller()
    for _ in range(2):
        await center.line.take_back(await center.offer(), AFTER["rejected"])
    assert await center.match() is None
    await center.database.execute(
        "UPDATE callcenter.queue_entry SET refused_until[1] = now() - interval '1 second'"
    )
    offer = await center.offer()
    assert offer.agent_id == "ada"
    await center.line.take_back(offer, AFTER["rejected"])
    assert (await row(center, call_id))["refused_by"] == ["ben", "ada"]
    assert len((await row(center, call_id))["refused_until"]) == 2


async def test_who_misses_is_on_a_break(center: Any) -> None:
    await center.agent("ada")
    call_id = await center.caller()
    offer = await center.offer()
    await center.line.ring(offer)
    await center.line.take_back(offer, AFTER["missed"])
    assert await center.state("ada") == ("break", "missed offer")
    assert (await row(center, call_id))["state"] == "waiting"


async def test_who_cannot_be_reached_rests(center: Any) -> None:
    await center.agent("ada")
    await center.caller()
    await center.caller()
    await center.line.take_back(await center.offer(), AFTER["failed"])
    assert (await center.state("ada"))[0] == "available"
    assert await center.match() is None
    await center.database.execute("UPDATE callcenter.agent SET rest_until = now()")
    assert await center.match() is not None


WISHES = [(None, ""), ("break", "lunch"), ("offline", "home")]


@pytest.mark.parametrize(("wish", "why"), WISHES)
@pytest.mark.parametrize(
    ("event", "how"),
    [
        (E.REFUSE, "rejected"),
        (E.MISS, "missed"),
        (E.REFUSE, "failed"),
        (E.RELEASE, "leave"),
        (E.RELEASE, "sweep"),
        (E.RELEASE, "sweep alone"),
        (E.RELEASE, "drop"),
    ],
)
async def test_the_statements_free_agents_as_the_table_says(
    center: Any, event: AgentEvent, how: str, wish: str | None, why: str
) -> None:
    await center.agent("ada")
    call_id = await center.caller()
    offer = await center.offer()
    if wish is not None:
        await center.roster.signal("ada", E.TAKE_BREAK if wish == "break" else E.SIGN_OUT, why)
    match how:
        case "leave":
            await center.line.leave(call_id)
        case "sweep":
            assert await center.line.sweep(0.0) == 1
        case "sweep alone":
            await center.database.execute("DELETE FROM callcenter.queue_entry")
            assert await center.line.sweep(0.0) == 1
        case "drop":
            assert await center.line.drop_node(center.node_id) == 1
        case _:
            await center.line.take_back(offer, AFTER[how])  # type: ignore[index]
    expected = step(Presence(AgentState.RESERVED, "", None if wish is None else AgentState(wish), why), event)
    ada = await center.look("ada")
    assert (ada.state, ada.reason, ada.next_state, ada.next_reason, ada.call_id) == (
        expected.state,
        expected.reason,
        None,
        "",
        None,
    )


async def test_leaving_while_offered_frees_the_agent(center: Any) -> None:
    await center.agent("ada")
    call_id, next_call = await center.caller(), await center.caller()
    offer = await center.offer()
    await center.line.ring(offer)
    await center.line.leave(call_id)
    assert not await center.line.accept(offer)
    assert (await center.offer()).call_id == next_call


async def test_leaving_does_not_touch_an_agent_of_another_call(center: Any) -> None:
    await center.agent("ada")
    await center.caller()
    await center.offer()
    await center.line.leave(await center.caller())
    assert (await center.state("ada"))[0] == "reserved"


async def test_leaving_after_an_acceptance_that_was_never_confirmed(center: Any) -> None:
    await center.agent("ada")
    call_id = await center.caller()
    offer = await center.offer()
    await center.line.accept(offer)
    await center.line.leave(call_id)
    assert (await center.state("ada"))[0] == "talking"
    await center.line.leave(call_id, [offer])
    assert (await center.state("ada"))[0] == "available"


async def test_leaving_races_with_matching(center: Any) -> None:
    """Whoever is first, no agent stays with a caller who is gone."""
    await center.agent("ada")
    for _ in range(60):
        call_id = await center.caller()
        await asyncio.gather(center.match(), center.line.leave(call_id), center.match())
        assert await row(center, call_id) is None
        assert await center.state("ada") == ("available", "")


async def test_leaving_waits_for_a_match_that_is_not_committed(center: Any) -> None:
    await center.agent("ada")
    call_id = await center.caller()
    async with center.line.matching() as round_:
        assert await claim_first(round_)
        leaving = asyncio.create_task(center.line.leave(call_id))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        for _ in range(500):
            if await center.database.fetchval(waiting):
                break
            await asyncio.sleep(0.01)
        assert not leaving.done()
    await leaving
    assert await center.state("ada") == ("available", "")


async def claim_first(round_: Any) -> list[Offer]:
    """What a matcher does who knows one agent and one caller."""
    agents = await round_.agents()
    callers = await round_.callers(["sales"], [agents[0]["agent_id"]], 1)
    offers: list[Offer] = await round_.claim([(callers[0]["entry_id"], agents[0]["agent_id"], uuid4())])
    return offers


async def test_two_processes_race_for_one_agent(center: Any) -> None:
    await center.agent("ada")
    calls = [await center.caller() for _ in range(20)]
    for call_id in calls:
        offers = [o for o in await asyncio.gather(*(center.match() for _ in range(4))) if o]
        assert [offer.call_id for offer in offers] == [call_id]
        assert await center.line.accept(offers[0])
        await center.roster.signal("ada", E.RELEASE, call_id=call_id)


async def test_while_one_process_matches_others_stand_aside(center: Any) -> None:
    await center.agent("ada")
    await center.caller()
    async with center.line.matching() as round_:
        assert round_ is not None
        assert await center.match() is None
    assert await center.match() is not None


async def test_who_is_being_changed_is_passed_over_and_the_next_is_taken(center: Any) -> None:
    await center.agent("ada", idle_s=9)
    await center.agent("ben", idle_s=5)
    first, second = await center.caller(), await center.caller()
    async with center.database.transaction() as connection:
        await connection.execute("SELECT FROM callcenter.queue_entry WHERE call_id = $1 FOR UPDATE", first)
        (offer,) = await center.matcher.match()
        assert (offer.agent_id, offer.call_id) == ("ben", second)
        assert await center.match() is None
    assert (await center.offer()).call_id == first


async def test_a_sweep_spares_what_is_young(center: Any) -> None:
    await center.agent("ada")
    await center.caller()
    offer = await center.offer()
    assert await center.line.sweep(60) == 0
    assert await center.line.sweep(0.0) == 1
    assert not await center.line.accept(offer)
    again = await center.offer()
    assert await center.line.accept(again)
    assert await center.line.sweep(0.0) == 0


async def test_a_sweep_requeues_an_entry_whose_agent_is_gone(center: Any) -> None:
    await center.agent("ada")
    call_id = await center.caller()
    await center.offer()
    await center.roster.signal("ada", E.RELEASE)
    await center.line.sweep(60)
    assert (await row(center, call_id))["state"] == "waiting"


async def test_dropping_a_node_spares_the_others(center: Any) -> None:
    for name in ("ada", "ben", "cho"):
        await center.agent(name)
    dead, alive = uuid4(), center.node_id
    for node_id in (dead, dead, alive, alive):
        center.node_id = node_id
        await center.caller()
    await center.line.accept(await center.offer())
    await center.offer()
    await center.offer()
    assert await center.line.drop_node(dead) == 1
    assert [agent.state for agent in await center.agents.all()] == ["available", "available", "reserved"]
    assert len(await center.line.calls_of(alive)) == 2
    assert await center.line.calls_of(dead) == set()


async def test_a_lost_entry_comes_back_at_its_place(center: Any) -> None:
    first, second = await center.caller(), await center.caller()
    lost = await row(center, first)
    await center.database.execute("DELETE FROM callcenter.queue_entry WHERE call_id = $1", first)
    for _ in range(2):
        await center.line.rejoin(first, center.node_id, config.Queue(name="sales"), 0, lost["entered_at"])
    assert [await center.line.position(call) for call in (first, second)] == [1, 2]


async def test_entries(center: Any) -> None:
    await center.agent("ada")
    first, second = await center.caller(), await center.caller(priority=1)
    third = await center.caller("billing")
    offer = await center.offer()
    entries = await center.line.entries()
    assert [(e.call_id, e.position) for e in entries] == [(third, 1), (second, 1), (first, 2)]
    assert (entries[1].state, entries[1].offered_to) == ("offered", [offer.agent_id])
    assert [e.call_id for e in await center.line.entries("billing")] == [third]
    assert await center.line.entries("none") == []


@pytest.mark.parametrize("payload", ["", "[]", "{}", "null", "7", '{"offer_id": 7}', '{"offer_id": "x"}'])
def test_a_payload_that_is_no_offer(payload: str) -> None:
    with pytest.raises(StorageError, match="not an offer"):
        Offer.from_json(payload)


async def test_who_asked_first_stands_first(center: Any) -> None:
    """Not who was written down first; and nobody gets ahead by a clock that is fast."""
    queue = config.Queue(name="sales")
    late, early = uuid4(), uuid4()
    place = await center.line.enter(late, center.node_id, queue, 0)
    assert isinstance(place, Place)
    before = place.entered_at - timedelta(seconds=1)
    assert await center.line.enter(early, center.node_id, queue, 0, before) == Place(1, before)
    assert await center.line.position(late) == 2
    fast = await center.line.enter(uuid4(), center.node_id, queue, 0, place.entered_at + timedelta(days=1))
    assert isinstance(fast, Place)
    assert fast.entered_at < place.entered_at + timedelta(hours=1)
