"""Voiced frames."""

from collections.abc import Callable

import numpy as np

from asr.framing import FRAME_BYTES
from asr.vad import VoiceDetector


def share(pcm16: bytes) -> float:
    detector = VoiceDetector()
    frames = [pcm16[at : at + FRAME_BYTES] for at in range(0, len(pcm16) - FRAME_BYTES + 1, FRAME_BYTES)]
    return sum(map(detector, frames)) / len(frames)


def test_speech_is_mostly_voiced(say: Callable[..., bytes]) -> None:
    assert share(say("I would like to speak to an operator, please.")) > 0.8


def test_quiet_noise_and_silence_never_are() -> None:
    noise = np.random.default_rng(1).standard_normal(16_000) * 32.768
    assert share(noise.astype("<i2").tobytes()) == 0
    assert share(bytes(32_000)) == 0
