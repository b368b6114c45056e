"""What really became of the callbacks that customers asked for, by their own telephones. Pure.

Times are seconds since 1970, UTC.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callcenter.simulator.callback_plan import REACHED, Pickup

if TYPE_CHECKING:
    from callcenter.simulator.truth import CallTruth

LATE_S = 0.5
"""A telephone that rings this soon after the end was dialled before the service could know of it."""


@dataclass(slots=True)
class Rang:
    """One ringing of the customer's telephone.

    ``confirmed_at`` is when the customer pressed the key for being the right person, ``connected_at`` when
    an agent was on the line.
    """

    at: float
    call_ref: str
    pickup: Pickup
    answered_at: float | None = None
    confirmed_at: float | None = None
    connected_at: float | None = None
    message_heard: bool = False
    ended_at: float | None = None


@dataclass(slots=True)
class CallbackTruth:
    """One customer's wish.

    ``earliest_at`` is what the customer chose where that was another time than as soon as possible.
    ``duplicates`` says of each ringing that should not have been why. ``ended_for``: served, cancelled, or
    in_person for who phoned in and went on waiting. ``talks`` are the calls that came of it.
    """

    number: str
    queue: str
    asked_at: float
    source: str = "ivr"
    attempts_max: int = 3
    earliest_at: float | None = None
    moved: int = 0
    rings: list[Rang] = field(default_factory=list)
    talks: list["CallTruth"] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    ended_at: float | None = None
    ended_for: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether the customer still waits for a call."""
        return self.ended_at is None

    @property
    def connected(self) -> bool:
        """Whether the customer has talked to an agent because of it."""
        return any(rang.connected_at is not None for rang in self.rings)

    @property
    def rings_now(self) -> bool:
        """Whether the telephone rings, or is in use for it."""
        return any(rang.ended_at is None for rang in self.rings)

    @property
    def first_ring_s(self) -> float | None:
        """From the wish to the first ringing."""
        return self.rings[0].at - self.asked_at if self.rings else None

    @property
    def right_party(self) -> bool:
        """Whether the customer, and nobody else, picked up."""
        return any(rang.answered_at is not None and rang.pickup in REACHED for rang in self.rings)

    def ring(self, at: float, call_ref: str, pickup: Pickup) -> Rang:
        """The telephone rings; what is wrong with that is noted."""
        for problem in self._wrong_with(at):
            self.duplicates.append(f"{problem} ({call_ref})")
        self.rings.append(Rang(at, call_ref, pickup))
        return self.rings[-1]

    def end(self, reason: str, at: float) -> None:
        """It is over for the customer; the first end counts."""
        if self.ended_at is None:
            self.ended_at, self.ended_for = at, reason

    def _wrong_with(self, at: float) -> list[str]:
        found = []
        if self.rings_now:
            found.append("rang twice at once")
        if self.ended_at is not None and at > self.ended_at + LATE_S:
            found.append(f"rang {at - self.ended_at:.1f} s after the end")
        if len(self.rings) >= self.attempts_max:
            found.append(f"rang more than {self.attempts_max} times")
        if self.earliest_at is not None and at < self.earliest_at - LATE_S:
            found.append(f"rang {self.earliest_at - at:.1f} s too early")
        return found
