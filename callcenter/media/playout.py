"""What one party is to hear: the ledger of what was queued, sent and played, for every protocol.

Two kinds of leg share it. A gateway that paces buffers what we send, so we stay a little ahead, no more than
``max_ahead_ms``: what is not sent yet can be taken back at once when the caller interrupts. Where we pace
ourselves (AudioSocket), what is written is heard at once: a frame is due every 20 ms on absolute deadlines,
silence when there is nothing to say, and after a stall the missed slots are skipped, never made up in a
burst.

Pure: ``now_s`` is the caller's monotonic clock in seconds. PCM is 16-bit little-endian, mono, 8 kHz. Inside,
time is counted in whole microseconds so that an hour of frames adds up exactly.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from callcenter.errors import OverloadedError
from callcenter.media.frame import FRAME_BYTES, FRAME_MS, SILENCE, PacedBy

CHUNK_MS: Final = 100
"""The most that is sent in one message to a gateway that paces."""
OWN_AHEAD_MS: Final = 40
"""How far ahead we write where we pace ourselves."""
LIVE_QUEUE_MS: Final = 120
"""How much bridged audio waits where we pace ourselves, before the oldest is dropped."""
LIVE_AHEAD_MS: Final = 200
"""How much bridged audio may lie at a gateway that paces, so that a burst does not delay a whole talk."""
MARK_GRACE_MS: Final = 2000
"""How long after its computed end a mark is waited for."""
MAX_ITEMS: Final = 512
"""How many pieces may be queued on one leg."""

_FRAME_US: Final = FRAME_MS * 1000
_STALE_MARKS: Final = 64


@dataclass(frozen=True, slots=True)
class SendAudio:
    """Send this now: whole frames."""

    pcm16: bytes


@dataclass(frozen=True, slots=True)
class SendMark:
    """Ask the gateway for this mark now."""

    name: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The piece that carried ``mark`` has been played to its end, or will never be."""

    mark: str
    played: bool


Due = SendAudio | SendMark | Finished


@dataclass(slots=True)
class Losses:
    """What parties missed of their sound, in ms; what a prompt or ``clear`` takes back is not counted."""

    dropped_ms: int = 0
    """Bridged audio that was not sent because the party could not take it in time."""
    skipped_ms: int = 0
    """Time for which nothing was written because ``due`` was called too late; only where we pace."""


@dataclass(slots=True)
class _Piece:
    pcm16: bytes
    mark: str | None
    at: int = 0


