"""Callbacks with the agent on the line first: who is rung when, and what becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from callback.request import Result
from callback.state import State
from callcenter.acd.presence import AgentEvent
from callcenter.call import callback_record, customer_dial
from callcenter.errors import DialUnknownError, GatewayError, NoSuchNumberError
from callcenter.telephony.port import CallFate, DialResult
from callcenter.telephony.shell import reference_of
from support.calling_back import SHOWN

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND query LIKE '%FROM callback.callback WHERE callback_id = $1 FOR UPDATE%'
  AND datname = current_database()
"""


async def dialling(open_callbacks: Any, callback: dict[str, Any] | None = None, **queue: Any) -> Any:
    """A callback whose customer is being dialled, while alice waits for them."""
    back = await open_callbacks(callback, **queue)
    wish = await back.wish()
    await back.center.agent()
    await back.turn(wish)
    return back, wish, await back.dialled()


async def talking(open_callbacks: Any, **queue: Any) -> Any:
    """A customer and alice who talk."""
    back, wish, customer = await dialling(open_callbacks, **queue)
    telephone = await customer.picks_up()
    await back.until(wish, State.BRIDGED)
    await back.center.hears_of("agent.connected")
    return back, wish, telephone


async def test_an_agent_and_then_the_customer(open_callbacks: Any) -> None:
    back = await open_callbacks(wrap_up_s=60)
    center = back.center
    callback = await back.wish(name="Ada")
    await center.agent()
    await back.turn(callback)
    customer = await back.dialled()
    assert (customer.to, customer.shown) == (callback.number, SHOWN)
    assert (await back.store.get(callback.callback_id)).state is State.DIALING
    assert (await center.look()).state == "talking"
    (attempt,) = await back.attempts(callback)
    assert attempt.attempt_id == customer.attempt_id
    telephone = await customer.picks_up()
    await back.until(callback, State.BRIDGED)
    await center.hears_of("agent.connected", "recording.started")
    telephone.hang_up()
    await back.until(callback, State.COMPLETED)
    assert await back.result(callback) == (Result.BRIDGED, True)
    await center.until("wrap_up")
    started, ended = center.data("call.started")[0], center.data("call.ended")[0]
    assert (started["direction"], started["from"], started["to"]) == ("callback", SHOWN, callback.number)
    assert started["callback"] == str(callback.callback_id)
    assert started["attempt"] == str(customer.attempt_id)
    assert ended == {"cause": "caller_hangup", "outcome": "answered"}
    assert {event.chain_id for event in center.events} == {callback.chain_id}
    assert await back.steps(callback) == [
        *("request", "queue", "claim", "reserve", "accept", "dial", "answer", "bridge", "complete")
    ]


class TestAgentsWhoDoNotCome:
    @pytest.mark.parametrize("result", [DialResult.BUSY, DialResult.NO_ANSWER, DialResult.FAILED])
    async def test_it_is_due_again_and_no_attempt_is_made(
        self, open_callbacks: Any, result: DialResult
    ) -> None:
        back = await open_callbacks()
        center = back.center
        center.network.picks_up = False
        callback = await back.wish()
        await center.agent("alice")
        await back.turn(callback)
        await center.dialled(1)
        await center.agent("bob")
        reference = reference_of(center.network.tokens[0])
        center.supervisor.dial_failed(center.call_id(), reference, result)
        await back.until(callback, State.DUE)
        assert await back.attempts(callback) == []
        assert center.network.customers == []
        await center.hears_of("call.ended")
        assert center.data("call.ended") == [{"cause": "unreached", "outcome": "unreached"}]
        center.network.picks_up = True
        await back.turn(callback)
        await back.dialled()
        assert (await center.look("bob")).state == "talking"
        assert (await back.store.get(callback.callback_id)).arrived_at == callback.arrived_at

    async def test_who_signs_out_while_the_telephone_rings(self, open_callbacks: Any) -> None:
        back = await open_callbacks()
        center = back.center
        center.network.picks_up = False
        callback = await back.wish()
        await center.agent()
        await back.turn(callback)
        await center.dialled(1)
        await center.until("ringing")
        center.supervisor.dial_failed(
            center.call_id(), reference_of(center.network.tokens[0]), DialResult.REJECTED
        )
        await center.roster.signal("alice", AgentEvent.SIGN_OUT)
        await back.until(callback, State.DUE)
        assert await back.attempts(callback) == []


