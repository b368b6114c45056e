"""How a caller in line comes to a callback, or does not: what is said, what keys mean, what is decided. Pure.

::

    OFFER ──key──> HOW ──1──────────────────> NUMBER ──1──> BOOKING ──booked──> over
      │             │──2──> TIMES ──1..n───────^ │ ^            │──refused──> KEYING, TIMES, or over
      │             0         │0                 2 └──1──READ <─┘
      └─silence     └─────────┴──> over          └──> KEYING ──#──> READ

Nothing is booked without a number that was read back and confirmed. ``TRIES`` keys that mean nothing, or
silences, in one place end it, and so do ``MOST_QUESTIONS`` in all; who comes to no decision goes on waiting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from callback.refusal import Refusal
from callback.wording import Line, Wording

TRIES = 3
MOST_QUESTIONS = 25
TIMES_AT_ONCE = 4
MOST_DIGITS = 20
OFFER_WAIT_S = 4.0
ANSWER_WAIT_S = 6.0
DIGIT_WAIT_S = 6.0

BACK, LATER, HASH, CLEAR = "0", "*", "#", "*"

_OF_NUMBERS = {
    Refusal.NUMBER_INVALID,
    Refusal.NUMBER_EMERGENCY,
    Refusal.NUMBER_PREMIUM,
    Refusal.NUMBER_OWN,
    Refusal.NUMBER_FOREIGN,
    Refusal.DO_NOT_CALL,
}
_OF_TIMES = {Refusal.SLOT_FULL, Refusal.SLOT_PAST, Refusal.SLOT_UNKNOWN, Refusal.TOO_EARLY}


# What happens to the dialogue.


@dataclass(frozen=True, slots=True)
class Pressed:
    """The caller pressed a key; what was being said is cut short."""

    key: str


@dataclass(frozen=True, slots=True)
class Silence:
    """The time to press a key has run out."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The number that was keyed in can be called, or why not."""

    number: str = ""
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """The free times as instants on the caller's own clock, ascending; ``today`` is the day there."""

    starts: Sequence[datetime]
    today: date


@dataclass(frozen=True, slots=True)
class Booked:
    """The callback exists. ``in_s`` is within which time it will probably come, where that is known.

    ``stood``: the number had one already, which stands as it was.
    """

    in_s: float | None = None
    stood: bool = False


@dataclass(frozen=True, slots=True)
class NotBooked:
    """There is no callback; without ``refusal`` an agent was found first."""

    refusal: Refusal | None = None


Event = Pressed | Silence | Checked | Times | Booked | NotBooked


# What the dialogue asks for. Each event is answered by one of these.


@dataclass(frozen=True, slots=True)
class Ask:
    """Say this, and wait for a key for ``wait_s`` after it."""

    lines: tuple[Line, ...]
    wait_s: float = ANSWER_WAIT_S


@dataclass(frozen=True, slots=True)
class Listen:
    """Say nothing; wait for a key for ``wait_s``."""

    wait_s: float = DIGIT_WAIT_S


@dataclass(frozen=True, slots=True)
class Check:
    """Answer with ``Checked`` whether this can be called."""

    text: str


@dataclass(frozen=True, slots=True)
class FindTimes:
    """Answer with ``Times``."""


@dataclass(frozen=True, slots=True)
class Book:
    """Answer with ``Booked`` or ``NotBooked``. The caller has confirmed this number.

    Without ``start`` it is as soon as it is their turn.
    """

    number: str
    start: datetime | None = None


