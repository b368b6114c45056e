"""The callers of a day, drawn before it begins.

So the same seed gives the same callers whatever the staffing, and two staffings can be compared caller by
caller, which takes far fewer days than comparing two averages.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from callcenter.simulation.model import Callbacks, CallerKind, LogNormal, QueueModel


@dataclass(frozen=True, slots=True)
class Drawn:
    """One caller: when they call, how long they would wait, how long they keep an agent."""

    at_s: float
    queue: str
    kind: CallerKind
    patience_s: float
    talk_s: float
    wrap_up_s: float


class Luck:
    """How one caller takes to callbacks; the same for the same seed, whenever it is asked."""

    def __init__(self, seed: int, number: int, of: Callbacks) -> None:
        self._rng = np.random.default_rng([seed, number])
        self.of = of
        self._mood = float(self._rng.random())
        self.takes_by_key = bool(self._rng.random() < of.by_key)

    def accepts(self, expected_s: float, patience_s: float) -> bool:
        """Whether an offer is taken by who has so much patience and is told of such a wait."""
        return self._mood < (self.of.too_long if expected_s > patience_s else self.of.accepts)

    def rings_s(self) -> tuple[float, bool]:
        """How long the customer's telephone rings this time, and whether it is picked up then."""
        picks_up, after_s = self._rng.random() < self.of.answers, self._rng.exponential(self.of.pick_up_s)
        return (min(float(after_s), self.of.ring_s), True) if picks_up else (self.of.ring_s, False)


def callers(queue: QueueModel, interval_s: float, rng: np.random.Generator) -> Iterator[Drawn]:
    """Draw the callers of a queue, in no order."""
    counts = rng.poisson(queue.expected)
    starts = np.repeat(np.arange(len(counts)) * interval_s, counts)
    size = len(starts)
    at_s = starts + rng.random(size) * interval_s
    shares = np.array([kind.share for kind in queue.kinds])
    kinds = rng.choice(len(queue.kinds), size, p=shares / shares.sum())
    patience_s = rng.exponential(1.0, size) * queue.patience_s
    talk_s = _spans(queue.talk, size, rng)
    wrap_up_s = _spans(queue.wrap_up, size, rng)
    for row in zip(at_s, kinds, patience_s, talk_s, wrap_up_s, strict=True):
        at, kind, patience, talk, wrap_up = row
        yield Drawn(float(at), queue.name, queue.kinds[kind], float(patience), float(talk), float(wrap_up))


def _spans(of: LogNormal | None, size: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    drawn = rng.standard_normal(size)  # drawn in any case, so that one setting does not shift the others
    if of is None or of.mean_s == 0:
        return np.zeros(size)
    return np.exp(of.mu + of.sigma * drawn)
