"""Who spoke how much in a conversation, how long nobody did, who broke in, and how fast they spoke.

All of it from speaker-attributed times of words, in ms on the call's clock. Words of one party with pauses
of at most ``JOIN_MS`` between them are one *turn*. Talk time is the time of turns. Nobody speaking for longer
than ``NON_TALK_MS`` is non-talk, and then the whole pause is. A turn interrupts when it begins while the
other party has been speaking for ``BREAK_IN_MS`` or longer and itself lasts that long; a shorter one is a
listener's "mm". Time on hold belongs to no figure: what is said there is passed over, and a pause ends where
a hold begins.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import NamedTuple

from callcenter.reports.ratio import Ratio

JOIN_MS = 500
NON_TALK_MS = 3000
BREAK_IN_MS = 500
BY_CHARACTER = frozenset({"ja", "zh", "yue", "th", "lo", "my", "km"})
"""Languages written without blanks between words, whose speed is counted in characters."""


class Party(StrEnum):
    """Who speaks; the customer is the leg ``caller``."""

    AGENT = "agent"
    CUSTOMER = "customer"


class Unit(StrEnum):
    """In what the speed of a language is counted."""

    WORDS = "words"
    CHARACTERS = "characters"


class Stretch(NamedTuple):
    """From start (included) to end (not included), ms."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Said:
    """A word, or a whole utterance whose words have no times: when it was said and how much it is."""

    party: Party
    start_ms: int
    end_ms: int
    count: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class Side:
    """One party of some conversations: talk time, how often it broke in, how much it said in what time."""

    talk_ms: int = 0
    interruptions: int = 0
    words: int = 0
    words_ms: int = 0
    characters: int = 0
    characters_ms: int = 0

    @property
    def words_per_minute(self) -> Ratio:
        """Words per minute of talk, in languages that have words."""
        return Ratio(self.words, self.words_ms / 60_000)

    @property
    def characters_per_minute(self) -> Ratio:
        """Characters per minute of talk, in languages without blanks between words."""
        return Ratio(self.characters, self.characters_ms / 60_000)

    def __add__(self, other: "Side") -> "Side":
        return Side(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Side)))


@dataclass(frozen=True, slots=True)
class Talk:
    """What was measured in some conversations; can be added up. ``time_ms`` is without holds."""

    conversations: int = 0
    time_ms: int = 0
    non_talk_ms: int = 0
    longest_non_talk_ms: int = 0
    agent: Side = field(default_factory=Side)
    customer: Side = field(default_factory=Side)

    @property
    def agent_share(self) -> Ratio:
        """The agent's part of all talk."""
        return Ratio(self.agent.talk_ms, self.agent.talk_ms + self.customer.talk_ms)

    @property
    def customer_share(self) -> Ratio:
        """The customer's part of all talk."""
        return Ratio(self.customer.talk_ms, self.agent.talk_ms + self.customer.talk_ms)

    @property
    def non_talk(self) -> Ratio:
        """The part of the conversations, without holds, in which nobody spoke for long."""
        return Ratio(self.non_talk_ms, self.time_ms)

    @property
    def agent_interruptions(self) -> Ratio:
        """How often the agent broke in, per conversation."""
        return Ratio(self.agent.interruptions, self.conversations)

    @property
    def customer_interruptions(self) -> Ratio:
        """How often the customer broke in, per conversation."""
        return Ratio(self.customer.interruptions, self.conversations)

    def __add__(self, other: "Talk") -> "Talk":
        return Talk(
            conversations=self.conversations + other.conversations,
            time_ms=self.time_ms + other.time_ms,
            non_talk_ms=self.non_talk_ms + other.non_talk_ms,
            longest_non_talk_ms=max(self.longest_non_talk_ms, other.longest_non_talk_ms),
            agent=self.agent + other.agent,
            customer=self.customer + other.customer,
        )