class TestCustomersWhoAreNotReached:
    @pytest.mark.parametrize(
        ("told", "result", "state", "counted"),
        [
            (DialResult.BUSY, Result.BUSY, State.RETRY_WAIT, True),
            (DialResult.NO_ANSWER, Result.NO_ANSWER, State.RETRY_WAIT, True),
            (DialResult.FAILED, Result.FAILED, State.RETRY_WAIT, True),
            (DialResult.INVALID, Result.INVALID, State.REJECTED, False),
        ],
    )
    async def test_the_agent_is_told_and_free_at_once(
        self, open_callbacks: Any, told: DialResult, result: Result, state: State, counted: bool
    ) -> None:
        back, wish, customer = await dialling(open_callbacks, wrap_up_s=60)
        center = back.center
        (agent,) = center.network.agents
        center.supervisor.dial_failed(center.call_id(), reference_of(customer.token), told)
        await back.until(wish, state)
        assert await back.result(wish) == (result, counted)
        heard = agent.heard
        await center.until("available")
        assert agent.heard > heard  # a sentence
        assert agent.closed.is_set()
        assert "acw.started" not in center.types()
        await center.hears_of("call.ended")
        assert center.data("call.ended") == [{"cause": "unreached", "outcome": "unreached"}]
        assert center.network.hung_up.count(f"customer {customer.attempt_id}") == 1

    async def test_who_is_busy_phoning_us_uses_up_no_attempt(self, open_callbacks: Any) -> None:
        back, wish, customer = await dialling(open_callbacks)
        await back.center.database.execute(
            """
            INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref,
                                         from_number, to_number, started_at)
            VALUES ($1, $1, $1, 'inbound', 'twilio', 'CA1', $2, $3, now())
            """,
            uuid4(),
            wish.number,
            SHOWN,
        )
        reference = reference_of(customer.token)
        back.center.supervisor.dial_failed(back.center.call_id(), reference, DialResult.BUSY)
        await back.until(wish, State.RETRY_WAIT)
        assert await back.result(wish) == (Result.BUSY, False)

    async def test_the_last_attempt_ends_it(self, open_callbacks: Any) -> None:
        back = await open_callbacks()
        wish = await back.wish(attempts=1)
        await back.center.agent()
        await back.turn(wish)
        customer = await back.dialled()
        center = back.center
        center.supervisor.dial_failed(center.call_id(), reference_of(customer.token), DialResult.BUSY)
        await back.until(wish, State.EXHAUSTED)

    @pytest.mark.parametrize(
        ("error", "result", "state"),
        [
            (GatewayError("refused"), Result.FAILED, State.RETRY_WAIT),
            (NoSuchNumberError("refused"), Result.INVALID, State.REJECTED),
        ],
    )
    async def test_a_network_that_refuses_uses_up_no_attempt(
        self, open_callbacks: Any, error: GatewayError, result: Result, state: State
    ) -> None:
        back = await open_callbacks()
        back.center.network.refuses = error
        wish = await back.wish()
        await back.center.agent()
        await back.turn(wish)
        await back.until(wish, state)
        assert await back.result(wish) == (result, False)
        await back.center.until("available")


