"""A caller is handed on: at once, after asking, or not after all."""

import asyncio
from itertools import count
from typing import Any

import pytest

from callcenter import timeline
from callcenter.errors import NotFoundError, TransitionError

SALES_TO_BILLING = {"queue": "billing", "mode": "blind"}
ASK_BILLING = {"queue": "billing", "mode": "warm"}
WORDS = count(1)


async def talking(open_center: Any, **queue: Any) -> tuple[Any, Any]:
    """A center with two queues, and a caller who talks to alice of the first."""
    center = await open_center(queues=("sales", "billing"), **{"wrap_up_s": 60, **queue})
    await center.agent("alice")
    caller = await center.call()
    await center.hears_of("agent.connected")
    await center.stored("agent.connected")
    return center, caller


async def consulting(open_center: Any) -> tuple[Any, Any]:
    """The same, and alice talks to bob of the second while the caller is on hold."""
    center, caller = await talking(open_center)
    await center.agent("bob", "billing")
    await center.command("transfer", **ASK_BILLING)
    await center.until("talking", "bob")
    alice, bob = center.network.agents
    await reaches(alice, bob)
    await reaches(bob, alice)
    return center, caller


async def reaches(speaker: Any, listener: Any) -> None:
    """Wait until one hears what the other says."""
    word = bytes([next(WORDS), 0]) * 160
    async with asyncio.timeout(5):
        while word not in bytes(listener.sound):
            await speaker.sink.on_audio(word, None)
            await asyncio.sleep(0.02)


def contacts(center: Any) -> list[tuple[Any, ...]]:
    """Queue, agent and end of each contact of the call."""
    figures = timeline.build(center.events, None)
    return [(each.queue, each.agent, each.ended.value) for each in figures.contacts]


async def test_blind_to_a_queue_the_caller_waits_there_as_of_the_arrival(open_center: Any) -> None:
    center, caller = await talking(open_center)
    await center.command("transfer", **SALES_TO_BILLING)
    await center.hears("queue.entered", 2)
    assert center.data("transfer.blind") == [{"to": "billing", "kind": "queue"}]
    types = center.types()
    parted = types.index("transfer.blind")
    rest = [type_ for type_ in types[parted:] if not type_.startswith("recording")]
    assert rest == ["transfer.blind", "conversation.ended", "acw.started", "queue.entered"]
    assert center.data("conversation.ended") == [{"by": "transfer"}]
    await center.until("wrap_up")
    (waiting,) = await center.line.entries("billing")
    arrived = next(event.at for event in center.events if event.type == "queue.entered")
    assert waiting.entered_at <= arrived
    await center.agent("bob", "billing")
    await center.hears("agent.connected", 2)
    caller.hang_up()
    await center.hears_of("call.ended")
    assert contacts(center) == [("sales", "alice", "answered"), ("billing", "bob", "answered")]
    assert center.data("call.ended") == [{"cause": "caller_hangup", "outcome": "answered"}]


async def test_warm_and_completed_the_second_agent_has_a_contact_of_the_own(open_center: Any) -> None:
    center, caller = await consulting(open_center)
    alice, bob = center.network.agents
    await center.command("complete_transfer")
    await center.hears("agent.connected", 2)
    assert center.data("consult.ended") == [{"result": "completed"}]
    assert center.data("transfer.attended") == [{"to": "billing", "kind": "queue"}]
    await center.until("wrap_up", "alice")
    assert (await center.look("bob")).state == "talking"
    await reaches(bob, caller)
    await reaches(caller, bob)
    heard = alice.heard
    await reaches(bob, caller)
    assert alice.heard == heard
    bob.hang_up()
    await center.until("wrap_up", "bob")
    await center.hears_of("call.ended")
    assert contacts(center) == [("sales", "alice", "answered"), ("billing", "bob", "answered")]
    first, second = timeline.build(center.events, None).contacts
    assert first.hold_s > 0
    assert (second.wait_s, second.hold_s, second.attended) == (0, 0, True)
    await center.supervisor.drain(0)
    await center.until("available", "alice")
    await center.until("available", "bob")


