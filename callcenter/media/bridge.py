"""Two parties hear each other; every frame is offered to a recorder and a recognizer on the way.

This is the hot path: it runs once per frame and leg, 50 times a second.
"""

import time
from collections.abc import Awaitable, Callable

from callcenter.media.clock import SampleClock

Tap = Callable[[bytes, int], None]
"""Takes PCM16 and its position in samples on the call's clock; must not wait."""

Speaker = Callable[[bytes], Awaitable[None]]
"""Sends live audio to a party."""


class BridgeSide:
    """What one party says, on its way to the other.

    Positions are samples at 8 kHz since ``started_s`` (monotonic seconds), so both sides share a clock.
    """

    def __init__(self, started_s: float, send: Speaker, taps: tuple[Tap, ...]) -> None:
        self._clock = SampleClock(start_s=started_s)
        self._send = send
        self._taps = taps
        self.open = True

    @property
    def gap_ms(self) -> float:
        """Milliseconds that never arrived."""
        return self._clock.gaps_ms

    async def hear(self, pcm16: bytes, at_ms: int | None) -> None:
        """Pass audio on as it came. While the side is closed it is placed on the clock and dropped."""
        position = self._clock.place(len(pcm16) >> 1, at_ms, time.monotonic())
        if position is None or not self.open:
            return
        await self._send(pcm16)
        for tap in self._taps:
            tap(pcm16, position)
