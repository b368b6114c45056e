"""What a simulated day is made of. Times are seconds since its beginning."""

import math
from dataclasses import dataclass, field

from callcenter.acd.policy import Need, QueueRule, Skills


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A span of time as service times are found to be (Brown et al., JASA 100, 2005).

    ``cv`` is the coefficient of variation: standard deviation over mean; 0 makes it constant.
    """

    mean_s: float
    cv: float = 0.0

    @property
    def sigma(self) -> float:
        """The standard deviation of the logarithm."""
        return math.sqrt(math.log1p(self.cv**2))

    @property
    def mu(self) -> float:
        """The mean of the logarithm."""
        return math.log(self.mean_s) - self.sigma**2 / 2


@dataclass(frozen=True, slots=True)
class CallerKind:
    """A part of a queue's callers: what they have and need. ``share`` is relative to the other kinds'."""

    share: float = 1.0
    priority: int = 0
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Callbacks of a queue and how its callers take to them.

    Who is expected to wait longer than ``offer_after_s`` is offered one on entry; ``menu_s`` later, if nobody
    has come by then, it is taken: with probability ``too_long`` by who is told of a longer wait than they
    have patience for, with probability ``accepts`` by others. Who is about to hang up takes one by key
    instead with probability ``by_key``. Nobody is dialled within ``earliest_s``. An agent comes first; then
    the customer's telephone rings and is picked up with probability ``answers``, after ``pick_up_s`` on
    average (exponential), or rings for ``ring_s``. The next of ``attempts`` is ``retry_s`` later, at the old
    place.
    """

    offer_after_s: float = 180.0
    accepts: float = 0.6
    too_long: float = 0.6
    by_key: float = 0.0
    menu_s: float = 20.0
    earliest_s: float = 60.0
    answers: float = 0.85
    pick_up_s: float = 8.0
    ring_s: float = 20.0
    retry_s: float = 300.0
    attempts: int = 3


@dataclass(frozen=True, slots=True)
class QueueModel:
    """One queue: how many calls are expected in each interval of the day, and what its callers are like.

    Arrivals are Poisson within an interval, patience is exponential with mean ``patience_s`` (``inf``:
    nobody hangs up), ``wrap_up`` follows the conversation of ``talk``.
    """

    name: str
    expected: tuple[float, ...]
    talk: LogNormal
    wrap_up: LogNormal | None = None
    patience_s: float = math.inf
    rule: QueueRule = field(default_factory=QueueRule)
    kinds: tuple[CallerKind, ...] = (CallerKind(),)
    callbacks: Callbacks | None = None


@dataclass(frozen=True, slots=True)
class AgentModel:
    """One agent and when they are there: ``shifts`` are (from, to), apart and ascending."""

    agent_id: str
    queues: frozenset[str]
    shifts: tuple[tuple[float, float], ...]
    skills: Skills = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rings:
    """How agents answer: after a mean of ``mean_s`` (exponential), or not at all (``missed_share``).

    Who lets it ring for ``timeout_s`` is on a break of ``break_s`` and not offered this caller for
    ``exclude_s``, as in the live service.
    """

    mean_s: float = 4.0
    missed_share: float = 0.0
    timeout_s: float = 20.0
    break_s: float = 120.0
    exclude_s: float = 30.0


@dataclass(frozen=True, slots=True)
class DayModel:
    """A day. The simulation goes on after its last interval until everybody has been served or is gone."""

    queues: tuple[QueueModel, ...]
    agents: tuple[AgentModel, ...]
    interval_s: float = 1800.0
    rings: Rings = field(default_factory=Rings)