async def test_warm_and_cancelled_the_first_agent_is_back(open_center: Any) -> None:
    center, caller = await consulting(open_center)
    alice, bob = center.network.agents
    await center.command("cancel_transfer")
    await center.until("available", "bob")
    assert bob.closed.is_set()
    assert center.data("consult.ended") == [{"result": "cancelled"}]
    await reaches(alice, caller)
    await reaches(caller, alice)
    caller.hang_up()
    await center.hears_of("call.ended")
    assert contacts(center) == [("sales", "alice", "answered")]
    assert center.types().count("hold.started") == center.types().count("hold.ended") == 1


async def test_a_second_agent_who_hangs_up_leaves_the_first_with_the_caller(open_center: Any) -> None:
    center, caller = await consulting(open_center)
    center.network.agents[1].hang_up()
    await center.hears_of("consult.ended")
    assert center.data("consult.ended") == [{"result": "failed"}]
    await center.until("available", "bob")
    await center.command("hold")
    caller.hang_up()
    await center.hears_of("call.ended")


async def test_a_second_agent_who_does_not_come_leaves_the_first_with_the_caller(open_center: Any) -> None:
    center, caller = await talking(open_center, ring_timeout_s=0.3)
    center.network.picks_up = False
    await center.agent("bob", "billing")
    await center.command("transfer", **ASK_BILLING)
    await center.until("ringing", "bob")
    with pytest.raises(TransitionError, match="has not answered"):
        await center.command("complete_transfer")
    await center.hears_of("consult.ended")
    assert center.data("consult.ended") == [{"result": "failed"}]
    await center.until("break", "bob")
    await center.until("talking", "alice")
    caller.hang_up()
    await center.hears_of("call.ended")
    assert contacts(center) == [("sales", "alice", "answered")]


async def test_a_caller_who_hangs_up_on_hold_ends_the_consult(open_center: Any) -> None:
    center, caller = await consulting(open_center)
    caller.hang_up()
    await center.hears_of("call.ended")
    assert center.data("consult.ended") == [{"result": "cancelled"}]
    assert center.data("conversation.ended") == [{"by": "customer"}]
    await center.until("available", "bob")
    await center.until("wrap_up", "alice")


async def test_a_first_agent_who_hangs_up_on_the_second_hands_the_caller_over(open_center: Any) -> None:
    center, caller = await consulting(open_center)
    center.network.agents[0].hang_up()
    await center.hears("agent.connected", 2)
    assert center.data("transfer.attended") == [{"to": "billing", "kind": "queue"}]
    caller.hang_up()
    await center.hears_of("call.ended")
    assert contacts(center) == [("sales", "alice", "answered"), ("billing", "bob", "answered")]


async def test_a_first_agent_who_does_not_wait_for_the_second_leaves_the_caller_in_line(
    open_center: Any,
) -> None:
    center, caller = await talking(open_center)
    await center.command("transfer", **ASK_BILLING)
    await center.hears_of("consult.started")
    center.network.agents[0].hang_up()
    await center.hears("queue.entered", 2)
    assert center.data("transfer.blind") == [{"to": "billing", "kind": "queue"}]
    await center.agent("bob", "billing")
    await center.hears("agent.connected", 2)
    caller.hang_up()
    await center.hears_of("call.ended")
    assert center.data("transfer.attended") == []


async def test_a_call_that_is_cut_in_a_consult_frees_both_agents(open_center: Any) -> None:
    center, _ = await consulting(open_center)
    await center.supervisor.drain(0)
    await center.until("available", "alice")
    await center.until("available", "bob")
    types = center.types()
    assert types.count("consult.ended") == types.count("hold.ended") == types.count("call.ended") == 1
    assert all(telephone.closed.is_set() for telephone in center.network.agents)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"queue": "nowhere", "mode": "blind"}, NotFoundError),
        ({"queue": "nowhere", "mode": "warm"}, NotFoundError),
        ({"agent": "alice", "queue": "sales", "mode": "blind"}, TransitionError),
        ({"agent": "alice", "queue": "sales", "mode": "warm"}, TransitionError),
    ],
)
async def test_a_transfer_that_cannot_be_leaves_the_call_alone(
    open_center: Any, arguments: dict[str, str], error: type[Exception]
) -> None:
    center, caller = await talking(open_center)
    with pytest.raises(error):
        await center.command("transfer", **arguments)
    assert center.types()[-1] in ("agent.connected", "recording.started")
    await center.command("hold")
    caller.hang_up()
    await center.hears_of("call.ended")


