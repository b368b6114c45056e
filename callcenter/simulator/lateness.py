"""How late things happened, and when: it bounds how exactly the simulated people know their own times."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from callcenter.errors import CallCenterError

PROBE_EVERY_S = 0.2
SLIGHT_S = 0.02


@dataclass(slots=True)
class Lateness:
    """Spans in which somebody had to wait for the machine, in seconds since 1970, and how long."""

    spans: list[tuple[float, float, float]] = field(default_factory=list)

    def note(self, since: float, until: float) -> None:
        """Something that should take no time took from ``since`` to ``until``."""
        if until - since > SLIGHT_S:
            self.spans.append((since, until, until - since))

    def worst_s(self, since: float, until: float) -> float:
        """The longest that anything took that was under way between two moments."""
        return max((late for begin, end, late in self.spans if begin <= until and end >= since), default=0.0)


async def probe(lateness: Lateness, now: Callable[[], float], ask: Callable[[], Awaitable[None]]) -> None:
    """Until cancelled, see how much too long this process sleeps, and have the service asked something."""
    while True:
        due_at = now() + PROBE_EVERY_S
        await asyncio.sleep(PROBE_EVERY_S)
        lateness.note(due_at, now())
        with suppress(CallCenterError):
            await ask()
