"""What one party hears of several others: their sound, summed frame by frame. Pure.

PCM is 16-bit little-endian, mono, 8 kHz. Two parties never need this; it begins with the third.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from callcenter.media.frame import FRAME_BYTES

MAX_WAITING_BYTES: Final = 4 * FRAME_BYTES
"""80 ms of one source: more waits for nobody, the oldest goes. Enough for the jitter of two clocks."""


def mix(frames: Sequence[bytes]) -> bytes:
    """Sum frames of equal length, sample by sample; what 16 bits cannot hold stays at their limit."""
    if len(frames) == 1:
        return frames[0]
    total = np.zeros(len(frames[0]) // 2, np.int32)
    for frame in frames:
        total += np.frombuffer(frame, "<i2")
    return np.clip(total, -32768, 32767).astype("<i2").tobytes()


class Mixer:
    """The sources of one listener. ``add`` what arrives; take a ``frame`` every 20 ms of the listener's time.

    A source that has nothing in time is silent in that frame; what it sends too late is what is dropped as
    the oldest. ``dropped_bytes`` counts that.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, bytearray] = {}
        self.dropped_bytes = 0

    def listen_to(self, sources: Iterable[str]) -> None:
        """Hear these and nobody else; what others had waiting is gone."""
        self._waiting = {source: self._waiting.get(source, bytearray()) for source in sources}

    def add(self, source: str, pcm16: bytes) -> None:
        """Take sound of any length; of a source that is not listened to it is dropped."""
        waiting = self._waiting.get(source)
        if waiting is None:
            return
        waiting += pcm16
        excess = len(waiting) - MAX_WAITING_BYTES
        if excess > 0:
            frames = -(-excess // FRAME_BYTES)
            del waiting[: frames * FRAME_BYTES]
            self.dropped_bytes += frames * FRAME_BYTES

    def frame(self) -> bytes | None:
        """The next 20 ms of all who have a whole frame; ``None`` when nobody has."""
        frames = []
        for waiting in self._waiting.values():
            if len(waiting) >= FRAME_BYTES:
                frames.append(bytes(waiting[:FRAME_BYTES]))
                del waiting[:FRAME_BYTES]
        return mix(frames) if frames else None
