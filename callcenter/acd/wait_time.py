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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

RATE_ERROR = 0.1
"""How far, relatively, the rates are off: shifts that end, handle times that were not typical."""

LAST_SERVED_SHAPE = 4.0
"""How the wait of the last caller served scatters around the next one's: a gamma of this shape."""

LEAST_KEPT = 0.1
"""The part of a queue's agents that callers of higher priority leave to the others at least."""

STAGES_AT_ONCE = 0.02
"""So large a part of a long line is one step. The last hundred ahead, who take longest, go one by one."""

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
    if line.service_s is None:
        return _like_last(last_served_s, agents)
    if any(group.free for group in serving):
        return _of_moments(ring.mean_s, ring.deviation_s**2, agents)
    mean_s, variance = moments(queue, lines, groups)
    variance += (RATE_ERROR * mean_s) ** 2
    return _of_moments(mean_s + ring.mean_s, variance + ring.deviation_s**2, agents)


def moments(queue: str, lines: Mapping[str, Line], groups: Sequence[AgentGroup]) -> tuple[float, float]:
    """Mean and variance of the time until an agent is free for the caller, in s and s²."""
    mine = lines[queue]
    ahead = {name: float(line.ahead) for name, line in lines.items()}
    freed = [(group.queues, _freed_per_s(group, lines)) for group in groups if group.agents]
    all_freed = sum(per_s for queues, per_s in freed if queue in queues)
    mean_s, variance = 0.0, 0.0
    while True:
        served = served_per_s(queue, ahead, freed)
        gone = {
            name: max(0.0, count - lines[name].virtual) * lines[name].abandon_per_s
            for name, count in ahead.items()
        }
        left = ahead[queue]
        last = left < 1
        kept = max(served[queue] - mine.overtaking_per_s, LEAST_KEPT * served[queue])
        leaving = 0.0 if last else gone[queue]
        stage_s = 1 / max(kept + leaving, _NEVER_PER_S)
        callers = 1.0 if last else max(1.0, left * STAGES_AT_ONCE // 1)
        mean_s += callers * stage_s
        variance += callers * stage_s / max(all_freed + leaving, _NEVER_PER_S)
        if last or mean_s > 1 / _NEVER_PER_S:
            return mean_s, variance
        for name, line in lines.items():
            change = line.overtaking_per_s - gone[name] - served.get(name, 0.0)
            ahead[name] = max(0.0, ahead[name] + change * callers * stage_s)
        ahead[queue] = left - callers


def served_per_s(
    queue: str, ahead: Mapping[str, float], freed: Iterable[tuple[frozenset[str], float]]
) -> dict[str, float]:
    """How often each queue gets an agent while the caller waits in ``queue`` behind ``ahead``."""
    served = dict.fromkeys(ahead, 0.0)
    for queues, per_s in freed:
        standing = {name: ahead[name] + (name == queue) for name in queues if name in ahead}
        total = sum(standing.values())
        if total <= 0:
            continue
        for name, count in standing.items():
            served[name] += per_s * count / total
    return served


def _freed_per_s(group: AgentGroup, lines: Mapping[str, Line]) -> float:
    """How often an agent of the group becomes free, by the handle times of what its queues bring."""
    known = [
        (line.service_s, max(line.volume, _LEAST_VOLUME))
        for name, line in lines.items()
        if name in group.queues and line.service_s
    ]
    busy = sum(seconds * volume for seconds, volume in known)
    return group.agents * sum(volume for _, volume in known) / busy if known else 0.0


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
