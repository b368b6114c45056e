"""What each kind of question makes of keys and words: menus, numbers, questions and answers. Pure."""

from collections.abc import Sequence

from ivr import actions as act
from ivr.asking import Asking, Listening, Proposal, Then, Turn
from ivr.choices import Choice, whole
from ivr.consent import Consent
from ivr.digits import spoken_digits
from ivr.exchange import AskingConsent, Exchange, Interview
from ivr.faq import Faq, answers_to
from ivr.phrases import Certainty, Match, Thresholds, judge, matches, trust
from ivr.prompt import Prompt
from ivr.questions import Failure, Gather, Menu, Question
from ivr.survey import Survey
from ivr.walk import Walk


def asking(walk: Walk, node: Question | Consent | Survey, hears: bool) -> Asking | Exchange:
    """Begin a question. ``hears``: whether anybody listens to words."""
    match node:
        case Menu():
            return AskingMenu(walk, node, hears)
        case Gather():
            return AskingDigits(walk, node, hears)
        case Faq():
            return AskingFaq(walk, node, hears)
        case Consent():
            return AskingConsent(walk, node, hears)
        case Survey():
            return Interview(walk, node)
        case _:
            raise TypeError(f"no such question: {type(node).__name__}")


class AskingMenu(Asking):
    """A menu: one key, or one phrase."""

    def __init__(self, walk: Walk, node: Menu, hears: bool) -> None:
        self._node = node
        super().__init__(walk, node, hears)

    @property
    def timeout_s(self) -> float:
        """From the end of the prompt."""
        return self._node.timeout_s

    def _hot_words(self) -> Sequence[str]:
        return [phrase for phrases in self._spoken().values() for phrase in phrases]

    def _spoken(self) -> dict[str, tuple[str, ...]]:
        """The phrases of each choice that has not been denied."""
        choices = {key: whole(choice) for key, choice in self._node.choices.items()}
        return {
            key: self._phrases(choice.phrases) for key, choice in choices.items() if key not in self._denied
        }

    def _is_own_key(self, digit: str) -> bool:
        return digit in self._node.choices

    def _key(self, digit: str) -> Turn:
        choice = self._node.chosen(digit) if len(digit) == 1 else None
        if choice is None:
            return self._no_match()
        return self._go(choice, act.Input(self._name, "menu", digit))

    def _words(self, text: str, confidence: float) -> Turn:
        certainty, best = self._judged(text, confidence)
        if best is None or certainty is Certainty.NONE:
            return self._no_match()
        if (wish := self._wish(best)) is not None:
            return wish if certainty is Certainty.SURE else self._no_match()
        proposal = Proposal(best.name, self._confirm(best.name), best.score)
        return self._taken(proposal) if certainty is Certainty.SURE else self._propose(proposal)

    def _judged(self, text: str, confidence: float) -> tuple[Certainty, Match | None]:
        choices = {**self._spoken(), **self._wishes()}
        return judge(matches(text, confidence, choices, self._walk.language), self._node.thresholds)

    def _confirm(self, key: str) -> Prompt:
        said = self._spoken()[key][0]
        return self._say(self._wording.confirm.format(choice=said))

    def _taken(self, proposal: Proposal) -> Turn:
        choice = self._node.chosen(proposal.name)
        assert choice is not None
        name = choice.name or (proposal.name if len(proposal.name) > 1 else "") or _first(choice)
        return self._go(choice, act.Input(self._name, "speech", name, proposal.score))

    def _refused(self, text: str, confidence: float) -> Turn:
        """Somebody may say in one breath what it is not and what it is: "no, sales"."""
        turn = super()._refused(text, confidence)
        certainty, best = self._judged(text, confidence)
        if best is None or certainty is not Certainty.SURE or self._wish(best) is not None:
            return turn
        return self._taken(Proposal(best.name, self._confirm(best.name), best.score))

    def _go(self, choice: Choice, record: act.Input) -> Turn:
        self._walk.set_language(choice.set_language)
        return Turn(Then.LEAVE, (record,), choice.next)


def _first(choice: Choice) -> str:
    """The phrase that names a choice in the log, the same whatever language it was said in."""
    phrases = choice.phrases or ()
    lists = phrases if isinstance(phrases, tuple) else next(iter(phrases.values()))
    return lists[0]


