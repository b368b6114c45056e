"""Erlang B, C and A: what a number of agents makes of a load.

Load ``a`` is calls per second times handle time, in Erlang. Arrivals are Poisson, handle times exponential.
B: who finds no free agent is gone (A. K. Erlang, 1917). C: who finds none waits for ever. A: who finds none
waits for an exponential patience (C. Palm, 1946; Garnett, Mandelbaum & Reiman, MSOM 4, 2002).
"""

import math
from dataclasses import dataclass

from callcenter.errors import UsageError

MOST_AGENTS = 100_000
_NEGLIGIBLE = 1e-14
_LARGE = 1e250


@dataclass(frozen=True, slots=True)
class ErlangC:
    """A queue of ``agents`` at ``load``; without waiting room, patience or end where the load is too high."""

    agents: int
    load: float
    aht_s: float
    wait_probability: float

    @property
    def occupancy(self) -> float:
        """Load per agent; 1 and above: the line grows without end."""
        return self.load / self.agents if self.agents else math.inf

    @property
    def asa_s(self) -> float:
        """Average speed of answer; infinite where the line grows without end."""
        spare = self.agents - self.load
        return self.wait_probability * self.aht_s / spare if spare > 0 else math.inf

    def service_level(self, within_s: float) -> float:
        """The part of the callers who are answered within so many seconds."""
        spare = self.agents - self.load
        if spare <= 0:
            return 0.0
        return 1 - self.wait_probability * math.exp(-spare * within_s / self.aht_s)


@dataclass(frozen=True, slots=True)
class ErlangA:
    """The same with patience. ``asa_s`` is the mean wait of all callers, answered or not."""

    agents: int
    load: float
    aht_s: float
    patience_s: float
    wait_probability: float
    abandonment: float
    asa_s: float
    occupancy: float
    waiting: tuple[float, ...]

    def service_level(self, within_s: float) -> float:
        """The part of the callers who are answered, and within so many seconds."""
        return _answered_within(self, within_s)


def erlang_b(agents: int, load: float) -> float:
    """The part of the callers who find no agent free and are gone.

    By the recursion on 1 ÷ B, which stays between 1 and infinity and loses no digits.
    """
    if load <= 0:
        return 0.0
    inverse = 1.0
    for n in range(1, agents + 1):
        inverse = 1 + inverse * n / load
        if math.isinf(inverse):
            return 0.0
    return 1 / inverse


def erlang_c(agents: int, load: float, aht_s: float) -> ErlangC:
    """Agents, load in Erlang, handle time."""
    if load <= 0:
        return ErlangC(agents, 0.0, aht_s, 0.0)
    if load >= agents:
        return ErlangC(agents, load, aht_s, 1.0)
    blocked = erlang_b(agents, load)
    return ErlangC(agents, load, aht_s, blocked / (1 - load / agents * (1 - blocked)))


def erlang_a(agents: int, load: float, aht_s: float, patience_s: float) -> ErlangA:
    """Agents, load in Erlang, handle time, mean patience.

    States are the number of callers present; beyond the agents each caller who waits leaves with rate
    ``1 ÷ patience_s``, too. All weights are relative to the state in which all agents are busy and nobody
    waits, of which Erlang B gives the part that lies below.
    """
    if load <= 0:
        return ErlangA(agents, 0.0, aht_s, patience_s, 0.0, 0.0, 0.0, 0.0, ())
    arrivals, mu, theta = load / aht_s, 1 / aht_s, 1 / patience_s
    blocked = erlang_b(agents, load)
    below = (1 / blocked - 1) if blocked > 0 else math.inf
    if math.isinf(below):
        return ErlangA(agents, load, aht_s, patience_s, 0.0, 0.0, 0.0, load / agents, ())
    weights, weight, peak, waiting = [1.0], 1.0, 1.0, 0
    while weight > _NEGLIGIBLE * peak or arrivals > agents * mu + waiting * theta:
        waiting += 1
        weight *= arrivals / (agents * mu + waiting * theta)
        weights.append(weight)
        peak = max(peak, weight)
        if weight > _LARGE:
            weights = [one / weight for one in weights]
            below, weight, peak = below / weight, 1.0, 1.0
    total = below + math.fsum(weights)
    line = math.fsum(count * one for count, one in enumerate(weights)) / total
    abandonment = theta * line / arrivals
    return ErlangA(
        agents,
        load,
        aht_s,
        patience_s,
        wait_probability=math.fsum(weights) / total,
        abandonment=abandonment,
        asa_s=line / arrivals,
        occupancy=load * (1 - abandonment) / agents if agents else 1.0,
        waiting=tuple(one / total for one in weights),
    )


