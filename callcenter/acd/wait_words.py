"""What a caller is told of an estimated wait: a range, rounded up, that does not grow. Pure."""

import math
from dataclasses import dataclass

from callcenter.acd.wait_time import Estimate

LONGEST_SAID_S = 3600
_NUMBERS = dict(
    enumerate(
        (
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        )
    )
)
_NUMBERS |= {30: "thirty", 40: "forty", 50: "fifty"}


@dataclass(frozen=True, slots=True)
class Announced:
    """A range that was told, and how many agents were at work then."""

    from_s: int
    to_s: int
    agents: int


def announcement(made: Estimate, before: Announced | None = None) -> Announced | None:
    """The range to be told; ``None`` where nothing can be said.

    Never more than ``before``, what the same caller was told last, unless agents have left since.
    """
    if made.p50_s is None or made.p90_s is None:
        return None
    from_s, to_s = rounded_up(made.p50_s), rounded_up(made.p90_s)
    if before is not None and made.agents >= before.agents:
        from_s, to_s = min(from_s, before.from_s), min(to_s, before.to_s)
    return Announced(from_s, to_s, made.agents)


def rounded_up(seconds: float) -> int:
    """To 10 s up to a minute and to whole minutes above; never 0."""
    step = 10 if seconds <= 60 else 60
    return max(10, math.ceil(seconds / step) * step)


def sentence(said: Announced) -> str:
    """What is said: ``Your estimated waiting time is between two and four minutes.``"""
    if said.from_s > LONGEST_SAID_S:
        return "Your estimated waiting time is more than one hour."
    if said.to_s > LONGEST_SAID_S:
        return f"Your estimated waiting time is more than {_span(said.from_s)}."
    if said.from_s == said.to_s:
        return f"Your estimated waiting time is about {_span(said.to_s)}."
    if (said.from_s < 60) == (said.to_s < 60):
        return f"Your estimated waiting time is between {_number(said.from_s)} and {_span(said.to_s)}."
    return f"Your estimated waiting time is between {_span(said.from_s)} and {_span(said.to_s)}."


def _span(seconds: int) -> str:
    if seconds < 60:
        return f"{_number(seconds)} seconds"
    return "one minute" if seconds == 60 else f"{_number(seconds)} minutes"


def _number(seconds: int) -> str:
    count = seconds if seconds < 60 else seconds // 60
    return _NUMBERS.get(count, str(count))
