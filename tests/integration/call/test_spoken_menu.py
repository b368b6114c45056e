"""Callers who answer the IVR by voice: real sound, the real voice detectors and, where words count, the
bundled model.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

import ivr.engine
from asr import Confirmer, EngineSettings, Recognizer
from asr.silero import SpeechConfirmer
from asr.whisper import WhisperSettings, open_engine
from callcenter.media.g711 import ulaw_to_pcm16
from callcenter.simulator.speech import utter
from callcenter.simulator.voices import Voice

FLOW = """
language: en
start: menu
operator: {phrases: [operator, agent], next: sales}
nodes:
  menu:
    kind: menu
    prompts: For sales, press 1. For support, press 2. For billing, press 3. To leave a message, press 0.
    timeout_s: 30
    choices:
      1: {phrases: [sales], next: sales}
      2: {phrases: [support], next: bye}
      0: message
    no_input: {next: bye}
    no_match: {prompts: That is not one of the choices., next: bye}
  sales: {kind: queue, queue: sales, timeout: bye, empty: bye, full: bye, closed: bye}
  message: {kind: voicemail, mailbox: sales, next: bye}
  bye: {kind: hangup}
"""
VOICE = Voice("en-us", 160, 50, 50, 0)
FRAME = 320


@pytest.fixture(scope="module")
def hearing() -> tuple[WhisperSettings, EngineSettings]:
    return WhisperSettings(), EngineSettings()


@pytest.fixture
async def ears(hearing: Any) -> AsyncIterator[tuple[Recognizer, Confirmer]]:
    """The bundled model and the better of the voice detectors."""
    async with open_engine(*hearing) as recognizer, SpeechConfirmer() as confirmer:
        yield recognizer, confirmer


async def send(telephone: Any, pcm16: bytes) -> None:
    """Send sound as a telephone does: a frame every 20 ms."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    for number, at in enumerate(range(0, len(pcm16), FRAME)):
        await asyncio.sleep(begun_s + number * 0.02 - loop.time())
        await telephone.sink.on_audio(pcm16[at : at + FRAME], None)


async def say(telephone: Any, text: str, pause_s: float = 0.7) -> None:
    await send(telephone, bytes(1600) + ulaw_to_pcm16(utter(text, VOICE).ulaw) + bytes(int(pause_s * 16000)))


def inputs(center: Any) -> list[dict[str, Any]]:
    return [dict(event.data) for event in center.events if event.type.value == "ivr.input"]


async def begun(telephone: Any) -> None:
    """Wait until the menu is heard."""
    async with asyncio.timeout(10):
        while telephone.heard < 3:  # noqa: ASYNC110 - what is watched is a number
            await asyncio.sleep(0.01)


async def test_a_choice_is_said_while_the_menu_plays(open_center: Any, ears: Any) -> None:
    recognizer, confirmer = ears
    center = await open_center(FLOW, recognizer=recognizer, confirmer=confirmer)
    caller = await center.call()
    await begun(caller)
    await say(caller, "Speak to sales.")
    await center.hears_of("queue.entered")
    assert caller.is_clearing.is_set()
    (chosen,) = inputs(center)
    assert (chosen["node"], chosen["kind"], chosen["value"]) == ("menu", "speech", "sales")
    assert chosen["score"] >= 0.88
    assert "speak" not in str(center.events).lower()
    caller.hang_up()
    await center.over()


async def test_what_means_nothing_is_asked_again_and_a_wish_is_understood(
    open_center: Any, ears: Any
) -> None:
    recognizer, confirmer = ears
    center = await open_center(FLOW, recognizer=recognizer, confirmer=confirmer)
    caller = await center.call()
    await begun(caller)
    await say(caller, "Thank you very much.")
    await center.hears_of("ivr.no_match")
    await say(caller, "I want to speak to an agent.")
    await center.hears_of("queue.entered")
    assert [one["value"] for one in inputs(center)] == ["operator"]
    caller.hang_up()
    await center.over()


async def test_noise_does_not_stop_the_menu(open_center: Any, ears: Any) -> None:
    recognizer, confirmer = ears
    center = await open_center(FLOW, recognizer=recognizer, confirmer=confirmer)
    caller = await center.call()
    await begun(caller)
    noise = np.random.default_rng(3).standard_normal(4800) * 3000
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(4800) / 8000)
    for sound in (noise, tone):
        await send(caller, sound.astype("<i2").tobytes() + bytes(9600))
    assert not caller.is_clearing.is_set()
    assert inputs(center) == []
    caller.sink.on_dtmf("1")
    await center.hears_of("queue.entered")
    caller.hang_up()
    await center.over()


async def test_words_that_come_too_late_are_given_up_and_keys_work(
    open_center: Any, slow_recognizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ivr.engine, "WORDS_WITHIN_S", 0.2)
    center = await open_center(FLOW, recognizer=slow_recognizer)
    caller = await center.call()
    await begun(caller)
    await say(caller, "Speak to sales.")
    async with asyncio.timeout(5):
        while not slow_recognizer.asked:  # noqa: ASYNC110 - what is watched is a number
            await asyncio.sleep(0.01)
    heard = caller.heard
    await asyncio.sleep(0.4)
    assert caller.heard > heard  # the question again
    slow_recognizer.ready.set()
    caller.sink.on_dtmf("1")
    await center.hears_of("queue.entered")
    assert [(one["kind"], one["value"]) for one in inputs(center)] == [("menu", "1")]
    caller.hang_up()
    await center.over()


async def test_without_a_recognizer_keys_work(open_center: Any) -> None:
    center = await open_center(FLOW)
    caller = await center.call()
    await begun(caller)
    caller.sink.on_dtmf("1")
    await center.hears_of("queue.entered")
    assert [(one["kind"], one["value"]) for one in inputs(center)] == [("menu", "1")]
    caller.hang_up()
    await center.over()


async def test_a_call_that_ends_while_its_words_are_awaited_leaves_nothing(
    open_center: Any, slow_recognizer: Any
) -> None:
    center = await open_center(FLOW, recognizer=slow_recognizer)
    caller = await center.call()
    await begun(caller)
    await say(caller, "Speak to sales.", pause_s=0.55)
    caller.hang_up()
    await center.over()
    await center.hears_of("call.ended")
    assert center.events[-1].data["outcome"] == "ivr_abandoned"
