"""Whisper models through faster-whisper and CTranslate2, one utterance at a time.

The encoder's cost grows with its input, and an utterance is short, so it is not padded to the 30 s that
Whisper was made for but to a model's own ``context`` where the model allows that. Utterances are cut by
the endpointer, so there are no windows, no time stamps and no conditioning on what was said before.
"""

import asyncio
import math
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens
from faster_whisper.utils import available_models

from asr.errors import LanguageError, ModelError, RecognitionError
from asr.features import Samples, doubled, log_mel
from asr.guards import compression_ratio, is_no_speech
from asr.queued import QueuedRecognizer, QueueStats
from asr.recognizer import SAMPLE_RATE_HZ, Recognition

BUNDLED_MODEL = "demo-en"

_MODELS = Path(__file__).parent / "models"
_FULL_CONTEXT = 3000
_CONTEXT_OF = {BUNDLED_MODEL: 600}
_CONTEXT_STEP = 40
_SILENCE_AFTER = 100
_FRAMES_PER_S = 100
_TOKENS_PER_S = 8
_TOKENS_ALWAYS = 12
_MAX_S = 30
_REPEATS = 2.4
_NO_SPEECH = 0.6
_NO_SPEECH_LOG_PROBABILITY = -1.0
_NICE = 5


@dataclass(frozen=True, slots=True)
class WhisperSettings:
    """Which model and how. ``context`` is the least length, in frames of 10 ms, that the model is given.

    ``context`` of ``None`` is the bundled model's own, and 30 s, which every Whisper model was trained
    with, for all others.
    """

    model: str = BUNDLED_MODEL
    device: str = "auto"
    compute_type: str = "int8"
    beam_size: int = 5
    workers: int = 1
    context: int | None = None


@dataclass(frozen=True, slots=True)
class _Decoded:
    text: str
    log_probability: float
    no_speech: float
    is_loop: bool


class WhisperEngine:
    """A loaded model; ``recognize`` blocks and may run in ``settings.workers`` threads at once."""

    def __init__(self, settings: WhisperSettings) -> None:
        self._settings = settings
        context = settings.context or _CONTEXT_OF.get(settings.model, _FULL_CONTEXT)
        self._context = min(max(context, 240), _FULL_CONTEXT)
        self._languages: dict[str, Tokenizer] = {}
        self._model: Any = None

    def load(self) -> None:
        """Load the model; raises ``ModelError``."""
        name = self._settings.model
        folder = _MODELS / name if name in _CONTEXT_OF else Path(name)
        if folder.is_dir():
            if not (folder / "model.bin").is_file():
                raise ModelError(f"asr.model: {folder}: no model.bin in this folder")
            name = str(folder)
        elif "/" in name and (folder.is_absolute() or name.startswith(".")):
            raise ModelError(f"asr.model: {folder}: no such folder")
        elif "/" not in name and name not in available_models():
            known = ", ".join([*_CONTEXT_OF, *available_models()])
            raise ModelError(f"asr.model: {name!r} is neither a folder nor one of {known}")
        try:
            self._model = WhisperModel(
                name,
                device=self._settings.device,
                compute_type=self._settings.compute_type,
                cpu_threads=1,
                num_workers=self._settings.workers,
            )
        except Exception as error:  # tokenizers and CTranslate2 raise bare exceptions of any type
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ModelError(f"asr.model: {self._settings.model}: cannot be loaded: {reason}") from error

    def close(self) -> None:
        """Free the memory."""
        self._model = None

    def recognize(self, pcm16: bytes, language: str) -> Recognition:
        """Recognise an utterance; see ``Recognizer.recognize``."""
        tokenizer = self._tokenizer(language)
        if len(pcm16) > 2 * SAMPLE_RATE_HZ * _MAX_S:
            raise RecognitionError(f"an utterance is longer than {_MAX_S} s")
        sound = np.frombuffer(pcm16, "<i2").astype(np.float32) / np.float32(32768)
        if is_no_speech(sound):
            return Recognition("", language, 0.0)
        features = log_mel(doubled(sound - sound.mean()), self._model.feature_extractor.mel_filters)
        decoded = self._decode(features, tokenizer, self._context)
        if decoded.is_loop and self._context < _FULL_CONTEXT:
            decoded = self._decode(features, tokenizer, _FULL_CONTEXT)
        if decoded.is_loop:
            raise RecognitionError("the model repeated itself")
        if decoded.no_speech > _NO_SPEECH and decoded.log_probability < _NO_SPEECH_LOG_PROBABILITY:
            return Recognition("", language, 0.0)
        return Recognition(decoded.text, language, math.exp(min(decoded.log_probability, 0.0)))

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._languages:
            if language not in self._model.supported_languages:
                raise LanguageError(f"the model {self._settings.model} does not know {language!r}")
            multilingual = self._model.model.is_multilingual
            self._languages[language] = Tokenizer(
                self._model.hf_tokenizer, multilingual, task="transcribe", language=language
            )
        return self._languages[language]

    def _decode(self, features: Samples, tokenizer: Tokenizer, context: int) -> _Decoded:
        length = features.shape[1]
        encoded = self._model.encode(_padded(features, context))
        prompt = self._model.get_prompt(tokenizer, [], without_timestamps=True)
        most = int(length / _FRAMES_PER_S * _TOKENS_PER_S) + _TOKENS_ALWAYS
        (result,) = self._model.model.generate(
            encoded,
            [prompt],
            beam_size=self._settings.beam_size,
            max_length=max(2 * most, most + len(prompt)),  # CTranslate2 allows half of it for new tokens
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
        )
        tokens = result.sequences_ids[0]
        text = tokenizer.decode([token for token in tokens if token < tokenizer.eot]).strip()
        return _Decoded(
            text=text,
            log_probability=result.scores[0] * len(tokens) / (len(tokens) + 1),
            no_speech=result.no_speech_prob,
            is_loop=len(tokens) >= most or compression_ratio(text) > _REPEATS,
        )


class WhisperRecognizer:
    """The ``Recognizer`` of one process: a model and a bounded queue of utterances before it.

    Entering the context loads the model in a thread, for a name that is not bundled after a download, and
    raises ``ModelError``.
    """

    def __init__(self, settings: WhisperSettings, max_queued: int = 1000) -> None:
        self._engine = WhisperEngine(settings)
        self._queued = QueuedRecognizer(self._engine.recognize, settings.workers, max_queued)

    async def __aenter__(self) -> Self:
        with ThreadPoolExecutor(1, "asr load", initializer=_give_way) as loader:
            await asyncio.get_running_loop().run_in_executor(loader, self._engine.load)
        await self._queued.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._queued.__aexit__(kind, error, trace)
        await asyncio.to_thread(self._engine.close)

    async def recognize(self, pcm16: bytes, language: str) -> Recognition:
        """See ``Recognizer.recognize``."""
        return await self._queued.recognize(pcm16, language)

    def stats(self) -> QueueStats:
        """Figures for metrics and readiness."""
        return self._queued.stats()


def _give_way() -> None:
    """Let calls go before recognition: CTranslate2's threads inherit the priority of the one that loads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _padded(features: Samples, context: int) -> Samples:
    """Features with silence after them.

    The length is a multiple of 40 frames: CTranslate2 takes an input of as many frames as its features or
    its model are wide for something else.
    """
    length = min(max(features.shape[1] + _SILENCE_AFTER, context), _FULL_CONTEXT)
    length += -length % _CONTEXT_STEP
    return np.pad(features[:, :length], ((0, 0), (0, max(length - features.shape[1], 0))))
