"""What keeps invented words out of transcripts. Pure."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from asr.features import Samples
from asr.languages import folded, is_stock_phrase, joined, units

_WINDOW, _HOP = 256, 128
_BAND = slice(10, 109)  # 312 to 3400 Hz in bins of 31 Hz
_HANN = np.hanning(_WINDOW).astype(np.float32)
_ACTIVE_POWER = 1e-5  # -50 dBFS
_ACTIVE_FRAMES = 3
_STRONGEST_BINS = 6
_TONE_SHARE = 0.97
_STEADY_DB = 3.0
_NOISE_FLATNESS_DB = -6.0
_NO_SPEECH, _NO_SPEECH_LOG_PROBABILITY = 0.6, -1.0
_COMPRESSION = 2.4
_ENOUGH_OF_A_LOOP = 3
VOICE = 0.35
"""A sound that is less likely a voice is not recognised at all."""

_SURE_VOICE, _BELIEVED, _FOR_VOICE = 0.78, 0.95, 0.45
_STOCK_PHRASE_VOICED_MS, _STOCK_PHRASE_LOG_PROBABILITY = 1500, -0.7
_TOKENS_PER_VOICED_S, _TOKENS_ALWAYS = 12, 10
_LONGEST_REPEATED = 6
_REPEATS, _REPEATS_OF_A_WORD, _REPEATS_OF_DIGITS = 4, 7, 12
_WORD_CHARACTERS = 3


def is_no_speech(sound: Samples) -> bool:
    """Whether 8 kHz sound of -1 to 1 is silence, a signalling tone, DTMF or steady noise, not speech.

    What is louder than -50 dBFS counts. It is a signal when its level varies by less than 3 dB (sentences:
    4.7 to 10.6, tones and noise: at most 2.7), and it is either a tone, six bins of which have 97 % of its
    energy, or noise with a spectrum flat to within 6 dB. Of 1,500 single words, of which some are as steady
    as a tone, none was taken for one. Music is neither.
    """
    if len(sound) < _WINDOW:
        return True
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    power = np.mean(np.square(frames), axis=1)
    frames, power = frames[power > _ACTIVE_POWER], power[power > _ACTIVE_POWER]
    if len(power) < _ACTIVE_FRAMES:
        return True
    if np.std(10 * np.log10(power)) > _STEADY_DB:
        return False
    spectrum = np.square(np.abs(np.fft.rfft(frames * _HANN, axis=1)[:, _BAND]))
    shape = spectrum / spectrum.sum(axis=1, keepdims=True) + 1e-12
    flatness_db = 10 * np.median(np.log10(shape).mean(axis=1) + np.log10(shape.shape[1]))
    strongest = np.partition(shape, -_STRONGEST_BINS, axis=1)[:, -_STRONGEST_BINS:].sum(axis=1)
    return bool(flatness_db > _NOISE_FLATNESS_DB or np.median(strongest) > _TONE_SHARE)


def compression_ratio(text: str) -> float:
    """How well the text compresses; above 2.4 it repeats itself (OpenAI Whisper, ``transcribe.py``)."""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded)) if encoded else 0.0


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a model made of an utterance with ``voiced_ms`` of voice.

    ``tokens`` were generated, ``capped`` when that was all it was allowed; ``log_probability`` is the mean
    over them.
    """

    text: str
    language: str
    tokens: int
    log_probability: float
    no_speech: float
    capped: bool
    voiced_ms: int


class Verdict(Enum):
    """What becomes of it: it stays, it is nothing, or the model has another try."""

    KEEP = auto()
    EMPTY = auto()
    RETRY = auto()


def judge(decoded: Decoded) -> Verdict:
    """Decide by the rules of OpenAI's ``transcribe.py`` and some of our own.

    No single sign suffices where people may be speaking: a low probability alone is a bad line. Text without
    a letter or digit is no text. A stock phrase is not worth another try.
    """
    text = decoded.text
    if not folded(text, decoded.language):
        return Verdict.EMPTY
    unsure = decoded.log_probability < _NO_SPEECH_LOG_PROBABILITY
    if decoded.no_speech > _NO_SPEECH and unsure:
        return Verdict.EMPTY
    if is_stock_phrase(text, decoded.language) and (
        decoded.voiced_ms < _STOCK_PHRASE_VOICED_MS or decoded.log_probability < _STOCK_PHRASE_LOG_PROBABILITY
    ):
        return Verdict.EMPTY
    parts = [folded(unit, decoded.language) for unit in units(text, decoded.language)]
    too_many = too_many_tokens(decoded.tokens, decoded.voiced_ms)
    if decoded.capped or too_many or compression_ratio(text) > _COMPRESSION or is_loop(parts):
        return Verdict.RETRY
    return Verdict.KEEP


def too_many_tokens(tokens: int, voiced_ms: int) -> bool:
    """Whether nobody speaks so fast: more than 12 tokens a second of voice, and ten more.

    By the tokens of multilingual Whisper, fast speech (9.5 morae or 6.5 syllables a second) has 5 to 9 a
    second in Japanese, 6.5 in English and in digits read out, and 12 in letters that are spelled. The ten
    are for single words, whose voice is short and measured roughly.
    """
    return tokens > _TOKENS_PER_VOICED_S * voiced_ms / 1000 + _TOKENS_ALWAYS


def is_loop(parts: Sequence[str]) -> bool:
    """Whether something of one to six units comes so often in a row that it is more than half of the text.

    ``parts`` are folded units; empty ones do not count. A phrase counts from four times on, a word from
    seven, for people say "no no no no no" and はいはいはい; a word is one unit or at most three characters.
    Digits count from twelve, as numbers may have many zeros.
    """
    said = [part for part in parts if part]
    for length in range(1, min(_LONGEST_REPEATED, len(said) // 2) + 1):
        run = 0
        for index in range(length, len(said)):
            run = run + 1 if said[index] == said[index - length] else 0
            times = run // length + 1
            if times * length * 2 > len(said) and times >= _too_often(said[index - length + 1 : index + 1]):
                return True
    return False


def until_loop(text: str, language: str) -> str:
    """``text`` up to where it begins to repeat itself: the first of three equal phrases in a row stays.

    What is left when a model has looped twice is worth more than nothing.
    """
    said = units(text, language)
    plain = [folded(unit, language) for unit in said]
    for end in range(1, len(plain) + 1):
        for length in range(1, min(_LONGEST_REPEATED, end // _ENOUGH_OF_A_LOOP) + 1):
            pieces = [plain[end - (n + 1) * length : end - n * length] for n in range(_ENOUGH_OF_A_LOOP)]
            if all(piece == pieces[0] for piece in pieces):
                return joined(said[: end - (_ENOUGH_OF_A_LOOP - 1) * length], language)
    return text


def is_believable(voice: float, confidence: float) -> bool:
    """Whether text of ``confidence`` is believed where a voice was there with the likelihood ``voice``.

    Words made of coughs, keys and breath have at most 0.72 where a voice is half likely and 0.57 where it
    is likely by 0.77; of 250 spoken sentences none had less than 0.71 below 0.77.
    """
    return voice >= _SURE_VOICE or confidence >= _BELIEVED - _FOR_VOICE * voice


def _too_often(piece: Sequence[str]) -> int:
    text = "".join(piece)
    if text.isnumeric():
        return _REPEATS_OF_DIGITS
    return _REPEATS_OF_A_WORD if len(piece) == 1 or len(text) <= _WORD_CHARACTERS else _REPEATS