class AskingDigits(Asking):
    """A gather: keys one by one, or digits that are said, all at once or in groups."""

    def __init__(self, walk: Walk, node: Gather, hears: bool) -> None:
        self._node = node
        self._digits = ""
        self._score: float | None = None
        super().__init__(walk, node, hears)

    @property
    def timeout_s(self) -> float:
        """From the end of the prompt, then from digit to digit."""
        if self._proposal is None and self._digits:
            return self._node.inter_digit_timeout_s
        return self._node.first_digit_timeout_s

    def _is_own_key(self, digit: str) -> bool:
        return digit in self._node.digits or digit == self._node.terminator

    def _key(self, digit: str) -> Turn:
        node = self._node
        if digit == node.terminator:
            return self._complete()
        self._digits += digit
        if digit not in node.digits:
            return self._no_match()
        if len(self._digits) < node.longest:
            return Turn(Then.LISTEN)
        return self._complete(is_full=True)

    def _words(self, text: str, confidence: float) -> Turn:
        said = spoken_digits(text, self._walk.language)
        if not said.digits or not self._node.spoken:
            return self._wished(text, confidence) or self._no_match()
        if not set(said.digits) <= set(self._node.digits):
            return self._no_match()
        self._digits += said.digits
        score = round(trust(confidence) * said.clear, 4)
        self._score = score if self._score is None else min(score, self._score)
        if len(self._digits) > self._node.longest:
            return self._no_match()
        return self._complete() if len(self._digits) == self._node.longest else Turn(Then.LISTEN)

    def timed_out(self) -> Turn:
        """The number is complete, or nothing came."""
        if self._proposal is None and self._digits:
            return self._complete()
        return super().timed_out()

    def _complete(self, is_full: bool = False) -> Turn:
        if len(self._digits) < self._node.shortest:
            return self._no_match()
        if self._score is not None and self._score < self._node.unsure:
            return self._no_match()
        text = self._wording.confirm_digits.format(digits=" ".join(self._digits))
        proposal = Proposal(self._digits, self._say(text, varies=True), self._score or 1.0)
        if self._score is not None and self._score < self._node.sure:
            return self._propose(proposal)
        return self._stored(proposal, is_full)

    def _taken(self, proposal: Proposal) -> Turn:
        return self._stored(proposal)

    def _stored(self, proposal: Proposal, is_full: bool = False) -> Turn:
        digits = proposal.name
        self._walk.variables[self._node.variable] = digits
        shown = "*" * len(digits) if self._node.secret else digits
        kind = "gather" if self._score is None else "speech"
        record = act.Input(self._name, kind, shown, self._score)
        return Turn(Then.LEAVE, (record,), self._node.next, is_full=is_full)

    def _failed(self, failure: Failure, record: act.NoInput | act.NoMatch) -> Turn:
        if self._proposal is None:
            self._digits, self._score = "", None
        return super()._failed(failure, record)

    def deafened(self) -> Turn:
        """Words are not to be had any more: begin again with keys."""
        if self._proposal is None:
            self._digits, self._score = "", None
        return super().deafened()


class AskingFaq(Asking):
    """Questions in free words, answered one after the other."""

    def __init__(self, walk: Walk, node: Faq, hears: bool) -> None:
        self._node = node
        self._faq = walk.flow.faqs[node.file]
        self._more: tuple[Prompt, ...] = ()
        self._then: str | None = None
        super().__init__(walk, node, hears)

    @property
    def timeout_s(self) -> float:
        """From the end of the prompt."""
        return self._node.timeout_s

    @property
    def listening(self) -> Listening | None:
        """Nothing, while the last answer plays that the call leaves after."""
        return None if self._then is not None else super().listening

    def _is_own_key(self, digit: str) -> bool:
        return False

    def _key(self, digit: str) -> Turn:
        return self._no_match()

    def heard(self) -> Turn:
        """The question, or the answer, is over."""
        return Turn(Then.LEAVE, target=self._then) if self._then is not None else super().heard()

    def timed_out(self) -> Turn:
        """Nobody has another question."""
        if self._more and self._proposal is None:
            return Turn(Then.LEAVE, target=self._node.done)
        return super().timed_out()

    def _put(self) -> tuple[Prompt, ...]:
        return self._more if self._more and self._proposal is None else super()._put()

    def _phrasings(self) -> dict[str, tuple[str, ...]]:
        found = self._faq.phrasings(self._walk.language, self._walk.flow.language)
        return {name: phrases for name, phrases in found.items() if name not in self._denied}

    def _words(self, text: str, confidence: float) -> Turn:
        if self._more and (turn := self._anything_else(text, confidence)) is not None:
            return turn
        if (wish := self._wished(text, confidence)) is not None:
            return wish
        found = answers_to(text, confidence, self._phrasings(), self._walk.language)
        certainty, best = judge(found, self._node.thresholds)
        if best is None or certainty is Certainty.NONE:
            return self._no_match()
        asked = self._phrasings()[best.name][0]
        prompt = self._say(self._wording.confirm_question.format(choice=asked))
        proposal = Proposal(best.name, prompt, best.score)
        return self._taken(proposal) if certainty is Certainty.SURE else self._propose(proposal)

    def _anything_else(self, text: str, confidence: float) -> Turn | None:
        """The answer to "Is there anything else?", where it is no question itself."""
        choices = {"done": self._node.done_phrases or self._wording.done, "yes": self._wording.yes}
        certainty, best = judge(matches(text, confidence, choices, self._walk.language), Thresholds())
        if best is None or certainty is not Certainty.SURE:
            return None
        if best.name == "done":
            record = act.Input(self._name, "speech", best.name, best.score)
            return Turn(Then.LEAVE, (record,), self._node.done)
        self._more = ()
        self.prompts = self._put()
        return Turn(Then.ASK)

    def _taken(self, proposal: Proposal) -> Turn:
        answer = self._faq.named(proposal.name)
        self._attempt, self._denied = 1, set()
        self._then = answer.next
        self.prompts = self._rendered(answer.answer)
        if answer.next is None:
            self._more = self._rendered(self._node.more) or (self._say(self._wording.anything_else),)
            self.prompts += self._more
        return Turn(Then.ASK, (act.Input(self._name, "speech", answer.name, proposal.score),))
