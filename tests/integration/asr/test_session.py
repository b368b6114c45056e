"""A leg from its audio to its segments: the model where words matter, an echo of lengths elsewhere."""

import asyncio
import logging
from collections.abc import Callable

import jiwer
import numpy as np
import pytest

from asr import Failure, LegSession, Recognition, RecognitionError, Segment
from asr.whisper import WhisperRecognizer, WhisperSettings

SPEECH, SILENCE = b"\x01\x00", b"\x00\x00"


class Echo:
    """Recognises an utterance as its length in ms; waits, fails or breaks on demand."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.errors: dict[int, Exception] = {}
        self.delays_s: list[float] = []
        self.calls = 0

    async def recognize(self, pcm16: bytes, language: str) -> Recognition:
        number = self.calls
        self.calls += 1
        if self.delays_s:
            await asyncio.sleep(self.delays_s.pop(0))
        await self.go.wait()
        if number in self.errors:
            raise self.errors[number]
        return Recognition(str(len(pcm16) // 16), language, 0.9)


class Leg:
    """A session with a clock; speech is the sample 1, silence the sample 0."""

    def __init__(self, recognizer: Echo | WhisperRecognizer, by_ear: bool = False) -> None:
        self.segments: list[Segment] = []
        self.failures: list[Failure] = []
        self.at = 0
        detector = None if by_ear else (lambda frame: frame[0] == 1)
        self.session = LegSession(
            recognizer, "en", self.segments.append, self.failures.append, detector=detector
        )

    def hear(self, pcm16: bytes, chunk_bytes: int = 320) -> None:
        for start in range(0, len(pcm16), chunk_bytes):
            chunk = pcm16[start : start + chunk_bytes]
            self.session.feed(chunk, self.at)
            self.at += len(chunk) // 2

    def turn(self, *, speech_ms: int = 500, silence_ms: int = 1000) -> None:
        self.hear(SPEECH * speech_ms * 8 + SILENCE * silence_ms * 8)


@pytest.mark.parametrize("chunk_bytes", [2, 160, 320, 322, 5000])
async def test_times_are_those_of_the_speech_whatever_the_chunks(chunk_bytes: int) -> None:
    leg = Leg(Echo())
    leg.hear(SILENCE * 8000 + SPEECH * 4000 + SILENCE * 8000, chunk_bytes)
    await leg.session.finish(5)
    assert leg.segments == [Segment(1.0, 1.5, "1000", "en", 0.9)]


async def test_segments_come_in_the_order_of_speech() -> None:
    echo = Echo()
    echo.delays_s = [0.05, 0.0, 0.02, 0.0]
    leg = Leg(echo)
    for _ in range(4):
        leg.turn()
    await leg.session.finish(5)
    assert [segment.start_s for segment in leg.segments] == [0.0, 1.5, 3.0, 4.5]


async def test_nothing_said_on_hold_is_transcribed() -> None:
    leg = Leg(Echo())
    leg.hear(SPEECH * 4000)
    leg.session.pause()
    leg.session.pause()
    leg.turn()
    leg.session.resume()
    leg.turn(speech_ms=300)
    await leg.session.finish(5)
    assert [(one.start_s, one.end_s) for one in leg.segments] == [(0.0, 0.5), (2.0, 2.3)]


async def test_a_leg_that_ends_mid_word_is_transcribed_and_then_deaf() -> None:
    leg = Leg(Echo())
    leg.hear(SPEECH * 2000 + SPEECH * 10)
    await leg.session.finish(5)
    leg.turn()
    await leg.session.finish(5)
    assert [(one.start_s, one.end_s) for one in leg.segments] == [(0.0, 0.26)]


async def test_lost_packets_keep_their_time() -> None:
    leg = Leg(Echo())
    leg.hear(SPEECH * 4000)
    leg.at += 800
    leg.hear(SPEECH * 4000)
    leg.at += 80_000
    leg.turn()
    await leg.session.finish(5)
    assert [(one.start_s, one.end_s) for one in leg.segments] == [(0.0, 1.1), (11.1, 11.6)]


async def test_one_failure_is_reported_and_the_rest_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    echo = Echo()
    echo.errors = {0: RecognitionError("no luck"), 2: ZeroDivisionError("secret words")}
    leg = Leg(echo)
    for _ in range(4):
        leg.turn()
    with caplog.at_level(logging.ERROR):
        await leg.session.finish(5)
    assert [one.start_s for one in leg.segments] == [1.5, 4.5]
    assert [(one.start_s, one.reason) for one in leg.failures] == [
        (0.0, "no luck"),
        (3.0, "recognizer failed: ZeroDivisionError"),
    ]


async def test_a_listener_that_fails_does_not_end_the_leg(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Segment] = []

    def listen(segment: Segment) -> None:
        heard.append(segment)
        raise ZeroDivisionError

    leg = Leg(Echo())
    leg.session = LegSession(Echo(), "en", listen, leg.failures.append, detector=lambda frame: frame[0] == 1)
    leg.turn()
    leg.turn()
    with caplog.at_level(logging.ERROR):
        await leg.session.finish(5)
    assert len(heard) == 2
    assert len(caplog.records) == 2


async def test_the_end_is_bounded_and_what_is_late_is_reported() -> None:
    echo = Echo()
    leg = Leg(echo)
    leg.turn()
    await asyncio.sleep(0.01)
    echo.go.clear()
    leg.turn()
    leg.turn()
    await leg.session.finish(0.05)
    assert [one.start_s for one in leg.segments] == [0.0]
    assert [(one.start_s, one.reason) for one in leg.failures] == [
        (1.5, "not recognised in time"),
        (3.0, "not recognised in time"),
    ]


async def test_two_people_are_understood_and_noise_between_them_is_not(
    telephone: Callable[..., bytes],
) -> None:
    ringing = np.sin(2 * np.pi * 440 * np.arange(16_000) / 8000) + np.sin(
        2 * np.pi * 480 * np.arange(16_000) / 8000
    )
    async with WhisperRecognizer(WhisperSettings()) as recognizer:
        caller, agent = Leg(recognizer, by_ear=True), Leg(recognizer, by_ear=True)
        caller.hear((ringing * 4000).astype("<i2").tobytes() + bytes(32_000))
        for leg, text, voice in (
            (agent, "Did that solve your problem?", "en-us"),
            (caller, "I would like to speak to an operator.", "en-us+m7"),
        ):
            leg.hear(bytes(16_000) + telephone(text, voice) + bytes(16_000))
        await asyncio.gather(caller.session.finish(20), agent.session.finish(20))
    (answer,), (question,) = caller.segments, agent.segments
    assert jiwer.wer("Did that solve your problem?", question.text) <= 0.2
    assert jiwer.wer("I would like to speak to an operator.", answer.text) <= 0.2
    assert 4.9 < answer.start_s < 5.6
    assert not caller.failures + agent.failures


async def test_a_clipped_monologue_is_cut_and_understood(telephone: Callable[..., bytes]) -> None:
    sentence = np.frombuffer(telephone("I would like to speak to an operator."), "<i2").astype(np.int32)
    monologue = np.clip(np.tile(sentence * 4, 40 * 8000 // len(sentence)), -32768, 32767)
    async with WhisperRecognizer(WhisperSettings()) as recognizer:
        leg = Leg(recognizer, by_ear=True)
        leg.hear(monologue.astype("<i2").tobytes())
        await leg.session.finish(20)
    assert len(leg.segments) >= 3
    assert all(one.end_s - one.start_s <= 15 for one in leg.segments)
    said = " ".join(one.text for one in leg.segments).split()
    assert said.count("operator.") >= 0.7 * (len(monologue) // len(sentence))
