"""Two parties hear each other; what they say is offered to a recorder and a recognizer on the way.

This is the hot path: it runs once per frame and leg, 50 times a second.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from callcenter.media.clock import SampleClock
from callcenter.media.frame import FRAME_BYTES

TAP_BYTES: Final = 5 * FRAME_BYTES
"""How much is gathered for the taps. Among hundreds of legs their code and data leave the processor's caches
between two calls; five frames at a time cost about half of five times one."""

Tap = Callable[[bytes, int], None]
"""Takes PCM16 of any length and its position in samples on the call's clock; must not wait."""

Speaker = Callable[[bytes], Awaitable[None]]
"""Sends live audio to a party."""


class BridgeSide:
    """What one party says, on its way to the other: at once to the party, 100 ms at a time to the taps.

    Positions are samples at 8 kHz since ``started_s`` (monotonic seconds), so both sides share a clock.
    """

    def __init__(self, started_s: float, send: Speaker, taps: tuple[Tap, ...]) -> None:
        self._clock = SampleClock(start_s=started_s)
        self._send = send
        self._taps = taps
        self._open = True
        self._gathered = bytearray()
        self._gathered_at = 0
        self._next = 0

    @property
    def gap_ms(self) -> float:
        """Milliseconds that never arrived."""
        return self._clock.gaps_ms

    async def hear(self, pcm16: bytes, at_ms: int | None) -> None:
        """Pass audio on as it came. While the side is closed it is placed on the clock and dropped."""
        position = self._clock.place(len(pcm16) >> 1, at_ms, time.monotonic())
        if position is None or not self._open:
            return
        if position != self._next:
            self._tap()
        if not self._gathered:
            self._gathered_at = position
        self._gathered += pcm16
        self._next = position + (len(pcm16) >> 1)
        await self._send(pcm16)
        if len(self._gathered) >= TAP_BYTES:
            self._tap()

    def pass_to(self, send: Speaker) -> None:
        """Let somebody else, or several, hear the party from now on."""
        self._send = send

    def tap_with(self, taps: tuple[Tap, ...]) -> None:
        """Offer what is said from now on to other taps; the former get what was heard up to now."""
        if taps != self._taps:
            self._tap()
            self._taps = taps

    def close(self) -> None:
        """Pass nothing on until ``reopen``; the taps get what was heard up to now."""
        self._open = False
        self._tap()

    def reopen(self) -> None:
        """Pass audio on again."""
        self._open = True

    def _tap(self) -> None:
        if not self._gathered:
            return
        gathered = bytes(self._gathered)
        self._gathered.clear()
        for tap in self._taps:
            tap(gathered, self._gathered_at)
