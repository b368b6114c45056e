import asyncio
from typing import Any
from uuid import uuid4

import pytest

from callcenter import config
from callcenter.acd.presence import AgentEvent
from callcenter.errors import NotFoundError, TransitionError, UsageError

E = AgentEvent


def of(name: str, *queues: str, address: str = "+12025550142") -> config.Agent:
    return config.Agent(id=name, address=address, queues=list(queues))


async def test_sync_creates_and_updates_but_leaves_states(center: Any) -> None:
    await center.agents.sync([of("ada", "sales"), of("ben", "sales", "billing")])
    await center.roster.signal("ada", E.SIGN_IN)
    since = (await center.look("ada")).state_since
    await center.agents.create(of("made-by-api", "sales"))

    await center.agents.sync([of("ada", "billing", address="+12025550199"), of("ben", "sales")])

    ada, ben, other = await center.agents.all()
    assert (ada.state, ada.state_since, ada.queues, ada.address) == (
        "available",
        since,
        ("billing",),
        "+12025550199",
    )
    assert (ben.state, ben.queues, ben.name) == ("offline", ("sales",), "ben")
    assert other.agent_id == "made-by-api"


async def test_sync_of_nobody_changes_nothing(center: Any) -> None:
    await center.agent("ada", "sales")
    await center.agents.sync([])
    assert (await center.look("ada")).queues == ("sales",)


async def test_processes_may_sync_at_once(center: Any) -> None:
    everyone = [of(f"agent-{number}", "sales", "billing") for number in range(40)]
    await asyncio.gather(*(center.agents.sync(order) for order in (everyone, everyone[::-1]) * 3))
    assert len(await center.agents.all()) == 40


async def test_create_refuses_an_id_that_is_taken(center: Any) -> None:
    await center.agents.create(of("ada", "sales"))
    with pytest.raises(UsageError, match="already an agent ada"):
        await center.agents.create(of("ada", "billing"))
    assert (await center.look("ada")).queues == ("sales",)


async def test_update_replaces_what_is_known(center: Any) -> None:
    await center.agent("ada", "sales billing")
    changed = config.Agent(
        id="ada", name="Ada L.", gateway="asterisk", address="2001", queues=["billing", "support"]
    )
    await center.agents.update(changed, enabled=False)
    ada = await center.look("ada")
    assert (ada.name, ada.gateway, ada.address, ada.queues) == (
        "Ada L.",
        "asterisk",
        "2001",
        ("billing", "support"),
    )
    assert (ada.enabled, ada.state) == (False, "available")


async def test_unknown_agents(center: Any) -> None:
    with pytest.raises(NotFoundError, match="no agent nobody"):
        await center.agents.get("nobody")
    with pytest.raises(NotFoundError):
        await center.agents.update(of("nobody", "sales"))
    with pytest.raises(NotFoundError):
        await center.agents.delete("nobody")
    with pytest.raises(NotFoundError):
        await center.roster.signal("nobody", E.SIGN_IN)


async def test_delete_signs_out_and_removes(center: Any) -> None:
    await center.agent("ada")
    await center.agents.delete("ada")
    assert await center.agents.all() == []
    assert (await center.log("ada"))[-1] == ("available", "offline", "deleted")


async def test_delete_during_a_call_is_refused(center: Any) -> None:
    await center.agent("ada")
    await center.caller()
    await center.offer()
    with pytest.raises(TransitionError, match="ada is reserved"):
        await center.agents.delete("ada")
    assert await center.state("ada") == ("reserved", "")


async def test_every_change_is_logged_once_with_time_and_reason(center: Any) -> None:
    await center.agent("ada", idle_s=None)
    await center.roster.signal("ada", E.SIGN_IN)
    await center.roster.signal("ada", E.TAKE_BREAK, "lunch")
    await center.roster.signal("ada", E.TAKE_BREAK, "training")
    await center.roster.signal("ada", E.TAKE_BREAK, "training")
    await center.roster.signal("ada", E.SIGN_OUT)
    assert await center.log("ada") == [
        ("offline", "available", ""),
        ("available", "break", "lunch"),
        ("break", "break", "training"),
        ("break", "offline", ""),
    ]
    last = await center.database.fetchrow("SELECT * FROM callcenter.event ORDER BY event_id DESC LIMIT 1")
    assert last["at"] == (await center.look("ada")).state_since
    assert (last["call_id"], last["seq"]) == (None, None)


async def test_a_change_that_the_table_forbids_leaves_the_row_alone(center: Any) -> None:
    await center.agent("ada", idle_s=None)
    before = await center.look("ada")
    with pytest.raises(TransitionError, match="offline cannot take ready"):
        await center.roster.signal("ada", E.READY)
    assert await center.look("ada") == before


async def test_many_tell_one_agent_at_once_and_every_step_is_a_legal_one(center: Any) -> None:
    await center.agent("ada")

    async def alternate() -> None:
        for event in (E.TAKE_BREAK, E.READY, E.TAKE_BREAK, E.READY):
            try:
                await center.roster.signal("ada", event)
            except TransitionError:
                assert event is E.READY

    await asyncio.gather(*(alternate() for _ in range(5)))
    log = await center.log("ada")
    assert [frm for frm, _, _ in log[1:]] == [to for _, to, _ in log[:-1]]
    assert (await center.look("ada")).state == log[-1][1]


async def test_a_wish_does_not_restart_the_time_in_the_state(center: Any) -> None:
    await center.agent("ada")
    await center.caller()
    offer = await center.offer()
    assert await center.line.accept(offer)
    before = await center.look("ada")
    await center.roster.signal("ada", E.TAKE_BREAK, "lunch")
    after = await center.look("ada")
    assert (after.state, after.state_since) == ("talking", before.state_since)
    assert (after.next_state, after.next_reason) == ("break", "lunch")
    await center.roster.signal("ada", E.FINISH_CONVERSATION, call_id=offer.call_id)
    assert (await center.look("ada")).call_id == offer.call_id
    await center.roster.signal("ada", E.RELEASE, call_id=offer.call_id)
    freed = await center.look("ada")
    assert (freed.state, freed.reason, freed.next_state) == ("break", "lunch", None)
    assert (freed.call_id, freed.offer_id, freed.node_id) == (None, None, None)


async def test_a_stale_process_cannot_move_an_agent_who_is_on_another_call(center: Any) -> None:
    await center.agent("ada")
    await center.caller()
    assert not await center.roster.signal("ada", E.RELEASE, call_id=uuid4())
    offer = await center.offer()
    await center.line.accept(offer)
    assert not await center.roster.signal("ada", E.FINISH_CONVERSATION, call_id=uuid4())
    assert (await center.state("ada"))[0] == "talking"
