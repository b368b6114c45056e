"""Whisper models through faster-whisper and CTranslate2, several utterances at a time.

The encoder's cost grows with its input, and an utterance is short, so it is not padded to the 30 s that
Whisper was made for but to one of a few lengths, never below a model's own floor. Utterances are cut by
the endpointer, so there are no windows, no time stamps and no conditioning on what was said before.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens, merge_punctuations
from faster_whisper.utils import available_models

from asr.engine import EngineSettings, Outcome, Retry, SpeechEngine
from asr.errors import LanguageError, ModelError, RecognitionError
from asr.features import Samples, doubled, log_mel
from asr.guards import Decoded, Verdict, is_no_speech, judge, too_many_tokens, until_loop
from asr.languages import units
from asr.recognizer import AUTO, MAX_SPEECH_S, SAMPLE_RATE_HZ, Recognition, Speech, Urgency, Word
from asr.schedule import Plan

BUNDLED_MODEL = "demo-en"
LENGTHS = (*range(240, 1000, 80), 1000, 1240, 1500, 2000, 3000)
"""In frames of 10 ms, in fine steps: a batch gains less than padding costs. None is a number that CTranslate2
takes for features: 80 or 128 mels doubled, or a model's width."""

_MODELS = Path(__file__).parent / "models"
_FULL_CONTEXT = LENGTHS[-1]
_FLOOR_OF = {BUNDLED_MODEL: 600}
_SILENCE_AFTER = 40
_FRAMES_PER_S = 100
_TOKENS_PER_S = 10
_TOKENS_ALWAYS = 12
_HOT_WORDS_TOKENS_MAX = 200
_HOT_WORDS_VOICED_MS = 1000
_PREPENDED, _APPENDED = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"


@dataclass(frozen=True, slots=True)
class WhisperSettings:
    """Which model and how. ``context`` is the least length, in frames of 10 ms, that the model is given.

    ``context`` of ``None`` is the bundled model's own, and 30 s, which every Whisper model was trained
    with, for all others; ``callcenter asr gate`` measures what a model can do with. ``device`` is ``cpu``,
    ``cuda`` or ``auto``. The beam is for finals; partials are greedy.
    """

    model: str = BUNDLED_MODEL
    device: str = "auto"
    compute_type: str = "int8"
    beam_size: int = 5
    workers: int = 1
    context: int | None = None


@dataclass(frozen=True, slots=True)
class _Lane:
    """What rows of a batch must have in common."""

    beam: int
    with_words: bool
    prompt: int
    aligns_only: bool = False


_Row: TypeAlias = tuple[Speech, Samples]


def open_engine(settings: WhisperSettings, engine: EngineSettings | None = None) -> SpeechEngine:
    """A recognizer with this model, to be entered; ``engine`` is for all but the number of workers."""
    model = WhisperBatches(settings)
    chosen = engine or EngineSettings()
    return SpeechEngine(
        model,
        EngineSettings(
            settings.workers,
            chosen.batch_s,
            chosen.max_rows,
            chosen.drain_timeout_s,
            chosen.spool_folder,
            chosen.ladder,
        ),
    )


