"""One caller at one question: what their keys, their words and their silence mean. Pure.

What is surely heard is taken. What may have been meant is proposed ("Did you say billing?"): key 1 and yes
take it, key 2 and no ask again without it. The flow's operator and the wish to hear the question again are
understood at every question.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from ivr import actions as act
from ivr.choices import Operator, Phrases, in_language
from ivr.phrases import Certainty, Match, Thresholds, judge, matches
from ivr.prompt import Item, Prompt, Say
from ivr.questions import Failure, Question
from ivr.walk import Walk
from ivr.wording import Wording, base, wording

YES_KEY, NO_KEY = "1", "2"
MAX_HOT_WORDS = 100
_OPERATOR, _REPEAT, _YES, _NO = "*operator", "*repeat", "*yes", "*no"
"""Names that no choice can have."""


class Then(Enum):
    """What the engine does next."""

    ASK = auto()  # play the prompts, then listen
    LISTEN = auto()  # go on waiting
    LEAVE = auto()  # for the turn's target
    OPERATOR = auto()  # leave for the operator
    RECORD = auto()  # what the caller says


@dataclass(frozen=True, slots=True)
class Turn:
    """What comes of a key, of words, of silence or of the end of a prompt.

    ``again``: it was no answer, what was dialled ahead is dropped. ``is_full``: no key can follow any more.
    """

    then: Then
    actions: tuple[act.Action, ...] = ()
    target: str = ""
    again: bool = False
    is_full: bool = False


@dataclass(frozen=True, slots=True)
class Listening:
    """What is to be listened for: words that are likely, in a language."""

    hot_words: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the caller is asked to confirm: its name, how it is said, and how well it was heard."""

    name: str
    prompt: Prompt
    score: float


