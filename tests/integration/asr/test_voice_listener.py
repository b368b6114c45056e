"""Who listens for a voice is told before the words are known; an echo of lengths stands for the model."""

import asyncio

import pytest

from asr import (
    Failure,
    LegSession,
    Listening,
    OverloadedSpeechError,
    Partial,
    Recognition,
    RecognitionError,
    Segment,
    Speech,
    Word,
)
from asr.voice import VoiceCheck

SPEECH, SILENCE = b"\x01\x00", b"\x00\x00"


class Echo:
    """Recognises ``text``, or fails."""

    def __init__(self, text: str = "yes", error: RecognitionError | None = None) -> None:
        self.text = text
        self.error = error

    async def recognize(self, speech: Speech) -> Recognition:
        if self.error is not None:
            raise self.error
        return Recognition(self.text, speech.language, 0.9)

    def pace(self) -> float:
        return 1.0


class Judge:
    """A confirmer that believes in a voice once it has heard ``after_ms`` of sound."""

    def __init__(self, after_ms: int) -> None:
        self.after_ms = after_ms
        self.asked = 0

    def begin(self) -> VoiceCheck:
        return self

    async def confirm(self, pcm16: bytes) -> float:
        self.asked += 1
        return 1.0 if len(pcm16) >= self.after_ms * 16 else 0.0


class Leg:
    """Notes what it is told, in order."""

    def __init__(self, recognizer: Echo, judge: Judge | None) -> None:
        self.told: list[str] = []
        self.at = 0
        self.session = LegSession(
            recognizer,
            Listening(partials=False, words=False),
            self,
            confirmer=judge,
            detector=lambda frame: frame[0] == 1,
            voice=self,
        )

    def voice_began(self) -> None:
        self.told.append("began")

    def voice_ended(self) -> None:
        self.told.append("ended")

    def voice_was_nothing(self) -> None:
        self.told.append("nothing")

    def heard(self, segment: Segment) -> None:
        self.told.append(segment.text)

    def hearing(self, partial: Partial) -> None:
        self.told.append("partial")

    def timed(self, number: int, words: tuple[Word, ...]) -> None:
        self.told.append("timed")

    def missed(self, failure: Failure) -> None:
        self.told.append("missed")

    async def hear(self, speech_ms: int, silence_ms: int = 700) -> None:
        pcm16 = SPEECH * speech_ms * 8 + SILENCE * silence_ms * 8
        for start in range(0, len(pcm16), 320):
            self.session.feed(pcm16[start : start + 320], self.at)
            self.at += 160
            for _ in range(6):
                await asyncio.sleep(0)


@pytest.mark.parametrize("judge", [None, Judge(300)])
async def test_a_voice_its_end_and_its_words(judge: Judge | None) -> None:
    leg = Leg(Echo(), judge)
    await leg.hear(500)
    await leg.session.finish(5)
    assert leg.told == ["began", "ended", "yes"]


async def test_it_is_told_while_somebody_still_speaks() -> None:
    leg = Leg(Echo(), Judge(300))
    await leg.hear(280, 0)
    assert leg.told == []
    await leg.hear(200, 0)
    assert leg.told == ["began"]


async def test_once_for_each_utterance_and_asked_every_100_ms() -> None:
    judge = Judge(1000)
    leg = Leg(Echo(), judge)
    await leg.hear(1200)
    await leg.hear(1200)
    await leg.session.finish(5)
    assert leg.told == ["began", "ended", "yes"] * 2
    # At 140 ms of voice, then every 100 ms up to 1040, and once more for the words; the second time the
    # 300 ms before the voice count, too.
    assert judge.asked <= 2 * 11


async def test_what_is_no_voice_is_never_told() -> None:
    leg = Leg(Echo(), Judge(100_000))
    await leg.hear(800)
    await leg.session.finish(5)
    assert leg.told == []


async def test_a_voice_without_words() -> None:
    leg = Leg(Echo(""), Judge(300))
    await leg.hear(500)
    await leg.session.finish(5)
    assert leg.told == ["began", "ended", "nothing"]


async def test_a_recognizer_that_cannot() -> None:
    leg = Leg(Echo(error=OverloadedSpeechError("too much")), Judge(300))
    await leg.hear(500)
    await leg.session.finish(5)
    assert leg.told == ["began", "ended", "missed"]
