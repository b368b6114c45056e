import base64
import random

import numpy as np
import pytest

from callcenter.media.g711 import pcm16_to_ulaw, ulaw_to_pcm16
from callcenter.media.hold_music import music_on_hold
from callcenter.simulator.ears import begins_with, find, is_music, is_tone
from callcenter.simulator.playback import Playback, is_voiced
from callcenter.simulator.speech import (
    FRAME_BYTES,
    encode_frames,
    over_the_telephone,
    room_noise,
    telephone_band,
    utter,
)
from callcenter.simulator.voices import Voice

VOICE = Voice("en-us", 165, 50, 50, 0)
SILENCE = b"\xff" * FRAME_BYTES


def tone(hz: float, seconds: float, level: float = 8000.0) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(int(seconds * 8000)) / 8000).astype(np.float32)


def ulaw(samples: np.ndarray) -> bytes:
    return pcm16_to_ulaw(samples.astype("<i2").tobytes())


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


# Speech.


def test_a_sentence_is_cut_into_frames_of_20_ms() -> None:
    sentence = utter("My order number is 4071.", VOICE)
    frames = [base64.b64decode(frame) for frame in sentence.frames]
    assert {len(frame) for frame in frames} == {FRAME_BYTES}
    assert b"".join(frames)[: len(sentence.ulaw)] == sentence.ulaw
    assert 1.0 < sentence.duration_s < 4.0
    assert sentence.duration_s == pytest.approx(len(frames) * 0.02)


def test_the_seed_decides_level_and_noise() -> None:
    source = tone(800, 0.5).astype("<i2").tobytes()
    assert over_the_telephone(source, random.Random(1)) == over_the_telephone(source, random.Random(1))
    assert over_the_telephone(source, random.Random(1)) != over_the_telephone(source, random.Random(2))


def test_only_the_telephone_band_remains() -> None:
    assert rms(telephone_band(tone(1000, 0.5))) == pytest.approx(rms(tone(1000, 0.5)), rel=0.02)
    assert rms(telephone_band(tone(100, 0.5))) < 0.02 * rms(tone(100, 0.5))
    assert rms(telephone_band(tone(3800, 0.5))) < 0.02 * rms(tone(3800, 0.5))


def test_level_and_noise_are_those_of_a_telephone() -> None:
    still = np.zeros(4000, dtype=np.float32)
    source = np.concatenate([still, tone(800, 1.0), still]).astype("<i2").tobytes()
    for seed in range(5):
        heard = np.frombuffer(over_the_telephone(source, random.Random(seed)), "<i2").astype(np.float64)
        assert len(heard) == pytest.approx(8000, abs=16)  # stillness at both ends is gone
        assert -15 < 20 * np.log10(np.abs(heard).max() / 32768) < -4
        middle = heard[800:7200]
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))) ** 2
        peak = int(np.argmax(spectrum))
        signal = spectrum[peak - 8 : peak + 9].sum()
        assert 23 < 10 * np.log10(signal / (spectrum.sum() - signal)) < 42


def test_nothing_to_say_is_nothing() -> None:
    assert over_the_telephone(b"", random.Random(1)) == b""
    assert over_the_telephone(bytes(1600), random.Random(1)) == b""
    assert encode_frames(b"") == ()


def test_the_room_is_quiet_but_not_dead() -> None:
    noise = b"".join(base64.b64decode(frame) for frame in room_noise(1))
    level = rms(np.frombuffer(ulaw_to_pcm16(noise), "<i2").astype(np.float64))
    assert 2 < level < 40
    assert not any(is_voiced(noise[at : at + FRAME_BYTES]) for at in range(0, len(noise), FRAME_BYTES))
    assert is_voiced(ulaw(tone(500, 0.02, 3000)))


# Playing.


def test_sound_is_played_a_frame_at_a_time_and_silence_follows() -> None:
    playback = Playback()
    sound = ulaw(tone(500, 0.05))
    playback.feed(sound)
    played = [playback.play()[0] for _ in range(4)]
    assert {len(frame) for frame in played} == {FRAME_BYTES}
    assert b"".join(played) == sound + b"\xff" * (4 * FRAME_BYTES - len(sound))


def test_a_mark_returns_when_what_came_before_has_been_played() -> None:
    playback = Playback()
    playback.feed(SILENCE * 2)
    assert playback.mark("a") == []
    playback.feed(SILENCE)
    assert playback.mark("b") == []
    assert playback.mark("c") == []
    assert [playback.play()[1] for _ in range(4)] == [[], ["a"], ["b", "c"], []]


def test_a_mark_with_nothing_before_it_returns_at_once() -> None:
    assert Playback().mark("now") == ["now"]


