"""Holds what the service says of callbacks against what the customers' own telephones went through. Pure."""

from collections.abc import Iterator, Mapping, Sequence
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
    ("duplicate dials", Unit.COUNT),
)


def compare_callbacks(callbacks: Sequence[Mapping[str, Any]], truth: Truth) -> list[Compared]:
    """Compare each callback, as the API gives them in detail, and how many there were."""
    by_number: dict[str, Mapping[str, Any]] = {str(one["number"]): one for one in callbacks}
    lived = {wish.number: wish for wish in truth.callbacks}
    rows = [
        _row("day", "callbacks", Unit.COUNT, len(callbacks), len(truth.callbacks)),
        _row(
            "day",
            "callbacks served",
            Unit.COUNT,
            sum(one["state"] == "completed" for one in callbacks),
            sum(wish.ended_for == "served" for wish in truth.callbacks),
        ),
        _row(
            "day",
            "callback attempts",
            Unit.COUNT,
            sum(len(one["attempts_made"]) for one in callbacks),
            sum(len(wish.rings) for wish in truth.callbacks),
        ),
    ]
    for number in sorted({*by_number, *lived}):
        rows += _compare(number, by_number.get(number), lived.get(number))
    return rows


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
        "duplicate dials": 0,
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
        "duplicate dials": len(wish.duplicates),
    }


def _between(since: str, moments: Sequence[str]) -> float | None:
    if not moments:
        return None
    begin, end = (datetime.fromisoformat(moment) for moment in (since, moments[0]))
    return (end - begin).total_seconds()
