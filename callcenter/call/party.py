"""One person on a call: a leg, what they are to hear, and where what they say goes."""

import asyncio
from collections.abc import Awaitable, Callable

from callcenter.media.pacer import Pacer
from callcenter.media.playout import Finished, Losses, Playout, SendAudio, SendMark
from callcenter.telephony.port import Leg, LegInfo

Listener = Callable[[bytes, int | None], Awaitable[None]]
"""Takes what the party says: PCM16 as it came, and the gateway's time stamp in ms."""


def _ignore(_word: str) -> None:
    """Take no notice."""


class Party:
    """The call's side of a leg (a ``LegSink``): plays to the party and listens to it.

    ``on_key`` and ``on_gone`` are told of keys and of the end; ``on_gone`` once. ``gone_why`` is the reason
    of the end, empty before it; ``gone`` is set by it. Sound that the party misses is added to ``losses``.
    """

    def __init__(self, leg: Leg, pacer: Pacer, losses: Losses | None = None) -> None:
        self._leg = leg
        self._pacer = pacer
        self._loop = asyncio.get_running_loop()
        self._playout = Playout(leg.info.paced_by, losses=losses)
        self._plays: dict[str, asyncio.Future[bool]] = {}
        self._plays_begun = 0
        self._clears = 0
        self._listener: Listener | None = None
        self.gone = asyncio.Event()
        self.gone_why = ""
        self.on_key: Callable[[str], None] = _ignore
        self.on_gone: Callable[[str], None] = _ignore
        pacer.wake(self)

    @property
    def info(self) -> LegInfo:
        """Who the party is."""
        return self._leg.info

    # What the party hears.

    async def play(self, pcm16: bytes) -> bool:
        """Play a sound after what is queued; returns whether it was heard to its end."""
        if self.gone.is_set():
            return False
        self._plays_begun += 1
        mark = f"p{self._plays_begun}"
        heard: asyncio.Future[bool] = self._loop.create_future()
        self._plays[mark] = heard
        self._playout.play(pcm16, mark)
        self._pacer.wake(self)
        return await heard

    def loop(self, pcm16: bytes) -> None:
        """Play a sound over and over until ``quiet`` or ``play``."""
        if not self.gone.is_set():
            self._playout.loop(pcm16)
            self._pacer.wake(self)

    async def quiet(self) -> None:
        """Stop what is playing, also what the gateway has buffered."""
        if self._playout.idle or self.gone.is_set():
            return
        self._clears += 1
        for finished in self._playout.clear(self._loop.time()):
            self._finish(finished)
        await self._leg.send_clear()

    async def send(self, pcm16: bytes) -> None:
        """Let the party hear live audio now; dropped while a prompt or music plays."""
        if not self.gone.is_set():
            for piece in self._playout.live(pcm16, self._loop.time()):
                await self._leg.send_audio(piece.pcm16)

    async def pump(self, now_s: float) -> float | None:
        """Send what is due (called by the pacer)."""
        if self.gone.is_set():
            return None
        clears = self._clears
        for item in self._playout.due(now_s):
            match item:
                case SendAudio() | SendMark() if self._clears != clears:
                    continue
                case SendAudio(pcm16):
                    await self._leg.send_audio(pcm16)
                case SendMark(name):
                    if not await self._leg.send_mark(name):
                        self._playout.marks_unsupported()
                case Finished():
                    self._finish(item)
        return self._playout.next_due_s

    async def hang_up(self) -> None:
        """End the leg; may be called twice."""
        await self._leg.close()

    # What the party says.

    def listen(self, listener: Listener | None) -> None:
        """Send what the party says to ``listener``; ``None`` drops it."""
        self._listener = listener

    async def on_audio(self, pcm16: bytes, at_ms: int | None) -> None:
        """Take audio from the leg."""
        if self._listener is not None:
            await self._listener(pcm16, at_ms)

    def on_dtmf(self, digit: str) -> None:
        """Take a key from the leg."""
        self.on_key(digit)

    def on_mark(self, name: str) -> None:
        """Take a mark from the leg."""
        for finished in self._playout.on_mark(name, self._loop.time()):
            self._finish(finished)

    def on_ended(self, reason: str) -> None:
        """Take the end of the leg."""
        if self.gone.is_set():
            return
        self.gone.set()
        self.gone_why = reason
        self._listener = None
        self._pacer.remove(self)
        for finished in self._playout.clear(self._loop.time()):
            self._finish(finished)
        self.on_gone(reason)

    def _finish(self, finished: Finished) -> None:
        heard = self._plays.pop(finished.mark, None)
        if heard is not None and not heard.done():
            heard.set_result(finished.played)
