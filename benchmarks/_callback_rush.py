"""A rush hour with and without callbacks, in virtual time.

One queue of fifty agents at 70 % of their capacity, then half an hour at 130 %, then 70 % again. The same
callers come in both: when they call, for how long they would hold the line and how long they talk is drawn
before the day begins. Counted are who came within an hour of the beginning of the rush.

What callers are like is our choice and stands in ``Rush`` and ``MAIN``; ``add`` shows what follows from
others. Patience is exponential with a mean of ten minutes. Of those who are told of a longer wait than they
have patience for, nine in ten take a callback, of the others six; of those who run out of patience on the
line, six in ten press the key instead of hanging up. That people choose by the wait they are told is the
model of Armony and Maglaras (Operations Research 52, 2004). In the one study of real callers we know of, at
a bank, 37 % took the offer and 93 % of them picked up (Hathaway, Emadi & Deshpande, Management Science 67,
2021): see the figures for 30 to 50 %, and those ``by_chance``, where patience has no say and nobody uses
the key.

What to expect: in one line in order of arrival nobody is served sooner because somebody puts the telephone
down and keeps the place. Whoever was lost without callbacks is served with them, so those who stay on the
line wait longer than on a day when many before them give up. ``patient`` is a day when nobody does: the
same callers' waits, with and without callbacks, differ by what it costs that agents wait while customers'
telephones ring.
"""

import argparse
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from _knowledge import Knowledge
from _report import Report, progress

from callcenter.acd.wait_time import estimate
from callcenter.simulation import (
    AgentModel,
    Callbacks,
    DayModel,
    DayResult,
    LogNormal,
    Moment,
    QueueModel,
    Rings,
    Simulation,
    Stay,
)

INTERVAL_S = 600.0
BEFORE, RUSH, AFTER = 9, 3, 12  # intervals
RUSH_BEGINS_S = BEFORE * INTERVAL_S
RUSH_HOUR_S = 3600.0


MAIN = Callbacks(offer_after_s=60, accepts=0.6, too_long=0.9, by_key=0.6)
ACCEPTANCE = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
THRESHOLDS_S = (30.0, 120.0, 180.0)


@dataclass(frozen=True)
class Rush:
    """The parameters. ``load`` is arrivals ÷ capacity in the rush, ``usual`` before and afterwards."""

    agents: int = 50
    talk_s: float = 210.0
    wrap_up_s: float = 30.0
    load: float = 1.3
    usual: float = 0.7
    patience_s: float = 600.0
    callbacks: Callbacks | None = None

    @property
    def model(self) -> DayModel:
        """The day; capacity is agents ÷ (ring + talk + wrap-up)."""
        rings = Rings(mean_s=4.0)
        per_interval = self.agents * INTERVAL_S / (rings.mean_s + self.talk_s + self.wrap_up_s)
        loads = [self.usual] * BEFORE + [self.load] * RUSH + [self.usual] * AFTER
        queue = QueueModel(
            "sales",
            tuple(load * per_interval for load in loads),
            talk=LogNormal(self.talk_s, 1.0),
            wrap_up=LogNormal(self.wrap_up_s, 0.6),
            patience_s=self.patience_s,
            callbacks=self.callbacks,
        )
        shift = ((0.0, 10 * len(loads) * INTERVAL_S),)
        staff = tuple(AgentModel(f"agent-{n:03}", frozenset({"sales"}), shift) for n in range(self.agents))
        return DayModel((queue,), staff, INTERVAL_S, rings)


def run(rush: Rush, seed: int) -> DayResult:
    """The callers who came within an hour of the beginning of the rush."""
    known = Knowledge(rush.model)

    def expected_s(moment: Moment) -> float | None:
        last_s = known.histories[moment.queue].last_served_s
        return estimate(moment.queue, known.lines(moment), known.groups(), known.ring, last_s).p50_s

    simulation = Simulation(rush.model, seed, expected_s=expected_s)
    last_s = 0.0
    for moment in simulation.moments():
        known.see(moment)
        last_s = moment.at_s
    return simulation.result(last_s).of(in_rush_hour)


def in_rush_hour(stay: Stay) -> bool:
    """Whether the caller came within an hour of its beginning."""
    return RUSH_BEGINS_S <= stay.entered_s < RUSH_BEGINS_S + RUSH_HOUR_S


@dataclass(frozen=True)
class Outcome:
    """What came of some days, one number each per day.

    ``on_line_s`` is how long callers held the line on average, whatever then happened; ``answered_s`` how
    long those had waited who were answered on the line; ``called_back_s`` since when those had waited who
    were called. ``asked`` are those who took a callback, ``served`` all who talked to an agent in the end.
    """

    abandonment: list[float]
    on_line_s: list[float]
    answered_s: list[float]
    called_back_s: list[float]
    asked: list[float]
    served: list[float]


