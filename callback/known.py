"""What a customer decides who phones in while a callback of theirs is open. Pure.

They hear where they stand and may wait on the line at that place, cancel the callback, or leave it as it is.
Who presses nothing has decided nothing: the callback stands, and they wait as anybody who comes.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from callback.dialogue import Ask, Event, Listen, Pressed, Silence
from callback.wording import Line, Wording

TRIES = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the callback: its place, 1 is next, and the promised time on the caller's own clock.

    ``elsewhere``: it is for another queue.
    """

    place: int | None
    start: datetime
    today: date
    elsewhere: bool = False


class Decision(Enum):
    """What the customer wants."""

    HOLD = "hold"  # on the line, at the callback's place
    CANCEL = "cancel"
    KEEP = "keep"  # be called as agreed
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Decided:
    """The end of the dialogue; ``lines`` are said once it is carried out."""

    decision: Decision
    lines: tuple[Line, ...] = ()


class Known:
    """One talk."""

    def __init__(self, standing: Standing, language: str = "") -> None:
        self._standing = standing
        self._words = Wording(language)
        self._tries = 0

    def begin(self) -> Ask:
        """Say where they stand and ask."""
        words, standing = self._words, self._standing
        lines = [words.say("known_elsewhere" if standing.elsewhere else "known")]
        if standing.place is not None and not standing.elsewhere:
            lines.append(words.say("place", place=str(standing.place)))
        else:
            lines.append(words.say("window", when=words.when(standing.start, standing.today)))
        lines.append(words.say("choose_elsewhere" if standing.elsewhere else "choose"))
        return Ask(tuple(lines))

    def feed(self, event: Event) -> Ask | Listen | Decided:
        """What follows a key or silence."""
        words, elsewhere = self._words, self._standing.elsewhere
        match event:
            case Pressed("1") if not elsewhere:
                return Decided(Decision.HOLD, (words.say("merged"),))
            case Pressed("2"):
                return Decided(Decision.CANCEL, (words.say("cancelled"),))
            case Pressed("3"):
                return Decided(Decision.KEEP, (words.say("kept_waiting" if elsewhere else "kept"),))
            case Pressed() | Silence():
                self._tries += 1
                return Decided(Decision.NOTHING) if self._tries >= TRIES else self.begin()
        return Listen()
