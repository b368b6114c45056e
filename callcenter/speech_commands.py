"""What ``callcenter asr`` does: how short a model's input may be."""

import asyncio
import dataclasses
import json
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from asr import LanguageError, ModelError
from asr.errors import SoundError
from asr.gate import REFERENCE_SUFFIX, FloorFigure, Sample, lowest, measure, sample_of
from callcenter import config
from callcenter.errors import UsageError
from callcenter.speech import whisper_settings


def gate(settings: config.Settings, options: Namespace) -> str:
    """Measure ``options.model`` on ``options.files``; returns what is to be printed.

    Raises ``UsageError`` for a model, a language or a file that will not do.
    """
    samples = [_sample(path) for path in options.files]
    if not any(sample.utterances for sample in samples):
        raise UsageError("asr gate: there is no speech in these recordings")
    language = options.language or settings.asr.language
    model = dataclasses.replace(whisper_settings(settings.asr), model=options.model)
    try:
        figures = asyncio.run(measure(model, samples, language))
    except (ModelError, LanguageError) as error:
        raise UsageError(str(error)) from None
    has_texts = all(sample.reference is not None for sample in samples)
    return _json(figures, has_texts) if options.json else _table(figures, has_texts)


def _sample(path: Path) -> Sample:
    try:
        return sample_of(path)
    except SoundError as error:
        raise UsageError(f"{path}: {error}") from None
    except OSError as error:
        raise UsageError(f"{error.filename or path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path.with_suffix(REFERENCE_SUFFIX)}: is not UTF-8 text") from None


def _json(figures: Sequence[FloorFigure], has_texts: bool) -> str:
    rows = [
        {
            "floor": one.floor,
            "units": one.errors.units,
            "errors": one.errors.errors,
            "rate": one.errors.rate,
            "seconds": round(one.seconds, 3),
            "passes": one.passes,
        }
        for one in figures
    ]
    return json.dumps({"against": _against(has_texts), "floors": rows, "context": lowest(figures)}, indent=2)


def _table(figures: Sequence[FloorFigure], has_texts: bool) -> str:
    lines = [f"{'floor':>6}  {'errors':>7}  {'rate':>7}  {'time':>8}  against {_against(has_texts)}"]
    for one in figures:
        rate = "" if one.errors.rate is None else f"{100 * one.errors.rate:.2f} %"
        lines.append(
            f"{one.floor:>6}  {one.errors.errors:>7}  {rate:>7}  {one.seconds:>6.1f} s  "
            + ("passes" if one.passes else "loses words")
        )
    return "\n".join([*lines, f"set asr.context: {lowest(figures)}"])


def _against(has_texts: bool) -> str:
    return "what was said" if has_texts else "full padding"
