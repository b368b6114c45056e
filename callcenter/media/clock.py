"""Where on a recording's time line the audio of a leg belongs.

Input never tells the time: gateways stop sending during silence, frames arrive late or in bursts, and
their clocks drift against ours. ``SampleClock`` turns arrivals, and time stamps where the gateway has
them, into positions in samples on a clock that runs from ``start_s``. Sound that follows on stays in one
piece; a hole in time becomes a hole in positions, which a recorder leaves silent.

With time stamps the offset between the gateway's clock and ours is taken from the arrivals with the least
delay, as in NTP's clock filter (RFC 5905, section 10).
"""

from typing import Final

MAX_ERROR_MS: Final = 60
"""How far positions may be from our clock before they are set right in one step."""
TOLERANCE_MS: Final = 10
"""Time stamps this close to where the last sound ended count as following on."""
REORDER_MS: Final = 1000
"""A time stamp that goes back by less is old sound, by more is a clock that was set back."""
WINDOW_S: Final = 5.0
"""How long the least delay is looked for before an older one is forgotten."""


class SampleClock:
    """The time line of one leg in one recording; ``start_s`` is position 0 on the caller's clock."""

    def __init__(self, start_s: float, rate_hz: int = 8000) -> None:
        self._start_s = start_s
        self._per_ms = rate_hz // 1000
        self._max_error = MAX_ERROR_MS * self._per_ms
        self._tolerance = TOLERANCE_MS * self._per_ms
        self._next = 0
        self._started = False
        self._stamp_next: int | None = None
        self._offset = 0
        self._least = 0
        self._least_before: int | None = None
        self._window_end_s = 0.0
        self._gap_samples = 0

    @property
    def gaps_ms(self) -> int:
        """Holes between the pieces placed so far."""
        return self._gap_samples // self._per_ms

    def place(self, samples: int, at_ms: int | None, now_s: float) -> int | None:
        """Say where a piece of ``samples`` that just arrived begins.

        ``at_ms`` is the gateway's time stamp of its first sample. ``None`` means that the piece is a
        duplicate or came too late, and is to be dropped. A position may lie up to a step of correction
        before the end of the piece before; the newer sound is then the right one.
        """
        arrived = round((now_s - self._start_s) * 1000 * self._per_ms) - samples
        if at_ms is None:
            return self._settle(self._by_arrival(arrived), samples)
        stamp = at_ms * self._per_ms
        back = 0 if self._stamp_next is None else self._stamp_next - stamp
        if back >= REORDER_MS * self._per_ms:
            self._stamp_next = None
        elif back > self._tolerance:
            return None
        position = self._by_stamp(stamp, arrived, now_s)
        self._stamp_next = stamp + samples
        return self._settle(position, samples)

    def _by_arrival(self, arrived: int) -> int:
        if self._started and abs(arrived - self._next) <= self._max_error:
            return self._next
        return arrived

    def _by_stamp(self, stamp: int, arrived: int, now_s: float) -> int:
        self._learn(arrived - stamp, now_s)
        position = stamp + self._offset
        if abs(position - self._next) <= self._tolerance:
            return self._next
        if position > self._next:
            self._offset = max(min(self._offset, self._least), self._next - stamp)
            return stamp + self._offset
        return position

    def _learn(self, offset: int, now_s: float) -> None:
        """Follow the least offset, the one of the arrival that was delayed least."""
        if self._stamp_next is None or offset < self._offset - self._max_error:
            self._offset = self._least = offset
            self._least_before = None
            self._window_end_s = now_s + WINDOW_S
            return
        self._least = min(self._least, offset)
        if now_s < self._window_end_s:
            return
        known = self._least if self._least_before is None else min(self._least, self._least_before)
        if known > self._offset + self._max_error // 2:
            self._offset = known
        self._least_before = self._least
        self._least = offset
        self._window_end_s = now_s + WINDOW_S

    def _settle(self, position: int, samples: int) -> int:
        position = max(0, position)
        if self._started and position > self._next:
            self._gap_samples += position - self._next
        self._started = True
        self._next = position + samples
        return position
