"""What telephone lines do to speech, and what they carry that is none, through the whole of a leg."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence

import jiwer
import numpy as np
import pytest
import pytest_asyncio

from asr import LegSession, Listening, Partial, Recognition, Segment, Speech, SpeechEngine, Word
from asr.recognizer import Failure
from asr.silero import SpeechConfirmer
from asr.whisper import WhisperSettings, open_engine
from callcenter.media.g711 import alaw_to_pcm16, pcm16_to_alaw
from callcenter.media.hold_music import music_on_hold
from support.ear import Ear

SENTENCE = "I would like to speak to an operator."
OTHER = "Could you please confirm your date of birth?"

Telephone = Callable[..., bytes]


class Listener:
    """Keeps what a leg said."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.failures: list[Failure] = []
        self.partials: list[Partial] = []
        self.times: dict[int, tuple[Word, ...]] = {}
        self.heard = self.segments.append
        self.missed = self.failures.append
        self.hearing = self.partials.append

    def timed(self, number: int, words: tuple[Word, ...]) -> None:
        self.times[number] = words

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)


class Line:
    """A leg with the real model and both voice detectors."""

    def __init__(self, engine: SpeechEngine, confirmer: SpeechConfirmer) -> None:
        self._engine, self._confirmer = engine, confirmer

    async def hear(self, chunks: Sequence[tuple[int, bytes]]) -> Listener:
        """Feed chunks at their positions and hang up."""
        listener = Listener()
        session = LegSession(self._engine, Listening(), listener, confirmer=self._confirmer)
        for position, chunk in chunks:
            session.feed(chunk, position)
            await asyncio.sleep(0)
        await session.finish(60)
        assert listener.failures == []
        return listener


@pytest_asyncio.fixture
async def line() -> AsyncIterator[Line]:
    async with open_engine(WhisperSettings()) as engine, SpeechConfirmer() as confirmer:
        yield Line(engine, confirmer)


