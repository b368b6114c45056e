"""How well a model hears: error rates on sentences that are not in training, and silence on what is none.

Everything is drawn from fixed seeds, so two models are measured on the same sounds. Speech is what the
simulator's telephone delivers (8 kHz, band, noise, µ-law).
"""

import asyncio
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from faster_whisper import WhisperModel

from asr.errors import RecognitionError
from asr.features import doubled
from asr.recognizer import Speech, Urgency
from asr.silero import SpeechConfirmer
from asr.voice import recognize_voice
from asr.whisper import WhisperSettings, open_engine
from callcenter.media.g711 import ulaw_to_pcm16
from callcenter.simulator.speech import RATE_HZ, utter
from callcenter.simulator.voices import Voice, random_voice
from training import nonspeech
from training.channel import Sound, companded
from training.speech import held_out_voice
from training.text import held_out_texts

_WINDOW_TURNS, _WINDOW_MAX_S = (2, 5), 15.0
_LONG_TURNS, _LONG_MAX_S = (5, 9), 29.0
_GAP_S = (0.3, 1.2)
_THREADS = 2
CONTEXT = 600
"""At least so many frames of 10 ms; what calls give the bundled model."""

_FLOOR = 10 ** (-60 / 20)
_OTHER_KINDS = {**nonspeech.KINDS, "house_music": nonspeech.house_music}
_NOT_A_WORD = re.compile(r"[^a-z0-9' ]")

