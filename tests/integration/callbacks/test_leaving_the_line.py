"""Out of the line for a callback, and back: what happens at the same moment as agents are found."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, TypeVar
from uuid import UUID

from callback.request import Callback, Source
from callback.state import State
from callcenter import config
from callcenter.acd.matcher import Matcher
from callcenter.acd.presence import AgentEvent
from callcenter.acd.roster import Roster
from callcenter.queueing import SkillTree
from callcenter.storage.agents import Agents
from callcenter.storage.queue_line import Offer, QueueLine
from integration.callbacks.conftest import Office, asked, wait

ROUNDS = 300

T = TypeVar("T")


async def sign_in(office: Office, *names: str) -> None:
    agents = Agents(office.database)
    for name in names:
        await agents.create(config.Agent(id=name, address="+12025550142", queues=["sales"]))
        await Roster(agents).signal(name, AgentEvent.SIGN_IN)


async def _after(pause_s: float, work: Coroutine[Any, Any, T]) -> T:
    await asyncio.sleep(max(0.0, pause_s))
    return await work


async def test_an_agent_or_a_callback_and_never_both_nor_neither(office: Office) -> None:
    """Two matchers, as of two processes, against one who confirms."""
    await sign_in(office, "ann", "bob")
    matchers = [Matcher(QueueLine(office.database), dict, SkillTree({})) for _ in range(2)]
    ahead, left = random.Random(2), 0
    for number in range(ROUNDS):
        call_id = await office.caller()
        wish = asked(f"+1202555{101 + number % 90:04d}", source=Source.IVR)
        pause_s = ahead.uniform(-0.006, 0.02)
        callback, *found = await asyncio.gather(
            _after(pause_s, office.desk.from_line(call_id, wish, wait(600, 900))),
            *(_after(-pause_s, matcher.match()) for matcher in matchers),
        )
        offers = [offer for some in (*found, await matchers[0].match()) for offer in some]
        assert (callback is None) == bool(offers), number
        assert len(offers) < 2
        left += callback is not None
        await _tidy(office, call_id, callback, offers)
    assert 0 < left < ROUNDS
    states = await office.database.fetch("SELECT DISTINCT state FROM callcenter.agent")
    assert [row["state"] for row in states] == ["available"]


async def test_a_place_that_is_taken_up_in_person_is_offered_once(office: Office) -> None:
    """The customer phones in at the very moment at which an agent is found for the callback."""
    await sign_in(office, "ann")
    matcher = Matcher(office.line, dict, SkillTree({}))
    ahead, merged_first = random.Random(3), 0
    for number in range(ROUNDS // 3):
        callback = await office.asked(f"+1202555{101 + number % 90:04d}")
        callback = await office.desk.expedite(callback.callback_id, by="user bo")
        call_id = await office.caller()
        pause_s = ahead.uniform(-0.004, 0.01)
        merged, found = await asyncio.gather(
            _after(pause_s, office.desk.merge(callback.callback_id, by="customer", call_id=call_id)),
            _after(-pause_s, matcher.match()),
        )
        assert merged.state is State.MERGED
        assert await office.line.place_of(callback.callback_id) is None
        (offer,) = found or await matcher.match()
        merged_first += offer.call_id == call_id
        if offer.call_id != call_id:  # found for a callback that is over: free again, and the caller is next
            (offer,) = await matcher.match()
        assert offer.call_id == call_id
        (entry,) = await office.line.entries()
        assert entry.entered_at == callback.arrived_at
        await office.line.leave(call_id)
    assert merged_first > 0


async def test_a_caller_without_a_place_takes_none(office: Office) -> None:
    callback = await office.asked()
    call_id = await office.caller()
    await office.line.leave(call_id)
    await office.desk.merge(callback.callback_id, by="customer", call_id=call_id)
    assert await office.line.entries() == []


async def test_a_better_place_is_not_given_up(office: Office) -> None:
    call_id = await office.caller()
    callback = await office.asked()
    (first, _) = await office.line.entries()
    await office.desk.merge(callback.callback_id, by="customer", call_id=call_id)
    (kept,) = await office.line.entries()
    assert (kept.entered_at, kept.priority) == (first.entered_at, 3)


async def _tidy(office: Office, call_id: UUID, callback: Callback | None, offers: list[Offer]) -> None:
    rows = await office.database.fetchval("SELECT count(*) FROM callback.callback WHERE ended_at IS NULL")
    assert rows == (callback is not None)
    if callback is not None:
        assert await office.line.place_of(callback.callback_id) == 1
        assert await office.line.position(call_id) is None
        await office.desk.cancel(callback.callback_id, by="customer")
    else:
        assert {offer.call_id for offer in offers} == {call_id}
        await office.line.leave(call_id)
