"""What a telephone does with the audio it is sent: keep it, play 20 ms at a time, answer marks.

No clock, no task: the line asks for a frame whenever one is due.
"""

from collections import deque

from callcenter.simulator.speech import FRAME_BYTES, RATE_HZ, SILENCE_BYTE

BUFFER_MAX_BYTES = 120 * RATE_HZ
"""Audio sent further ahead than this is dropped."""

_MAGNITUDE_OF_LOUD = 0x2F
_LOUD = bytes(1 if ~code & 0x7F > _MAGNITUDE_OF_LOUD else 0 for code in range(256))
"""µ-law byte -> 1 where it is above about -40 dBFS."""

_VOICED_SAMPLES = 12
_PAUSE_FRAMES = 11


def is_voiced(frame: bytes) -> bool:
    """Whether a µ-law frame of 20 ms holds more than background."""
    return frame.translate(_LOUD).count(1) >= _VOICED_SAMPLES


class Playback:
    """The buffer of one telephone. All audio is µ-law of 8 kHz.

    ``gap_frames`` counts the frames of silence that broke up sound because the next piece came late (up
    to 200 ms; longer silence is a pause).
    """

    def __init__(self, limit_bytes: int = BUFFER_MAX_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()
        self._played = 0
        self._marks: deque[tuple[int, str]] = deque()
        self._silent_frames = _PAUSE_FRAMES
        self.gap_frames = 0

    def feed(self, ulaw: bytes) -> None:
        """Take audio to be played after what is there."""
        room = self._limit_bytes - len(self._buffer)
        self._buffer += ulaw[:room]

    def mark(self, name: str) -> list[str]:
        """Ask for ``name`` once the audio fed so far has been played; the marks that are due already."""
        self._marks.append((self._played + len(self._buffer), name))
        return self._due()

    def clear(self) -> list[str]:
        """Drop what has not been played; all marks that were waiting, in order."""
        self._buffer.clear()
        names = [name for _, name in self._marks]
        self._marks.clear()
        return names

    def play(self) -> tuple[bytes, list[str]]:
        """The next frame, silence where there is nothing, and the marks that are due after it."""
        frame = bytes(self._buffer[:FRAME_BYTES])
        if not frame:
            self._silent_frames += 1
            return _SILENCE, []
        if self._silent_frames < _PAUSE_FRAMES:
            self.gap_frames += self._silent_frames
        self._silent_frames = 0
        del self._buffer[:FRAME_BYTES]
        self._played += len(frame)
        return frame.ljust(FRAME_BYTES, _SILENCE[:1]), self._due() if self._marks else []

    def _due(self) -> list[str]:
        names = []
        while self._marks and self._marks[0][0] <= self._played:
            names.append(self._marks.popleft()[1])
        return names


_SILENCE = bytes([SILENCE_BYTE]) * FRAME_BYTES
