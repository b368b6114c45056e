"""What each call of the day is called on both sides: the customer's number and which call it was. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from callcenter.simulator.truth import CallTruth, Truth

Call = TypeVar("Call")

CALLED_BACK = "back"


def named(calls: Iterable[tuple[str, bool, Call]]) -> dict[str, Call]:
    """Calls in the order of time, each with the customer's number and whether we called the customer."""
    seen: Counter[str] = Counter()
    found = {}
    for number, is_back, call in calls:
        name = f"{number} {CALLED_BACK}" if is_back else number
        seen[name] += 1
        found[name if seen[name] == 1 else f"{name} {seen[name]}"] = call
    return found


def lived(truth: Truth) -> dict[str, CallTruth]:
    """The calls of the simulated people."""
    came_in = [(call.number, False, call) for call in truth.calls]
    called_back = [(call.number, True, call) for call in truth.talks if call.connected_at is not None]
    return named(sorted((*came_in, *called_back), key=lambda each: each[2].started_at))
