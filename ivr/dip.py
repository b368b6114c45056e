"""A lookup under way, from the question to the moment when the caller goes on. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ivr import actions as act


@dataclass(slots=True)
class Dip:
    """Over when the answer is there and the prompt ``play_id`` is over; ``values`` is what was found."""

    lookup_id: int
    play_id: int | None = None
    is_answered: bool = False
    values: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing is awaited any more."""
        return self.is_answered and self.play_id is None

    def take(self, event: act.Played | act.LookedUp) -> None:
        """Note the end of the prompt or the answer; one of another lookup or prompt changes nothing."""
        match event:
            case act.Played(play_id) if play_id in (None, self.play_id):
                self.play_id = None
            case act.LookedUp(lookup_id, values) if lookup_id == self.lookup_id:
                self.is_answered, self.values = True, values
