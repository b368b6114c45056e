"""The calls of ``speech.py``: what is said in them, when, and what a recognizer is given to hear.

All of it is synthesised from fixed seeds, in voices and sentences of the demo's callers, and comes through
their telephones, so that every word's time is known exactly. PCM16 is mono of 8 kHz.
"""

import random
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr import SAMPLE_RATE_HZ
from callcenter.media.g711 import pcm16_to_ulaw, ulaw_to_pcm16
from callcenter.media.resample import to_8khz
from callcenter.simulator.grammar import sentence
from callcenter.simulator.speech import over_the_telephone
from callcenter.simulator.voices import Voice, random_voice

sys.path.append(str(Path(__file__).parent.parent))
from training import nonspeech
from training.speech import say
from training.text import held_out_texts

SEGMENT_S = (0.5, 15.0)
TURN_S = (1.0, 6.0)
_BREATH_S = (0.15, 0.3)
"""Between two sentences of a turn or a segment: too short to end an utterance."""

_OTHERS_TURN_S = (1.3, 5.6)
"""While the other party speaks; with it a caller talks for 40 to 50 % of the time."""

QUIET_S = 4.0
"""At the end of a leg, so that nothing ends sooner than it would have in a longer call."""

_LINE_DBFS = -66.0
_LINE_S = 30
_TRIES = 20
_QUIET_BELOW_PEAK = 0.005
_PIECE_S = 10

NON_SPEECH: dict[str, Callable[[int, np.random.Generator], NDArray[np.float32]]] = {
    "hold music": nonspeech.house_music,
    "signalling tones": nonspeech.signal,
    "DTMF": nonspeech.dtmf,
    "noise": nonspeech.noise,
    "silence": nonspeech.silence,
    "coughs": nonspeech.body,
}


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word as it is written, and when it is said, in seconds from the start of the sound."""

    text: str
    start_s: float
    end_s: float

    def later(self, seconds: float) -> "SpokenWord":
        """The same word, said ``seconds`` later."""
        return SpokenWord(self.text, self.start_s + seconds, self.end_s + seconds)


@dataclass(frozen=True, slots=True)
class Said:
    """Something that was said, from its first sound to its last."""

    text: str
    pcm16: bytes
    words: tuple[SpokenWord, ...]

    @property
    def seconds(self) -> float:
        """How long it takes to say."""
        return seconds(self.pcm16)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a leg says without a longer pause; in seconds of the leg."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Leg:
    """One party of a call: turns with the other party's in between, which is heard as a quiet line."""

    pcm16: bytes
    turns: tuple[Turn, ...]


def seconds(pcm16: bytes | bytearray) -> float:
    """The length of a sound."""
    return len(pcm16) / 2 / SAMPLE_RATE_HZ


def said(text: str, voice: Voice) -> Said:
    """Synthesise ``text`` and send it through a telephone; about 10 ms."""
    spoken = say(text, voice)
    sound = to_8khz(spoken.pcm16, spoken.rate_hz)
    rng = random.Random(zlib.crc32(f"{voice} {text}".encode()))
    heard = ulaw_to_pcm16(pcm16_to_ulaw(over_the_telephone(sound, rng)))
    late_s = -_stillness_s(sound)
    words = tuple(
        SpokenWord(text[word.start : word.end], word.start_s, word.end_s).later(late_s)
        for word in spoken.words
    )
    return Said(text, heard, words)


def _stillness_s(sound: bytes) -> float:
    """What ``over_the_telephone`` takes away before the first sound."""
    samples = np.abs(np.frombuffer(sound, "<i2").astype(np.float32))
    loud = np.flatnonzero(samples > _QUIET_BELOW_PEAK * samples.max(initial=0.0))
    return float(loud[0]) / SAMPLE_RATE_HZ if len(loud) else 0.0


def new_sentences(count: int) -> list[Said]:
    """Sentences that the bundled model was never trained with, each in a voice of its own."""
    rng = random.Random("new sentences")
    return [said(text, random_voice(rng)) for text in islice(held_out_texts(rng), count)]


def callers(count: int) -> list[list[Said]]:
    """What each of ``count`` people says: eight sentences in one voice."""
    rng = random.Random("callers")
    return [[said(sentence(rng), voice) for _ in range(8)] for voice in _voices(rng, count)]