class Playout:
    """The playout of one leg.

    ``named_marks`` says whether the gateway returns marks; without them the clock decides when a piece has
    been played, as it always does where we pace ourselves. While something is being played, bridged audio
    is dropped: a prompt is heard alone. What goes wrong is added to ``losses``, which legs may share.
    """

    def __init__(
        self,
        paced_by: PacedBy,
        max_ahead_ms: int = 400,
        named_marks: bool = True,
        losses: Losses | None = None,
    ) -> None:
        if max_ahead_ms < FRAME_MS:
            raise ValueError(f"max_ahead_ms is {max_ahead_ms}; less than a frame of {FRAME_MS} ms")
        self._own_pace = paced_by is PacedBy.US
        self._named_marks = named_marks and not self._own_pace
        self._max_ahead_us = (min(max_ahead_ms, OWN_AHEAD_MS) if self._own_pace else max_ahead_ms) * 1000
        self._live_ahead_us = min(LIVE_AHEAD_MS, max_ahead_ms) * 1000
        self._queue: deque[_Piece] = deque()
        self._loop: _Piece | None = None
        self._live: deque[bytes] = deque()
        self._live_rest = b""
        self._awaited: dict[str, int] = {}
        self._stale: deque[str] = deque(maxlen=_STALE_MARKS)
        self._end_us: int | None = None
        self._losses = losses or Losses()

    def play(self, pcm16: bytes, mark: str | None = None) -> None:
        """Queue a piece; it ends a loop. ``mark`` names its end and is reported once as ``Finished``.

        The last frame is filled up with silence. Raises ``OverloadedError`` when too many pieces wait and
        ``ValueError`` for half a sample or a mark that is still pending.
        """
        _check_whole(pcm16)
        if len(self._queue) >= MAX_ITEMS:
            raise OverloadedError(f"{MAX_ITEMS} pieces wait to be played on one leg")
        if mark is not None and mark in self.pending_marks:
            raise ValueError(f"the mark {mark!r} is still pending")
        self._loop = None
        self._drop_live()
        self._queue.append(_Piece(pcm16, mark))

    def loop(self, pcm16: bytes) -> None:
        """Play a sound over and over, after what is queued, until ``clear`` or the next ``play``."""
        _check_whole(pcm16)
        if not pcm16:
            raise ValueError("a loop of no sound")
        self._drop_live()
        self._loop = _Piece(pcm16, None)

    def due(self, now_s: float) -> list[Due]:
        """Give what must be sent by now, and the marks that the clock finishes; may be called at any time."""
        now = _us(now_s)
        out: list[Due] = []
        if self._own_pace:
            self._fill_slots(now, out)
        else:
            self._fill_buffer(now, out)
        out += self._expired(now)
        return out

    def live(self, pcm16: bytes, now_s: float) -> list[SendAudio]:
        """Take bridged audio and give what can be sent on at once.

        Parts of a frame wait for the rest. Where we pace ourselves a frame may be sent one slot early;
        more is queued for ``due``.
        """
        if self._queue or self._loop is not None:
            return []
        whole = self._whole_frames(pcm16)
        if not whole:
            return []
        return self._live_own(whole, _us(now_s)) if self._own_pace else self._live_through(whole, _us(now_s))

    def on_mark(self, name: str, now_s: float) -> list[Finished]:
        """Take a mark that the gateway returned; marks before it, if they were lost, are finished with it.

        Unknown marks and the late echoes of cleared ones are ignored.
        """
        if name in self._stale:
            self._stale.remove(name)
            return []
        finished = self._expired(_us(now_s))
        if self._named_marks and name in self._awaited:
            for mark in list(self._awaited):
                del self._awaited[mark]
                finished.append(Finished(mark, played=True))
                if mark == name:
                    break
        return finished

    def marks_unsupported(self) -> None:
        """Go by the clock from now on: the protocol turned out to have no marks."""
        if self._named_marks:
            self._named_marks = False
            self._awaited = {name: due - MARK_GRACE_MS * 1000 for name, due in self._awaited.items()}

    def clear(self, now_s: float) -> list[Finished]:
        """Forget everything that is queued or buffered; the gateway must be told to clear too.

        What was already written where we pace ourselves cannot be taken back; it is at most 60 ms.
        """
        now = _us(now_s)
        finished = self._expired(now)
        if self._named_marks:
            self._stale.extend(self._awaited)
        finished += [Finished(mark, played=False) for mark in self.pending_marks]
        self._queue.clear()
        self._loop = None
        self._live.clear()
        self._live_rest = b""
        self._awaited.clear()
        if not self._own_pace and self._end_us is not None:
            self._end_us = min(self._end_us, now)
        return finished

    @property
    def pending_marks(self) -> list[str]:
        """The marks that are not finished, in their order."""
        return [*self._awaited, *(piece.mark for piece in self._queue if piece.mark is not None)]

    @property
    def idle(self) -> bool:
        """Whether nothing is queued, looping or waiting for its mark."""
        return not (self._queue or self._loop or self._awaited or self._live)

    @property
    def next_due_s(self) -> float | None:
        """When ``due`` wants to be called next, on the caller's clock; ``None`` when only new work matters.

        May lie in the past, which means at once.
        """
        times = list(self._awaited.values())[:1]
        if self._own_pace:
            times.append(self._next_slot_us())
        elif self._queue or self._loop is not None:
            times.append((self._end_us or 0) + self._next_chunk_us() - self._max_ahead_us)
        return min(times) / 1e6 if times else None

    # A gateway that paces.

    def _fill_buffer(self, now: int, out: list[Due]) -> None:
        while self._queue or self._loop is not None:
            frames = self._next_chunk_us() // _FRAME_US
            if self._ahead_us(now) + frames * _FRAME_US > self._max_ahead_us:
                return
            if frames:
                out.append(SendAudio(self._take(frames)))
                self._sent(frames, now)
            self._pass_marks(now, out)

    def _next_chunk_us(self) -> int:
        most = min(CHUNK_MS * 1000, self._max_ahead_us) // _FRAME_US
        if self._queue:
            piece = self._queue[0]
            most = min(most, -(-(len(piece.pcm16) - piece.at) // FRAME_BYTES))
        return most * _FRAME_US

    def _live_through(self, whole: bytes, now: int) -> list[SendAudio]:
        begin = now if self._end_us is None or self._end_us < now else self._end_us
        frames = len(whole) // FRAME_BYTES
        room = (now + self._live_ahead_us - begin) // _FRAME_US
        if frames > room:
            frames = max(0, room)
            self._losses.dropped_ms += (len(whole) // FRAME_BYTES - frames) * FRAME_MS
            if not frames:
                return []
            whole = whole[-frames * FRAME_BYTES :]
        self._end_us = begin + frames * _FRAME_US
        return [SendAudio(whole)]

    # Where we pace.

    def _fill_slots(self, now: int, out: list[Due]) -> None:
        self._skip_missed(now)
        self._pass_marks(now, out)
        while self._next_slot_us() <= now:
            if self._queue or self._loop is not None:
                out.append(SendAudio(self._take(1)))
            else:
                out.append(SendAudio(self._live.popleft() if self._live else SILENCE))
            self._sent(1, now)
            self._pass_marks(now, out)

    def _next_slot_us(self) -> int:
        if self._end_us is None:
            return 0
        return self._end_us + _FRAME_US - self._own_ahead_us()

    def _own_ahead_us(self) -> int:
        return self._max_ahead_us + (_FRAME_US if self._live and not self._queue else 0)

    def _skip_missed(self, now: int) -> None:
        if self._end_us is None:
            self._end_us = now
        elif self._end_us < now:
            missed = -(-(now - self._end_us) // _FRAME_US)
            self._losses.skipped_ms += missed * FRAME_MS
            self._end_us += missed * _FRAME_US

    def _live_own(self, whole: bytes, now: int) -> list[SendAudio]:
        self._skip_missed(now)
        self._live.extend(whole[at : at + FRAME_BYTES] for at in range(0, len(whole), FRAME_BYTES))
        out = []
        while self._live and self._next_slot_us() <= now:
            out.append(SendAudio(self._live.popleft()))
            self._sent(1, now)
        while len(self._live) * FRAME_MS > LIVE_QUEUE_MS:
            self._live.popleft()
            self._losses.dropped_ms += FRAME_MS
        return out

    # Both.

    def _take(self, frames: int) -> bytes:
        wanted = frames * FRAME_BYTES
        if self._queue:
            piece = self._queue[0]
            chunk = piece.pcm16[piece.at : piece.at + wanted]
            piece.at += len(chunk)
            return chunk.ljust(wanted, b"\0")
        assert self._loop is not None
        chunk = self._loop.pcm16[self._loop.at : self._loop.at + wanted]
        while len(chunk) < wanted:
            chunk += self._loop.pcm16[: wanted - len(chunk)]
        self._loop.at = (self._loop.at + wanted) % len(self._loop.pcm16)
        return chunk

    def _pass_marks(self, now: int, out: list[Due]) -> None:
        while self._queue and self._queue[0].at >= len(self._queue[0].pcm16):
            mark = self._queue.popleft().mark
            if mark is None:
                continue
            end = max(self._end_us or 0, now)
            self._awaited[mark] = end + (MARK_GRACE_MS * 1000 if self._named_marks else 0)
            if self._named_marks:
                out.append(SendMark(mark))

    def _sent(self, frames: int, now: int) -> None:
        self._end_us = max(self._end_us or 0, now) + frames * _FRAME_US

    def _expired(self, now: int) -> list[Finished]:
        finished = []
        for mark, due in list(self._awaited.items()):
            if due > now:
                break
            del self._awaited[mark]
            finished.append(Finished(mark, played=True))
        return finished

    def _ahead_us(self, now: int) -> int:
        return 0 if self._end_us is None else max(0, self._end_us - now)

    def _drop_live(self) -> None:
        self._live.clear()
        self._live_rest = b""

    def _whole_frames(self, pcm16: bytes) -> bytes:
        if not self._live_rest and not len(pcm16) % FRAME_BYTES:
            return pcm16
        pcm16 = self._live_rest + pcm16
        whole = len(pcm16) - len(pcm16) % FRAME_BYTES
        self._live_rest = pcm16[whole:]
        return pcm16[:whole]


def _us(seconds: float) -> int:
    return round(seconds * 1e6)


def _check_whole(pcm16: bytes) -> None:
    if len(pcm16) % 2:
        raise ValueError(f"{len(pcm16)} bytes are not whole samples")