class WhisperBatches:
    """A ``SpeechModel``: a Whisper model of any size, on a processor or a GPU."""

    def __init__(self, settings: WhisperSettings) -> None:
        self._settings = settings
        floor = settings.context or _FLOOR_OF.get(settings.model, _FULL_CONTEXT)
        self._floor = min(max(floor, LENGTHS[0]), _FULL_CONTEXT)
        self._tokenizers: dict[str, Tokenizer] = {}
        self._hot_words: dict[tuple[str, ...], list[int]] = {}
        self._model: Any = None

    # Its life.

    def load(self) -> None:
        """Load the model; raises ``ModelError``."""
        name = self._name()
        try:
            self._model = WhisperModel(
                name,
                device=self._settings.device,
                compute_type=self._settings.compute_type,
                cpu_threads=1,
                num_workers=self._settings.workers,
            )
            self._warm_up()
        except Exception as error:  # tokenizers and CTranslate2 raise bare exceptions of any type
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ModelError(f"asr.model: {self._settings.model}: cannot be loaded: {reason}") from error

    def close(self) -> None:
        """Free the memory."""
        self._model = None

    def _name(self) -> str:
        name = self._settings.model
        folder = _MODELS / name if name in _FLOOR_OF else Path(name)
        if folder.is_dir():
            if not (folder / "model.bin").is_file():
                raise ModelError(f"asr.model: {folder}: no model.bin in this folder")
            return str(folder)
        if "/" in name and (folder.is_absolute() or name.startswith(".")):
            raise ModelError(f"asr.model: {folder}: no such folder")
        if "/" not in name and name not in available_models():
            known = ", ".join([*_FLOOR_OF, *available_models()])
            raise ModelError(f"asr.model: {name!r} is neither a folder nor one of {known}")
        return name

    def _warm_up(self) -> None:
        """Fail now and not in a call where the model wants other features than it says."""
        mels = int(self._model.model.n_mels)
        if self._model.feature_extractor.mel_filters.shape[0] != mels:
            told = self._model.feature_extractor.mel_filters.shape[0]
            raise ValueError(f"preprocessor_config.json says {told} mels, the model wants {mels}")
        self._model.encode(np.zeros((mels, LENGTHS[0]), np.float32))

    # What goes together.

    def plan(self, speech: Speech, *, full: bool) -> Plan:
        """See ``SpeechModel.plan``."""
        seconds = len(speech.pcm16) / 2 / SAMPLE_RATE_HZ
        if seconds > MAX_SPEECH_S:
            raise RecognitionError(f"an utterance is longer than {MAX_SPEECH_S} s")
        tokenizer = self._tokenizer(speech.language)
        if speech.text:
            lane = _Lane(1, True, 0, aligns_only=True)
        else:
            prompt = len(self._prompt_words(speech, tokenizer))
            beam = 1 if speech.urgency is Urgency.PARTIAL else self._settings.beam_size
            lane = _Lane(beam, speech.with_words, prompt)
        wanted = _FULL_CONTEXT if full else max(seconds * _FRAMES_PER_S + _SILENCE_AFTER, self._floor)
        return Plan(lane, next(length for length in LENGTHS if length >= min(wanted, _FULL_CONTEXT)))

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            multilingual = self._model.model.is_multilingual
            known = self._model.supported_languages
            if language not in known and language != AUTO:
                raise LanguageError(f"the model {self._settings.model} does not know {language!r}")
            self._tokenizers[language] = Tokenizer(
                self._model.hf_tokenizer,
                multilingual,
                task="transcribe",
                language=known[0] if language == AUTO else language,
            )
        return self._tokenizers[language]

    def _prompt_words(self, speech: Speech, tokenizer: Tokenizer) -> list[int]:
        """Tokens of the hot words; none for a sound so short that the model would say them instead."""
        if not speech.hot_words or speech.voiced_ms < _HOT_WORDS_VOICED_MS:
            return []
        if speech.hot_words not in self._hot_words:
            tokens = tokenizer.encode(" " + ", ".join(speech.hot_words))[:_HOT_WORDS_TOKENS_MAX]
            self._hot_words[speech.hot_words] = [tokenizer.sot_prev, *tokens]
        return self._hot_words[speech.hot_words]

    # The work.

    def run(self, batch: Sequence[Speech], plan: Plan) -> list[Outcome]:
        """See ``SpeechModel.run``."""
        outcomes: list[Outcome] = [Recognition("", _first_language(speech), 0.0) for speech in batch]
        rows: list[_Row] = []
        places: list[int] = []
        for place, speech in enumerate(batch):
            sound = np.frombuffer(speech.pcm16, "<i2").astype(np.float32) / np.float32(32768)
            if not is_no_speech(sound):
                filters = self._model.feature_extractor.mel_filters
                rows.append((speech, log_mel(doubled(sound - sound.mean()), filters)[:, : plan.frames]))
                places.append(place)
        if rows:
            for place, outcome in zip(places, self._recognize(rows, plan), strict=True):
                outcomes[place] = outcome
        return outcomes

    def _recognize(self, rows: list[_Row], plan: Plan) -> list[Outcome]:
        lane = plan.lane
        assert isinstance(lane, _Lane)
        features = np.zeros((len(rows), rows[0][1].shape[0], plan.frames), np.float32)
        for index, (_, mel) in enumerate(rows):
            features[index, :, : mel.shape[1]] = mel
        encoded = self._model.encode(features)
        if lane.aligns_only:
            speeches = [speech for speech, _ in rows]
            texts = [self._tokenizer(speech.language).encode(" " + speech.text) for speech in speeches]
            words = self._words(encoded, rows, [speech.language for speech in speeches], texts)
            return [
                Recognition(speech.text, speech.language, 1.0, timed)
                for speech, timed in zip(speeches, words, strict=True)
            ]
        languages = self._languages(encoded, rows)
        decoded, tokens = self._decode(encoded, rows, [language for language, _ in languages], lane)
        verdicts = [judge(one) for one in decoded]
        kept = [ids if verdict is Verdict.KEEP else [] for ids, verdict in zip(tokens, verdicts, strict=True)]
        words = [()] * len(rows)
        if lane.with_words and any(kept):
            words = self._words(encoded, rows, [language for language, _ in languages], kept)
        return [
            _outcome(one, verdict, probability, timed)
            for one, verdict, (_, probability), timed in zip(decoded, verdicts, languages, words, strict=True)
        ]

    def _languages(self, encoded: Any, rows: list[_Row]) -> list[tuple[str, float]]:
        """The language of each row, given or detected, and its probability."""
        if all(speech.language != AUTO for speech, _ in rows) or not self._model.model.is_multilingual:
            return [(_first_language(speech), 1.0) for speech, _ in rows]
        found: list[tuple[str, float]] = []
        guesses = self._model.model.detect_language(encoded)
        for (speech, _), guess in zip(rows, guesses, strict=True):
            if speech.language != AUTO:
                found.append((speech.language, 1.0))
                continue
            by_code = {token[2:-2]: probability for token, probability in guess}
            allowed = [code for code in speech.languages if code in by_code] or list(by_code)
            best = max(allowed, key=lambda code: by_code[code])
            found.append((best, by_code[best] / max(sum(by_code[code] for code in allowed), 1e-9)))
        return found

    def _decode(
        self, encoded: Any, rows: list[_Row], languages: list[str], lane: _Lane
    ) -> tuple[list[Decoded], list[list[int]]]:
        prompts = []
        for (speech, _), language in zip(rows, languages, strict=True):
            tokenizer = self._tokenizer(language)
            words = self._prompt_words(speech, tokenizer) if lane.prompt else []
            prompts.append([*words, *tokenizer.sot_sequence, tokenizer.no_timestamps])
        caps = [int(mel.shape[1] / _FRAMES_PER_S * _TOKENS_PER_S) + _TOKENS_ALWAYS for _, mel in rows]
        most = max(caps)
        results = self._model.model.generate(
            encoded,
            prompts,
            beam_size=lane.beam,
            max_length=max(2 * most, most + len(prompts[0])),  # CTranslate2 allows half of it for new tokens
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=get_suppressed_tokens(self._tokenizer(languages[0]), [-1]),
        )
        decoded: list[Decoded] = []
        texts: list[list[int]] = []
        for (speech, _), language, cap, result in zip(rows, languages, caps, results, strict=True):
            tokenizer = self._tokenizer(language)
            ids = result.sequences_ids[0]
            texts.append([token for token in ids if token < tokenizer.eot])
            decoded.append(
                Decoded(
                    text=tokenizer.decode(texts[-1]).strip(),
                    language=language,
                    tokens=len(ids),
                    log_probability=result.scores[0] * len(ids) / (len(ids) + 1),
                    no_speech=result.no_speech_prob,
                    capped=len(ids) >= cap,
                    voiced_ms=speech.voiced_ms,
                )
            )
        return decoded, texts

    def _words(
        self, encoded: Any, rows: list[_Row], languages: list[str], texts: list[list[int]]
    ) -> list[tuple[Word, ...]]:
        """The words of each row and their times; one call for each language, as it starts differently."""
        timed: list[tuple[Word, ...]] = [()] * len(rows)
        order = sorted(range(len(rows)), key=lambda index: languages[index])
        for language, group in groupby(order, key=lambda index: languages[index]):
            members = set(group)
            tokenizer = self._tokenizer(language)
            found = self._model.find_alignment(
                tokenizer,
                [text if index in members else [] for index, text in enumerate(texts)],
                encoded,
                [mel.shape[1] // 2 * 2 for _, mel in rows],
            )
            for index in members:
                merge_punctuations(found[index], _PREPENDED, _APPENDED)
                timed[index] = tuple(_word(word) for word in found[index] if word["word"].strip())
        return timed


def _first_language(speech: Speech) -> str:
    if speech.language != AUTO:
        return speech.language
    return speech.languages[0] if speech.languages else "en"


def _outcome(
    decoded: Decoded, verdict: Verdict, language_probability: float, words: tuple[Word, ...]
) -> Outcome:
    match verdict:
        case Verdict.RETRY:
            rest = until_loop(decoded.text, decoded.language)
            count = len(units(rest, decoded.language))
            if too_many_tokens(count, decoded.voiced_ms):
                return Retry()
            confidence = math.exp(min(decoded.log_probability, 0.0)) * count / max(decoded.tokens, count, 1)
            return Retry(Recognition(rest, decoded.language, confidence, (), language_probability))
        case Verdict.EMPTY:
            return Recognition("", decoded.language, 0.0, language_probability=language_probability)
        case Verdict.KEEP:
            confidence = math.exp(min(decoded.log_probability, 0.0))
            return Recognition(decoded.text, decoded.language, confidence, words, language_probability)


def _word(word: dict[str, Any]) -> Word:
    return Word(word["word"].strip(), float(word["start"]), float(word["end"]), float(word["probability"]))
