"""How loud a frame is, and how long it has been quiet. Pure."""

from collections.abc import Callable

import numpy as np

QUIET_DBFS = -45.0


def level_dbfs(pcm16: bytes) -> float:
    """Return the RMS level of PCM16 in dB relative to full scale; digital silence is -120."""
    samples = np.frombuffer(pcm16, dtype="<i2").astype(np.float64)
    if not samples.size:
        return -120.0
    power = float(np.mean(samples * samples)) / 32768.0**2
    return 10.0 * float(np.log10(max(power, 1e-12)))


class SilenceDetector:
    """Calls ``on_silence`` once when it has been quieter than ``QUIET_DBFS`` for ``silence_s``.

    Time is the audio's own position, so gaps count as silence. It starts with the first frame.
    """

    def __init__(self, silence_s: float, on_silence: Callable[[], None], rate_hz: int = 8000) -> None:
        self._limit = round(silence_s * rate_hz)
        self._on_silence = on_silence
        self._quiet_since: int | None = None
        self._fired = False

    def feed(self, pcm16: bytes, position: int) -> None:
        """Take audio at ``position`` samples."""
        if self._fired:
            return
        if self._quiet_since is None or level_dbfs(pcm16) > QUIET_DBFS:
            self._quiet_since = position
        elif position + len(pcm16) // 2 - self._quiet_since >= self._limit:
            self._fired = True
            self._on_silence()
