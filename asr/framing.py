"""From chunks of any size to frames of 20 ms on an absolute clock of samples. Pure."""

from asr.recognizer import SAMPLE_RATE_HZ

FRAME_SAMPLES = SAMPLE_RATE_HZ // 50
FRAME_BYTES = 2 * FRAME_SAMPLES


class Framer:
    """Cuts audio into whole frames without ever closing up a gap.

    A gap of up to a second becomes zeros. A longer one is a jump: the next frame simply has a later
    position. What comes twice or late is dropped; a step back of more than a second is a new clock.
    """

    def __init__(self, max_gap_samples: int = SAMPLE_RATE_HZ) -> None:
        self._max_gap_samples = max_gap_samples
        self._rest = b""
        self._next: int | None = None

    def push(self, pcm16: bytes, position: int) -> list[tuple[int, bytes]]:
        """Take PCM16 whose first sample has ``position``; return the frames that are whole now.

        Raises ``ValueError`` for half a sample.
        """
        if position == self._next and not self._rest and len(pcm16) == FRAME_BYTES:
            self._next = position + FRAME_SAMPLES
            return [(position, pcm16)]
        if len(pcm16) % 2:
            raise ValueError(f"{len(pcm16)} bytes are not a whole number of samples")
        frames: list[tuple[int, bytes]] = []
        gap = 0 if self._next is None else position - self._next
        if abs(gap) > self._max_gap_samples:
            frames = self.flush()
            gap = 0
        if gap < 0:
            pcm16 = pcm16[-2 * gap :]
            position -= gap
        if not pcm16:
            return frames
        start = position - max(gap, 0) - len(self._rest) // 2
        waiting = self._rest + bytes(2 * max(gap, 0)) + pcm16
        whole = len(waiting) - len(waiting) % FRAME_BYTES
        frames += [(start + at // 2, waiting[at : at + FRAME_BYTES]) for at in range(0, whole, FRAME_BYTES)]
        self._rest = waiting[whole:]
        self._next = position + len(pcm16) // 2
        return frames

    def flush(self) -> list[tuple[int, bytes]]:
        """Complete the frame in progress with zeros and forget the clock."""
        frames = []
        if self._rest and self._next is not None:
            frames = [(self._next - len(self._rest) // 2, self._rest.ljust(FRAME_BYTES, b"\0"))]
        self._rest = b""
        self._next = None
        return frames