class Outcome(Enum):
    """How it ended."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    REFUSED = "refused"
    AGENT = "agent"  # was found first


@dataclass(frozen=True, slots=True)
class Over:
    """Say this and nothing more; but for ``ACCEPTED`` the caller goes on waiting."""

    outcome: Outcome
    lines: tuple[Line, ...] = ()


Answer = Ask | Listen | Check | FindTimes | Book | Over


class Stage(Enum):
    """Where the dialogue stands."""

    OFFER = "offer"
    HOW = "how"
    LOOKING = "looking"  # for free times
    TIMES = "times"
    NUMBER = "number"  # the last digits of the caller's own were read back
    KEYING = "keying"
    CHECKING = "checking"
    READ = "read"  # what was keyed in was read back
    BOOKING = "booking"
    OVER = "over"


class Dialogue:
    """One talk. ``number`` is the caller's own if it can be called, else empty; ``key`` takes the offer."""

    def __init__(self, number: str, *, key: str = "1", times: bool = True, language: str = "") -> None:
        self.stage = Stage.OFFER
        self._words = Wording(language)
        self._number = number
        self._key = key
        self._has_times = times
        self._questions = 0
        self._tries = 0
        self._keyed = ""
        self._start: datetime | None = None
        self._times = Times((), date.min)
        self._page = 0
        self._first: tuple[Line, ...] = ()

    def offer(self) -> Answer:
        """Begin by asking whether the caller wants it."""
        return self._ask(Stage.OFFER, self._words.say("offer", key=self._key), wait_s=OFFER_WAIT_S)

    def begin(self) -> Answer:
        """Begin with one who has asked for it."""
        return self._how()

    def feed(self, event: Event) -> Answer:
        """What follows; an event that belongs to no question is answered by going on listening."""
        if self._questions > MOST_QUESTIONS and isinstance(event, Pressed | Silence):
            return self._declined()
        match event:
            case Pressed(key):
                return self._pressed(key)
            case Silence():
                return self._silence()
            case Checked(number, refusal) if self.stage is Stage.CHECKING:
                return self._checked(number, refusal)
            case Times() if self.stage is Stage.LOOKING:
                return self._found(event)
            case Booked() if self.stage is Stage.BOOKING:
                return self._booked(event)
            case NotBooked(refusal) if self.stage is Stage.BOOKING:
                return self._not_booked(refusal)
        return Listen()

    # Keys and silence.

    def _pressed(self, key: str) -> Answer:
        match self.stage, key:
            case Stage.OFFER, _:
                return self._how() if key == self._key else self._over(Outcome.DECLINED)
            case Stage.KEYING, _:
                return self._digit(key)
            case ((Stage.HOW | Stage.TIMES | Stage.NUMBER | Stage.READ), "0"):
                return self._declined()
            case Stage.HOW, "1":
                return self._ask_number()
            case Stage.HOW, "2":
                return self._look()
            case Stage.TIMES, _:
                return self._choose(key)
            case ((Stage.NUMBER | Stage.READ), "1"):
                return self._book()
            case ((Stage.NUMBER | Stage.READ), "2"):
                return self._key_in()
            case ((Stage.HOW | Stage.NUMBER | Stage.READ), _):
                return self._once_more(self._words.say("wrong_key"))
        return Listen()

    def _silence(self) -> Answer:
        match self.stage:
            case Stage.OFFER:
                return self._over(Outcome.DECLINED)
            case Stage.KEYING if self._keyed:
                return self._check()
            case Stage.HOW | Stage.TIMES | Stage.NUMBER | Stage.READ | Stage.KEYING:
                return self._once_more()
        return Listen()

    def _once_more(self, *first: Line) -> Answer:
        """The same question again, so often."""
        self._tries += 1
        self._questions += 1
        if self._tries >= TRIES:
            return self._declined()
        lines = (*first, *self._question())
        return Ask(lines, DIGIT_WAIT_S if self.stage is Stage.KEYING else ANSWER_WAIT_S)

    # When.

    def _how(self) -> Answer:
        return self._ask(Stage.HOW) if self._has_times else self._ask_number()

    def _look(self, *first: Line) -> Answer:
        self.stage, self._first = Stage.LOOKING, first
        return FindTimes()

    def _found(self, times: Times) -> Answer:
        self._times, self._page = times, 0
        if not times.starts:
            self._has_times = False
            return self._ask_number(*self._first, self._words.say("no_times"))
        return self._ask(Stage.TIMES, *self._first)

    def _choose(self, key: str) -> Answer:
        shown = self._shown()
        if key == LATER and len(self._times.starts) > TIMES_AT_ONCE:
            following = self._page + TIMES_AT_ONCE
            self._page = following if following < len(self._times.starts) else 0
            return self._ask(Stage.TIMES)
        if not key.isdecimal() or not 1 <= int(key) <= len(shown):
            return self._once_more(self._words.say("wrong_key"))
        self._start = shown[int(key) - 1]
        return self._ask_number()

    def _shown(self) -> Sequence[datetime]:
        return self._times.starts[self._page : self._page + TIMES_AT_ONCE]

    # The number.

    def _ask_number(self, *first: Line) -> Answer:
        if self._number:
            return self._ask(Stage.NUMBER, *first)
        return self._key_in(*first)

    def _key_in(self, *first: Line) -> Answer:
        self._keyed = ""
        return self._ask(Stage.KEYING, *first, wait_s=DIGIT_WAIT_S)

    def _digit(self, key: str) -> Answer:
        if key == CLEAR:
            self._keyed = ""
            self._questions += 1
            return Listen()
        if key != HASH:
            self._keyed += key
            return Listen() if len(self._keyed) <= MOST_DIGITS else self._bad_number(Refusal.NUMBER_INVALID)
        return self._check() if self._keyed else self._once_more()

    def _check(self) -> Answer:
        self.stage = Stage.CHECKING
        return Check(self._keyed)

    def _checked(self, number: str, refusal: Refusal | None) -> Answer:
        if refusal is not None:
            return self._bad_number(refusal)
        self._number = number
        return self._ask(Stage.READ)

    def _bad_number(self, refusal: Refusal) -> Answer:
        self.stage, self._keyed, self._number = Stage.KEYING, "", ""
        return self._once_more(self._words.refused(refusal))

    # The end.

    def _book(self) -> Answer:
        self.stage = Stage.BOOKING
        return Book(self._number, self._start)

    def _booked(self, booked: Booked) -> Answer:
        words, in_s = self._words, booked.in_s
        if booked.stood:
            lines = [words.say("stood")]
        elif self._start is not None:
            lines = [words.say("timed", when=words.when(self._start, self._times.today))]
        else:
            lines = [words.say("placed")]
            if in_s is not None and in_s >= 60:
                lines.append(words.say("minutes", minutes=str(-(-int(in_s) // 60))))
        return self._over(Outcome.ACCEPTED, *lines, words.say("goodbye"))

    def _not_booked(self, refusal: Refusal | None) -> Answer:
        if refusal is None:
            return self._over(Outcome.AGENT)
        if refusal in _OF_NUMBERS:
            return self._bad_number(refusal)
        if refusal in _OF_TIMES and self._start is not None:
            self._start = None
            return self._look(self._words.say("taken"))
        return self._over(Outcome.REFUSED, self._words.refused(refusal), self._words.say("stay"))

    def _declined(self) -> Answer:
        return self._over(Outcome.DECLINED, self._words.say("stay"))

    def _over(self, outcome: Outcome, *lines: Line) -> Answer:
        self.stage = Stage.OVER
        return Over(outcome, lines)

    # What is asked.

    def _ask(self, stage: Stage, *first: Line, wait_s: float = ANSWER_WAIT_S) -> Answer:
        self.stage, self._tries = stage, 0
        self._questions += 1
        lines = first if stage is Stage.OFFER else (*first, *self._question())
        return Ask(lines, wait_s)

    def _question(self) -> tuple[Line, ...]:
        words = self._words
        match self.stage:
            case Stage.HOW:
                return (words.say("how"),)
            case Stage.TIMES:
                times = [
                    words.say("time", when=words.when(start, self._times.today), key=str(key))
                    for key, start in enumerate(self._shown(), 1)
                ]
                more = len(self._times.starts) > TIMES_AT_ONCE
                return (*times, *([words.say("later")] if more else []), words.say("times"))
            case Stage.NUMBER:
                ending = words.say("ending", digits=words.ending(self._number))
                return (self._what(), ending, words.say("right"))
            case Stage.READ:
                keyed = words.say("keyed", digits=words.digits(self._keyed))
                return (self._what(), keyed, words.say("right"))
            case Stage.KEYING:
                return (words.say("key_in"),)
        return ()

    def _what(self) -> Line:
        """What is about to be confirmed."""
        if self._start is None:
            return self._words.say("turn")
        return self._words.say("at", when=self._words.when(self._start, self._times.today))
