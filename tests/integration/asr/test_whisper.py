"""The bundled model hears the simulated callers, and only them."""

import asyncio
import contextlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import jiwer
import numpy as np
import pytest

import asr.whisper
from asr import LanguageError, ModelError, RecognitionError, Speech
from asr.whisper import WhisperBatches, WhisperSettings, open_engine
from support.ear import Ear

BUNDLED = Path(asr.whisper.__file__).parent / "models" / "demo-en"
# The voices that the model hears best, so that the bounds can be tight.
VOICES = ("en-us", "en+linda", "en-us+m7", "en-gb-x-rp", "en-us+f2", "en-029+f4")
SENTENCES = (
    "Thank you for calling, how can I help you?",
    "I would like to speak to an operator.",
    "The last four digits are 7981.",
    "One moment, please.",
    "Could you please confirm your date of birth?",
    "I want to change my phone number.",
    "Speak to a supervisor.",
    "Did that solve your problem?",
    "The security code is 460.",
    "Is there anything else I can help you with?",
    "I was charged eighty dollars and five cents.",
    "Please hold while I transfer you to reception.",
)


def words(text: str) -> str:
    return re.sub(r"[^a-z0-9' ]", "", text.lower()).strip()


def error_rate(ear: Ear, sounds: list[bytes]) -> float:
    heard = [words(ear.hear(sound).text) for sound in sounds]
    return float(jiwer.wer([words(sentence) for sentence in SENTENCES], heard))


@pytest.fixture(scope="session")
def sounds(telephone: Callable[..., bytes]) -> list[bytes]:
    return [telephone(text, VOICES[index % len(VOICES)]) for index, text in enumerate(SENTENCES)]


def test_sentences_of_its_grammar_are_understood(ear: Ear, sounds: list[bytes]) -> None:
    assert error_rate(ear, sounds) <= 0.1


def test_low_level_and_direct_current_do_not_matter(ear: Ear, sounds: list[bytes]) -> None:
    quiet_and_offset = [
        (np.frombuffer(sound, "<i2") * 0.2 + 300).astype("<i2").tobytes() + bytes(8000) for sound in sounds
    ]
    assert error_rate(ear, quiet_and_offset) <= 0.15


def test_confidence_is_high_for_speech_and_text_is_clean(ear: Ear, sounds: list[bytes]) -> None:
    heard = [ear.hear(sound) for sound in sounds]
    assert all(0.4 < recognition.confidence <= 1.0 for recognition in heard)
    assert all(recognition.text == recognition.text.strip() != "" for recognition in heard)
    assert all("<|" not in recognition.text for recognition in heard)


@pytest.mark.parametrize("size", [0, 2, 318, 320, 1278, 2000])
def test_hardly_any_sound_is_no_text(ear: Ear, size: int) -> None:
    assert ear.hear(bytes(size)).text == ""


@pytest.mark.parametrize("frames", [58, 60, 140, 156, 160, 240, 256, 500, 1500, 2900])
def test_every_length_can_be_recognised(frames: int, ear: Ear) -> None:
    syllables = np.sin(2 * np.pi * 3 * np.arange(frames * 80) / 8000) ** 2
    buzz = syllables * np.sign(np.sin(2 * np.pi * 140 * np.arange(frames * 80) / 8000)) * 6000
    with contextlib.suppress(RecognitionError):
        heard = ear.hear(buzz.astype("<i2").tobytes())
        assert len(heard.text.split()) < 8 * frames / 100 + 12


def test_more_than_a_window_is_refused(ear: Ear) -> None:
    with pytest.raises(RecognitionError, match="30 s"):
        ear.hear(bytes(16_000 * 30 + 2))


def test_an_unknown_language_is_refused(ear: Ear) -> None:
    with pytest.raises(LanguageError, match="'ja'"):
        ear.hear(bytes(16_000), "ja")


async def test_recognizer_answers_many_at_once(sounds: list[bytes]) -> None:
    async with open_engine(WhisperSettings(workers=2)) as recognizer:
        heard = await asyncio.gather(*(recognizer.recognize(Speech(sound, "en")) for sound in sounds))
        assert recognizer.stats().done == len(sounds)
    rate = jiwer.wer([words(text) for text in SENTENCES], [words(one.text) for one in heard])
    assert rate <= 0.1
    with pytest.raises(RecognitionError, match="closed"):
        await recognizer.recognize(Speech(sounds[0], "en"))


def broken(tmp_path: Path, name: str, content: bytes) -> str:
    folder = tmp_path / "model"
    shutil.copytree(BUNDLED, folder)
    (folder / name).write_bytes(content)
    return str(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.bin", b""),
        ("model.bin", b"\0" * 5000),
        ("tokenizer.json", b"{"),
        ("config.json", b"{"),
        ("preprocessor_config.json", b"[]"),
    ],
)
async def test_a_broken_model_is_one_clear_line(tmp_path: Path, name: str, content: bytes) -> None:
    model = broken(tmp_path, name, content)
    with pytest.raises(ModelError) as caught:
        async with open_engine(WhisperSettings(model=model)):
            pass
    assert str(caught.value).startswith(f"asr.model: {model}: cannot be loaded: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("/nonexistent/model", "no such folder"),
        ("./nonexistent", "no such folder"),
        ("gigantic", "neither a folder nor one of demo-en, tiny"),
    ],
)
def test_a_missing_model_is_one_clear_line(model: str, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        WhisperBatches(WhisperSettings(model=model)).load()


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model\.bin"):
        WhisperBatches(WhisperSettings(model=str(tmp_path))).load()


def test_a_wrong_compute_type_is_named() -> None:
    with pytest.raises(ModelError, match="int7"):
        WhisperBatches(WhisperSettings(compute_type="int7")).load()


def test_a_copy_of_the_model_elsewhere_works_with_full_context(tmp_path: Path, sounds: list[bytes]) -> None:
    shutil.copytree(BUNDLED, tmp_path / "model")
    ear = Ear(WhisperSettings(model=str(tmp_path / "model"), beam_size=1))
    assert error_rate(ear, sounds) <= 0.15
