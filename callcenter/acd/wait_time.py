"""How long a caller will wait who comes now and stays: the rule, free of databases and clocks.

The wait is a sum of stages, one for each caller ahead and one for oneself. In the stage in which ``i``
callers are ahead, the line gets shorter by one with the rate ``s·μ + i·θ``: an agent becomes free for the
queue, or one of those ahead hangs up (QL_m of Ibrahim & Whitt, Manufacturing & Service Operations Management
11, 2009). With exponential times that is exact. Its mean is the sum of ``1 ÷ rate`` over ``i = 0 .. ahead``,
its variance the sum of the squares; quantiles come from the gamma distribution with both.

What it means here:

- ``ahead`` counts who waits before the caller and who asked to be called back and keeps a place; the latter
  do not hang up. Who is being rung is not ahead any more, their agent is busy.
- ``s·μ`` is how often agents become free, times the part of them that this queue gets. An agent who
  serves several queues takes who stands first in all of them, so the queue gets the part that its callers
  (the caller included) have among all who stand ahead in that agent's queues. The other lines get shorter
  meanwhile, so the part is reckoned anew in each stage. A stage that waits for such agents is made of the
  shorter stages of those of other queues whom they take first, which scatter less than one long one.
- Callers with a higher priority who come later go ahead as well: the lines grow by ``overtaking_per_s``.
- The caller's own hanging up is no stage: who is told the time wants to know what staying costs.
- An agent free for the caller now: the wait is the ring. Whoever waits although an agent of the queue is
  free needs somebody else.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.float64]

RATE_ERROR = 0.1
"""How far, relatively, the rates are off: shifts that end, handle times that were not typical."""

LAST_SERVED_SHAPE = 4.0
"""How the wait of the last caller served scatters around the next one's: a gamma of this shape."""

LONGEST_S = 86_400.0
"""Who would wait longer than a day is told nothing."""

LEAST_KEPT = 0.1
"""The part of a queue's agents that callers of higher priority leave to the others at least."""

STAGES_AT_ONCE = 0.04
"""So large a part of a long line is one step. The last fifty ahead, who take longest, go one by one."""

_Z90 = 1.2815515655446004
_NEVER_PER_S = 1e-9
_LEAST_VOLUME = 1e-6


