"""How short may a model's input be? Its error rate at every floor, against what it makes of full padding.

Whisper was trained with 30 s and most of its weights lose words on less; some lose none. A floor passes where
it makes at most 1.02 times the errors of full padding.
"""

import asyncio
import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.errors import LanguageError, RecognitionError
from asr.files import cut
from asr.recognizer import Recognizer, Speech, Urgency
from asr.scoring import Errors, score
from asr.sound import SoundFile
from asr.whisper import LENGTHS, WhisperSettings, open_engine

FLOORS = (240, 400, 560, 800, 1000, 1500, 3000)
WORSE_AT_MOST = 1.02
REFERENCE_SUFFIX = ".reference.txt"
"""Not ``.txt``: that is where ``callcenter transcribe`` writes what a model heard."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Utterances of one recording, PCM16 of 8 kHz, and what was said in all of them.

    Without ``reference`` the text at full padding is taken for what was said.
    """

    utterances: tuple[bytes, ...]
    reference: str | None


@dataclass(frozen=True, slots=True)
class FloorFigure:
    """Errors with input of at least ``floor`` frames of 10 ms, the time it took, and whether it will do."""

    floor: int
    errors: Errors
    seconds: float
    passes: bool


def sample_of(path: Path) -> Sample:
    """The utterances of a recording; what was said is in ``NAME.reference.txt`` beside it, if known.

    Raises ``SoundError`` for what is no sound, ``OSError`` and ``UnicodeDecodeError`` for the text.
    """
    text = path.with_suffix(REFERENCE_SUFFIX)
    reference = text.read_text(encoding="utf-8") if text.exists() else None
    with SoundFile(path) as sound:
        said = sorted(
            (utterance for _, cuts in cut(sound) for _, utterance in cuts),
            key=lambda utterance: utterance.start_sample,
        )
    return Sample(tuple(utterance.pcm16 for utterance in said), reference)


async def measure(
    settings: WhisperSettings, samples: Sequence[Sample], language: str
) -> tuple[FloorFigure, ...]:
    """Measure all floors, shortest first. Raises ``ModelError`` and ``LanguageError``."""
    texts, seconds = {}, {}
    for floor in reversed(FLOORS):
        assert floor in LENGTHS
        async with open_engine(dataclasses.replace(settings, context=floor)) as engine:
            began_s = time.perf_counter()
            texts[floor] = [await _text(engine, sample, language) for sample in samples]
            seconds[floor] = time.perf_counter() - began_s
    full = texts[FLOORS[-1]]
    references = [
        text if sample.reference is None else sample.reference
        for sample, text in zip(samples, full, strict=True)
    ]
    errors = {
        floor: sum(
            (score(said, heard, language) for said, heard in zip(references, texts[floor], strict=True)),
            Errors(0, 0),
        )
        for floor in FLOORS
    }
    return tuple(_figures(errors, seconds))


def lowest(figures: Sequence[FloorFigure]) -> int:
    """The floor to set: the lowest one that passes. Full padding always does."""
    return min(figure.floor for figure in figures if figure.passes)


def _figures(errors: dict[int, Errors], seconds: dict[int, float]) -> Iterator[FloorFigure]:
    full = errors[FLOORS[-1]]
    allowed = math.floor(
        max(full.errors * WORSE_AT_MOST, full.errors + full.units * (WORSE_AT_MOST - 1) / 20)
    )
    for floor in FLOORS:
        yield FloorFigure(floor, errors[floor], seconds[floor], errors[floor].errors <= allowed)


async def _text(recognizer: Recognizer, sample: Sample, language: str) -> str:
    async def hear(utterance: bytes) -> str:
        try:
            return (await recognizer.recognize(Speech(utterance, language, Urgency.LATER))).text
        except LanguageError:
            raise
        except RecognitionError:
            return ""

    heard = await asyncio.gather(*(hear(utterance) for utterance in sample.utterances))
    return " ".join(text for text in heard if text)
