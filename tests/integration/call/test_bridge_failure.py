"""An agent's line that breaks as soon as it is connected: nobody has talked, and nobody is to wait anew."""

import asyncio
from typing import Any

import pytest

from callcenter import timeline
from callcenter.contact import ContactEnd


async def lost(open_center: Any, reason: str = "lost", **queue: Any) -> tuple[Any, Any]:
    """A caller whose first agent's leg ends for this reason at once."""
    center = await open_center(**{"wrap_up_s": 60, "max_wait_s": 30, **queue})
    await center.agent("alice")
    caller = await center.call()
    await center.hears_of("agent.connected")
    center.network.agents[0].hang_up(reason)
    return center, caller


async def test_the_caller_is_first_in_line_again_and_answered_once(open_center: Any) -> None:
    center, caller = await lost(open_center)
    await center.in_line(1)
    (waiting,) = await center.line.entries()
    arrived = next(event.at for event in center.events if event.type == "queue.entered")
    assert waiting.entered_at <= arrived
    agent = await center.until("available")
    rest = await center.database.fetchval(
        "SELECT rest_until > now() + interval '5 s' FROM callcenter.agent WHERE agent_id = 'alice'"
    )
    assert (agent.call_id, rest) == (None, True)
    assert center.data("conversation.ended") == [{"by": "system", "bridge": "failed"}]
    assert "acw.started" not in center.types()
    await center.agent("bob")
    await center.hears("agent.connected", 2)
    caller.hang_up()
    await center.hears_of("call.ended")
    figures = timeline.build(center.events, None)
    (contact,) = figures.contacts
    assert (contact.agent, contact.ended, contact.offers) == ("bob", ContactEnd.ANSWERED, 2)
    assert center.types().count("queue.entered") == 1
    assert contact.wait_s + contact.talk_s == pytest.approx(
        (center.events[-1].at - contact.entered_at).total_seconds(), abs=1
    )
    assert center.data("call.ended") == [{"cause": "caller_hangup", "outcome": "answered"}]


async def test_a_caller_who_then_gives_up_has_abandoned(open_center: Any) -> None:
    center, caller = await lost(open_center)
    await center.in_line(1)
    caller.hang_up()
    await center.hears_of("call.ended")
    (contact,) = timeline.build(center.events, None).contacts
    assert (contact.ended, contact.agent, contact.talk_s) == (ContactEnd.ABANDONED, None, 0)
    assert center.data("call.ended") == [{"cause": "caller_hangup", "outcome": "short_abandoned"}]


async def test_a_hang_up_is_no_failure_however_early(open_center: Any) -> None:
    center, _ = await lost(open_center, "stop")
    await center.hears_of("call.ended")
    assert center.data("conversation.ended") == [{"by": "agent"}]
    await center.until("wrap_up")


async def test_after_the_grace_a_lost_line_ends_the_conversation(open_center: Any) -> None:
    center = await open_center(wrap_up_s=0, bridge_grace_s=0.1)
    await center.agent("alice")
    await center.call()
    await center.hears_of("agent.connected")
    await asyncio.sleep(0.3)
    center.network.agents[0].hang_up("lost")
    await center.hears_of("call.ended")
    assert center.data("conversation.ended") == [{"by": "agent"}]
    assert center.data("call.ended") == [{"cause": "agent_hangup", "outcome": "answered"}]