def test_clear_drops_the_sound_and_returns_the_marks_in_order() -> None:
    playback = Playback()
    playback.feed(SILENCE * 5)
    playback.mark("a")
    playback.feed(SILENCE)
    playback.mark("b")
    playback.play()
    assert playback.clear() == ["a", "b"]
    assert playback.clear() == []
    assert playback.mark("after") == ["after"]


def test_marks_behind_a_clear_count_from_there() -> None:
    playback = Playback()
    playback.feed(SILENCE * 10)
    playback.clear()
    playback.feed(SILENCE)
    assert playback.mark("next") == []
    assert playback.play()[1] == ["next"]


def test_the_buffer_is_bounded() -> None:
    playback = Playback(limit_bytes=FRAME_BYTES)
    playback.feed(SILENCE * 3)
    assert playback.mark("end") == []
    assert playback.play()[1] == ["end"]


def test_a_late_frame_is_a_gap_and_a_pause_is_none() -> None:
    playback = Playback()
    playback.play()
    playback.feed(SILENCE)
    playback.play()
    assert playback.gap_frames == 0  # what comes first is never late
    playback.play()
    playback.feed(SILENCE)
    playback.play()
    assert playback.gap_frames == 1
    for _ in range(11):
        playback.play()
    playback.feed(SILENCE)
    playback.play()
    assert playback.gap_frames == 1


# Hearing.


def test_a_sentence_is_found_with_its_delay() -> None:
    said = utter("Why was I charged twelve dollars last week?", VOICE).ulaw
    match = find(said, b"\xff" * 400 + said + b"\xff" * 4000)
    assert match.score == 1.0
    assert match.delay_ms == 50.0


def test_a_sentence_is_found_in_noise_and_with_a_gap() -> None:
    said = utter("Why was I charged twelve dollars last week?", VOICE).ulaw
    middle = len(said) // 2
    assert find(said, said[:middle] + b"\xff" * 160 + said[middle:] + b"\xff" * 4000).score > 0.85
    samples = np.frombuffer(ulaw_to_pcm16(said), "<i2").astype(np.float64)
    noisy = samples + np.random.default_rng(1).standard_normal(len(samples)) * 200
    assert find(said, ulaw(np.clip(noisy, -32000, 32000)) + b"\xff" * 800).score > 0.8


@pytest.mark.parametrize("heard", [b"", b"\xff" * 8000, b"\xff" * 40_000])
def test_silence_is_not_a_sentence(heard: bytes) -> None:
    assert find(utter("Goodbye.", VOICE).ulaw, heard).score == 0.0
    assert find(b"", heard).score == 0.0


def test_another_sentence_is_not_the_sentence() -> None:
    said = utter("Please restart your router and wait ten minutes.", VOICE).ulaw
    other = utter("Thank you very much.", Voice("en-us+f2", 150, 70, 50, 0)).ulaw * 3
    assert find(said, other + b"\xff" * 8000).score < 0.5


def test_a_beep_is_a_tone_and_speech_is_none() -> None:
    assert is_tone(ulaw(tone(1000, 0.16)))
    assert is_tone(ulaw(tone(440, 0.16)))
    assert not is_tone(b"\xff" * 1280)
    assert not is_tone(ulaw(tone(1000, 0.05)))
    assert not is_tone(ulaw(tone(1000, 0.16, level=100)))
    speech = utter("Please leave a message after the tone.", VOICE).ulaw
    assert not any(is_tone(speech[at : at + 1280]) for at in range(0, len(speech) - 1280, 400))


def test_music_on_hold_is_music_and_prompts_are_none() -> None:
    music = pcm16_to_ulaw(music_on_hold())
    for second in (0, 1, 2, 7, 13):
        assert is_music(music[second * 8000 : second * 8000 + 4800])
    for text in ("Did you say sales?", "That is not one of the choices.", "For sales, say sales or press 1."):
        speech = utter(text, VOICE).ulaw
        assert not any(is_music(speech[at : at + 4800]) for at in range(0, len(speech) - 4800, 800))
    assert not is_music(b"\xff" * 4800)
    assert not is_music(b"")


def test_a_prompt_is_known_by_its_beginning() -> None:
    texts = ("Did you say sales? Say yes.", "That is not one of the choices.", "What would you like to know?")
    prompts = [utter(text, VOICE, 1).ulaw for text in texts]
    again = [utter(text, VOICE, 2).ulaw for text in texts]
    for one, said in enumerate(prompts):
        for other, heard in enumerate(again):
            assert begins_with(said, b"\xff" * 800 + heard[:9600]) is (one == other)
    assert begins_with(prompts[0], again[1] + again[0])
    assert not begins_with(prompts[0], b"\xff" * 9600)
    assert not begins_with(prompts[0], b"")
