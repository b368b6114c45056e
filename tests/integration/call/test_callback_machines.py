"""Machines that answer customers' telephones, and persons who are taken for what they are."""

import asyncio
from typing import Any

import numpy as np
import pytest

from callback.request import Mode, Result
from callback.state import State
from callcenter.media.espeak import Espeak
from callcenter.media.hold_music import beep
from callcenter.media.resample import to_8khz

GREETING = "You have reached the family of Smith and Jones. Please leave a message after the tone. Thank you."
MESSAGE = "This is the shop. You asked us to call you back. We will try again."
FRAME = 320


def speech(text: str) -> bytes:
    made = Espeak().synthesize(text)
    return to_8khz(made.pcm16, made.rate_hz)


def silence(seconds: float) -> bytes:
    return bytes(int(seconds * 8000) * 2)


async def says(telephone: Any, sound: bytes, times_faster: float = 4) -> None:
    """The other end speaks."""
    for start in range(0, len(sound) - FRAME + 1, FRAME):
        if telephone.closed.is_set():
            return
        await telephone.sink.on_audio(sound[start : start + FRAME], None)
        await asyncio.sleep(0.02 / times_faster)


async def answered(open_callbacks: Any, then: str, sound: bytes, mode: Mode = Mode.AGENT_FIRST) -> Any:
    """Something has picked up and makes this sound."""
    rules = {"mode": mode.value, "machine": {"detect": True, "then": then, "message": MESSAGE}}
    back = await open_callbacks(rules, wrap_up_s=60)
    wish = await back.wish(mode=mode)
    if mode is Mode.AGENT_FIRST:
        await back.center.agent()
    await back.turn(wish)
    telephone = await (await back.dialled()).picks_up()
    await back.until(wish, State.ANSWERED)
    speaking = asyncio.create_task(says(telephone, sound))
    return back, wish, telephone, speaking


async def test_a_machine_is_hung_up_on_and_the_agent_is_free(open_callbacks: Any) -> None:
    back, wish, telephone, speaking = await answered(open_callbacks, "retry", speech(GREETING))
    await back.until(wish, State.RETRY_WAIT)
    assert await back.result(wish) == (Result.MACHINE, True)
    await back.center.until("available")
    async with asyncio.timeout(5):
        await telephone.closed.wait()
    await speaking
    assert "agent.connected" not in back.center.types()
    assert back.center.data("call.ended") == [{"cause": "unreached", "outcome": "unreached"}]


@pytest.mark.parametrize(
    ("then", "state"), [("message_retry", State.RETRY_WAIT), ("message_complete", State.COMPLETED)]
)
async def test_a_message_is_left_after_the_beep(open_callbacks: Any, then: str, state: State) -> None:
    sound = speech(GREETING) + silence(0.5) + beep(1000, 0.5) + silence(60)
    back, wish, telephone, speaking = await answered(open_callbacks, then, sound)
    await back.center.until("available")  # while the greeting is still spoken
    await back.until(wish, state, within_s=20)
    assert await back.result(wish) == (Result.MACHINE, True)
    async with asyncio.timeout(5):
        await telephone.closed.wait()
    await speaking
    heard = np.frombuffer(bytes(telephone.sound), "<i2")
    assert np.abs(heard).max() > 1000
    assert len(heard) / 8000 > 3


async def test_a_person_is_put_through(open_callbacks: Any) -> None:
    back, wish, telephone, speaking = await answered(
        open_callbacks, "retry", silence(0.3) + speech("Hello?") + silence(10)
    )
    await back.until(wish, State.BRIDGED)
    telephone.hang_up()
    await speaking
    await back.until(wish, State.COMPLETED)


async def test_silence_is_a_person(open_callbacks: Any) -> None:
    back, wish, telephone, speaking = await answered(open_callbacks, "retry", b"")
    await back.until(wish, State.BRIDGED, within_s=8)
    telephone.hang_up()
    await back.until(wish, State.COMPLETED)
    await speaking


async def test_no_machine_is_asked_to_press_a_key(open_callbacks: Any) -> None:
    back, wish, _, speaking = await answered(open_callbacks, "retry", speech(GREETING), Mode.CUSTOMER_FIRST)
    await back.until(wish, State.RETRY_WAIT)
    assert "confirm" not in await back.steps(wish)
    await speaking


async def test_who_hangs_up_meanwhile_has_given_up(open_callbacks: Any) -> None:
    back, wish, telephone, speaking = await answered(open_callbacks, "retry", b"")
    telephone.hang_up()
    await back.until(wish, State.RETRY_WAIT, within_s=2)  # long before a machine would have been told
    assert (await back.result(wish))[0] is Result.ABANDONED
    await back.center.until("available")
    await speaking
