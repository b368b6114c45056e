"""Telephone speech of the simulator's kind, and the bundled model, loaded once."""

import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from asr.whisper import WhisperSettings
from callcenter.media.espeak import Espeak
from callcenter.media.g711 import pcm16_to_ulaw, ulaw_to_pcm16
from callcenter.media.resample import to_8khz
from support.ear import Ear

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture(scope="session")
def ear() -> Iterator[Ear]:
    ear = Ear(WhisperSettings())
    yield ear
    ear.model.close()


@pytest.fixture(scope="session")
def telephone() -> Callable[..., bytes]:
    """Speech through a telephone: 8 kHz, mu-law, with a little noise of the line."""
    voice, noise = Espeak(), np.random.default_rng(5)

    def call(text: str, name: str = "en-us") -> bytes:
        spoken = re.sub(r"\d+", lambda number: " ".join(DIGITS[int(digit)] for digit in number.group()), text)
        speech = voice.synthesize(spoken, name)
        sound = np.frombuffer(to_8khz(speech.pcm16, speech.rate_hz), "<i2") / 32768
        sound = np.concatenate([np.zeros(2400), sound, np.zeros(1600)])
        sound = 0.9 * sound + noise.standard_normal(len(sound)) * 0.0005
        return ulaw_to_pcm16(
            pcm16_to_ulaw(np.round(sound * 32767).clip(-32768, 32767).astype("<i2").tobytes())
        )

    return call