class TestNewsThatDoNotCome:
    @pytest.fixture(autouse=True)
    def _hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(customer_dial, "LOOK_EVERY_S", 0.2)
        monkeypatch.setattr(customer_dial, "MARGIN_S", -4.0)  # of 5 s of ringing

    async def test_a_request_without_an_answer_may_have_been_carried_out(self, open_callbacks: Any) -> None:
        back = await open_callbacks({"ring_s": 5})
        back.center.network.loses = DialUnknownError("no answer")
        wish = await back.wish()
        await back.center.agent()
        await back.turn(wish)
        customer = await back.dialled()
        await asyncio.sleep(0.5)
        assert (await back.attempts(wish))[0].call_ref == f"customer {customer.attempt_id}"
        telephone = await customer.picks_up()
        await back.until(wish, State.BRIDGED)
        telephone.hang_up()
        await back.until(wish, State.COMPLETED)
        assert len(back.center.network.customers) == 1

    @pytest.mark.parametrize(
        ("fate", "result"),
        [
            (CallFate.BUSY, Result.BUSY),
            (CallFate.NO_ANSWER, Result.NO_ANSWER),
            (CallFate.FAILED, Result.FAILED),
            (CallFate.ANSWERED, Result.FAILED),
            (CallFate.RINGING, Result.NO_ANSWER),  # accepted, and never rung
            (CallFate.GONE, Result.NO_ANSWER),
            (None, Result.UNKNOWN),
        ],
    )
    async def test_the_network_is_asked(
        self, open_callbacks: Any, fate: CallFate | None, result: Result
    ) -> None:
        back, wish, customer = await dialling(open_callbacks, {"ring_s": 5})
        back.center.network.fates[customer.attempt_id] = fate
        await back.until(wish, State.RETRY_WAIT)
        assert await back.result(wish) == (result, True)
        assert back.center.network.hung_up[-1:] == [f"customer {customer.attempt_id}"]

    async def test_what_may_still_ring_is_not_dialled_again_before_it_has_rung_out(
        self, open_callbacks: Any
    ) -> None:
        back = await open_callbacks({"ring_s": 5, "retry": {"failed_s": 1}})
        network = back.center.network
        network.loses = DialUnknownError("no answer")
        wish = await back.wish()
        await back.center.agent()
        await back.turn(wish)
        customer = await back.dialled()
        network.fates[customer.attempt_id] = None
        callback = await back.until(wish, State.RETRY_WAIT)
        assert await back.result(wish) == (Result.UNKNOWN, True)
        assert (callback.not_before - callback.state_since).total_seconds() > 0.9


class TestWhatOthersChange:
    async def test_cancelled_while_the_agents_telephone_rings(self, open_callbacks: Any) -> None:
        back = await open_callbacks()
        center = back.center
        center.network.picks_up = False
        wish = await back.wish()
        await center.agent()
        await back.turn(wish)
        await center.dialled(1)
        await back.store.cancel(wish.callback_id, by="user ann")
        await center.hears_of("offer.cancelled", "call.ended")
        await center.until("available")
        assert center.network.customers == []
        assert (await back.store.get(wish.callback_id)).state is State.CANCELLED

    async def test_a_new_number_is_the_one_that_is_dialled(self, open_callbacks: Any) -> None:
        back = await open_callbacks()
        center = back.center
        center.network.picks_up = False
        wish = await back.wish()
        await center.agent()
        await back.turn(wish)
        await center.dialled(1)
        await back.store.edit(wish.callback_id, by="user ann", number="+12025550155")
        await back.until(wish, State.DUE)
        await center.hears_of("call.ended")
        center.network.picks_up = True
        await back.turn(wish)
        assert (await back.dialled()).to == "+12025550155"

    async def test_merged_while_the_customer_is_dialled(self, open_callbacks: Any) -> None:
        back, wish, customer = await dialling(open_callbacks)
        center = back.center
        await back.store.merge(wish.callback_id, by="customer", call_id=uuid4())
        await center.until("available")
        await center.hears_of("call.ended")
        assert center.network.hung_up == [f"customer {customer.attempt_id}"]
        assert await back.result(wish) == (Result.MERGED, False)
        late = customer.picks_up()
        with pytest.raises(Exception, match="does not wait"):
            await late
        assert (await back.store.get(wish.callback_id)).state is State.MERGED

    async def test_not_to_be_called_any_more(self, open_callbacks: Any) -> None:
        back = await open_callbacks()
        center = back.center
        center.network.picks_up = False
        wish = await back.wish()
        await center.agent()
        await back.turn(wish)
        await center.dialled(1)
        await back.store.forbid(wish.number, by="user ann")
        await center.hears_of("call.ended")
        assert center.network.customers == []
        assert (await back.store.get(wish.callback_id)).state is State.REJECTED

    async def test_a_lost_lease_does_not_cut_a_conversation(self, open_callbacks: Any) -> None:
        back, wish, telephone = await talking(open_callbacks)
        await back.center.database.execute(
            "UPDATE callback.callback SET fence = fence + 1, state = 'reconciling', worker = NULL,"
            " lease_until = NULL WHERE callback_id = $1",
            wish.callback_id,
        )
        heard = telephone.heard
        await asyncio.sleep(0.5)
        await back.center.command("hold")
        await asyncio.sleep(0.2)
        assert telephone.heard > heard
        await back.center.command("resume")
        telephone.hang_up()
        await back.center.over()
        assert back.center.data("call.ended")[0]["outcome"] == "answered"


