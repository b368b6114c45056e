"""What gives way when more is said than can be recognised: a ladder, one rung after the other. Pure.

Sound is never dropped. First partials come less often, then not at all, then word times wait, then finals
wait on disk until there is time.
"""

from dataclasses import dataclass
from enum import IntEnum


class Rung(IntEnum):
    """How far things have come; each rung includes those below it."""

    ALL = 0
    FEWER_PARTIALS = 1
    NO_PARTIALS = 2
    WORD_TIMES_LATER = 3
    FINALS_LATER = 4


@dataclass(frozen=True, slots=True)
class LadderSettings:
    """A rung is reached when a final that ends now would wait this long, or the workers are this busy.

    A rung is left after ``calm_s`` in which half of what leads to it was never exceeded.
    """

    wait_s: tuple[float, float, float, float] = (0.15, 0.35, 0.8, 20.0)
    busy: tuple[float, float] = (0.75, 0.92)
    calm_s: float = 2.0


PACES = {Rung.ALL: 1.0, Rung.FEWER_PARTIALS: 2.5}
"""How many times longer than usual partials are apart; on the other rungs there are none."""


class Ladder:
    """Says on which rung we are. ``climbs`` counts how often each rung was reached from below."""

    def __init__(self, settings: LadderSettings | None = None) -> None:
        self._settings = settings or LadderSettings()
        self._calm_since_s: float | None = None
        self.rung = Rung.ALL
        self.climbs = dict.fromkeys(Rung, 0)

    def update(self, now_s: float, wait_s: float, busy: float) -> Rung:
        """Take how long a final would wait and the share of the workers' time that is spent, 0 to 1."""
        wanted = self._wanted(wait_s, busy, 1.0)
        if wanted >= self.rung:
            for rung in range(self.rung + 1, wanted + 1):
                self.climbs[Rung(rung)] += 1
            self.rung = wanted
            self._calm_since_s = None
        elif self._wanted(wait_s, busy, 0.5) >= self.rung:
            self._calm_since_s = None
        elif self._calm_since_s is None:
            self._calm_since_s = now_s
        elif now_s - self._calm_since_s >= self._settings.calm_s:
            self.rung = Rung(self.rung - 1)
            self._calm_since_s = now_s
        return self.rung

    def _wanted(self, wait_s: float, busy: float, share: float) -> Rung:
        by_wait = sum(wait_s > share * limit for limit in self._settings.wait_s)
        by_busy = sum(busy > (limit if share == 1.0 else limit - 0.15) for limit in self._settings.busy)
        return Rung(max(by_wait, by_busy))
