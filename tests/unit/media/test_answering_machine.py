"""Persons and machines told apart by how they answer, on synthesised speech."""

import numpy as np
import pytest

from callcenter.media.answering_machine import MachineDetector, Verdict
from callcenter.media.espeak import Espeak
from callcenter.media.hold_music import beep
from callcenter.media.resample import to_8khz

RATE_HZ = 8000
FRAME = 320


def speech(text: str, voice: str = "en-us", rate_wpm: int = 165) -> bytes:
    made = Espeak().synthesize(text, voice, rate_wpm)
    return to_8khz(made.pcm16, made.rate_hz)


def silence(seconds: float, dbfs: float = -60.0) -> bytes:
    """A quiet line, with a little noise."""
    noise = np.random.default_rng(7).normal(0, 10 ** (dbfs / 20), int(seconds * RATE_HZ))
    return (noise * 32767).astype("<i2").tobytes()


def heard(sound: bytes, piece: int = FRAME) -> tuple[MachineDetector, float]:
    """The detector after the verdict, and how many seconds that took."""
    detector = MachineDetector()
    for start in range(0, len(sound), piece):
        if detector.feed(sound[start : start + piece]) is not None:
            return detector, (start + piece) / 2 / RATE_HZ
    return detector, len(sound) / 2 / RATE_HZ


@pytest.mark.parametrize("voice", ["en-us", "en-us+f3", "en-us+m3", "de"])
@pytest.mark.parametrize("text", ["Hello?", "Yes?", "Hello, this is Ada.", "Smith speaking, good morning."])
def test_a_short_greeting_and_a_pause_is_a_person(voice: str, text: str) -> None:
    detector, after_s = heard(silence(0.4) + speech(text, voice) + silence(3))
    assert detector.verdict is Verdict.HUMAN
    assert after_s < 4


@pytest.mark.parametrize("voice", ["en-us", "en-us+f3", "en-us+m3"])
@pytest.mark.parametrize("pause_s", [0.0, 0.4, 1.0])
def test_who_speaks_on_is_a_machine(voice: str, pause_s: float) -> None:
    text = "You have reached the office of Smith and Jones. We cannot take your call at the moment."
    detector, after_s = heard(silence(pause_s) + speech(text, voice) + silence(3))
    assert detector.verdict is Verdict.MACHINE
    assert after_s < 4.1


def test_a_beep_at_once_is_a_machine() -> None:
    detector, _ = heard(silence(0.5) + beep(1000, 0.4) + silence(1))
    assert detector.verdict is Verdict.MACHINE


@pytest.mark.parametrize("hz", [425.0, 700.0, 1000.0, 1400.0, 2000.0])
def test_the_message_is_left_after_the_beep(hz: float) -> None:
    greeting = speech("You have reached Smith and Jones. Please leave a message after the tone, thank you.")
    detector = MachineDetector()
    detector.feed(greeting)
    assert detector.verdict is Verdict.MACHINE
    assert not detector.beeped
    detector.feed(silence(0.5) + beep(hz, 0.5))
    assert not detector.beeped
    detector.feed(silence(0.2))
    assert detector.beeped


@pytest.mark.parametrize("voice", ["en-us", "en-us+f3", "en-us+m3", "ja", "de"])
def test_speech_is_no_beep(voice: str) -> None:
    detector = MachineDetector()
    detector.feed(
        speech("Please leave a message. We will call you back as soon as we can. Ooooh, aaah, eeee.", voice)
    )
    assert not detector.beeped


def test_silence_is_nobody_knows_whom() -> None:
    detector, after_s = heard(silence(6))
    assert detector.verdict is Verdict.UNSURE
    assert after_s == pytest.approx(4, abs=0.1)


def test_a_click_is_no_greeting() -> None:
    click = b"\xff\x3f" * 80
    detector, _ = heard(silence(0.5) + click + silence(6))
    assert detector.verdict is Verdict.UNSURE


@pytest.mark.parametrize("piece", [2, 318, 320, 1000, 100_000])
def test_sound_may_come_in_any_pieces(piece: int) -> None:
    sound = silence(0.3) + speech("Hello?") + silence(2)
    assert heard(sound, piece)[0].verdict is Verdict.HUMAN


def test_a_greeting_in_another_language() -> None:
    assert heard(silence(0.3) + speech("もしもし", "ja") + silence(2))[0].verdict is Verdict.HUMAN
