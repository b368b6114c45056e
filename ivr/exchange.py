"""Short exchanges of questions and keys that one node leads the caller through: consent and survey. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from ivr import actions as act
from ivr.consent import Consent
from ivr.prompt import Item
from ivr.survey import Scale, Survey, SurveyQuestion

MAX_ASKED = 2
"""How often a survey asks a question."""


class Then(Enum):
    """What the engine does next."""

    ASK = auto()  # play the exchange's prompts
    LISTEN = auto()  # for a key, or until the time is up
    RECORD = auto()  # what the caller says
    LEAVE = auto()  # go on at the exchange's target


@dataclass(frozen=True, slots=True)
class Turn:
    """What comes of a key, a silence or the end of a prompt. ``again``: it was no answer."""

    then: Then
    actions: tuple[act.Action, ...] = ()
    again: bool = False


class Exchange(Protocol):
    """One caller at one node; ``prompts`` are what is asked now, ``target`` where the flow goes on."""

    target: str
    prompts: Sequence[Item]

    @property
    def timeout_s(self) -> float:
        """How long to wait for the next key."""

    def heard(self) -> Turn:
        """The prompts are over."""

    def key(self, digit: str) -> Turn:
        """The caller pressed a key."""

    def timed_out(self) -> Turn:
        """The caller pressed none."""

    def recorded(self) -> Turn:
        """The caller has spoken."""

    def recording(self) -> act.RecordWords:
        """What is to be recorded."""


class Asked:
    """The exchange of a consent node."""

    def __init__(self, node: Consent, name: str) -> None:
        self._node = node
        self._name = name
        self._asked = 1
        self.target = node.next
        self.prompts: Sequence[Item] = node.prompts

    @property
    def timeout_s(self) -> float:
        """How long to wait for the answer."""
        return self._node.timeout_s

    def heard(self) -> Turn:
        """Listen where there is a question; else the announcement says it all."""
        if self._node.record == "ask":
            return Turn(Then.LISTEN)
        return self._decided(self._node.record == "always")

    def key(self, digit: str) -> Turn:
        """Take the answer."""
        if digit in (self._node.accept, self._node.refuse):
            return self._decided(digit == self._node.accept)
        return self._no_answer(act.NoMatch(self._name))

    def timed_out(self) -> Turn:
        """Ask again, or take silence for a refusal."""
        return self._no_answer(act.NoInput(self._name))

    def recorded(self) -> Turn:
        """Nothing is recorded here."""
        return Turn(Then.LISTEN)

    def recording(self) -> act.RecordWords:
        """Nothing is recorded here."""
        raise AssertionError("a consent records nothing")

    def _no_answer(self, record: act.NoMatch | act.NoInput) -> Turn:
        if self._asked >= self._node.attempts:
            return self._decided(False, record)
        self._asked += 1
        return Turn(Then.ASK, (record,), again=True)

    def _decided(self, given: bool, *before: act.Action) -> Turn:
        if not given and self._node.refused is not None:
            self.target = self._node.refused
        return Turn(Then.LEAVE, (*before, act.Consented(self._name, given)), again=bool(before))


class Interview:
    """The exchange of a survey node: its offer, if that can be declined, then question after question."""

    def __init__(self, node: Survey, name: str, may_record: bool) -> None:
        self._node = node
        self._name = name
        self._left = [
            question for question in node.questions if may_record or question.kind is not Scale.WORDS
        ]
        self._now: SurveyQuestion | None = None
        self._times = 1
        self._digits = ""
        self.target = node.next
        self.prompts: Sequence[Item] = node.prompts

    def begin(self) -> Turn:
        """Offer it, or put the first question at once."""
        if not self._left:
            return Turn(Then.LEAVE)
        offered = act.SurveyOffered(self._name)
        if self._node.decline is not None:
            return Turn(Then.ASK, (offered,))
        first = self._next(offered)
        self.prompts = (*self._node.prompts, *self.prompts)
        return first

    @property
    def timeout_s(self) -> float:
        """How long to wait: for the second key of a number, for an answer, or for who declines."""
        if self._now is None:
            return self._node.decline_timeout_s
        return self._node.inter_digit_timeout_s if self._digits else self._node.timeout_s

    def heard(self) -> Turn:
        """Take keys, or words."""
        is_words = self._now is not None and self._now.kind is Scale.WORDS
        return Turn(Then.RECORD if is_words else Then.LISTEN)

    def key(self, digit: str) -> Turn:
        """Take a key: of the offer, or of an answer."""
        if self._now is None:
            chosen = act.Input(self._name, "survey", digit)
            return Turn(Then.LEAVE, (chosen,)) if digit == self._node.decline else self._next(chosen)
        if self._digits:
            return self._second_key(digit)
        if self._now.kind is Scale.NPS and digit == "1":
            self._digits = digit
            return Turn(Then.LISTEN)
        if digit in ("12345" if self._now.kind is Scale.CSAT else "0123456789"):
            return self._answered(int(digit))
        return self._no_answer(act.NoMatch(self._name))

    def timed_out(self) -> Turn:
        """Silence: nobody declines, the number is complete, or there is no answer."""
        if self._now is None:
            return self._next()
        return self._answered(1) if self._digits else self._no_answer(act.NoInput(self._name))

    def recorded(self) -> Turn:
        """The words are over."""
        return self._next()

    def recording(self) -> act.RecordWords:
        """The words of the present question."""
        assert self._now is not None
        return act.RecordWords(self._name, self._now.id, self._node.max_length_s, self._node.silence_s)

    def _second_key(self, digit: str) -> Turn:
        """After a 1: it becomes 10, or ``#`` says that it was 1."""
        if digit in "0#":
            return self._answered(10 if digit == "0" else 1)
        return self._no_answer(act.NoMatch(self._name))

    def _answered(self, score: int) -> Turn:
        assert self._now is not None
        return self._next(act.SurveyAnswered(self._name, self._now.id, str(self._now.kind), score))

    def _no_answer(self, record: act.NoMatch | act.NoInput) -> Turn:
        if self._times >= MAX_ASKED or self._now is None:
            return self._next(record, again=True)
        self._times += 1
        self._digits = ""
        self.prompts = (*self._node.again, *self._now.prompt)
        return Turn(Then.ASK, (record,), again=True)

    def _next(self, *actions: act.Action, again: bool = False) -> Turn:
        self._times, self._digits = 1, ""
        if not self._left:
            return Turn(Then.LEAVE, actions, again)
        self._now = self._left.pop(0)
        self.prompts = self._now.prompt
        return Turn(Then.ASK, actions, again)