class TestRulesAskedOnceMore:
    async def test_quiet_hours_put_it_off(self, open_callbacks: Any) -> None:
        back = await open_callbacks({"dial_from": "00:00", "dial_until": "00:01"})
        wish = await back.wish()
        await back.center.agent()
        await back.turn(wish)
        callback = await back.until(wish, State.QUEUED)
        assert callback.not_before > callback.state_since
        assert back.center.network.customers == []
        await back.center.until("available")
        assert await back.attempts(wish) == []

    async def test_a_queue_that_is_closed_while_the_agents_telephone_rings(self, open_callbacks: Any) -> None:
        back = await open_callbacks()
        back.center.network.picks_up = False
        wish = await back.wish()
        await back.center.agent()
        await back.turn(wish)
        await back.center.dialled(1)
        await back.close_queue()
        await back.center.network.pick_up(back.center.network.tokens[0])
        assert (await back.until(wish, State.QUEUED)).not_before > wish.not_before
        await back.center.until("available")
        assert back.center.network.customers == []

    async def test_a_time_that_is_over_ends_it(self, open_callbacks: Any) -> None:
        back = await open_callbacks()
        back.center.network.picks_up = False
        wish = await back.wish()
        await back.center.agent()
        await back.turn(wish)
        await back.center.dialled(1)
        await back.center.database.execute("UPDATE callback.callback SET expires_at = now()")
        await back.center.network.pick_up(back.center.network.tokens[0])
        await back.until(wish, State.EXPIRED)
        assert back.center.network.customers == []


class TestAgentsWhoAreLost:
    async def test_while_the_customer_is_dialled(self, open_callbacks: Any) -> None:
        back, wish, customer = await dialling(open_callbacks)
        back.center.network.agents[0].hang_up()
        callback = await back.until(wish, State.RETRY_WAIT)
        assert await back.result(wish) == (Result.AGENT_GONE, False)
        assert callback.not_before <= callback.state_since
        assert back.center.network.hung_up == [f"customer {customer.attempt_id}"]

    async def test_one_who_asks_to_hang_up_is_as_good_as_gone(self, open_callbacks: Any) -> None:
        back, wish, _ = await dialling(open_callbacks)
        await back.center.stored("call.started")
        await back.center.command("hangup")
        await back.until(wish, State.RETRY_WAIT)
        assert await back.result(wish) == (Result.AGENT_GONE, False)

    async def test_when_the_customer_has_picked_up(self, open_callbacks: Any) -> None:
        """The customer is told and is next, before callers who have waited for longer."""
        back = await open_callbacks()
        center = back.center
        wish = await back.wish()
        await center.database.execute("UPDATE callback.callback SET apologise = true")
        await center.agent()
        await back.turn(wish)
        customer = await back.dialled()
        telephone = await customer.picks_up()
        await back.until(wish, State.ANSWERED)
        caller = await center.call()
        await center.roster.signal("alice", AgentEvent.SIGN_OUT)  # else the caller gets her at once
        center.network.agents[0].hang_up()
        await back.until(wish, State.WAITING_AGENT)
        await center.in_line(2)
        assert (await center.line.entries())[0].call_id == center.call_id()
        await center.agent("bob")
        await back.until(wish, State.BRIDGED)
        telephone.hang_up()
        await back.until(wish, State.COMPLETED)
        caller.hang_up()

    async def test_as_soon_as_connected(self, open_callbacks: Any) -> None:
        back, wish, telephone = await talking(open_callbacks)
        back.center.network.agents[0].hang_up("lost")
        await back.until(wish, State.WAITING_AGENT)
        await back.center.agent("bob")
        await back.until(wish, State.BRIDGED)
        telephone.hang_up()
        await back.until(wish, State.COMPLETED)
        assert await back.result(wish) == (Result.BRIDGED, True)
        await back.center.over()
        assert back.center.data("call.ended") == [{"cause": "caller_hangup", "outcome": "answered"}]

    async def test_nobody_comes_for_a_customer_who_waits(self, open_callbacks: Any) -> None:
        back = await open_callbacks({"wait_cap_s": 0.5})
        wish = await back.wish()
        await back.center.agent()
        await back.turn(wish)
        telephone = await (await back.dialled()).picks_up()
        await back.until(wish, State.BRIDGED)
        back.center.network.agents[0].hang_up("lost")
        callback = await back.until(wish, State.RETRY_WAIT, within_s=10)
        assert await back.result(wish) == (Result.AGENT_GONE, False)
        assert callback.apologise
        await telephone.closed.wait()