async def test_what_does_not_fit_a_consult_is_refused(open_center: Any) -> None:
    center, caller = await talking(open_center)
    for command in ("complete_transfer", "cancel_transfer"):
        with pytest.raises(TransitionError, match=r"a call that is talking cannot c\w+ transfer"):
            await center.command(command)
    await center.command("transfer", **ASK_BILLING)
    for command, arguments in (("transfer", SALES_TO_BILLING), ("hold", {}), ("resume", {})):
        with pytest.raises(TransitionError, match="a call that is consulting cannot"):
            await center.command(command, **arguments)
    await center.command("cancel_transfer")
    caller.hang_up()
    await center.hears_of("call.ended")
    await center.stored("call.ended")
    with pytest.raises(TransitionError, match="has ended"):
        await center.command("transfer", **SALES_TO_BILLING)


async def test_blind_to_an_agent_only_that_one_is_asked(open_center: Any) -> None:
    center, caller = await talking(open_center)
    await center.agent("carl")
    await center.agent("bob")
    center.network.picks_up = False
    await center.command("transfer", agent="bob", queue="sales", mode="blind")
    await center.until("ringing", "bob")
    assert center.data("transfer.blind") == [{"to": "bob", "kind": "agent"}]
    await center.dialled(2)
    await center.network.pick_up(center.network.tokens[-1])
    await center.hears("agent.connected", 2)
    caller.hang_up()
    await center.hears_of("call.ended")
    assert contacts(center) == [("sales", "alice", "answered"), ("sales", "bob", "answered")]


async def test_blind_to_an_agent_who_does_not_come_is_a_place_in_line(open_center: Any) -> None:
    center, caller = await talking(open_center, ring_timeout_s=0.4)
    await center.agent("bob")
    center.network.picks_up = False
    await center.command("transfer", agent="bob", queue="sales", mode="blind")
    await center.until("ringing", "bob")
    await center.until("break", "bob")
    center.network.picks_up = True
    await center.agent("carl")
    await center.hears("agent.connected", 2)
    caller.hang_up()
    await center.hears_of("call.ended")
    assert contacts(center) == [("sales", "alice", "answered"), ("sales", "carl", "answered")]


async def test_warm_to_an_agent_who_rejects_asks_nobody_else(open_center: Any) -> None:
    center, caller = await talking(open_center, ring_timeout_s=0.4)
    await center.agent("bob")
    await center.agent("carl")
    center.network.picks_up = False
    await center.command("transfer", agent="bob", queue="sales", mode="warm")
    await center.until("ringing", "bob")
    await center.hears_of("consult.ended")
    assert center.data("consult.started") == [{"to": "bob", "kind": "agent"}]
    assert center.data("consult.ended") == [{"result": "failed"}]
    assert len(center.network.tokens) == 2
    assert (await center.look("carl")).state == "available"
    await center.until("talking", "alice")
    caller.hang_up()
    await center.hears_of("call.ended")


async def test_a_second_search_waits_for_the_end_of_the_first(open_center: Any) -> None:
    center, caller = await talking(open_center)
    for _ in range(3):
        await center.command("transfer", **ASK_BILLING)
        await center.command("cancel_transfer")
    await center.command("transfer", **ASK_BILLING)
    assert await center.line.entries() == []
    await center.agent("bob", "billing")
    await center.until("talking", "bob")
    caller.hang_up()
    await center.hears_of("call.ended")
    await center.until("available", "bob")
    assert center.types().count("consult.ended") == center.types().count("consult.started") == 4
