"""Callbacks with the customer on the line first: what they are asked, and how they wait."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from callback.request import Mode, Result
from callback.state import State
from callcenter.telephony.port import DialResult
from callcenter.telephony.shell import reference_of


async def soon(true: Callable[[], bool], within_s: float = 5) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


FIRST = {"mode": "customer_first", "confirm_s": 0.3}


async def asked(open_callbacks: Any, callback: dict[str, Any] | None = None, **queue: Any) -> Any:
    """A customer who has picked up and is being asked."""
    back = await open_callbacks(FIRST | (callback or {}), **queue)
    wish = await back.wish(mode=Mode.CUSTOMER_FIRST)
    await back.turn(wish)
    customer = await back.dialled()
    telephone = await customer.picks_up()
    await back.until(wish, State.CONFIRMING)
    return back, wish, telephone


async def waiting(open_callbacks: Any, callback: dict[str, Any] | None = None, **queue: Any) -> Any:
    """A customer who has said yes."""
    back, wish, telephone = await asked(open_callbacks, callback, **queue)
    telephone.sink.on_dtmf("1")
    await back.until(wish, State.WAITING_AGENT)
    return back, wish, telephone


async def test_who_says_yes_is_next_in_line(open_callbacks: Any) -> None:
    back = await open_callbacks(FIRST, priority=5)
    center = back.center
    caller = await center.call()
    await center.in_line(1)
    wish = await back.wish(mode=Mode.CUSTOMER_FIRST)
    await back.turn(wish)
    telephone = await (await back.dialled()).picks_up()
    await back.until(wish, State.CONFIRMING)
    telephone.sink.on_dtmf("7")  # not asked for
    telephone.sink.on_dtmf("1")
    await back.until(wish, State.WAITING_AGENT)
    await center.in_line(2)
    first = (await center.line.entries())[0]
    assert first.entered_at == wish.arrived_at
    await center.agent()
    await back.until(wish, State.BRIDGED)
    telephone.hang_up()
    await back.until(wish, State.COMPLETED)
    assert await back.steps(wish) == [
        *("request", "queue", "claim", "dial", "answer", "confirm", "wait", "bridge", "complete")
    ]
    ended = [event for event in center.events if event.type == "call.ended"]
    assert [event.data["outcome"] for event in ended] == ["answered"]
    caller.hang_up()


async def test_nobody_presses_a_key(open_callbacks: Any) -> None:
    back, wish, telephone = await asked(open_callbacks)
    callback = await back.until(wish, State.RETRY_WAIT, within_s=30)
    assert await back.result(wish) == (Result.NOT_CONFIRMED, True)
    assert callback.not_before - callback.state_since > timedelta(minutes=25)
    async with asyncio.timeout(10):
        await telephone.closed.wait()
    await back.center.over()
    assert back.center.data("call.ended") == [{"cause": "unreached", "outcome": "unreached"}]


async def test_somebody_who_hangs_up_on_the_question_was_the_wrong_person(open_callbacks: Any) -> None:
    back, wish, telephone = await asked(open_callbacks)
    telephone.hang_up()
    await back.until(wish, State.RETRY_WAIT)
    assert await back.result(wish) == (Result.NOT_CONFIRMED, True)


async def test_later(open_callbacks: Any) -> None:
    back, wish, telephone = await asked(open_callbacks, {"snooze_s": 600})
    telephone.sink.on_dtmf("2")
    callback = await back.until(wish, State.SCHEDULED)
    assert await back.result(wish) == (Result.POSTPONED, False)
    assert callback.not_before - callback.state_since >= timedelta(seconds=590)
    async with asyncio.timeout(10):
        await telephone.closed.wait()


async def test_another_time_out_of_the_next_free_ones(open_callbacks: Any) -> None:
    back, wish, telephone = await asked(open_callbacks, {"confirm_s": 5})
    telephone.sink.on_dtmf("3")
    heard = telephone.heard
    await soon(lambda: telephone.heard > heard + 25)
    telephone.sink.on_dtmf("2")
    callback = await back.until(wish, State.SCHEDULED)
    assert await back.result(wish) == (Result.POSTPONED, False)
    slots = await back.center.services.callbacks.desk.slots("sales", zone=wish.zone)
    free = [slot.start for slot in slots]
    assert callback.slot_start == free[1]
    assert callback.not_before == callback.promised_from == callback.slot_start
    async with asyncio.timeout(10):
        await telephone.closed.wait()


async def test_who_wants_another_time_and_chooses_none_is_called_later(open_callbacks: Any) -> None:
    back, wish, telephone = await asked(open_callbacks)
    telephone.sink.on_dtmf("3")
    callback = await back.until(wish, State.SCHEDULED, within_s=30)
    assert callback.slot_start is None


async def test_not_any_more(open_callbacks: Any) -> None:
    back, wish, telephone = await asked(open_callbacks)
    telephone.sink.on_dtmf("4")
    await back.until(wish, State.CANCELLED)
    assert (await back.result(wish))[0] is Result.CANCELLED
    async with asyncio.timeout(10):
        await telephone.closed.wait()


async def test_the_confirming_key_may_be_any(open_callbacks: Any) -> None:
    back, wish, telephone = await asked(open_callbacks, {"confirm_key": "2"})
    telephone.sink.on_dtmf("3")  # later, as 2 is taken
    await back.until(wish, State.SCHEDULED)


async def test_who_hangs_up_in_line_has_given_up(open_callbacks: Any) -> None:
    back, wish, telephone = await waiting(open_callbacks)
    await back.center.in_line(1)
    telephone.hang_up()
    await back.until(wish, State.RETRY_WAIT)
    assert (await back.result(wish))[0] is Result.ABANDONED
    await back.center.over()
    assert back.center.data("call.ended") == [{"cause": "caller_hangup", "outcome": "callback_abandoned"}]


async def test_nobody_is_free_in_time(open_callbacks: Any) -> None:
    back, wish, telephone = await waiting(open_callbacks, {"wait_cap_s": 0.5})
    callback = await back.until(wish, State.RETRY_WAIT, within_s=10)
    assert await back.result(wish) == (Result.AGENT_GONE, False)
    assert callback.apologise
    assert callback.not_before <= callback.state_since
    async with asyncio.timeout(10):
        await telephone.closed.wait()
    await back.center.over()
    assert back.center.data("call.ended") == [{"cause": "unreached", "outcome": "unreached"}]


@pytest.mark.parametrize(
    ("told", "result"), [(DialResult.BUSY, Result.BUSY), (DialResult.NO_ANSWER, Result.NO_ANSWER)]
)
async def test_nobody_picks_up(open_callbacks: Any, told: DialResult, result: Result) -> None:
    back = await open_callbacks(FIRST)
    wish = await back.wish(mode=Mode.CUSTOMER_FIRST)
    await back.turn(wish)
    customer = await back.dialled()
    center = back.center
    center.supervisor.dial_failed(center.call_id(), reference_of(customer.token), told)
    await back.until(wish, State.RETRY_WAIT)
    assert await back.result(wish) == (result, True)


async def test_merged_while_being_asked(open_callbacks: Any) -> None:
    back, wish, telephone = await asked(open_callbacks)
    await back.store.merge(wish.callback_id, by="customer", call_id=wish.callback_id)
    async with asyncio.timeout(5):
        await telephone.closed.wait()
    assert (await back.store.get(wish.callback_id)).state is State.MERGED


async def test_a_call_ended_by_a_supervisor_is_tried_again(open_callbacks: Any) -> None:
    back, wish, _ = await waiting(open_callbacks)
    await back.center.stored("call.started")
    await back.center.command("hangup")
    callback = await back.until(wish, State.RETRY_WAIT)
    assert await back.result(wish) == (Result.FAILED, True)
    assert callback.not_before - callback.state_since > timedelta(minutes=4)