class Asking(ABC):
    """Base of the questions under way. ``prompts`` are what is to be played now.

    ``is_deaf``: only keys can be had, because nobody listens or what was said did not come in time.
    """

    def __init__(self, walk: Walk, node: Question, hears: bool) -> None:
        self._walk = walk
        self._question = node
        self._name = walk.name
        self._attempt = 1
        self._denied: set[str] = set()
        self._proposal: Proposal | None = None
        self.is_deaf = not (hears and (node.is_spoken or any(self._wishes().values())))
        self.prompts: tuple[Prompt, ...] = self._put()

    # What a kind of question is.

    @property
    @abstractmethod
    def timeout_s(self) -> float:
        """How long to wait for the next key or voice."""

    @abstractmethod
    def _is_own_key(self, digit: str) -> bool:
        """Whether the question itself has this key."""

    @abstractmethod
    def _key(self, digit: str) -> Turn:
        """Take a key."""

    @abstractmethod
    def _words(self, text: str, confidence: float) -> Turn:
        """Take words."""

    @abstractmethod
    def _taken(self, proposal: Proposal) -> Turn:
        """Go on with what was said and confirmed."""

    def _hot_words(self) -> Sequence[str]:
        return ()

    # What happens to it.

    def opening(self) -> Turn:
        """Put the question; one that can only be spoken to is given up where nobody listens."""
        return self._given_up() if self.is_hopeless else Turn(Then.ASK)

    def heard(self) -> Turn:
        """The prompts are over."""
        return self._given_up() if self.is_hopeless else Turn(Then.LISTEN)

    def key(self, digit: str) -> Turn:
        """The caller pressed a key."""
        if self._proposal is not None and digit in (YES_KEY, NO_KEY):
            return self._accepted() if digit == YES_KEY else self._refused("", 0.0)
        if not self._is_own_key(digit) or self._proposal is not None:
            if self._operator is not None and digit == self._operator.key:
                return self._to_operator("menu", digit)
            if self._walk.repeat is not None and digit == self._walk.repeat.key:
                return self._again()
            if self._proposal is not None:
                return self._no_match()
        return self._key(digit)

    def words(self, text: str, confidence: float) -> Turn:
        """The caller said something."""
        if self._proposal is not None:
            return self._confirmation(text, confidence)
        return self._words(text, confidence)

    def timed_out(self) -> Turn:
        """Nothing came."""
        return self._failed(self._question.no_input, act.NoInput(self._name))

    def deafened(self) -> Turn:
        """Words are not to be had any more: ask for a key."""
        self.is_deaf = True
        if self.is_hopeless:
            return self._given_up()
        self.prompts = self._put()
        return Turn(Then.ASK, again=True)

    @property
    def listening(self) -> Listening | None:
        """What to listen for now, ``None`` where words mean nothing."""
        if self.is_deaf:
            return None
        words = self._wording
        wanted = (*words.yes, *words.no) if self._proposal is not None else tuple(self._hot_words())
        wishes = [phrase for phrases in self._wishes().values() for phrase in phrases]
        hot_words = tuple(dict.fromkeys((*wanted, *wishes)))[:MAX_HOT_WORDS]
        return Listening(hot_words, base(self._walk.language))

    # Parts that all kinds share.

    @property
    def _wording(self) -> Wording:
        return wording(self._walk.language)

    @property
    def _operator(self) -> Operator | None:
        return self._walk.operator if self._question.operator else None

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing that the caller can do answers it."""
        return self.is_deaf and self._proposal is None and not self._question.takes_keys

    def _wishes(self) -> dict[str, tuple[str, ...]]:
        """How callers ask for the operator, or to hear the question again."""
        walk, found = self._walk, dict[str, tuple[str, ...]]()
        if self._question.operator and walk.operator is not None:
            found[_OPERATOR] = self._phrases(walk.operator.phrases)
        if walk.repeat is not None:
            found[_REPEAT] = self._phrases(walk.repeat.phrases)
        return found

    def _put(self) -> tuple[Prompt, ...]:
        """The question, or the proposal, as it is asked now."""
        if self._proposal is not None:
            return (self._proposal.prompt,)
        node = self._question
        return self._rendered(node.prompts if self.is_deaf or not node.say_or_press else node.say_or_press)

    def _rendered(self, items: tuple[Item, ...]) -> tuple[Prompt, ...]:
        return tuple(self._walk.rendered(items))

    def _phrases(self, phrases: Phrases | None) -> tuple[str, ...]:
        return in_language(phrases, self._walk.language, self._walk.flow.language)

    def _say(self, text: str, varies: bool = False) -> Say:
        return Say(text, self._walk.language, "", varies)

    # What follows.

    def _wish(self, found: Match) -> Turn | None:
        """The turn of a wish that every question understands; ``None`` where it was none."""
        match found.name:
            case "*operator":
                return self._to_operator("speech", "operator", found.score)
            case "*repeat":
                return self._again()
            case _:
                return None

    def _wished(self, text: str, confidence: float) -> Turn | None:
        """The same for words that have not been compared with anything yet."""
        found = matches(text, confidence, self._wishes(), self._walk.language)
        certainty, best = judge(found, Thresholds())
        return self._wish(best) if best is not None and certainty is Certainty.SURE else None

    def _to_operator(self, kind: str, value: str, score: float | None = None) -> Turn:
        return Turn(Then.OPERATOR, (act.Input(self._name, kind, value, score),))

    def _again(self) -> Turn:
        self.prompts = self._put()
        return Turn(Then.ASK)

    def _propose(self, proposal: Proposal) -> Turn:
        self._proposal = proposal
        self.prompts = self._put()
        return Turn(Then.ASK, again=True)

    def _confirmation(self, text: str, confidence: float) -> Turn:
        """Yes, no, or a wish."""
        words = self._wording
        choices = {_YES: words.yes, _NO: words.no, **self._wishes()}
        certainty, best = judge(matches(text, confidence, choices, self._walk.language), Thresholds())
        if best is None or certainty is not Certainty.SURE:
            return self._no_match()
        if best.name == _YES:
            return self._accepted()
        return self._refused(text, confidence) if best.name == _NO else self._wish(best) or self._no_match()

    def _accepted(self) -> Turn:
        proposal, self._proposal = self._proposal, None
        assert proposal is not None
        return self._taken(proposal)

    def _refused(self, text: str, confidence: float) -> Turn:
        """Ask again, without what was denied; ``text`` are the words that did it."""
        proposal, self._proposal = self._proposal, None
        assert proposal is not None
        self._denied.add(proposal.name)
        return self._failed(Failure(next=self._question.no_match.next), act.NoMatch(self._name))

    def _no_match(self) -> Turn:
        return self._failed(self._question.no_match, act.NoMatch(self._name))

    def _given_up(self) -> Turn:
        return Turn(Then.LEAVE, (act.NoMatch(self._name),), self._question.no_match.next, again=True)

    def _failed(self, failure: Failure, record: act.NoInput | act.NoMatch) -> Turn:
        """Ask again, or go on after the last attempt."""
        if self._attempt >= self._question.attempts:
            return Turn(Then.LEAVE, (record,), failure.next, again=True)
        self._attempt += 1
        before = () if self._proposal is not None else self._rendered(failure.prompts)
        self.prompts = (*before, *self._put())
        return Turn(Then.ASK, (record,), again=True)
