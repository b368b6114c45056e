"""What is no speech is not taken for speech, and the other way round."""

from collections.abc import Callable

import numpy as np
import pytest

from asr.guards import compression_ratio, is_no_speech


def samples(pcm16: bytes) -> np.ndarray:
    return np.frombuffer(pcm16, "<i2").astype(np.float32) / 32768


def test_tones_noise_and_silence_are_no_speech(no_speech: bytes) -> None:
    assert is_no_speech(samples(no_speech))


@pytest.mark.parametrize("text", ["Yes.", "No.", "One moment, please.", "Mm hm.", "Oh.", "Six."])
@pytest.mark.parametrize("level", [1.0, 0.1])
def test_speech_is_speech(say: Callable[..., bytes], text: str, level: float) -> None:
    for voice in ("en-us", "en-us+f2", "en-gb-scotland+m3"):
        assert not is_no_speech(samples(say(text, voice)) * np.float32(level))


def test_clipped_speech_is_speech(say: Callable[..., bytes]) -> None:
    assert not is_no_speech(np.clip(samples(say("I would like to pay my bill.")) * 20, -1, 1))


def test_nothing_is_no_speech() -> None:
    assert is_no_speech(np.zeros(0, np.float32))
    assert is_no_speech(np.ones(100, np.float32))


def test_repetition_compresses() -> None:
    assert compression_ratio("") == 0.0
    assert compression_ratio("Thank you for calling, how can I help you today?") < 1.5
    assert compression_ratio("Thank you. " * 30) > 2.4
