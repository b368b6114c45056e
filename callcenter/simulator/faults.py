"""What may go wrong on purpose, so that the service can show how it copes."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """What is wrong with a caller's media stream."""

    NONE = "none"
    DROP_MID_WORD = "drop_mid_word"  # the socket dies in the middle of the first sentence
    GARBAGE = "garbage"  # malformed and binary messages among the good ones
    NO_MEDIA = "no_media"  # the stream starts, but no audio ever comes


@dataclass(slots=True)
class RestFaults:
    """How the REST interface misbehaves from now on.

    The next ``errors`` requests are answered 500, the next ``hangs`` not before ``hang_s`` have passed;
    both are counted down.
    """

    errors: int = 0
    hangs: int = 0
    hang_s: float = 30.0


def _everybody(_number: str) -> bool:
    return True


@dataclass(slots=True)
class DialFaults:
    """How calls that the service asks for misbehave from now on, those to the numbers that it ``concerns``.

    The next ``never_ring`` are accepted and no telephone ever rings; of the next ``lost_answers`` the
    telephone rings, but the request is answered after ``hang_s`` only. Both are counted down.
    """

    never_ring: int = 0
    lost_answers: int = 0
    hang_s: float = 30.0
    concerns: Callable[[str], bool] = _everybody


@dataclass(slots=True)
class NewsFaults:
    """How status callbacks misbehave from now on, those about the numbers that it ``concerns``.

    ``lost`` and ``twice`` are the shares that are never sent, or sent again; each waits for up to
    ``scatter_s``, so that they come late and out of order.
    """

    lost: float = 0.0
    twice: float = 0.0
    scatter_s: float = 0.0
    concerns: Callable[[str], bool] = _everybody
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - not a secret

    def delays(self, number: str) -> list[float]:
        """After how many seconds a message is sent, once for each time it is."""
        if not self.concerns(number):
            return [0.0]
        times = 0 if self.chance.random() < self.lost else 1 + (self.chance.random() < self.twice)
        return [self.chance.uniform(0.0, self.scatter_s) for _ in range(times)]
