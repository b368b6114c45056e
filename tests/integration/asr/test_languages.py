"""Languages side by side, with a model of random weights that says the same words whatever it hears."""

import asyncio

import numpy as np
import pytest

from asr import AUTO, LanguageError, Recognition, Speech
from asr.whisper import WhisperSettings, open_engine
from benchmarks._speech_models import WORDS, Shape, random_model
from support.ear import Ear

LANGUAGES = ("en", "ja", "de")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(random_model(Shape(128, 1, 2), tmp_path_factory.mktemp("babel") / "model", LANGUAGES))


@pytest.fixture(scope="module")
def noise() -> bytes:
    """Sound that is no tone and not steady, so that the model gets it."""
    rng = np.random.default_rng(1)
    level = np.repeat(rng.uniform(200, 9000, 40), 800)
    return (rng.standard_normal(32_000) * level).clip(-32000, 32000).astype("<i2").tobytes()


async def test_rows_of_several_languages_share_a_batch(model: str, noise: bytes) -> None:
    asked = [*LANGUAGES, AUTO, "ja", AUTO]
    async with open_engine(WhisperSettings(model=model, context=240, beam_size=1)) as engine:
        heard = await asyncio.gather(
            *(
                engine.recognize(Speech(noise, code, languages=("ja", "de"), with_words=True))
                for code in asked
            )
        )
        assert engine.stats().rows == len(asked)
        assert engine.stats().batches < len(asked)
    assert [one.language for one in heard if one.language_probability == 1.0] == ["en", "ja", "de", "ja"]
    assert {heard[3].language, heard[5].language} <= {"ja", "de"}
    assert 0.5 <= heard[3].language_probability < 1
    assert len({one.text for one in heard}) == 1
    assert len(heard[0].text.split()) > WORDS // 2
    assert all(one.words for one in heard)


def test_the_rows_of_a_mixed_batch_are_those_of_each_alone(model: str, noise: bytes) -> None:
    ear = Ear(WhisperSettings(model=model, context=240, beam_size=1))
    speeches = [Speech(noise, code, with_words=True) for code in LANGUAGES]
    plan = ear.model.plan(speeches[0], full=False)
    together = ear.model.run(speeches, plan)
    for speech, one in zip(speeches, together, strict=True):
        (alone,) = ear.model.run([speech], plan)
        assert isinstance(one, Recognition)
        assert isinstance(alone, Recognition)
        assert (one.text, one.language) == (alone.text, alone.language)
        assert len(one.words) == len(alone.words)


def test_a_language_that_no_whisper_knows_is_refused(model: str) -> None:
    ear = Ear(WhisperSettings(model=model, context=240))
    with pytest.raises(LanguageError, match="tlh"):
        ear.model.plan(Speech(b"", "tlh"), full=False)