def _voices(rng: random.Random, count: int) -> Iterator[Voice]:
    for _ in range(count):
        yield random_voice(rng)


def joined(parts: Sequence[Said], rng: random.Random) -> Said:
    """One after the other, with a breath in between."""
    sound, text, words = bytearray(), [], []
    for part in parts:
        if sound:
            sound += line(rng.uniform(*_BREATH_S), rng)
        at_s = seconds(sound)
        words += [word.later(at_s) for word in part.words]
        text.append(part.text)
        sound += part.pcm16
    return Said(" ".join(text), bytes(sound), tuple(words))


def segments(people: Sequence[Sequence[Said]], count: int) -> list[Said]:
    """Call segments of 0.5 to 15 s: half of them are up to 4 s long, a tenth more than 9 s."""
    rng = random.Random("segments")
    made: list[Said] = []
    while len(made) < count:
        longest_s = min(max(rng.lognormvariate(1.4, 0.65), SEGMENT_S[0]), SEGMENT_S[1])
        one = _as_long_as(rng.choice(people), longest_s, rng)
        if SEGMENT_S[0] <= one.seconds <= SEGMENT_S[1]:
            made.append(one)
    return made


def _as_long_as(sentences: Sequence[Said], longest_s: float, rng: random.Random) -> Said:
    """Sentences of one person until the next would be too much; at least one."""
    order = rng.sample(list(sentences), len(sentences))
    count, total_s = 1, order[0].seconds
    while count < len(order) and total_s + _BREATH_S[1] + order[count].seconds <= longest_s:
        total_s += _BREATH_S[1] + order[count].seconds
        count += 1
    return joined(order[:count], rng)


def legs(people: Sequence[Sequence[Said]], count: int, long_s: float) -> list[Leg]:
    """``count`` legs of ``long_s`` seconds, who begin to talk at different times."""
    return [_leg(people[number % len(people)], number, long_s) for number in range(count)]


def _leg(sentences: Sequence[Said], number: int, long_s: float) -> Leg:
    rng = random.Random(f"leg {number}")
    sound = bytearray(line(rng.uniform(0.3, min(long_s / 10, _OTHERS_TURN_S[1])), rng))
    turns: list[Turn] = []
    while (one := _next_turn(sentences, long_s - QUIET_S - seconds(sound), rng)) is not None:
        start_s = seconds(sound)
        turns.append(Turn(start_s, start_s + one.seconds, one.text))
        sound += one.pcm16 + line(rng.uniform(*_OTHERS_TURN_S), rng)
    size = round(long_s * SAMPLE_RATE_HZ) * 2
    while len(sound) < size:
        sound += line(_LINE_S / 2, rng)
    return Leg(bytes(sound[:size]), tuple(turns))


def _next_turn(sentences: Sequence[Said], longest_s: float, rng: random.Random) -> Said | None:
    """A turn of 1 to 6 s that is not longer than ``longest_s``, if there is one."""
    for _ in range(_TRIES):
        one = _as_long_as(sentences, rng.uniform(*TURN_S), rng)
        if TURN_S[0] <= one.seconds <= min(longest_s, TURN_S[1]):
            return one
    return None


def line(long_s: float, rng: random.Random) -> bytes:
    """A line on which nobody speaks, for 15 s at most."""
    start = rng.randrange(_LINE_S * SAMPLE_RATE_HZ // 2)
    return _line_noise()[2 * start : 2 * (start + round(long_s * SAMPLE_RATE_HZ))]


@cache
def _line_noise() -> bytes:
    noise = np.random.default_rng(6).standard_normal(_LINE_S * SAMPLE_RATE_HZ)
    return (noise * 32768 * 10 ** (_LINE_DBFS / 20)).astype("<i2").tobytes()


def non_speech(kind: str, long_s: float) -> Iterator[bytes]:
    """``long_s`` seconds of one of ``NON_SPEECH``, in pieces of 10 s of all levels."""
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    name = "silence" if kind == "silence" else kind
    for _ in range(max(round(long_s / _PIECE_S), 1)):
        sound = nonspeech.levelled(name, NON_SPEECH[kind](_PIECE_S * SAMPLE_RATE_HZ, rng), rng)
        yield np.clip(np.round(sound * 32767), -32768, 32767).astype("<i2").tobytes()