class Method(StrEnum):
    """What an estimate was made from."""

    FORMULA = "formula"
    LAST_SERVED = "last_served"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of one queue.

    ``ahead`` wait before the caller who asks, ``virtual`` of them for a callback. ``service_s`` is how long
    a contact keeps an agent: ring, talk, hold and wrap-up; ``None`` where there is no history.
    ``abandon_per_s`` is 1 ÷ mean patience, ``volume`` how many callers come, relative to the other queues.
    """

    ahead: int
    virtual: int = 0
    service_s: float | None = None
    abandon_per_s: float = 0.0
    overtaking_per_s: float = 0.0
    volume: float = 1.0


@dataclass(frozen=True, slots=True)
class AgentGroup:
    """Agents at work who serve the same queues; ``free`` of them could take a call now."""

    queues: frozenset[str]
    agents: int
    free: int = 0


@dataclass(frozen=True, slots=True)
class Ring:
    """How long an agent's telephone rings until the answer: mean and standard deviation."""

    mean_s: float = 5.0
    deviation_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A wait: half of those who stay are served within ``p50_s``, nine of ten within ``p90_s``.

    ``None`` where nothing can be said. ``agents`` at work for the queue when it was made.
    """

    method: Method
    p50_s: float | None = None
    p90_s: float | None = None
    mean_s: float | None = None
    agents: int = 0


UNAVAILABLE = Estimate(Method.NONE)


def estimate(
    queue: str,
    lines: Mapping[str, Line],
    groups: Sequence[AgentGroup],
    ring: Ring,
    last_served_s: float | None = None,
) -> Estimate:
    """The wait of somebody who comes to ``queue`` now; ``lines`` are those of all queues that matter.

    Without agents nothing can be said; without a handle time the last caller served has to do.
    """
    serving = [group for group in groups if queue in group.queues and group.agents]
    agents = sum(group.agents for group in serving)
    line = lines.get(queue, Line(0))
    if not agents:
        return UNAVAILABLE
    if not line.service_s:
        return _like_last(last_served_s, agents)
    if any(group.free for group in serving):
        return _of_moments(ring.mean_s, ring.deviation_s**2, agents)
    mean_s, variance = moments(queue, lines, groups)
    if mean_s > LONGEST_S:
        return Estimate(Method.NONE, agents=agents)
    variance += (RATE_ERROR * mean_s) ** 2
    return _of_moments(mean_s + ring.mean_s, variance + ring.deviation_s**2, agents)


def moments(queue: str, lines: Mapping[str, Line], groups: Sequence[AgentGroup]) -> tuple[float, float]:
    """Mean and variance of the time until an agent is free for the caller, in s and s²."""
    names = list(lines)
    mine = names.index(queue)
    serving = [group for group in groups if group.agents]
    serves, freed_per_s = _rates(names, lines, serving)
    all_freed = float(freed_per_s @ serves[:, mine])
    ahead, virtual, abandon_per_s, overtaking_per_s = (
        np.array([getattr(line, name) for line in lines.values()], dtype=float)
        for name in ("ahead", "virtual", "abandon_per_s", "overtaking_per_s")
    )
    mean_s, variance = 0.0, 0.0
    while True:
        served = _served_per_s(mine, ahead, serves, freed_per_s)
        gone = np.maximum(0.0, ahead - virtual) * abandon_per_s
        left = float(ahead[mine])
        last = left < 1
        kept = max(served[mine] - overtaking_per_s[mine], LEAST_KEPT * served[mine])
        leaving = 0.0 if last else gone[mine]
        stage_s = 1 / max(kept + leaving, _NEVER_PER_S)
        callers = 1.0 if last else max(1.0, left * STAGES_AT_ONCE // 1)
        mean_s += callers * stage_s
        variance += callers * stage_s / max(all_freed + leaving, _NEVER_PER_S)
        if last or mean_s > LONGEST_S:
            return float(mean_s), float(variance)
        ahead = np.maximum(0.0, ahead + (overtaking_per_s - gone - served) * callers * stage_s)
        ahead[mine] = left - callers


def _served_per_s(
    mine: int, ahead: Numbers, serves: npt.NDArray[np.float64], freed_per_s: Numbers
) -> Numbers:
    """How often each queue gets an agent while the caller waits in queue ``mine`` behind ``ahead``."""
    standing = ahead.copy()
    standing[mine] += 1
    in_all_queues = serves @ standing
    each = np.divide(freed_per_s, in_all_queues, out=np.zeros_like(freed_per_s), where=in_all_queues > 0)
    return standing * (each @ serves)


def _rates(
    names: Sequence[str], lines: Mapping[str, Line], groups: Sequence[AgentGroup]
) -> tuple[npt.NDArray[np.float64], Numbers]:
    """Which group serves which queue, and how often an agent of each group becomes free.

    The handle time of a group is that of what its queues bring, those without history aside.
    """
    number_of = {name: number for number, name in enumerate(names)}
    serves = np.zeros((len(groups), len(names)))
    for row, group in enumerate(groups):
        for name in group.queues:
            if name in number_of:
                serves[row, number_of[name]] = 1
    service_s = np.array([line.service_s or 0.0 for line in lines.values()])
    volume = np.array([max(line.volume, _LEAST_VOLUME) for line in lines.values()]) * (service_s > 0)
    busy_s = serves @ (service_s * volume)
    agents = np.array([float(group.agents) for group in groups])
    freed = np.divide(agents * (serves @ volume), busy_s, out=np.zeros_like(agents), where=busy_s > 0)
    return serves, freed


def _like_last(last_served_s: float | None, agents: int) -> Estimate:
    if last_served_s is None:
        return Estimate(Method.NONE, agents=agents)
    mean_s = max(last_served_s, 1.0)
    like = _of_moments(mean_s, mean_s**2 / LAST_SERVED_SHAPE, agents)
    return Estimate(Method.LAST_SERVED, like.p50_s, like.p90_s, like.mean_s, agents)


def _of_moments(mean_s: float, variance: float, agents: int) -> Estimate:
    return Estimate(
        Method.FORMULA,
        gamma_quantile(mean_s, variance, 0.0),
        gamma_quantile(mean_s, variance, _Z90),
        mean_s,
        agents,
    )


def gamma_quantile(mean: float, variance: float, z: float) -> float:
    """The quantile of a gamma distribution that lies at ``z`` in the normal one.

    By Wilson and Hilferty (PNAS 17, 1931): the cube root is nearly normal. Off by less than 2 % at p50 and
    p90 for a shape (mean² ÷ variance) of 1, which is one stage, and by less for more.
    """
    if variance <= 0 or mean <= 0:
        return max(mean, 0.0)
    ninth = variance / (9 * mean**2)
    return mean * max(0.0, 1 - ninth + z * math.sqrt(ninth)) ** 3