Hear = Callable[[Sequence[Sound]], list[str]]
Said = tuple[str, Sound]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one model; shares of 1. ``padded`` is ``WhisperModel.transcribe`` with its default options but no
    conditioning on previous text, ``cut`` is what calls use: ``asr.silero`` and ``asr.engine``.
    """

    training_voices_wer_padded: float
    training_voices_wer_cut: float
    held_out_voices_wer_padded: float
    held_out_voices_wer_cut: float
    windows_wer_padded: float
    windows_wer_cut: float
    long_windows_wer_padded: float
    empty_on_non_speech_padded: float
    empty_on_non_speech_cut: float
    spoke_on: dict[str, float]
    sentences: int
    seconds: float


def evaluate(folder: Path, count: int) -> dict[str, Any]:
    """Measure the model in ``folder`` on ``count`` sentences of each kind of voice, and on other sounds."""
    began = time.monotonic()
    whisper, engine = _whisper(folder), _engine(folder)
    trained = list(islice(spoken("training", random_voice), count))
    held_out = list(islice(spoken("held out", held_out_voice), count))
    windows = list(islice(joined(trained, held_out, _WINDOW_TURNS, _WINDOW_MAX_S), max(count // 2, 1)))
    long_windows = list(islice(joined(trained, held_out, _LONG_TURNS, _LONG_MAX_S), max(count // 5, 1)))
    others = other_sounds(count * 7 // 5)
    padded, cut = spoke(whisper, others), spoke(engine, others)
    figures = Figures(
        training_voices_wer_padded=error_rate(whisper, trained),
        training_voices_wer_cut=error_rate(engine, trained),
        held_out_voices_wer_padded=error_rate(whisper, held_out),
        held_out_voices_wer_cut=error_rate(engine, held_out),
        windows_wer_padded=error_rate(whisper, windows),
        windows_wer_cut=error_rate(engine, windows),
        long_windows_wer_padded=error_rate(whisper, long_windows),
        empty_on_non_speech_padded=1 - float(np.mean([spoke for _, spoke in padded])),
        empty_on_non_speech_cut=1 - float(np.mean([spoke for _, spoke in cut])),
        spoke_on=_by_kind(padded),
        sentences=count,
        seconds=round(time.monotonic() - began, 1),
    )
    values = asdict(figures).items()
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in values}


def _whisper(folder: Path) -> Hear:
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1, num_workers=_THREADS)

    def hear_one(sound: Sound) -> str:
        segments, _ = model.transcribe(doubled(sound), language="en", condition_on_previous_text=False)
        return " ".join(segment.text.strip() for segment in segments)

    def hear(sounds: Sequence[Sound]) -> list[str]:
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(hear_one, sounds))

    return hear


def _engine(folder: Path) -> Hear:
    settings = WhisperSettings(model=str(folder.resolve()), device="cpu", workers=_THREADS, context=CONTEXT)
    return lambda sounds: asyncio.run(_as_calls_hear(settings, sounds))


async def _as_calls_hear(settings: WhisperSettings, sounds: Sequence[Sound]) -> list[str]:
    async with open_engine(settings) as engine, SpeechConfirmer() as confirmer:

        async def hear(sound: Sound) -> str:
            pcm16 = (sound * 32767).astype("<i2").tobytes()
            try:
                speech = Speech(pcm16, "en", Urgency.LATER)
                return (await recognize_voice(engine, confirmer.begin(), speech)).text
            except RecognitionError:
                return ""

        return await asyncio.gather(*(hear(sound) for sound in sounds))


def spoken(seed: str, voice: Callable[[random.Random], Voice]) -> Iterator[Said]:
    """Sentences that are not in training, each in a voice of its own, as the telephone delivers them."""
    rng = random.Random(f"evaluation {seed}")
    for number, text in enumerate(held_out_texts(rng)):
        pcm16 = ulaw_to_pcm16(utter(text, voice(rng), number).ulaw)
        yield text, np.frombuffer(pcm16, "<i2").astype(np.float32) / np.float32(32768)


def joined(first: list[Said], second: list[Said], turns: tuple[int, int], max_s: float) -> Iterator[Said]:
    """Windows of several turns with pauses, in which people of both sets speak; faint noise below."""
    rng = np.random.default_rng(3)
    people = [first, second]
    while True:
        texts: list[str] = []
        sound = np.zeros(0, np.float32)
        for _ in range(int(rng.integers(turns[0], turns[1] + 1))):
            said = people[int(rng.integers(2))]
            text, voice = said[int(rng.integers(len(said)))]
            gap = np.zeros(int(rng.uniform(*_GAP_S) * RATE_HZ), np.float32)
            if (len(sound) + len(voice) + len(gap)) / RATE_HZ < max_s:
                sound, texts = np.concatenate([sound, voice, gap]), [*texts, text]
        if len(texts) >= turns[0]:
            noise = rng.standard_normal(len(sound)).astype(np.float32) * np.float32(_FLOOR)
            yield " ".join(texts), companded(sound + noise)


def other_sounds(count: int) -> list[tuple[str, Sound]]:
    """Sounds of 1 to 8 s that are not speech, of all kinds in turn, with the name of the kind."""
    rng = np.random.default_rng(98)
    kinds = list(_OTHER_KINDS)
    sounds: list[tuple[str, Sound]] = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        sound = _OTHER_KINDS[kind](int(rng.uniform(1, 8) * RATE_HZ), rng)
        sounds.append((kind, nonspeech.levelled(kind, sound, rng)))
    return sounds


def error_rate(hear: Hear, said: list[Said]) -> float:
    """Word error rate without regard to case and punctuation; a digit string is one word."""
    references = [plain(text) for text, _ in said]
    return float(jiwer.wer(references, [plain(text) for text in hear([sound for _, sound in said])]))


def spoke(hear: Hear, others: list[tuple[str, Sound]]) -> list[tuple[str, bool]]:
    """Whether words were heard in sounds that are not speech."""
    texts = hear([sound for _, sound in others])
    return [(kind, bool(text)) for (kind, _), text in zip(others, texts, strict=True)]


def plain(text: str) -> str:
    """Small letters, no punctuation."""
    return " ".join(_NOT_A_WORD.sub(" ", text.lower()).split())


def _by_kind(heard: list[tuple[str, bool]]) -> dict[str, float]:
    """Of each kind of sound, the share on which words were invented."""
    return {
        kind: round(float(np.mean([spoke for one, spoke in heard if one == kind])), 3)
        for kind in dict.fromkeys(kind for kind, _ in heard)
    }
