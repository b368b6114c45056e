"""What workers ask of calls: how many agents there are, what the network knows, news, capacity."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from callback.ports import Fate, Found
from callback.request import Mode
from callback.state import State
from callcenter.call.callback_carrier import GatewayNetwork, take_news
from callcenter.storage.room import AgentRoom
from callcenter.telephony.port import CallFate, DialResult
from callcenter.telephony.shell import AttemptEvent, reference_of

FIRST = {"mode": "customer_first"}


async def dialling(open_callbacks: Any) -> Any:
    back = await open_callbacks()
    wish = await back.wish()
    await back.center.agent()
    await back.turn(wish)
    customer = await back.dialled()
    async with asyncio.timeout(5):
        while not (await back.attempts(wish))[0].call_ref:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return back, wish, customer


class TestNetwork:
    @pytest.mark.parametrize(
        ("fate", "found"),
        [
            (CallFate.RINGING, Fate.RINGING),
            (CallFate.TALKING, Fate.TALKING),
            (CallFate.ANSWERED, Fate.ANSWERED),
            (CallFate.BUSY, Fate.BUSY),
            (CallFate.NO_ANSWER, Fate.NO_ANSWER),
            (CallFate.FAILED, Fate.FAILED),
            (CallFate.GONE, Fate.NO_ANSWER),
            (None, Fate.UNKNOWN),
        ],
    )
    async def test_what_became_of_an_attempt(
        self, open_callbacks: Any, fate: CallFate | None, found: Fate
    ) -> None:
        back, wish, customer = await dialling(open_callbacks)
        network = GatewayNetwork(back.center.services, back.center.calls)
        (attempt,) = await back.attempts(wish)
        back.center.network.fates[customer.attempt_id] = fate
        assert (await network.fate(wish, attempt)).fate is found

    async def test_a_request_that_was_never_made(self, open_callbacks: Any) -> None:
        back, wish, customer = await dialling(open_callbacks)
        await back.center.database.execute("UPDATE callback.attempt SET call_ref = ''")
        (attempt,) = await back.attempts(wish)
        back.center.network.customers.clear()
        back.center.network.fates[customer.attempt_id] = CallFate.GONE
        network = GatewayNetwork(back.center.services, back.center.calls)
        assert await network.fate(wish, attempt) == Found(Fate.NEVER)

    async def test_the_number_was_changed_since(self, open_callbacks: Any) -> None:
        """A network that goes by the number would say of the new one that it was never dialled."""
        back, wish, customer = await dialling(open_callbacks)
        await back.center.database.execute("UPDATE callback.attempt SET call_ref = ''")
        await back.store.edit(wish.callback_id, by="user eve", number="+12025550177")
        (attempt,) = await back.attempts(wish)
        back.center.network.fates[customer.attempt_id] = CallFate.GONE
        network = GatewayNetwork(back.center.services, back.center.calls)
        changed = await back.store.get(wish.callback_id)
        assert await network.fate(changed, attempt) == Found(Fate.UNKNOWN)

    async def test_calls_of_other_attempts_to_the_number_are_left_out(self, open_callbacks: Any) -> None:
        back, wish, _ = await dialling(open_callbacks)
        (attempt,) = await back.attempts(wish)
        assert await back.store.other_calls(wish.number, attempt.attempt_id) == frozenset()
        assert await back.store.other_calls(wish.number, uuid4()) == {attempt.call_ref}
        assert await back.store.other_calls("+12025550177", uuid4()) == frozenset()

    async def test_a_gateway_that_is_not_there_any_more(self, open_callbacks: Any) -> None:
        back, wish, _ = await dialling(open_callbacks)
        await back.center.database.execute("UPDATE callback.attempt SET gateway = 'gone'")
        (attempt,) = await back.attempts(wish)
        network = GatewayNetwork(back.center.services, back.center.calls)
        assert await network.fate(wish, attempt) == Found(Fate.UNKNOWN)
        await network.hang_up(attempt, "x")

    async def test_a_call_whose_process_has_lost_the_lease_only_is_left_alone(
        self, open_callbacks: Any
    ) -> None:
        back, wish, _ = await dialling(open_callbacks)
        center = back.center
        (attempt,) = await back.attempts(wish)
        network = GatewayNetwork(center.services, center.calls)
        await center.stored("call.started")
        await network.hang_up(attempt, "ref")
        assert center.network.hung_up == []
        await center.database.execute("UPDATE callcenter.call SET ended_at = now()")
        await network.hang_up(attempt, "ref")
        assert center.network.hung_up == ["ref"]

    async def test_who_has_talked_without_its_being_noted(self, open_callbacks: Any) -> None:
        back, wish, customer = await dialling(open_callbacks)
        network = GatewayNetwork(back.center.services, back.center.calls)
        (attempt,) = await back.attempts(wish)
        assert not (await network.fate(wish, attempt)).talked
        await customer.picks_up()
        await back.center.stored("agent.connected")
        assert (await network.fate(wish, attempt)).talked


class TestNews:
    async def news(self, back: Any, customer: Any, event_id: str, result: DialResult | None) -> None:
        told = AttemptEvent(
            customer.attempt_id, reference_of(customer.token), event_id, "status", "ref", result
        )
        await take_news(told, back.store, back.center.relay)

    async def test_they_count_once(self, open_callbacks: Any) -> None:
        back, wish, customer = await dialling(open_callbacks)
        await self.news(back, customer, "1", None)
        await self.news(back, customer, "1", DialResult.BUSY)  # the same number: told before
        assert (await back.store.get(wish.callback_id)).state is State.DIALING
        await self.news(back, customer, "2", DialResult.BUSY)
        await back.until(wish, State.RETRY_WAIT)
        rows = await back.center.database.fetch("SELECT event_id FROM callback.gateway_event ORDER BY 1")
        assert [row["event_id"] for row in rows] == ["1", "2"]

    async def test_of_an_attempt_that_there_is_not(self, open_callbacks: Any) -> None:
        back, _, customer = await dialling(open_callbacks)
        customer.attempt_id = uuid4()
        await self.news(back, customer, "1", DialResult.BUSY)


class TestRoom:
    async def test_agents_who_are_promised_to_nobody_who_stands_before(self, open_callbacks: Any) -> None:
        back = await open_callbacks(FIRST)
        center, room = back.center, AgentRoom(back.center.database)
        assert await room.free_agents("sales") == 0
        caller = await center.call()
        await center.in_line(1)
        await back.wish(mode=Mode.CUSTOMER_FIRST)
        center.network.picks_up = False
        await center.agent("alice")
        await center.until("ringing")  # for the caller, who stands before
        assert await room.free_agents("sales") == 0
        await center.agent("bob")
        await center.agent("cleo", queue="support")
        assert await room.free_agents("sales") == 1
        assert await room.free_agents("support") == 1
        caller.hang_up()

    async def test_one_agent_of_two_queues_is_promised_once(self, open_callbacks: Any) -> None:
        back = await open_callbacks(FIRST)
        store, room = back.store, AgentRoom(back.center.database)
        await back.center.agent("alice", queue="sales")
        await back.center.agent("bob", queue="support")
        await back.center.database.execute("INSERT INTO callcenter.agent_queue VALUES ('alice', 'support')")
        for queue in ("sales", "support"):
            await back.wish(mode=Mode.CUSTOMER_FIRST, queue=queue)
        assert await room.free_agents("support") == 2

        async def claimed(queue: str) -> int:
            async def at_once() -> int:
                return await room.free_agents(queue)

            return len(await store.claim(uuid4(), 30, queue=queue, at_once=at_once, limit=9))

        await back.wish(mode=Mode.CUSTOMER_FIRST, queue="support")
        counts = await asyncio.gather(*(claimed(queue) for queue in ("sales", "support")))
        counts += await asyncio.gather(*(claimed(queue) for queue in ("sales", "support")))
        assert sum(counts) == 2  # three wishes, and alice and bob

    async def test_who_waits_before_has_a_claim_on_an_agent(self, open_callbacks: Any) -> None:
        back = await open_callbacks(FIRST)
        center = back.center
        await center.services.dispatcher.__aexit__(None, None, None)  # nobody is matched
        await back.wish(mode=Mode.AGENT_FIRST)
        await back.wish(mode=Mode.CUSTOMER_FIRST)
        await center.agent("alice")
        await center.agent("bob")
        assert await AgentRoom(center.database).free_agents("sales") == 1


async def test_no_place_for_a_call_puts_it_off(open_callbacks: Any) -> None:
    back = await open_callbacks()
    back.center.supervisor.draining = True
    wish = await back.wish()
    await back.center.agent()
    await back.turn(wish)
    callback = await back.until(wish, State.QUEUED)
    assert (callback.not_before - callback.state_since).total_seconds() > 4
    assert await back.attempts(wish) == []
    back.center.supervisor.draining = False
    await back.center.until("available", within_s=15)


async def test_a_queue_that_is_gone_puts_it_off(open_callbacks: Any) -> None:
    back = await open_callbacks(FIRST)
    wish = await back.wish(mode=Mode.CUSTOMER_FIRST, queue="elsewhere")
    await back.turn(wish)
    await back.until(wish, State.QUEUED)
    assert back.center.network.customers == []
