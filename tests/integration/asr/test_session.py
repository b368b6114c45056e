"""A leg from its audio to its segments: the model where words matter, an echo of lengths elsewhere."""

import asyncio
import logging
from collections.abc import Callable

import jiwer
import numpy as np
import pytest

from asr import (
    AUTO,
    Confirmer,
    Failure,
    LegSession,
    Listening,
    OverloadedSpeechError,
    Partial,
    Recognition,
    RecognitionError,
    Recognizer,
    Segment,
    Speech,
    Urgency,
    Word,
)
from asr.silero import SpeechConfirmer
from asr.whisper import WhisperSettings, open_engine

SPEECH, SILENCE = b"\x01\x00", b"\x00\x00"


class Echo:
    """Recognises an utterance as its length in ms; waits, fails or breaks on demand."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.errors: dict[int, Exception] = {}
        self.delays_s: list[float] = []
        self.texts: list[str] = []
        self.asked: list[Speech] = []
        self.paces = 1.0
        self.times_words = True
        self.language = "en"

    async def recognize(self, speech: Speech) -> Recognition:
        number = len(self.asked)
        self.asked.append(speech)
        if self.delays_s:
            await asyncio.sleep(self.delays_s.pop(0))
        await self.go.wait()
        if number in self.errors:
            raise self.errors[number]
        if speech.urgency is Urgency.PARTIAL and self.paces == float("inf"):
            raise OverloadedSpeechError("no partials")
        text = speech.text or (self.texts.pop(0) if self.texts else str(len(speech.pcm16) // 16))
        timed = speech.with_words and (self.times_words or bool(speech.text))
        words = tuple(Word(one, 0.3, 0.4, 0.9) for one in text.split()) if timed else ()
        language = self.language if speech.language == AUTO else speech.language
        return Recognition(text, language, 0.9, words)

    def pace(self) -> float:
        return self.paces

    def of(self, urgency: Urgency) -> list[Speech]:
        return [speech for speech in self.asked if speech.urgency is urgency]


class Leg:
    """A session with a clock; speech is the sample 1, silence the sample 0."""

    def __init__(
        self,
        recognizer: Recognizer,
        listening: Listening | None = None,
        *,
        by_ear: bool = False,
        confirmer: Confirmer | None = None,
    ) -> None:
        self.segments: list[Segment] = []
        self.failures: list[Failure] = []
        self.partials: list[Partial] = []
        self.times: list[tuple[int, tuple[Word, ...]]] = []
        self.breaks = False
        self.at = 0
        self.session = LegSession(
            recognizer,
            listening or Listening(partials=False, words=False),
            self,
            confirmer=confirmer,
            detector=None if by_ear else (lambda frame: frame[0] == 1),
        )

    def heard(self, segment: Segment) -> None:
        self.segments.append(segment)
        if self.breaks:
            raise ZeroDivisionError

    def hearing(self, partial: Partial) -> None:
        self.partials.append(partial)

    def timed(self, number: int, words: tuple[Word, ...]) -> None:
        self.times.append((number, words))

    def missed(self, failure: Failure) -> None:
        self.failures.append(failure)

    async def listen(self, pcm16: bytes) -> None:
        """Hear at the pace of a test: what is recognised is there before the next 20 ms."""
        for start in range(0, len(pcm16), 320):
            self.hear(pcm16[start : start + 320])
            for _ in range(6):
                await asyncio.sleep(0)

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
    assert leg.segments == [Segment(1, 1.0, 1.5, "1000", "en", 0.9)]


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
    leg = Leg(Echo())
    leg.breaks = True
    leg.turn()
    leg.turn()
    with caplog.at_level(logging.ERROR):
        await leg.session.finish(5)
    assert len(leg.segments) == 2
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
    async with open_engine(WhisperSettings()) as recognizer, SpeechConfirmer() as confirmer:
        caller, agent = (Leg(recognizer, by_ear=True, confirmer=confirmer) for _ in range(2))
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
    async with open_engine(WhisperSettings()) as recognizer, SpeechConfirmer() as confirmer:
        leg = Leg(recognizer, by_ear=True, confirmer=confirmer)
        leg.hear(monologue.astype("<i2").tobytes())
        await leg.session.finish(20)
    assert len(leg.segments) >= 3
    assert all(one.end_s - one.start_s <= 15 for one in leg.segments)
    said = " ".join(one.text for one in leg.segments).split()
    assert said.count("operator.") >= 0.7 * (len(monologue) // len(sentence))


# Partials.


async def test_words_come_while_they_are_said_and_the_final_replaces_them() -> None:
    echo = Echo()
    echo.texts = ["I would", "I would like", "I would like to pay", "I would like to pay."]
    leg = Leg(echo, Listening(words=False))
    await leg.listen(SILENCE * 4000 + SPEECH * 8 * 2800)
    assert [(one.stable, one.volatile) for one in leg.partials] == [
        ("", "I would"),
        ("I", "would like"),
        ("I would", "like to pay"),
    ]
    assert [one.seq for one in leg.partials] == [1, 2, 3]
    assert [round(one.end_s, 2) for one in leg.partials] == [0.92, 1.92, 2.92]
    await leg.listen(SILENCE * 8000)
    await leg.session.finish(5)
    (final,) = leg.segments
    assert {one.number for one in leg.partials} == {final.number}
    assert final.text == "I would like to pay."
    assert all(speech.voiced_ms > 400 for speech in echo.asked)


async def test_a_first_partial_without_words_is_tried_again_soon() -> None:
    echo = Echo()
    echo.texts = ["", "", "Yes"]
    leg = Leg(echo, Listening(words=False))
    await leg.listen(SPEECH * 8 * 1400)
    assert [(one.volatile, round(one.end_s, 2)) for one in leg.partials] == [("Yes", 0.96)]


async def test_a_slow_recognizer_gets_one_partial_of_a_leg_at_a_time() -> None:
    echo = Echo()
    echo.go.clear()
    leg = Leg(echo, Listening(words=False))
    await leg.listen(SPEECH * 8 * 5000)
    assert len(echo.asked) == 1
    await leg.listen(SILENCE * 8 * 1000)
    echo.go.set()
    await leg.session.finish(5)
    assert [speech.urgency for speech in echo.asked] == [Urgency.PARTIAL, Urgency.FINAL]
    assert leg.partials == []
    assert len(leg.segments) == 1


async def test_partials_come_less_often_under_pressure_or_not_at_all() -> None:
    counts = []
    for pace in (1.0, 2.5, float("inf")):
        echo = Echo()
        echo.paces = pace
        leg = Leg(echo, Listening(words=False))
        await leg.listen(SPEECH * 8 * 9000)
        counts.append(len(leg.partials))
        await leg.session.finish(5)
        assert [one.text for one in leg.segments] == ["9000"]
    assert counts[0] in (8, 9)
    assert counts[1] in (3, 4)
    assert counts[2] == 0


async def test_what_came_to_nothing_is_taken_back() -> None:
    echo = Echo()
    echo.texts = ["Hm", ""]
    leg = Leg(echo, Listening(words=False))
    await leg.listen(SPEECH * 8 * 1200 + SILENCE * 8000)
    await leg.session.finish(5)
    assert [(one.stable, one.volatile) for one in leg.partials] == [("", "Hm"), ("", "")]
    assert leg.segments == []


async def test_a_whole_sentence_ends_the_utterance_sooner() -> None:
    lengths = []
    for text in ("My number is", "That is all."):
        echo = Echo()
        echo.texts = [text]
        leg = Leg(echo, Listening(words=False))
        await leg.listen(SPEECH * 8 * 1000 + SILENCE * 8 * 400)
        lengths.append(len(echo.of(Urgency.FINAL)))
        await leg.session.finish(5)
    assert lengths == [0, 1]


# Words.


async def test_words_are_on_the_clock_of_the_leg() -> None:
    leg = Leg(Echo(), Listening(partials=False))
    leg.hear(SILENCE * 8 * 2000)
    leg.turn()
    await leg.session.finish(5)
    assert [(word.start_s, word.end_s) for word in leg.segments[0].words] == [(2.0, 2.1)]
    assert leg.times == []


async def test_word_times_that_were_put_off_come_later() -> None:
    echo = Echo()
    echo.times_words = False
    leg = Leg(echo, Listening(partials=False))
    leg.turn()
    await leg.session.finish(5)
    assert leg.segments[0].words == ()
    assert [(number, [word.text for word in words]) for number, words in leg.times] == [(1, ["700"])]
    (later,) = echo.of(Urgency.LATER)
    assert (later.text, later.pcm16) == ("700", echo.asked[0].pcm16)


async def test_a_monologue_without_pauses_overlaps_and_says_nothing_twice() -> None:
    echo = Echo()
    echo.texts = ["one two three four", "four five six", "seven"]
    leg = Leg(echo, Listening(partials=False))
    leg.hear(SPEECH * 8 * 32_000)
    await leg.session.finish(5)
    first, second, third = echo.asked
    assert [len(speech.pcm16) // 16 for speech in (first, second, third)] == [15_000, 15_000, 2600]
    assert [one.text for one in leg.segments] == ["one two three four", "five six", "seven"]
    assert [len(one.words) for one in leg.segments] == [4, 2, 1]


async def test_the_language_is_detected_and_then_settled() -> None:
    echo = Echo()
    echo.language = "ja"
    leg = Leg(echo, Listening(AUTO, ("en", "ja"), partials=False, words=False))
    for _ in range(4):
        leg.turn(speech_ms=2500)
        await asyncio.sleep(0.01)
    await leg.session.finish(5)
    assert [speech.language for speech in echo.asked] == [AUTO, AUTO, AUTO, "ja"]
    assert {speech.languages for speech in echo.asked} == {("en", "ja")}
    assert {one.language for one in leg.segments} == {"ja"}


async def test_noise_that_the_quick_detector_took_for_voice_is_not_recognised() -> None:
    noise = (np.random.default_rng(4).standard_normal(8 * 3000) * 1000).astype("<i2").tobytes()
    echo = Echo()
    async with SpeechConfirmer() as confirmer:
        leg = Leg(echo, by_ear=True, confirmer=confirmer)
        leg.hear(noise + bytes(32_000))
        await leg.session.finish(5)
        assert (leg.segments, echo.asked) == ([], [])
        deaf = Leg(echo, by_ear=True)
        deaf.hear(noise + bytes(32_000))
        await deaf.session.finish(5)
    assert len(echo.asked) >= 1