def _answered_within(queue: ErlangA, within_s: float) -> float:
    """Who has ``j`` callers ahead waits for stages of rates n·μ + i·θ, i = 0 .. j, if they stay.

    With the caller's own patience as one more way out of each stage, j + 1 stages of rates n·μ + i·θ,
    i = 1 .. j + 1, lead to the agent with probability n·μ ÷ (n·μ + (j + 1)·θ). Their sum is
    −ln(Beta(n·μ/θ + 1, j + 1)) ÷ θ, so its distribution is a regularized incomplete beta function, which has
    a recursion over j.
    """
    if not queue.waiting:
        return 1.0
    theta, served = 1 / queue.patience_s, queue.agents / queue.aht_s
    alpha = served / theta + 1
    log_x = -theta * within_s
    y = -math.expm1(log_x)
    term = math.exp(alpha * log_x)
    reached, level = 1 - term, 1 - queue.wait_probability
    for ahead, probability in enumerate(queue.waiting):
        level += probability * served / (served + (ahead + 1) * theta) * max(reached, 0.0)
        term *= y * (ahead + alpha) / (ahead + 1)
        reached -= term
    return level


def agents_needed(
    load: float, aht_s: float, target: float, within_s: float, patience_s: float | None = None
) -> int:
    """The least number of agents who answer ``target`` of the callers within so many seconds.

    By Erlang A where a patience is given, else by C. Raises ``UsageError`` for what cannot be reckoned.
    """
    _check(load, aht_s, target, within_s, patience_s)
    if load == 0:
        return 0

    def is_enough(agents: int) -> bool:
        if patience_s is None:
            return erlang_c(agents, load, aht_s).service_level(within_s) >= target
        return erlang_a(agents, load, aht_s, patience_s).service_level(within_s) >= target

    low, high = 0, max(1, math.ceil(load))
    while not is_enough(high):
        low, high = high, high + max(1, high // 8)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def with_shrinkage(agents: int, shrinkage: float) -> int:
    """How many must be paid for so many to be at work, where ``shrinkage`` of the paid time is lost."""
    if not 0 <= shrinkage < 1:
        raise UsageError(f"shrinkage must be at least 0 and below 1, not {shrinkage:g}")
    return math.ceil(agents / (1 - shrinkage) - 1e-9)


def _check(load: float, aht_s: float, target: float, within_s: float, patience_s: float | None) -> None:
    if not 0 <= load <= MOST_AGENTS:
        raise UsageError(f"the load must be between 0 and {MOST_AGENTS} Erlang, not {load:g}")
    if not (aht_s > 0 and math.isfinite(aht_s)):
        raise UsageError(f"the handle time must be above 0 s, not {aht_s:g}")
    if not 0 < target < 1:
        raise UsageError(f"the target must lie between 0 and 1, not {target:g}")
    if not (within_s >= 0 and math.isfinite(within_s)):
        raise UsageError(f"the time to answer must be 0 s or more, not {within_s:g}")
    if patience_s is not None and not (patience_s > 0 and math.isfinite(patience_s)):
        raise UsageError(f"the patience must be above 0 s, not {patience_s:g}")
