"""Legs served in real time: how they are played, what is measured, how many a server carries.

Every leg is played in pieces of 100 ms at absolute times, each when its last sample has been spoken, by the
process that is measured, as the media loop of a call does it, or by the one beside it where the server has a
process of its own. All of them share the two cores with the recognition. Times are on the leg's own clock:
what a piece comes late counts against the server.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from _report import progress
from _speech_audio import Leg, Turn

from asr import SAMPLE_RATE_HZ

FINAL_WITHIN_S, FIRST_SHOWN_WITHIN_S = 1.5, 1.0
_PIECE_S, _PHASES = 0.1, 10
_PIECE_BYTES = round(_PIECE_S * SAMPLE_RATE_HZ) * 2
_NEAR_S = 0.3
"""How far the bounds of what was heard may lie from those of what was said."""

_LONG_TURN_S = 2.0
"""What takes longer to say must be shown while it is said."""

_SHOWN_SHARE = 0.9
_FINER_THAN = 1.2
_PATIENCE_S = 4.0
_NEVER_S = 99.0


@dataclass(frozen=True, slots=True)
class Final:
    """What was said from ``start_s`` to ``end_s``, known at ``at_s``."""

    at_s: float
    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Words of an utterance that began at ``start_s``, shown at ``at_s`` while it was said."""

    at_s: float
    start_s: float


@dataclass(slots=True)
class Heard:
    """What came of one leg. ``stable`` words were shown as such, ``changed`` of them were others later."""

    finals: list[Final] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    missed: int = 0
    stable: int = 0
    changed: int = 0


Feed = Callable[[int, bytes, int], None]
"""Takes a leg's number, PCM16 and the position of its first sample."""


class Player:
    """Plays legs; ``clock`` is that of one of them, 0 when its first sample is spoken."""

    def __init__(self, legs: Sequence[Leg]) -> None:
        self.legs = legs
        self.late_s: list[float] = []
        self._began_s = time.monotonic()

    def clock(self, number: int) -> float:
        """Seconds of leg ``number``; may be asked for from any thread."""
        return time.monotonic() - self._began_s - self._phase_s(number)

    async def play(self, feed: Feed) -> None:
        """Play all legs to their end."""
        self._began_s = time.monotonic()
        pieces = max(math.ceil(len(leg.pcm16) / _PIECE_BYTES) for leg in self.legs)
        for piece in range(pieces):
            for phase in range(min(_PHASES, len(self.legs))):
                due_s = self._began_s + self._phase_s(phase) + (piece + 1) * _PIECE_S
                await asyncio.sleep(max(due_s - time.monotonic(), 0))
                self.late_s.append(time.monotonic() - due_s)
                for number in range(phase, len(self.legs), _PHASES):
                    sound = self.legs[number].pcm16[piece * _PIECE_BYTES : (piece + 1) * _PIECE_BYTES]
                    if sound:
                        feed(number, sound, piece * _PIECE_BYTES // 2)

    def _phase_s(self, number: int) -> float:
        return number % _PHASES * _PIECE_S / _PHASES


class Server(Protocol):
    """What recognises many legs at once."""

    name: str

    async def serve(self, player: Player, patience_s: float) -> list[Heard]:
        """Have the legs played and wait at most ``patience_s`` longer for what is still recognised."""


@dataclass(frozen=True, slots=True)
class Step:
    """What was seen with ``legs`` legs.

    ``missed`` are finals that failed or did not come in time, ``lost`` are turns of which nothing ever came:
    those, and turns in which nothing was understood.
    """

    legs: int
    turns: int
    missed: int
    lost: int
    final_p95_s: float
    first_shown_p95_s: float
    shown_share: float
    stable: int
    changed: int
    played_late_p99_s: float

    @property
    def passes(self) -> bool:
        """Whether finals were there in time, and partials were still on."""
        return self.final_p95_s <= FINAL_WITHIN_S and self.shown_share >= _SHOWN_SHARE


async def step(server: Server, legs: Sequence[Leg], patience_s: float) -> Step:
    """Serve ``legs`` once."""
    player = Player(legs)
    heard = await server.serve(player, patience_s)
    turns = [(turn, one) for leg, one in zip(legs, heard, strict=True) for turn in leg.turns]
    finals_s = [_final_s(turn, one) for turn, one in turns]
    firsts_s = [_first_shown_s(turn, one) for turn, one in turns if turn.end_s - turn.start_s >= _LONG_TURN_S]
    seen = Step(
        legs=len(legs),
        turns=len(turns),
        missed=sum(one.missed for one in heard),
        lost=sum(one == _NEVER_S for one in finals_s),
        final_p95_s=round(quantile(finals_s, 0.95), 3),
        first_shown_p95_s=round(quantile(firsts_s, 0.95), 3),
        shown_share=round(sum(one < _NEVER_S for one in firsts_s) / max(len(firsts_s), 1), 3),
        stable=sum(one.stable for one in heard),
        changed=sum(one.changed for one in heard),
        played_late_p99_s=round(quantile(player.late_s, 0.99), 3),
    )
    progress(f"{server.name}: {seen}")
    return seen


def _final_s(turn: Turn, heard: Heard) -> float:
    """How long after its end all of a turn was known."""
    at_s = [final.at_s for final in heard.finals if _covers(turn, final.start_s, final.end_s) and final.text]
    return max(max(at_s) - turn.end_s, 0.0) if at_s else _NEVER_S


def _first_shown_s(turn: Turn, heard: Heard) -> float:
    """How long after its begin something of a turn was shown, at the latest with all of it."""
    known_s = turn.end_s + _final_s(turn, heard)
    at_s = [one.at_s for one in heard.shown if _covers(turn, one.start_s, one.start_s)]
    first_s = min(at_s, default=math.inf)
    return first_s - turn.start_s if first_s <= known_s else _NEVER_S


def _covers(turn: Turn, start_s: float, end_s: float) -> bool:
    return start_s < turn.end_s + _NEAR_S and end_s > turn.start_s - _NEAR_S


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of all values do not exceed; 99 for none."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else _NEVER_S


async def capacity(server: Server, legs: Sequence[Leg], start: int, tries: int) -> Step:
    """The step with the most of ``legs`` that passes, found by doubling and then between the two last.

    What fails is tried again, ``tries`` times in all. Where not even one leg passes its step is returned.
    """

    async def tried(count: int) -> Step:
        for _ in range(tries):
            seen = await step(server, legs[:count], _PATIENCE_S)
            if seen.passes:
                break
        return seen

    most = len(legs)
    best = await tried(start)
    failed = most + 1
    while not best.passes and best.legs > 1:
        failed = best.legs
        best = await tried(max(failed // 2, 1))
    while best.passes and (count := _next(best.legs, failed, most)) > best.legs:
        seen = await tried(count)
        if seen.passes:
            best = seen
        else:
            failed = count
    return best


async def rated_load(server: Server, legs: Sequence[Leg], most: Step) -> Step:
    """The step with the most legs, ``most`` at most, whose first partials are in time, too."""
    best = most
    while best.first_shown_p95_s > FIRST_SHOWN_WITHIN_S and best.legs > 1:
        best = await step(server, legs[: max(round(best.legs / math.sqrt(2)), 1)], _PATIENCE_S)
    return best


def _next(passed: int, failed: int, most: int) -> int:
    """How many legs to try; ``passed`` where it is known well enough."""
    if failed > most:
        return min(2 * passed, most)
    return round(math.sqrt(passed * failed)) if failed > max(_FINER_THAN * passed, passed + 1) else passed
