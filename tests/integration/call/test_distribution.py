"""Ways through the line: all telephones ring, other queues help out, a second call keeps the place."""

import asyncio
from typing import Any

from callcenter import config
from callcenter.acd.presence import AgentEvent
from callcenter.queueing import Overflow, Queue, Strategy

SKILLED = """
language: en
start: sales
nodes:
  sales:
    kind: queue
    queue: sales
    skills: {japanese: 1}
    preferred_agent: bob
    timeout: bye
    empty: bye
    full: bye
    closed: bye
  bye: {kind: hangup}
"""


def seen(center: Any, *types: str) -> list[tuple[str, str | None]]:
    """Events of these types with their agent, or their queue."""
    return [(e.type.value, e.agent or e.queue) for e in center.events if e.type.value in types]


async def change(center: Any, name: str, **settings: Any) -> None:
    """Change a queue as the API does."""
    queue = Queue(name=name, **settings)
    await center.queue_rows.put(queue)
    await center.services.queues.renew()


async def agent(center: Any, name: str, *queues: str, **known: Any) -> None:
    await center.agents.create(
        config.Agent(id=name, address="+12025550142", queues=list(queues) or ["sales"], **known)
    )
    await center.roster.signal(name, AgentEvent.SIGN_IN)


async def rung(center: Any, count: int) -> None:
    async with asyncio.timeout(5):
        while len(center.network.tokens) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def entered(center: Any, queue: str, count: int) -> None:
    """Wait until so many callers have come into the queue."""
    async with asyncio.timeout(5):
        while seen(center, "queue.entered").count(("queue.entered", queue)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_all_telephones_ring_and_the_first_to_answer_gets_the_caller(open_center: Any) -> None:
    center = await open_center(strategy=Strategy.RING_ALL, wrap_up_s=0)
    center.network.picks_up = False
    for name in ("alice", "bob", "carol"):
        await agent(center, name)
    caller = await center.call()
    await rung(center, 3)
    second = await center.network.pick_up(center.network.tokens[1])
    await center.hears_of("agent.connected")
    winner = next(e.agent for e in center.events if e.type.value == "agent.connected")
    states = {record.agent_id: record.state for record in await center.agents.all()}
    assert sorted(states.values()) == ["available", "available", "talking"]
    assert states[winner] == "talking"
    assert len(seen(center, "offer.sent")) == 3
    assert seen(center, "offer.accepted") == [("offer.accepted", winner)]
    assert len(seen(center, "offer.cancelled")) == 2
    async with asyncio.timeout(5):
        while sorted(center.network.hung_up) != sorted(  # noqa: ASYNC110
            [center.network.tokens[0], center.network.tokens[2]]
        ):
            await asyncio.sleep(0.005)
    assert not second.closed.is_set()
    caller.hang_up()
    await center.over()


async def test_who_does_not_answer_does_not_stop_the_others(open_center: Any) -> None:
    center = await open_center(strategy=Strategy.RING_ALL, wrap_up_s=0, ring_timeout_s=0.3)
    center.network.picks_up = False
    await agent(center, "alice")
    await agent(center, "bob")
    caller = await center.call()
    await rung(center, 2)
    await center.hears_of("offer.no_answer")
    await center.until("break", "alice")
    await center.until("break", "bob")
    await agent(center, "carol")
    await rung(center, 3)
    await center.network.pick_up(center.network.tokens[2])
    await center.hears_of("agent.connected")
    assert seen(center, "agent.connected") == [("agent.connected", "carol")]
    caller.hang_up()
    await center.over()


async def test_a_long_wait_overflows_and_keeps_its_beginning(open_center: Any) -> None:
    center = await open_center(queues=("sales", "support"), wrap_up_s=0)
    await change(center, "sales", overflow=[Overflow(to="support", after_s=0.2)], wrap_up_s=0)
    await agent(center, "alice", "support")
    caller = await center.call()
    await center.hears_of("agent.connected")
    assert seen(center, "queue.entered", "queue.left", "agent.connected") == [
        ("queue.entered", "sales"),
        ("queue.left", "sales"),
        ("queue.entered", "support"),
        ("agent.connected", "alice"),
    ]
    left = next(e for e in center.events if e.type.value == "queue.left")
    assert left.data == {"reason": "overflow", "to": "support"}
    caller.hang_up()
    await center.over()
    await center.stored("call.ended")
    events = await center.calls.events(center.call_id())
    assert next(e for e in events if e.type.value == "call.ended").data["outcome"] == "answered"


async def test_a_crowded_or_full_queue_overflows_at_once(open_center: Any) -> None:
    center = await open_center(queues=("sales", "support"), wrap_up_s=0)
    way = Overflow(to="support", when_waiting=1)
    await change(center, "sales", overflow=[way])
    first = await center.call()
    await center.hears_of("queue.entered")
    second = await center.call()
    await entered(center, "support", 1)
    assert seen(center, "queue.entered", "queue.left")[-3:] == [
        ("queue.entered", "sales"),
        ("queue.left", "sales"),
        ("queue.entered", "support"),
    ]
    await change(center, "sales", overflow=[way], max_length=1)
    third = await center.call()
    await entered(center, "support", 2)
    assert [entry.queue for entry in await center.line.entries()] == ["sales", "support", "support"]
    for caller in (first, second, third):
        caller.hang_up()
    await center.over()


async def test_a_changed_queue_does_not_change_calls_that_wait(open_center: Any) -> None:
    center = await open_center(queues=("sales", "support"), max_wait_s=60)
    early = await center.call()
    await center.hears_of("queue.entered")
    await change(center, "sales", overflow=[Overflow(to="support", after_s=0.1)])
    late = await center.call()
    await entered(center, "support", 1)
    await asyncio.sleep(0.3)
    assert [entry.queue for entry in await center.line.entries()] == ["sales", "support"]
    early.hang_up()
    late.hang_up()
    await center.over()


async def test_who_calls_again_soon_keeps_the_place(open_center: Any) -> None:
    center = await open_center()
    first = await center.call("+12025550101")
    await center.in_line(1)
    others = [await center.call("+12025550102"), await center.call("+12025550103")]
    await center.in_line(3)
    first.hang_up()
    await center.in_line(2)
    again = await center.call("+12025550101")
    await center.in_line(3)
    assert await center.numbers_in_line() == ["+12025550101", "+12025550102", "+12025550103"]
    # The place is there once: another telephone of the same number stands at the end.
    twin = await center.call("+12025550101")
    await center.in_line(4)
    assert (await center.numbers_in_line())[-1] == "+12025550101"
    for caller in (again, twin, *others):
        caller.hang_up()
    await center.over()


async def test_who_withholds_the_number_has_no_place_to_keep(open_center: Any) -> None:
    center = await open_center()
    first = await center.call("anonymous")
    await center.in_line(1)
    other = await center.call("+12025550102")
    await center.in_line(2)
    first.hang_up()
    await center.in_line(1)
    again = await center.call("anonymous")
    await center.in_line(2)
    assert await center.numbers_in_line() == ["+12025550102", "anonymous"]
    for caller in (again, other):
        caller.hang_up()
    await center.over()
    assert await center.database.fetchval("SELECT count(*) FROM callcenter.left_place") == 1


async def test_callers_leave_when_the_last_agent_has_gone_home(open_center: Any) -> None:
    center = await open_center(leave_when_unstaffed_s=0.2)
    await agent(center, "alice")
    await center.roster.signal("alice", AgentEvent.TAKE_BREAK)
    await center.call()
    await center.in_line(1)
    await asyncio.sleep(0.5)
    assert center.types()[-1] == "queue.entered"  # somebody on a break comes back
    await center.roster.signal("alice", AgentEvent.SIGN_OUT)
    await center.hears_of("queue.left", "call.ended")
    left = next(e for e in center.events if e.type.value == "queue.left")
    assert left.data == {"reason": "empty"}
    await center.over()


async def test_the_flow_asks_for_skills_and_for_the_agent_who_knows_the_caller(open_center: Any) -> None:
    center = await open_center(SKILLED, preferred_agent_s=30, wrap_up_s=0)
    await agent(center, "alice", skills={"japanese": 1})
    await agent(center, "bob", skills={"japanese": 2})
    await center.roster.signal("bob", AgentEvent.TAKE_BREAK)
    caller = await center.call()
    await center.in_line(1)
    await asyncio.sleep(0.3)
    assert center.types()[-1] == "queue.entered"  # bob is at work, so he is waited for
    await center.roster.signal("bob", AgentEvent.READY)
    await center.hears_of("agent.connected")
    assert seen(center, "agent.connected") == [("agent.connected", "bob")]
    caller.hang_up()
    await center.over()


async def test_nobody_is_waited_for_who_is_not_at_work(open_center: Any) -> None:
    center = await open_center(SKILLED, preferred_agent_s=30, wrap_up_s=0)
    await agent(center, "carol")
    await agent(center, "alice", skills={"japanese": 1})
    await center.agents.create(config.Agent(id="bob", address="+12025550142", queues=["sales"]))
    caller = await center.call()
    await center.hears_of("agent.connected")
    assert seen(center, "agent.connected") == [("agent.connected", "alice")]
    caller.hang_up()
    await center.over()


CALLBACK = """
language: en
start: sales
nodes:
  sales:
    kind: queue
    queue: sales
    callback_key: "1"
    callback: noted
    timeout: bye
    empty: bye
    full: bye
    closed: bye
  noted: {kind: play, prompts: We will call you back., next: bye}
  bye: {kind: hangup}
"""


async def test_who_wants_to_be_called_back_leaves_the_line_by_a_key(open_center: Any) -> None:
    center = await open_center(CALLBACK)
    caller = await center.call()
    await center.in_line(1)
    caller.sink.on_dtmf("1")
    await center.hears_of("queue.left")
    left = next(e for e in center.events if e.type.value == "queue.left")
    assert left.data == {"reason": "callback"}
    assert await center.line.entries() == []
    caller.hang_up()
    await center.over()
    assert center.events[-1].data["outcome"] == "callback_requested"


async def test_two_ways_to_one_queue(open_center: Any) -> None:
    """Each with a timer of its own; the earlier one counts."""
    center = await open_center(queues=("sales", "support"))
    ways = [Overflow(to="support", after_s=60), Overflow(to="support", after_s=0.1)]
    await change(center, "sales", overflow=ways)
    caller = await center.call()
    await entered(center, "support", 1)
    caller.hang_up()
    await center.over()
