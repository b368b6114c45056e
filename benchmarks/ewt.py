"""How good estimated waits are on simulated days, beside the naive position x AHT / agents in the same run.

Days of 10,000 calls in six queues: Poisson arrivals with two peaks, log-normal handle times, exponential
patience (mean 10 minutes), shifts that begin and end, missed rings, callers of two priorities; three centers
(agents serve one or two, three, or all of the queues) with three staffings each. Days of 2,000 calls stand
beside them: with few agents waits scatter more, whoever estimates them.

At each entry the estimate is made from what the service knows then: the lines, who is at work, recent
contacts. ``waited`` are callers who were served and had to wait for an agent; for the others, who make the
difference to ``all``, an agent was free and the wait was the ring alone.

``with_callbacks`` is a rush hour in which many of those in line are customers who wait for a callback and do
not hang up: callers who stay on the line wait behind them.
"""

import argparse
import statistics
from dataclasses import dataclass, replace

from _callback_rush import MAIN, Rush
from _days import ANYBODY, CENTERS, day
from _knowledge import Knowledge
from _report import Report, progress

from callcenter.acd.wait_time import Estimate, Method, estimate
from callcenter.simulation import CallerKind, DayModel, Happened, Moment, Simulation

STAFFINGS = (0.75, 0.9, 1.05)
BIG, SMALL = 10_000, 2_000


@dataclass(frozen=True)
class Guess:
    """An estimate at entry, the naive one beside it, and in the end the wait."""

    made: Estimate
    naive_s: float
    at_once: bool
    wait_s: float = 0.0


def without_skills(model: DayModel) -> DayModel:
    """The same day with callers of two priorities who need nothing special."""
    kinds = (ANYBODY, CallerKind(0.1, priority=5))
    return replace(model, queues=tuple(replace(queue, kinds=kinds) for queue in model.queues))


def guesses(model: DayModel, seed: int) -> list[Guess]:
    """Everybody who was served on one day."""
    known, open_, served = Knowledge(model), dict[int, Guess](), list[Guess]()

    def expected_s(moment: Moment) -> float | None:
        return open_[moment.caller].made.p50_s

    for moment in Simulation(model, seed, expected_s=expected_s).moments():
        known.see(moment)
        if moment.what is Happened.ENTERED:
            lines, groups = known.lines(moment), known.groups()
            history = known.histories[moment.queue]
            made = estimate(moment.queue, lines, groups, known.ring, history.last_served_s)
            agents = known.agents(moment.queue)
            naive_s = (lines[moment.queue].ahead + 1) * (history.aht_s or 0.0) / max(agents, 1)
            free = any(group.free for group in groups if moment.queue in group.queues)
            open_[moment.caller] = Guess(made, naive_s, free)
        elif moment.what is Happened.ANSWERED:
            served.append(replace(open_.pop(moment.caller), wait_s=moment.seconds))
    return [one for one in served if one.made.method is not Method.NONE]


def several(center: str, calls: int, seed: int, days: int) -> list[Guess]:
    """Everybody who was served on some days of each staffing."""
    models = [
        without_skills(day(calls, staffing=staffing, center=center))
        for staffing in STAFFINGS[:: 3 if days == 1 else 1]
    ]
    return [one for model in models for n in range(days) for one in guesses(model, seed + n)]


def add(report: Report, name: str, of: list[Guess], *, has_targets: bool = False) -> None:
    """Add the figures of some callers."""
    errors = [(one.made.p50_s or 0.0) - one.wait_s for one in of]
    naive = [one.naive_s - one.wait_s for one in of]
    mae = statistics.fmean(map(abs, errors))
    naive_mae = statistics.fmean(map(abs, naive))
    covered = round(statistics.fmean(one.wait_s <= (one.made.p90_s or 0.0) for one in of), 4)
    report.add(f"{name}_callers", len(of), "callers")
    report.add(f"{name}_mean_wait_s", round(statistics.fmean(one.wait_s for one in of), 1), "s")
    report.add(f"{name}_bias_s", round(statistics.fmean(errors), 1), "s")
    report.add(f"{name}_naive_bias_s", round(statistics.fmean(naive), 1), "s")
    report.add(f"{name}_mae_s", round(mae, 1), "s")
    report.add(f"{name}_naive_mae_s", round(naive_mae, 1), "s")
    report.add(f"{name}_mae_to_naive", round(mae / naive_mae, 3), "ratio", "<= 0.5" if has_targets else None)
    report.add(f"{name}_p90_coverage", covered, "of callers", ">= 0.85" if has_targets else None)
    if has_targets:
        report.add(f"{name}_p90_coverage_not_above", covered, "of callers", "<= 0.95")


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one day of each kind instead of four, and fewer kinds"
    )
    parser.add_argument("--seed", type=int, default=1000, help="seed of the first day (default: 1000)")
    options = parser.parse_args()
    report = Report("ewt")
    for name, calls in (("", BIG), ("small_", SMALL)):
        everybody = list[Guess]()
        for center in CENTERS:
            found = several(center, calls, options.seed, 1 if options.quick else 4)
            waited = [one for one in found if not one.at_once]
            progress(f"{center}, {calls} calls: {len(waited)} of {len(found)} had to wait")
            add(report, f"{name}{center}_waited", waited)
            everybody += found
        waited = [one for one in everybody if not one.at_once]
        add(report, f"{name}waited", waited, has_targets=calls == BIG)
        add(report, f"{name}all", everybody, has_targets=calls == BIG)
    rush = Rush(callbacks=MAIN).model
    found = [one for n in range(1 if options.quick else 8) for one in guesses(rush, options.seed + n)]
    add(report, "with_callbacks_waited", [one for one in found if not one.at_once])
    report.print()


if __name__ == "__main__":
    main()
