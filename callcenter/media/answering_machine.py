"""A person or an answering machine? Told by how long the first words last, and by the beep. Pure.

Who picks up says a word or two and waits; a machine speaks on, or beeps. Where neither shows in time it is
taken for a person: better a greeting to a machine than silence to a customer. Feed PCM16 of 8 kHz as it
comes; time is counted in samples.
"""

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from callcenter.media.frame import FRAME_BYTES, SAMPLE_RATE_HZ

FRAME_S: Final = 0.02
VOICE_DBFS: Final = -42.0
GREETING_S: Final = 2.2
"""A person who picks up seldom speaks for longer before waiting for an answer."""
PAUSE_S: Final = 0.8
"""So long a silence after the first words is waiting for an answer."""
WORD_S: Final = 0.1
"""Shorter sounds are clicks."""
DECIDE_S: Final = 4.0
BEEP_HZ: Final = (350.0, 2200.0)
BEEP_S: Final = 0.18
_TONAL: Final = 0.75
_STEADY_HZ: Final = 40.0
_WINDOW: Final = np.hanning(SAMPLE_RATE_HZ // 50)
_BINS: Final = 1024
_BIN_HZ: Final = SAMPLE_RATE_HZ / _BINS


class Verdict(StrEnum):
    """Who has picked up."""

    HUMAN = "human"
    MACHINE = "machine"
    UNSURE = "unsure"  # counts as a person


class BeepDetector:
    """One clean tone that keeps its pitch for ``BEEP_S``, then silence or the end."""

    def __init__(self) -> None:
        self._hz = 0.0
        self._for_s = 0.0
        self.heard = False
        """A beep has begun."""
        self.over = False
        """It has begun and ended: the machine listens now."""

    def feed(self, frame: NDArray[np.float64]) -> None:
        """Take 20 ms of sound, full scale 1."""
        hz = _pitch_of(frame)
        if hz and abs(hz - self._hz) <= _STEADY_HZ:
            self._for_s += FRAME_S
            self.heard = self.heard or self._for_s >= BEEP_S
            return
        self.over = self.over or self.heard
        self._hz, self._for_s = hz, FRAME_S if hz else 0.0


class MachineDetector:
    """``feed`` until there is a ``verdict``; go on feeding where the beep is waited for."""

    def __init__(self) -> None:
        self._rest = b""
        self._beep = BeepDetector()
        self._at_s = 0.0
        self._speech_s = 0.0
        self._silence_s = 0.0
        self.verdict: Verdict | None = None

    @property
    def beeped(self) -> bool:
        """Whether a beep was heard to its end."""
        return self._beep.over

    @property
    def silent_s(self) -> float:
        """How long nothing has been heard."""
        return self._silence_s

    def feed(self, pcm16: bytes) -> Verdict | None:
        """Take what was heard; any length."""
        sound = self._rest + pcm16
        whole = len(sound) - len(sound) % FRAME_BYTES
        self._rest = sound[whole:]
        for start in range(0, whole, FRAME_BYTES):
            self._take(np.frombuffer(sound, "<i2", FRAME_BYTES // 2, start) / 32768)
        return self.verdict

    def _take(self, frame: NDArray[np.float64]) -> None:
        self._at_s += FRAME_S
        self._beep.feed(frame)
        if _level_dbfs(frame) > VOICE_DBFS:
            # A pause between words belongs to what is being said.
            self._speech_s += FRAME_S + (self._silence_s if self._speech_s else 0.0)
            self._silence_s = 0.0
        else:
            self._silence_s += FRAME_S
        if self.verdict is None:
            self.verdict = self._decide()

    def _decide(self) -> Verdict | None:
        if self._beep.heard or self._speech_s > GREETING_S:
            return Verdict.MACHINE
        if self._silence_s >= PAUSE_S:
            if self._speech_s >= WORD_S:
                return Verdict.HUMAN
            self._speech_s = 0.0
        return Verdict.UNSURE if self._at_s >= DECIDE_S else None


def _level_dbfs(frame: NDArray[np.float64]) -> float:
    power = float(np.mean(frame**2))
    return 10 * np.log10(power) if power > 0 else -120.0


def _pitch_of(frame: NDArray[np.float64]) -> float:
    """The frequency in Hz of a frame that is one tone; 0 for any other sound and for silence."""
    if len(frame) != len(_WINDOW) or _level_dbfs(frame) <= VOICE_DBFS:
        return 0.0
    power = np.abs(np.fft.rfft(frame * _WINDOW, _BINS)) ** 2
    peak = int(np.argmax(power))
    hz = peak * _BIN_HZ
    if not BEEP_HZ[0] <= hz <= BEEP_HZ[1]:
        return 0.0
    # A windowed tone of 20 ms is as wide as the window's main lobe: two of its bins on either side.
    lobe = round(2 * _BINS / len(frame))
    share = power[max(0, peak - lobe) : peak + lobe + 1].sum() / power.sum()
    return hz if share > _TONAL else 0.0