def outcome(rush: Rush, seeds: Iterable[int]) -> Outcome:
    """Run the days."""
    days = [run(rush, seed).stays for seed in seeds]
    return Outcome(
        [_share(day, {"abandoned"}) for day in days],
        [_mean([stay.on_line_s for stay in day]) for day in days],
        [_mean([stay.wait_s for stay in day if stay.ended == "answered"]) for day in days],
        [_mean([stay.wait_s for stay in day if stay.ended == "called_back"]) for day in days],
        [_mean([float(stay.held_s is not None) for stay in day]) for day in days],
        [_share(day, {"answered", "called_back"}) for day in days],
    )


def add(report: Report, *, quick: bool = False) -> None:
    """Add the figures of the rush hour; about a minute, or ten seconds."""
    seeds = range(1, 6 if quick else 21)
    without, with_ = outcome(Rush(), seeds), outcome(Rush(callbacks=MAIN), seeds)
    progress(f"the rush hour, {len(seeds)} days each")
    _compare(report, "rush", without, with_)
    fewer = _ratio(with_.abandonment, without.abandonment)
    report.add("rush_abandonment_ratio", fewer, "with / without", "<= 0.333")
    report.add("rush_on_line_ratio", _ratio(with_.on_line_s, without.on_line_s), "with / without", "<= 1")

    report.add("patient_live_wait_ratio", _same_callers(seeds), "with / without, of the same callers")

    few = seeds[:3] if quick else seeds[:8]
    for share in ACCEPTANCE[::5] if quick else ACCEPTANCE:
        chosen = replace(MAIN, accepts=share, too_long=max(share, MAIN.too_long), by_key=share)
        by_chance = replace(MAIN, accepts=share, too_long=share, by_key=0.0)
        _add_ratios(report, f"acceptance_{share * 100:.0f}_percent", chosen, few, without)
        _add_ratios(report, f"by_chance_{share * 100:.0f}_percent", by_chance, few, without)
    for offer_after_s in THRESHOLDS_S[::2] if quick else THRESHOLDS_S:
        other = replace(MAIN, offer_after_s=offer_after_s)
        _add_ratios(report, f"offered_after_{offer_after_s:.0f}_s", other, few, without)


def _add_ratios(
    report: Report, name: str, callbacks: Callbacks, seeds: Sequence[int], without: Outcome
) -> None:
    found = outcome(Rush(callbacks=callbacks), seeds)
    less = _ratio(found.abandonment, without.abandonment[: len(seeds)])
    held = _ratio(found.on_line_s, without.on_line_s[: len(seeds)])
    report.add(f"{name}_abandonment_ratio", less, "with / without")
    report.add(f"{name}_on_line_ratio", held, "with / without")


def _same_callers(seeds: Iterable[int]) -> float:
    """The waits of those who stay on the line, with callbacks and without, where nobody ever hangs up."""
    patient = Rush(patience_s=math.inf)
    with_s, without_s = 0.0, 0.0
    for seed in seeds:
        waited_s = {stay.entered_s: stay.wait_s for stay in run(patient, seed).stays}
        for stay in run(replace(patient, callbacks=MAIN), seed).stays:
            if stay.held_s is None:
                with_s += stay.wait_s
                without_s += waited_s[stay.entered_s]
    return round(with_s / without_s, 3)


def _compare(report: Report, name: str, without: Outcome, with_: Outcome) -> None:
    for label, found in (("without", without), ("with", with_)):
        for figure, values, unit in (
            ("abandonment", found.abandonment, "of the callers"),
            ("on_line", found.on_line_s, "s"),
            ("answered_wait", found.answered_s, "s"),
            ("served", found.served, "of the callers"),
        ):
            _add_spread(report, f"{name}_{figure}_{label}", values, unit)
    _add_spread(report, f"{name}_asked_for_a_callback", with_.asked, "of the callers")
    _add_spread(report, f"{name}_called_back_after", with_.called_back_s, "s")


def _add_spread(report: Report, name: str, values: Sequence[float], unit: str) -> None:
    digits = 1 if unit == "s" else 4
    report.add(name, round(statistics.fmean(values), digits), unit)
    report.add(f"{name}_deviation", round(statistics.stdev(values), digits), unit)


def _ratio(some: Sequence[float], others: Sequence[float]) -> float:
    return round(sum(some) / sum(others), 3)


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else 0.0


def _share(day: Sequence[Stay], ended: set[str]) -> float:
    return _mean([float(stay.ended in ended) for stay in day])


def main() -> None:
    """Measure the rush hour alone and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 days of each kind instead of 20")
    options = parser.parse_args()
    report = Report("callback_rush")
    add(report, quick=options.quick)
    report.print()


if __name__ == "__main__":
    main()
