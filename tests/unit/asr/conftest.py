"""Sounds that are no speech, and some that are, as PCM16 of 8 kHz."""

from collections.abc import Callable

import numpy as np
import pytest

from callcenter.media.espeak import Espeak
from callcenter.media.resample import to_8khz

RATE_HZ = 8000


def pcm16(sound: np.ndarray) -> bytes:
    return np.round(np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()


def noise(dbfs: float) -> bytes:
    return pcm16(np.random.default_rng(7).standard_normal(3 * RATE_HZ) * 10 ** (dbfs / 20))


def tones(*hz: float, on_s: float = 3.0, off_s: float = 0.0) -> bytes:
    at = np.arange(3 * RATE_HZ) / RATE_HZ
    sounding = at % (on_s + off_s) < on_s
    return pcm16(0.15 * sum(np.sin(2 * np.pi * f * at) for f in hz) * sounding)


def dtmf(digits: str) -> bytes:
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477)
    at = np.arange(int(0.1 * RATE_HZ)) / RATE_HZ
    keys = []
    for digit in digits:
        index = "123456789*0#".index(digit)
        pair = np.sin(2 * np.pi * rows[index // 3] * at) + np.sin(2 * np.pi * columns[index % 3] * at)
        keys += [0.2 * pair, np.zeros(int(0.08 * RATE_HZ))]
    return pcm16(np.concatenate(keys))


NO_SPEECH: dict[str, bytes] = {
    "digital silence": bytes(6 * RATE_HZ),
    "noise at -60 dBFS": noise(-60),
    "noise at -30 dBFS": noise(-30),
    "noise at -15 dBFS": noise(-15),
    "ringback": tones(440, 480, on_s=1.0, off_s=1.0),
    "busy": tones(480, 620, on_s=0.5, off_s=0.5),
    "dial tone": tones(350, 440),
    "fax": tones(2100),
    "beep": tones(1000, on_s=0.25, off_s=5.0),
    "dtmf": dtmf("5550123#"),
    "direct current": pcm16(np.full(3 * RATE_HZ, 0.1)),
}


@pytest.fixture(params=NO_SPEECH, ids=lambda name: name.replace(" ", "-"))
def no_speech(request: pytest.FixtureRequest) -> bytes:
    return NO_SPEECH[request.param]


@pytest.fixture(scope="session")
def say() -> Callable[[str], bytes]:
    voice = Espeak()

    def speak(text: str, name: str = "en-us") -> bytes:
        speech = voice.synthesize(text, name)
        return to_8khz(speech.pcm16, speech.rate_hz)

    return speak
