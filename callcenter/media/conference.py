"""Who hears whom among two parties or more.

Where a party hears one other, sound goes straight from the one to the other, as on every call. Where it hears
several, an ear of its own sums them, every 20 ms for as long as that lasts.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from callcenter.media.bridge import BridgeSide, Speaker, Tap
from callcenter.media.clock import SampleClock
from callcenter.media.frame import FRAME_MS, FRAME_SAMPLES
from callcenter.media.mixer import Mixer

log = logging.getLogger(__name__)

FRAME_S: Final = FRAME_MS / 1000
MAX_LATE_S: Final = 0.1
"""After a longer stop of the event loop the missed frames are left out, not made up in a burst."""


async def _nobody(_pcm16: bytes) -> None:
    """Nobody hears this party."""


@dataclass(frozen=True, slots=True)
class _Seat:
    side: BridgeSide
    send: Speaker


class Conference:
    """The parties of one conversation by name. ``tasks`` keeps the ears, ``started_s`` begins the clock."""

    def __init__(self, started_s: float, tasks: asyncio.TaskGroup) -> None:
        self._started_s = started_s
        self._tasks = tasks
        self._seats: dict[str, _Seat] = {}
        self._ears: dict[str, _Ear] = {}

    def seat(self, name: str, side: BridgeSide, send: Speaker) -> None:
        """Let a party in, or give it another side; ``connect`` says whom it hears."""
        self._seats[name] = _Seat(side, send)

    def unseat(self, name: str) -> None:
        """Let a party go; ``connect`` again afterwards."""
        self._seats.pop(name, None)

    def connect(self, hears: Mapping[str, Collection[str]], taps: Mapping[str, Tap] | None = None) -> None:
        """Let each party hear those who are named, as far as they are seated.

        ``taps`` get what a party with an ear of its own hears, on the call's clock.
        """
        targets: dict[str, list[Speaker]] = {name: [] for name in self._seats}
        ears = {}
        for listener, seat in self._seats.items():
            heard = [name for name in self._seats if name in hears.get(listener, ())]
            if len(heard) < 2:
                for name in heard:
                    targets[name].append(seat.send)
                continue
            ear = self._ears.pop(listener, None) or self._open(listener)
            ear.listen_to(heard, seat.send, (taps or {}).get(listener))
            ears[listener] = ear
            for name in heard:
                targets[name].append(ear.of(name))
        self._close_ears()
        self._ears = ears
        for name, seat in self._seats.items():
            seat.side.pass_to(_to_all(targets[name]))

    def close(self) -> None:
        """Nobody hears anybody any more."""
        for seat in self._seats.values():
            seat.side.pass_to(_nobody)
        self._close_ears()

    def _open(self, listener: str) -> "_Ear":
        ear = _Ear(self._started_s)
        ear.task = self._tasks.create_task(ear.run(), name=f"ear of {listener}")
        return ear

    def _close_ears(self) -> None:
        for ear in self._ears.values():
            assert ear.task is not None
            ear.task.cancel()
        self._ears = {}


def _to_all(targets: Sequence[Speaker]) -> Speaker:
    if len(targets) < 2:
        return targets[0] if targets else _nobody

    async def send(pcm16: bytes) -> None:
        for target in targets:
            await target(pcm16)

    return send


class _Ear:
    """One listener to several sources."""

    def __init__(self, started_s: float) -> None:
        self._mixer = Mixer()
        self._clock = SampleClock(start_s=started_s)
        self._send: Speaker = _nobody
        self._tap: Tap | None = None
        self.task: asyncio.Task[None] | None = None

    def listen_to(self, sources: Collection[str], send: Speaker, tap: Tap | None) -> None:
        self._mixer.listen_to(sources)
        self._send, self._tap = send, tap

    def of(self, source: str) -> Speaker:
        add = self._mixer.add

        async def take(pcm16: bytes) -> None:
            add(source, pcm16)

        return take

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            due_s += FRAME_S
            late_s = loop.time() - due_s
            if late_s > MAX_LATE_S:
                due_s += late_s
            await asyncio.sleep(due_s - loop.time())
            try:
                await self._tick()
            except Exception:  # a third party must not end the call of the other two
                log.exception("what several said could not be given to a party")
                return

    async def _tick(self) -> None:
        frame = self._mixer.frame()
        if frame is None:
            return
        await self._send(frame)
        if self._tap is not None:
            position = self._clock.place(FRAME_SAMPLES, None, time.monotonic())
            if position is not None:
                self._tap(frame, position)
