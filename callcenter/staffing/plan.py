"""How many agents each interval needs, by Erlang C and A. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from callcenter.errors import UsageError
from callcenter.staffing.erlang import agents_needed, erlang_a, erlang_c, with_shrinkage


@dataclass(frozen=True, slots=True)
class Wish:
    """What callers are to be given: ``target`` of them answered within ``within_s``.

    ``patience_s`` is the mean of the callers' patience, ``None`` where nobody hangs up or it is not known;
    ``shrinkage`` the part of the paid time in which agents are not at work.
    """

    aht_s: float
    target: float = 0.8
    within_s: float = 20.0
    patience_s: float | None = None
    shrinkage: float = 0.0


@dataclass(frozen=True, slots=True)
class Need:
    """One interval. ``agents`` are needed at work, by Erlang A where patience is known, else C.

    ``paid`` are needed on the roster. Service level, mean wait and abandonment are those of ``agents``.
    """

    start: datetime
    calls: float
    load: float
    agents_c: int
    agents_a: int | None
    agents: int
    paid: int
    service_level: float
    wait_s: float
    abandonment: float
    occupancy: float


def plan(starts: Sequence[datetime], calls: Sequence[float], interval_s: float, wish: Wish) -> list[Need]:
    """The needs of intervals that follow each other; raises ``UsageError`` for a wish that makes no sense."""
    with_shrinkage(0, wish.shrinkage)
    return [_need(start, count, interval_s, wish) for start, count in zip(starts, calls, strict=True)]


def _need(start: datetime, calls: float, interval_s: float, wish: Wish) -> Need:
    if calls < 0:
        raise UsageError(f"calls must be 0 or more, not {calls:g}")
    load = calls * wish.aht_s / interval_s
    agents_c = agents_needed(load, wish.aht_s, wish.target, wish.within_s)
    if wish.patience_s is None:
        c = erlang_c(agents_c, load, wish.aht_s)
        agents_a, agents, level, wait_s = None, agents_c, c.service_level(wish.within_s), c.asa_s
        abandonment, occupancy = 0.0, c.occupancy if agents else 0.0
    else:
        agents = agents_a = agents_needed(load, wish.aht_s, wish.target, wish.within_s, wish.patience_s)
        a = erlang_a(agents, load, wish.aht_s, wish.patience_s)
        level, wait_s = a.service_level(wish.within_s), a.asa_s
        abandonment, occupancy = a.abandonment, a.occupancy
    return Need(
        start=start,
        calls=calls,
        load=load,
        agents_c=agents_c,
        agents_a=agents_a,
        agents=agents,
        paid=with_shrinkage(agents, wish.shrinkage),
        service_level=level,
        wait_s=wait_s if calls else 0.0,
        abandonment=abandonment,
        occupancy=occupancy,
    )