def measure(said: Sequence[Said], conversation: Stretch, holds: Iterable[Stretch] = ()) -> Talk:
    """Measure one conversation, in O(n log n) of what was said in it; what lies outside does not count.

    Words may come in any order and overlap; one that crosses the border of a hold counts with its part
    outside, and as a whole word where it begins outside.
    """
    held = joined(holds)
    open_ = list(gaps(held, conversation))
    turns = {party: _spoken([one for one in said if one.party is party], open_) for party in Party}
    pauses = [
        pause.end_ms - pause.start_ms
        for pause in gaps(joined([*turns[Party.AGENT], *turns[Party.CUSTOMER], *held]), conversation)
        if pause.end_ms - pause.start_ms > NON_TALK_MS
    ]
    return Talk(
        conversations=1,
        time_ms=_length(open_),
        non_talk_ms=sum(pauses),
        longest_non_talk_ms=max(pauses, default=0),
        agent=_side(said, Party.AGENT, turns[Party.AGENT], turns[Party.CUSTOMER], open_),
        customer=_side(said, Party.CUSTOMER, turns[Party.CUSTOMER], turns[Party.AGENT], open_),
    )


def joined(stretches: Iterable[Stretch], pause_ms: int = 0) -> list[Stretch]:
    """Put together what overlaps or has at most ``pause_ms`` between it; ordered by time."""
    found: list[Stretch] = []
    for start_ms, end_ms in sorted(stretches):
        if found and start_ms - found[-1].end_ms <= pause_ms:
            found[-1] = Stretch(found[-1].start_ms, max(found[-1].end_ms, end_ms))
        else:
            found.append(Stretch(start_ms, max(start_ms, end_ms)))
    return found


def gaps(taken: Sequence[Stretch], within: Stretch) -> Iterator[Stretch]:
    """Give what lies between the stretches, which follow each other, inside of ``within``."""
    at_ms = within.start_ms
    for start_ms, end_ms in taken:
        if at_ms < min(start_ms, within.end_ms):
            yield Stretch(at_ms, min(start_ms, within.end_ms))
        at_ms = max(at_ms, end_ms)
    if at_ms < within.end_ms:
        yield Stretch(at_ms, within.end_ms)


def interruptions(turns: Sequence[Stretch], others: Sequence[Stretch]) -> int:
    """Count the turns that break into one of the other party's; both follow each other in time."""
    return sum(
        turn.end_ms - turn.start_ms >= BREAK_IN_MS and _speaks(others, turn.start_ms) for turn in turns
    )


def _speaks(turns: Sequence[Stretch], at_ms: int) -> bool:
    """Whether one of the turns has lasted for ``BREAK_IN_MS`` and is not over."""
    place = bisect_right(turns, at_ms - BREAK_IN_MS, key=lambda turn: turn.start_ms)
    return place > 0 and turns[place - 1].end_ms > at_ms


def _side(
    said: Sequence[Said],
    party: Party,
    turns: Sequence[Stretch],
    others: Sequence[Stretch],
    open_: Sequence[Stretch],
) -> Side:
    own = {unit: [one for one in said if one.party is party and one.unit is unit] for unit in Unit}
    words, characters = own[Unit.WORDS], own[Unit.CHARACTERS]
    return Side(
        talk_ms=_length(turns),
        interruptions=interruptions(turns, others),
        words=_count(words, open_),
        words_ms=_length(_spoken(words, open_)),
        characters=_count(characters, open_),
        characters_ms=_length(_spoken(characters, open_)),
    )


def _spoken(said: Iterable[Said], open_: Sequence[Stretch]) -> list[Stretch]:
    """The turns, cut at the borders of ``open_``."""
    turns = joined((Stretch(one.start_ms, one.end_ms) for one in said), JOIN_MS)
    return list(_overlaps(turns, open_))


def _overlaps(ones: Sequence[Stretch], others: Sequence[Stretch]) -> Iterator[Stretch]:
    one = other = 0
    while one < len(ones) and other < len(others):
        start_ms = max(ones[one].start_ms, others[other].start_ms)
        end_ms = min(ones[one].end_ms, others[other].end_ms)
        if start_ms < end_ms:
            yield Stretch(start_ms, end_ms)
        if ones[one].end_ms < others[other].end_ms:
            one += 1
        else:
            other += 1


def _count(said: Iterable[Said], open_: Sequence[Stretch]) -> int:
    starts = [stretch.start_ms for stretch in open_]

    def inside(at_ms: int) -> bool:
        place = bisect_right(starts, at_ms)
        return place > 0 and at_ms < open_[place - 1].end_ms

    return sum(one.count for one in said if inside(one.start_ms))


def _length(stretches: Iterable[Stretch]) -> int:
    return sum(end_ms - start_ms for start_ms, end_ms in stretches)
