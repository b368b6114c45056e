"""Sounds that can be told apart, and mouths and ears for the parties of a test's calls.

All sound here is 16-bit little-endian PCM, mono, 8000 Hz. µ-law is that of ``streamdouble``, which is
written apart from the service's own.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from streamdouble import g711  # type: ignore[import-untyped]

RATE_HZ = 8000
FRAME_S = 0.02
FRAME_BYTES = 320
SILENCE = bytes(FRAME_BYTES)
AUDIBLE_DBFS = -40.0


def tone(hz: float, seconds: float, dbfs: float = -12.0) -> bytes:
    """A pure tone."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (10 ** (dbfs / 20) * 32767 * np.sin(2 * math.pi * hz * times)).astype("<i2").tobytes()


def samples_of(pcm16: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm16, dtype="<i2").astype(np.float64) / 32768


def loudness(pcm16: bytes) -> float:
    """RMS level in dBFS; -120 for nothing at all."""
    samples = samples_of(pcm16)
    return 10 * math.log10(max(float(np.mean(samples**2)) if samples.size else 0.0, 1e-12))


def strength(pcm16: bytes, hz: float) -> float:
    """The amplitude of the part at ``hz``, in dBFS (Goertzel)."""
    samples = samples_of(pcm16)
    turns = np.exp(-2j * math.pi * hz * np.arange(samples.size) / RATE_HZ)
    amplitude = 2 * abs(complex(samples @ turns)) / max(samples.size, 1)
    return 20 * math.log10(max(amplitude, 1e-6))


def sounds_at(pcm16: bytes, hz: float) -> bool:
    """Whether a piece of at least 20 ms is a tone of ``hz`` and not much else."""
    level = loudness(pcm16)
    return len(pcm16) >= FRAME_BYTES and level > AUDIBLE_DBFS and strength(pcm16, hz) > level


def to_ulaw(pcm16: bytes) -> bytes:
    return bytes(g711.encode(np.frombuffer(pcm16, dtype="<i2")))


def from_ulaw(ulaw: bytes) -> bytes:
    return np.asarray(g711.decode(ulaw), dtype="<i2").tobytes()


@dataclass(frozen=True, slots=True)
class Piece:
    """Sound as it was heard; ``at`` is the loop's time."""

    at: float
    pcm16: bytes


class Ears:
    """What a party heard, with the time of each piece."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []

    def hear(self, pcm16: bytes) -> None:
        self.pieces.append(Piece(_now(), pcm16))

    def since(self, at: float) -> list[Piece]:
        return [piece for piece in self.pieces if piece.at >= at]

    def sound_since(self, at: float) -> bytes:
        return b"".join(piece.pcm16 for piece in self.since(at))

    def longest_pause(self, since: float, until: float) -> float:
        """The longest time without a piece, in seconds."""
        times = [since, *(piece.at for piece in self.pieces if since < piece.at < until), until]
        return max(after - before for before, after in pairwise(times))

    async def tone(self, hz: float, within_s: float = 3.0) -> float:
        """Wait for a piece that sounds at ``hz``, from now on; return when it came."""
        return await self._wait(lambda pcm16: sounds_at(pcm16, hz), within_s, f"a tone of {hz} Hz")

    async def anything(self, within_s: float = 3.0) -> float:
        """Wait for sound of any kind."""
        return await self._wait(lambda pcm16: loudness(pcm16) > AUDIBLE_DBFS, within_s, "a sound")

    async def _wait(self, fits: Callable[[bytes], bool], within_s: float, what: str) -> float:
        at, seen = _now(), len(self.pieces)
        while _now() < at + within_s:
            for piece in self.pieces[seen:]:
                seen += 1
                if fits(piece.pcm16):
                    return piece.at
            await asyncio.sleep(0.002)
        raise AssertionError(f"{what} was not heard within {within_s} s")


class Mouth:
    """What a party says, a frame at a time; silence when there is nothing to say."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self.hold_breath = False

    def say(self, pcm16: bytes) -> None:
        frames = range(0, len(pcm16), FRAME_BYTES)
        self._waiting.extend(pcm16[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0") for at in frames)

    def hush(self) -> None:
        """Say no more."""
        self._waiting.clear()

    def frame(self) -> bytes | None:
        """The next 20 ms; nothing while the party holds its breath, as a network without silence does."""
        if self._waiting:
            return self._waiting.popleft()
        return None if self.hold_breath else SILENCE


class Beat:
    """Wakes every 20 ms on absolute deadlines."""

    def __init__(self) -> None:
        self._next = _now()

    async def wait(self) -> None:
        self._next += FRAME_S
        await asyncio.sleep(max(0.0, self._next - _now()))


def _now() -> float:
    return asyncio.get_running_loop().time()


async def delay_ms(mouth: Mouth, ears: Ears, hz: float, bursts: int = 5) -> float:
    """The median time from a tone's first frame at one party to its being heard by the other."""
    delays = []
    for _ in range(bursts):
        waiting = asyncio.create_task(ears.tone(hz), name="ear")
        await asyncio.sleep(0)
        began = _now()
        mouth.say(tone(hz, 0.1))
        delays.append((await waiting - began) * 1000)
        await asyncio.sleep(0.2)
    return sorted(delays)[bursts // 2]
