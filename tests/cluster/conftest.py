"""Utterances to be recognised."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from callcenter.media.espeak import Espeak
from callcenter.media.resample import to_8khz
from support.utterances import Utterance

SENTENCES = (
    "Thank you for calling, how can I help you?",
    "I would like to speak to an operator.",
    "One moment, please.",
    "Could you please confirm your date of birth?",
    "I want to change my phone number.",
    "Speak to a supervisor.",
    "Did that solve your problem?",
    "Is there anything else I can help you with?",
)
VOICES = ("en-us", "en-us+m7", "en-us+f2")


def pytest_configure(config: pytest.Config) -> None:
    """Ray's own warnings: old ways of pydantic, and processes that it ended without asking how."""
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning")
    config.addinivalue_line("filterwarnings", "ignore:subprocess .* is still running:ResourceWarning")


@pytest.fixture(scope="session")
def utterances() -> list[Utterance]:
    voice, noise, said = Espeak(), np.random.default_rng(5), []
    for index in range(len(SENTENCES) * len(VOICES)):
        text, name = SENTENCES[index % len(SENTENCES)], VOICES[index // len(SENTENCES)]
        speech = voice.synthesize(text, name)
        sound = np.frombuffer(to_8khz(speech.pcm16, speech.rate_hz), "<i2").astype(np.float64)
        sound = np.concatenate([np.zeros(2400), 0.9 * sound, np.zeros(1600)])
        sound += noise.standard_normal(len(sound)) * 16
        said.append(Utterance(text, np.round(sound).clip(-32768, 32767).astype("<i2").tobytes()))
    return said


@pytest.fixture(scope="session", autouse=True)
def replicas_find_support() -> Iterator[None]:
    """Lets the processes that Ray starts import ``support``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        yield