def packets(pcm16: bytes, at: int = 0) -> list[tuple[int, bytes]]:
    return [(at + start // 2, pcm16[start : start + 320]) for start in range(0, len(pcm16), 320)]


def padded(pcm16: bytes) -> bytes:
    return bytes(8000) + pcm16 + bytes(16_000)


def sound(pcm16: bytes) -> np.ndarray:
    return np.frombuffer(pcm16, "<i2").astype(np.float64)


def pcm(samples: np.ndarray) -> bytes:
    return np.clip(np.round(samples), -32768, 32767).astype("<i2").tobytes()


def starts(recognition: Recognition) -> list[float]:
    return [word.start_s for word in recognition.words]


def wrong(said: str, heard: str) -> float:
    return float(jiwer.wer(said.lower(), heard.lower()))


async def test_hold_music_is_not_transcribed(line: Line) -> None:
    heard = await line.hear(packets(music_on_hold()[: 60 * 16_000]))
    assert heard.text == ""
    assert all(not partial.stable for partial in heard.partials)


async def test_a_cough_and_a_blip_are_no_words(line: Line) -> None:
    rng = np.random.default_rng(3)
    burst = rng.standard_normal(1600) * np.exp(-np.arange(1600) / 300) * 6000
    blip = np.sin(2 * np.pi * 700 * np.arange(1600) / 8000) * 8000
    heard = await line.hear(packets(padded(pcm(burst)) + padded(pcm(blip))))
    assert heard.text == ""


@pytest.mark.parametrize(("text", "voice"), [("Yes.", "en-us"), ("Operator.", "en-us"), ("No.", "en+linda")])
async def test_answers_of_one_word_are_heard(line: Line, telephone: Telephone, text: str, voice: str) -> None:
    heard = await line.hear(packets(padded(telephone(text, voice))))
    assert heard.text.lower().strip(".") == text.lower().strip(".")


def spoiled(kind: str, pcm16: bytes) -> list[tuple[int, bytes]]:
    """What a bad line makes of speech."""
    rng = random.Random(2)
    frames = packets(pcm16)
    match kind:
        case "loss":
            return [frame for frame in frames if rng.random() > 0.05]
        case "reorder":
            return [
                frame
                for at in range(0, len(frames), 2)
                for frame in (reversed(frames[at : at + 2]) if rng.random() < 0.02 else frames[at : at + 2])
            ]
        case "clock jump":
            return [(at + (80_000 if at > 8000 * 20 else 0), frame) for at, frame in frames]
        case "a-law":
            return packets(alaw_to_pcm16(pcm16_to_alaw(pcm16)))
        case "clipping":
            return packets(pcm(sound(pcm16) * 6))
        case "direct current":
            return packets(pcm(sound(pcm16) * 0.5 + 2500))
        case "quiet":
            return packets(pcm(sound(pcm16) * 0.08))
        case "drift":
            return [(round(at * 1.0001), frame) for at, frame in frames]
        case _:
            raise ValueError(kind)


@pytest.mark.parametrize(
    "kind", ["loss", "reorder", "clock jump", "a-law", "clipping", "direct current", "quiet", "drift"]
)
async def test_bad_lines_are_understood(line: Line, telephone: Telephone, kind: str) -> None:
    said = padded(telephone(SENTENCE)) + padded(telephone(OTHER, "en+linda"))
    heard = await line.hear(spoiled(kind, said))
    assert wrong(f"{SENTENCE} {OTHER}", heard.text) <= 0.35
    assert len(heard.segments) >= 2


async def test_a_leg_that_comes_late_has_its_own_place_on_the_clock(line: Line, telephone: Telephone) -> None:
    heard = await line.hear(packets(padded(telephone(SENTENCE)), at=8000 * 3600))
    assert 3600.4 < heard.segments[0].start_s < 3601
    assert all(3600 < word.start_s < word.end_s < 3606 for word in heard.segments[0].words)


async def test_words_have_their_times(line: Line, telephone: Telephone) -> None:
    heard = await line.hear(packets(padded(telephone(SENTENCE))))
    (segment,) = heard.segments
    assert [word.text for word in segment.words] == segment.text.split()
    starts = [word.start_s for word in segment.words]
    assert starts == sorted(starts)
    assert segment.start_s - 0.2 < starts[0] < segment.start_s + 0.3
    assert segment.words[-1].end_s < segment.end_s + 0.4
    assert all(0 <= word.probability <= 1 for word in segment.words)


async def test_partials_grow_into_the_final(line: Line, telephone: Telephone) -> None:
    listener = Listener()
    session = LegSession(line._engine, Listening(), listener, confirmer=line._confirmer)
    for position, chunk in packets(padded(telephone(f"{SENTENCE[:-1]} and {OTHER[:-1].lower()}"))):
        session.feed(chunk, position)
        await asyncio.sleep(0.002)
    await session.finish(60)
    shown = [partial for partial in listener.partials if partial.stable or partial.volatile]
    assert len(shown) >= 2
    assert [partial.seq for partial in shown] == sorted(partial.seq for partial in shown)
    assert shown[-1].stable
    assert shown[-1].stable.startswith(shown[-2].stable)


async def test_dozens_of_legs_that_end_together_are_all_heard(line: Line, telephone: Telephone) -> None:
    said = [telephone(SENTENCE), telephone(OTHER, "en+linda"), telephone("One moment, please.")]
    heard = await asyncio.gather(*(line.hear(packets(padded(said[number % 3]))) for number in range(64)))
    assert all(one.text for one in heard)
    assert len({one.text for one in heard}) == 3
    stats = line._engine.stats()
    assert (stats.failed, stats.waiting) == (0, 0)
    assert stats.batches < stats.rows


def test_alone_and_in_a_batch_the_same_is_heard(ear: Ear, telephone: Telephone) -> None:
    texts = (SENTENCE, OTHER, "One moment, please.", "Speak to a supervisor.")
    said = [telephone(text).ljust(16_000 * 4, b"\0")[: 16_000 * 4] for text in texts]
    speeches = [Speech(pcm16, "en", with_words=True) for pcm16 in said]
    plan = ear.model.plan(speeches[0], full=False)
    together = ear.model.run(speeches, plan)
    alone = [ear.model.run([speech], plan)[0] for speech in speeches]
    for one, other in zip(together, alone, strict=True):
        assert isinstance(one, Recognition)
        assert isinstance(other, Recognition)
        assert one.text == other.text
        assert starts(one) == pytest.approx(starts(other), abs=0.05)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)
    assert all(getattr(one, "text", "") for one in alone)


async def test_hot_words_and_plain_speech_do_not_share_a_batch_but_both_are_heard(
    telephone: Telephone,
) -> None:
    said = telephone(SENTENCE)
    async with open_engine(WhisperSettings()) as engine:
        plain, hot = await asyncio.gather(
            engine.recognize(Speech(said, "en")),
            engine.recognize(Speech(said, "en", hot_words=("operator", "Northwind"))),
        )
        assert engine.stats().batches == 2
    assert wrong(SENTENCE, plain.text) <= 0.3
    assert wrong(SENTENCE, hot.text) <= 0.5
    assert "northwind" not in hot.text.lower()


async def test_hot_words_are_not_said_back_on_a_short_noise(ear: Ear) -> None:
    short = Speech(bytes(8000), "en", hot_words=("operator",), voiced_ms=200)
    assert ear.model.plan(short, full=False) == ear.model.plan(Speech(bytes(8000), "en"), full=False)
