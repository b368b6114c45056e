"""Holds what the service says of callbacks against what the customers' own telephones went through. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from callcenter.demo.compare import Compared, Unit, Value, agree
from callcenter.simulator.callback_truth import CallbackTruth
from callcenter.simulator.truth import Truth

STATE_OF = {
    "served": "completed",
    "in_person": "merged",
    "cancelled": "cancelled",
    "exhausted": "exhausted",
}
"""What the service calls how it ended for the customer."""

ENDED = frozenset({*STATE_OF.values(), "expired", "rejected", "failed"})
CALLBACK_FIGURES = (
    ("queue", Unit.NAME),
    ("source", Unit.NAME),
    ("ended", Unit.NAME),
    ("attempts", Unit.COUNT),
    ("first try after", Unit.SECONDS),
    ("talk after", Unit.SECONDS),
)
Wishes = Sequence[CallbackTruth]


def _accepted(wishes: Wishes) -> float:
    return sum(wish.source == "ivr" for wish in wishes)


def _picked_up(wishes: Wishes) -> float:
    return sum(any(ring.answered_at is not None for ring in wish.rings) for wish in wishes)


def _connect(wishes: Wishes) -> float | None:
    return sum(wish.connected for wish in wishes) / len(wishes) if wishes else None


def _wait_s(wishes: Wishes) -> float | None:
    """How long customers waited who had picked up, until there was an agent."""
    rings = [ring for wish in wishes for ring in wish.rings]
    waits = [ring.connected_at - ring.answered_at for ring in rings if ring.connected_at and ring.answered_at]
    return sum(waits) / len(waits) if waits else None


def _saved_s(wishes: Wishes) -> float | None:
    """How long those were not on hold who left the queue."""
    saved = [wish.first_ring_s for wish in wishes if wish.source == "ivr" and wish.rings]
    return sum(each or 0.0 for each in saved) / len(saved) if saved else None


def _ended(state: str) -> Callable[[Wishes], float]:
    return lambda wishes: Counter(STATE_OF.get(wish.ended_for, "") for wish in wishes)[state]


_OF_REPORT: tuple[tuple[str, Unit, tuple[str, ...], Callable[[Wishes], float | None]], ...] = (
    ("callbacks", Unit.COUNT, ("asked",), len),
    ("callbacks accepted in a queue", Unit.COUNT, ("accepted",), _accepted),
    ("callbacks dialled", Unit.COUNT, ("dialled",), lambda wishes: sum(bool(one.rings) for one in wishes)),
    ("callbacks picked up", Unit.COUNT, ("picked_up",), _picked_up),
    ("callbacks connected", Unit.COUNT, ("bridged",), lambda wishes: sum(one.connected for one in wishes)),
    ("callbacks connected, share", Unit.RATIO, ("connect",), _connect),
    *(
        (f"callbacks {state}", Unit.COUNT, ("ends", state), _ended(state))
        for state in sorted(STATE_OF.values())
    ),
    ("callback attempts", Unit.COUNT, ("attempts",), lambda wishes: sum(len(one.rings) for one in wishes)),
    (
        "duplicate dials",
        Unit.COUNT,
        ("duplicate_dials",),
        lambda wishes: sum(len(one.duplicates) for one in wishes),
    ),
    ("wait after picking up", Unit.SECONDS, ("wait_after_pick_up_s",), _wait_s),
    ("time not on hold", Unit.SECONDS, ("queue_time_saved_s",), _saved_s),
)


def compare_callbacks(
    report: Mapping[str, Any], callbacks: Sequence[Mapping[str, Any]], truth: Truth
) -> list[Compared]:
    """Compare the report on callbacks, as a whole and by queue, and each callback as the API has it."""
    wishes = truth.callbacks
    rows = list(_of_report("day", report["total"], wishes))
    for queue in sorted({*report["by_queue"], *(wish.queue for wish in wishes)}):
        own = [wish for wish in wishes if wish.queue == queue]
        rows += _of_report(f"queue {queue}", report["by_queue"].get(queue, {}), own)
    by_number: dict[str, Mapping[str, Any]] = {str(one["number"]): one for one in callbacks}
    lived = {wish.number: wish for wish in wishes}
    for number in sorted({*by_number, *lived}):
        rows += _compare(number, by_number.get(number), lived.get(number))
    return rows


def _of_report(scope: str, report: Mapping[str, Any], wishes: Wishes) -> Iterator[Compared]:
    for name, unit, path, of_truth in _OF_REPORT:
        found: Any = report
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping):
            found = found["numerator"] / found["denominator"] if found["denominator"] else None
        true = of_truth(wishes)
        yield _row(scope, name, unit, 0 if found is None and true == 0 else found, true)


def _compare(
    number: str, callback: Mapping[str, Any] | None, wish: CallbackTruth | None
) -> Iterator[Compared]:
    reported = _reported(callback) if callback is not None else {}
    true = _lived(wish) if wish is not None else {}
    for name, unit in CALLBACK_FIGURES:
        yield _row(f"callback {number}", name, unit, reported.get(name), true.get(name))


def _row(scope: str, name: str, unit: Unit, report: Value, truth: Value) -> Compared:
    return Compared(scope, name, unit, report, truth, agree(unit, report, truth))


def _reported(callback: Mapping[str, Any]) -> dict[str, Value]:
    attempts = callback["attempts_made"]
    began = [attempt["started_at"] for attempt in attempts]
    talked = [attempt["bridged_at"] for attempt in attempts if attempt["bridged_at"]]
    return {
        "queue": callback["queue"],
        "source": callback["source"],
        "ended": callback["state"] if callback["state"] in ENDED else None,
        "attempts": len(attempts),
        "first try after": _between(callback["requested_at"], began),
        "talk after": _between(callback["requested_at"], talked),
    }


def _lived(wish: CallbackTruth) -> dict[str, Value]:
    connected = [ring.connected_at for ring in wish.rings if ring.connected_at is not None]
    return {
        "queue": wish.queue,
        "source": wish.source,
        "ended": STATE_OF.get(wish.ended_for),
        "attempts": len(wish.rings),
        "first try after": wish.first_ring_s,
        "talk after": connected[0] - wish.asked_at if connected else None,
    }


def _between(since: str, moments: Sequence[str]) -> float | None:
    if not moments:
        return None
    begin, end = (datetime.fromisoformat(moment) for moment in (since, moments[0]))
    return (end - begin).total_seconds()
