"""Questions whose answers are noted, not followed: consent, and those of a survey. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ivr import actions as act
from ivr.asking import Listening, Then, Turn
from ivr.consent import Consent
from ivr.phrases import Certainty, Thresholds, judge, matches
from ivr.prompt import Item, Prompt
from ivr.survey import Scale, Survey, SurveyQuestion
from ivr.walk import Walk
from ivr.wording import base, wording

_KEYS: dict[Scale, dict[str, int]] = {
    Scale.CSAT: {key: int(key) for key in "12345"},
    Scale.NPS: {key: int(key) for key in "0123456789"},
    Scale.YES_NO: {"1": 1, "2": 0},
    Scale.WORDS: {},
}
"""What single keys mean; of a 1 on the scale to 10 the next key tells."""

MAX_ASKED = 2
"""How often a survey asks a question."""


class Exchange(ABC):
    """One caller at one node, as an ``Asking`` is; ``prompts`` are what is to be played now.

    What is only about words is as for questions that are answered by keys.
    """

    is_deaf = True
    is_hopeless = False

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._name = walk.name
        self.prompts: tuple[Prompt, ...] = ()

    @property
    @abstractmethod
    def timeout_s(self) -> float:
        """How long to wait for the next key."""

    @abstractmethod
    def opening(self) -> Turn:
        """Begin."""

    @abstractmethod
    def heard(self) -> Turn:
        """The prompts are over."""

    @abstractmethod
    def key(self, digit: str) -> Turn:
        """The caller pressed a key."""

    @abstractmethod
    def timed_out(self) -> Turn:
        """Nothing came."""

    def words(self, _text: str, _confidence: float) -> Turn:
        """The caller said something."""
        return Turn(Then.LISTEN)

    def deafened(self) -> Turn:
        """Words are not to be had any more: ask for a key."""
        self.is_deaf = True
        return Turn(Then.ASK, again=True)

    @property
    def listening(self) -> Listening | None:
        """What to listen for now, ``None`` where words mean nothing."""
        return None

    def _rendered(self, items: Sequence[Item]) -> tuple[Prompt, ...]:
        return tuple(self._walk.rendered(tuple(items)))


class AskingConsent(Exchange):
    """A consent node: by key, or by yes and no."""

    def __init__(self, walk: Walk, node: Consent, hears: bool) -> None:
        super().__init__(walk)
        self._node = node
        self._asked = 1
        self.is_deaf = not hears or node.record != "ask"
        self.prompts = self._rendered(node.prompts)

    @property
    def timeout_s(self) -> float:
        """How long to wait for the answer."""
        return self._node.timeout_s

    def opening(self) -> Turn:
        """Say the announcement."""
        return Turn(Then.ASK)

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

    def words(self, text: str, confidence: float) -> Turn:
        """Take a sure yes or no; what is not sure is no consent."""
        said = wording(self._walk.language)
        found = matches(text, confidence, {"yes": said.yes, "no": said.no}, self._walk.language)
        certainty, best = judge(found, Thresholds())
        if best is None or certainty is not Certainty.SURE:
            return self._no_answer(act.NoMatch(self._name))
        return self._decided(best.name == "yes")

    def timed_out(self) -> Turn:
        """Ask again, or take silence for a refusal."""
        return self._no_answer(act.NoInput(self._name))

    @property
    def listening(self) -> Listening | None:
        """Yes and no."""
        said = wording(self._walk.language)
        return None if self.is_deaf else Listening((*said.yes, *said.no), base(self._walk.language))

    def _no_answer(self, record: act.NoMatch | act.NoInput) -> Turn:
        if self._asked >= self._node.attempts:
            return self._decided(False, record)
        self._asked += 1
        return Turn(Then.ASK, (record,), again=True)

    def _decided(self, given: bool, *before: act.Action) -> Turn:
        self._walk.variables["recording_consent"] = "yes" if given else "no"
        target = self._node.next if given or self._node.refused is None else self._node.refused
        return Turn(Then.LEAVE, (*before, act.Consented(self._name, given)), target, again=bool(before))


class Interview(Exchange):
    """A survey node: its offer, if that can be declined, then question after question.

    Whoever has refused to be recorded is not asked for words.
    """

    def __init__(self, walk: Walk, node: Survey) -> None:
        super().__init__(walk)
        self._node = node
        may_record = walk.variables.get("recording_consent") != "no"
        self._left = [one for one in node.questions if may_record or one.kind is not Scale.WORDS]
        self._now: SurveyQuestion | None = None
        self._times = 1
        self._digits = ""

    @property
    def timeout_s(self) -> float:
        """How long to wait: for the second key of a number, for an answer, or for who declines."""
        if self._now is None:
            return self._node.decline_timeout_s
        return self._node.inter_digit_timeout_s if self._digits else self._node.timeout_s

    def opening(self) -> Turn:
        """Offer it, or put the first question at once; who is not drawn goes on."""
        call_id = self._walk.variables.get("call_id", "")
        if not self._left or not self._node.asks(call_id, self._name):
            return self._leave()
        kinds = tuple(dict.fromkeys(str(question.kind) for question in self._left))
        offered = act.SurveyOffered(self._name, kinds)
        offer = self._rendered(self._node.prompts)
        if self._node.decline is not None:
            self.prompts = offer
            return Turn(Then.ASK, (offered,))
        first = self._next(offered)
        self.prompts = (*offer, *self.prompts)
        return first

    def heard(self) -> Turn:
        """Take keys, or words."""
        is_words = self._now is not None and self._now.kind is Scale.WORDS
        return Turn(Then.RECORD if is_words else Then.LISTEN)

    def key(self, digit: str) -> Turn:
        """Take a key: of the offer, or of an answer."""
        if self._now is None:
            chosen = act.Input(self._name, "survey", digit)
            return self._leave(chosen) if digit == self._node.decline else self._next(chosen)
        if self._digits:
            return self._second_key(digit)
        if self._now.kind is Scale.NPS and digit == "1":
            self._digits = digit
            return Turn(Then.LISTEN)
        score = _KEYS[self._now.kind].get(digit)
        return self._no_answer(act.NoMatch(self._name)) if score is None else self._answered(score)

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
        self.prompts = self._rendered((*self._node.again, *self._now.prompt))
        return Turn(Then.ASK, (record,), again=True)

    def _next(self, *actions: act.Action, again: bool = False) -> Turn:
        self._times, self._digits = 1, ""
        if not self._left:
            return self._leave(*actions, again=again)
        self._now = self._left.pop(0)
        self.prompts = self._rendered(self._now.prompt)
        return Turn(Then.ASK, actions, again=again)

    def _leave(self, *actions: act.Action, again: bool = False) -> Turn:
        return Turn(Then.LEAVE, actions, self._node.next, again)
