"""A lookup under way, from the question to the moment when the caller goes on. Pure."""

from collections.abc import Mapping, MutableMapping

from ivr import actions as act
from ivr.lookup import Lookup


class Dip:
    """One caller at a lookup: over when the answer is there and the prompt ``play_id``, if any, is over."""

    def __init__(self, node: Lookup, lookup_id: int) -> None:
        self.node = node
        self.lookup_id = lookup_id
        self.play_id: int | None = None
        self._is_answered = False
        self._values: Mapping[str, str] | None = None

    def take(self, event: act.Played | act.LookedUp) -> None:
        """Note the end of the prompt or the answer; one of another lookup or prompt changes nothing."""
        match event:
            case act.Played(play_id) if play_id in (None, self.play_id):
                self.play_id = None
            case act.LookedUp(lookup_id, values) if lookup_id == self.lookup_id:
                self._is_answered, self._values = True, values

    def interrupted(self) -> tuple[act.Action, ...]:
        """A key cuts the prompt short, if one plays."""
        playing, self.play_id = self.play_id, None
        return () if playing is None else (act.StopPlaying(),)

    def target(self, variables: MutableMapping[str, str]) -> str | None:
        """Where the call goes on, its variables filled in; ``None`` while something is awaited."""
        if not self._is_answered or self.play_id is not None:
            return None
        if self._values is None:
            return self.node.failed
        variables.update(self._values)
        return self.node.next
