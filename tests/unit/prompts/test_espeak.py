"""The voice: words in time, voices by name, many threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from callcenter.errors import UsageError
from callcenter.media.espeak import Espeak

VOICE = Espeak()


def test_words_carry_their_place_in_text_and_sound() -> None:
    text = "Grüße, thank you for waiting."
    speech = VOICE.synthesize(text)
    spoken = [text[word.char_start : word.char_start + word.char_length] for word in speech.words]
    assert spoken[0].startswith("Gr")
    assert spoken[-1] == "waiting"
    starts = [word.start_s for word in speech.words]
    assert starts == sorted(starts)
    assert starts[-1] < len(speech.pcm16) / 2 / speech.rate_hz < 5


def test_a_higher_rate_is_shorter() -> None:
    slow = VOICE.synthesize("One two three four five.", rate_wpm=120)
    fast = VOICE.synthesize("One two three four five.", rate_wpm=240)
    assert len(fast.pcm16) < 0.7 * len(slow.pcm16)


def test_a_variant_sounds_different() -> None:
    plain = VOICE.synthesize("Hello there.", "en-us")
    variant = VOICE.synthesize("Hello there.", "en-us+f2")
    assert plain.pcm16 != variant.pcm16


@pytest.mark.parametrize("voice", ["nosuch", "en-us+nobody", "", "en-us+", "../../etc/passwd", "en\0us"])
def test_an_unknown_voice_is_named(voice: str) -> None:
    with pytest.raises(UsageError) as caught:
        VOICE.synthesize("Hello.", voice)
    assert repr(voice) in str(caught.value)
    assert VOICE.synthesize("Hello.").pcm16


@pytest.mark.parametrize("text", ["", " ", "\0", "\ud800", "[[h@'loU]] <break/>"])
def test_odd_texts_do_no_harm(text: str) -> None:
    speech = VOICE.synthesize(text)
    assert len(speech.pcm16) % 2 == 0


def test_threads_do_not_mix_their_sounds() -> None:
    texts = ["One.", "Two hundred and forty two.", "Three thousand."] * 4
    alone = {text: len(VOICE.synthesize(text).words) for text in set(texts)}
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(Espeak().synthesize, texts))
    assert [len(speech.words) for speech in together] == [alone[text] for text in texts]
    assert all(np.frombuffer(speech.pcm16, "<i2").any() for speech in together)