async def test_a_customers_line_that_breaks_at_once_is_dialled_once_more(open_callbacks: Any) -> None:
    back, wish, telephone = await talking(open_callbacks)
    telephone.hang_up("lost")
    callback = await back.until(wish, State.RETRY_WAIT)
    assert await back.result(wish) == (Result.BRIDGE_FAILED, False)
    assert (callback.bridge_redials, callback.apologise) == (1, True)
    assert callback.not_before <= callback.state_since


@asynccontextmanager
async def away(back: Any, wish: Any) -> AsyncIterator[None]:
    """Whoever writes to the callback meanwhile loses the connection to the database."""
    database = back.center.database

    async def cut() -> None:
        while True:
            await database.execute(CUT)
            await asyncio.sleep(0.02)

    async with database.transaction() as connection:
        await connection.execute(
            "SELECT FROM callback.callback WHERE callback_id = $1 FOR UPDATE", wish.callback_id
        )
        cutting = asyncio.create_task(cut())
        yield
        cutting.cancel()


async def test_a_database_that_is_away_when_the_customer_picks_up(
    open_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback_record, "BRIEFLY_S", 0.2)
    back, wish, customer = await dialling(open_callbacks)
    async with away(back, wish):
        telephone = await customer.picks_up()
        await back.center.hears_of("agent.connected")
        telephone.hang_up()
        await back.center.hears_of("call.ended")
    ended = await back.until(wish, State.COMPLETED)
    assert ended.attempts == 1
    assert (await back.steps(wish))[-4:] == ["dial", "answer", "bridge", "complete"]
    assert await back.result(wish) == (Result.BRIDGED, True)


async def test_news_that_come_late_start_nothing(open_callbacks: Any) -> None:
    back, wish, telephone = await talking(open_callbacks)
    center, customer = back.center, back.center.network.customers[0]
    center.supervisor.dial_failed(center.call_id(), reference_of(customer.token), DialResult.NO_ANSWER)
    await asyncio.sleep(0.2)
    assert (await back.store.get(wish.callback_id)).state is State.BRIDGED
    telephone.hang_up()
    await back.until(wish, State.COMPLETED)
    center.supervisor.dial_failed(center.call_id(), reference_of(customer.token), DialResult.NO_ANSWER)
    await asyncio.sleep(0.2)
    assert (await back.store.get(wish.callback_id)).state is State.COMPLETED


async def test_a_call_that_is_cut_off_leaves_a_callback_that_goes_on(open_callbacks: Any) -> None:
    back, wish, customer = await dialling(open_callbacks)
    await back.center.supervisor.drain(0)
    callback = await back.until(wish, State.RETRY_WAIT)
    assert await back.result(wish) == (Result.LOST, False) or (await back.result(wish))[0] is Result.LOST
    assert (callback.not_before - callback.state_since).total_seconds() > 10
    assert back.center.network.hung_up == [f"customer {customer.attempt_id}"]
    await back.center.until("available")
