"""Where a caller is in the flows, and what is known about them there."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from ivr import nodes as node
from ivr.cases import Case, ClosedCase, HoursCase, PrefixCase, VariableCase, WithheldCase
from ivr.choices import Operator, Repeat
from ivr.flow import RETURN, Flow
from ivr.prompt import Item, NamedItem, Prompt, Say, TextItem, Wav, render, variables_of


class Walk:
    """One caller's way: the flow and node they are at, the sub-flows they came through, the variables."""

    def __init__(self, flow: Flow, variables: Mapping[str, str]) -> None:
        self.variables = {**flow.variables, **variables}
        self.flow = flow
        self.node: node.AnyNode = flow.nodes[flow.start]
        self.name = flow.start
        self._chosen_language = self.variables.get("language", "")
        self._callers: list[tuple[Flow, str]] = []

    def go_to(self, name: str) -> None:
        """Step to a node of the present flow."""
        self.name, self.node = name, self.flow.nodes[name]

    def enter_sub_flow(self, entered: node.Call) -> str:
        """Step into a sub-flow; returns its first node."""
        self._callers.append((self.flow, entered.next or RETURN))
        self.flow = self.flow.flows[entered.callee]
        for name, value in self.flow.variables.items():
            self.variables.setdefault(name, value)
        return self.flow.start

    def leave_sub_flow(self) -> str | None:
        """Step out of a sub-flow; returns where the call goes on, ``None`` in the outermost flow."""
        if not self._callers:
            return None
        self.flow, target = self._callers.pop()
        return target

    @property
    def language(self) -> str:
        """The language of the call: the one that was chosen, else the flow's own."""
        return self._chosen_language or self.flow.language

    def set_language(self, language: str | None) -> None:
        """From here on the call is in this language; ``None`` changes nothing."""
        if language is not None:
            self._chosen_language = self.variables["language"] = language

    def to_operator(self) -> str | None:
        """Leave sub-flows until one has an operator; where they are, ``None`` where no flow has one."""
        flows = [self.flow, *(flow for flow, _ in reversed(self._callers))]
        for left, flow in enumerate(flows):
            if flow.operator is not None:
                self.flow = flow
                del self._callers[len(self._callers) - left :]
                return flow.operator.next
        return None

    @property
    def operator(self) -> Operator | None:
        """The operator of this flow, or of the nearest one that called it."""
        flows = [self.flow, *(flow for flow, _ in reversed(self._callers))]
        return next((flow.operator for flow in flows if flow.operator is not None), None)

    @property
    def repeat(self) -> Repeat | None:
        """How to hear a question again, likewise."""
        flows = [self.flow, *(flow for flow, _ in reversed(self._callers))]
        return next((flow.repeat for flow in flows if flow.repeat is not None), None)

    def set(self, entered: node.Set) -> None:
        """Give variables the node's values, one after the other, and the call its language."""
        self.set_language(entered.set_language)
        for name, value in entered.values.items():
            self.variables[name] = render(value, self.variables)

    def branch(self, entered: node.Branch, now: datetime) -> str:
        """Where the first true case leads, or ``else``."""
        true = (case.next for case in entered.cases if self._holds(case, now))
        return next(true, entered.otherwise)

    def _holds(self, case: Case, now: datetime) -> bool:
        caller = self.variables["caller"]
        match case:
            case HoursCase():
                return self.flow.hours[case.hours].open(now)
            case VariableCase():
                return case.matches(self.variables.get(case.variable, ""))
            case PrefixCase():
                return caller.startswith(case.caller_prefix)
            case WithheldCase():
                return case.caller_withheld != any(character.isdigit() for character in caller)
            case ClosedCase():
                return case.closed == (self.variables.get("closed") == "yes")

    def rendered(self, items: tuple[Item, ...]) -> Iterator[Prompt]:
        """The prompts as they are heard; texts that come out empty are left out."""
        for item in items:
            if (prompt := self._rendered(item)) is not None:
                yield prompt

    def _rendered(self, item: Item) -> Prompt | None:
        name = item.prompt if isinstance(item, NamedItem) else ""
        sound = self.flow.prompts[name] if isinstance(item, NamedItem) else item
        own = self.flow.language
        if not isinstance(sound, TextItem):
            file, _ = sound.in_language(self.language, own)
            return Wav(self.flow.folder / file, name)
        template, language = sound.in_language(self.language, own)
        text = render(template, self.variables)
        varies = any(variables_of(template))
        return Say(text, language, name, varies) if text else None
