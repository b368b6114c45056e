"""Simulated days for the benchmarks: a morning and an afternoon peak, queues that share agents, shifts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callcenter.acd.policy import Need
from callcenter.simulation import AgentModel, CallerKind, DayModel, LogNormal, QueueModel, Rings

HALF_HOURS = 24
OPEN_S = HALF_HOURS * 1800.0
ANYBODY = CallerKind(0.8)


def shape() -> list[float]:
    """What part of a day's calls comes in each half hour of twelve: two peaks, the first one higher."""
    raw = [
        0.25 + math.exp(-((hour - 2.5) ** 2) / 2.5) + 0.8 * math.exp(-((hour - 7.5) ** 2) / 4)
        for hour in (half / 2 for half in range(HALF_HOURS))
    ]
    return [value / sum(raw) for value in raw]


@dataclass(frozen=True)
class Center:
    """A call center: the queues' parts of the calls and mean talk times, and who serves what together."""

    share: Mapping[str, float]
    talk_s: Mapping[str, float]
    served: Sequence[tuple[str, ...]]


SHARE = {"sales": 0.3, "support": 0.3, "billing": 0.15, "orders": 0.1, "returns": 0.1, "claims": 0.05}
TALK_S = {"sales": 200, "support": 290, "billing": 170, "orders": 140, "returns": 180, "claims": 260}
PATIENCE_S = 600.0
RING_OF = list(SHARE)

CENTERS = {
    "pairs": Center(  # some agents serve one queue, some two
        SHARE,
        TALK_S,
        [(one,) for one in ("sales", "support")]
        + [(one, RING_OF[(n + 1) % 6]) for n, one in enumerate(RING_OF)],
    ),
    "triples": Center(  # each agent serves three of six
        SHARE, TALK_S, [tuple(RING_OF[(n + k) % 6] for k in (0, 1, 3)) for n in range(6)]
    ),
    "everybody": Center(SHARE, TALK_S, [tuple(SHARE)]),  # each agent serves all six
}


def day(calls: int, *, staffing: float = 1.0, center: str = "triples") -> DayModel:
    """A day of about so many calls, with agents for ``staffing`` times the load, in shifts.

    A tenth of the callers goes before the others, a tenth needs a language that half of the agents have;
    one ring in 25 is missed.
    """
    of = CENTERS[center]
    vip = CallerKind(0.1, priority=5)
    french = CallerKind(0.1, needs=(Need(0, {"fr": 2}), Need(60, {"fr": 1}), Need(180, {})))
    queues = tuple(
        QueueModel(
            name,
            tuple(calls * share * part for part in shape()),
            talk=LogNormal(of.talk_s[name], 1.0),
            wrap_up=LogNormal(25.0, 0.6),
            patience_s=PATIENCE_S,
            kinds=(ANYBODY, vip, french),
        )
        for name, share in of.share.items()
    )
    load = sum(calls * share * (of.talk_s[name] + 29) for name, share in of.share.items())
    return DayModel(queues, agents(load * staffing, of.served), rings=Rings(missed_share=0.04))


def agents(load_s: float, served: Sequence[tuple[str, ...]]) -> tuple[AgentModel, ...]:
    """Agents on shifts of four hours that begin on each hour; as many at a time as the load asks for."""
    parts = shape()
    wanted = [math.ceil(load_s * (parts[2 * h] + parts[2 * h + 1]) / 3600) for h in range(12)]
    on_duty: list[list[float]] = []
    found: list[AgentModel] = []
    for hour in range(12):
        there = sum(start <= hour * 3600 < end for start, end in on_duty)
        for _ in range(max(0, wanted[hour] - there)):
            shift = (hour * 3600.0, min(OPEN_S, (hour + 4) * 3600.0))
            on_duty.append(shift)
            number = len(found)
            found.append(
                AgentModel(
                    f"agent-{number:03}",
                    frozenset(served[number % len(served)]),
                    (shift,),
                    {"fr": 1 + number % 3} if number % 2 else {},
                )
            )
    return tuple(found)
