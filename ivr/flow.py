"""The model of a flow: what a caller can meet, node by node.

A flow is a graph of named nodes. A node's targets are names of nodes of the same flow, or ``return``,
which ends a sub-flow and goes on where it was called; in the outermost flow it ends the call. Flows come
from files through ``ivr.load``; ``configs/ivr/main.yaml`` shows the common fields in use.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from ivr.choices import Operator, Repeat
from ivr.faq import Faq, FaqText
from ivr.hours import Hours
from ivr.node import Edge, Node
from ivr.nodes import AnyNode
from ivr.part import Language, Name, NewVariable, Part, problem
from ivr.prompt import Sound, TextItem, WavItem
from ivr.questions import Question

RETURN = "return"


def _not_return(name: str) -> str:
    if name == RETURN:
        raise problem("a node cannot be named return")
    return name


NodeName = Annotated[Name, AfterValidator(_not_return)]


class SubFlowText(Part):
    """One of the ``flows`` of a file; it shares the file's prompts, hours, variables and language."""

    language: Language | None = None
    start: Name
    operator: Operator | None = None
    repeat: Repeat | None = None
    nodes: Annotated[Mapping[NodeName, AnyNode], Field(min_length=1, max_length=500)]


class FlowText(Part):
    """A whole flow file, before its names are resolved."""

    language: Language
    start: Name
    operator: Operator | None = None
    repeat: Repeat | None = None
    variables: Mapping[NewVariable, str] = Field(default_factory=dict)
    prompts: Mapping[Name, Sound] = Field(default_factory=dict)
    hours: Mapping[Name, Hours] = Field(default_factory=dict)
    nodes: Annotated[Mapping[NodeName, AnyNode], Field(min_length=1, max_length=500)]
    flows: Annotated[Mapping[Name, SubFlowText], Field(max_length=100)] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """A flow whose every name is known to lead somewhere.

    ``name`` is the file's stem, or ``STEM/SUBFLOW``; ``folder`` is where its sound files are looked for;
    ``variables`` are values for those the call does not bring; ``flows`` holds what its ``Call`` nodes
    call, by ``Call.callee``; ``faqs`` what its ``Faq`` nodes answer, by ``Faq.file``.
    """

    name: str
    folder: Path
    language: str
    start: str
    nodes: Mapping[str, AnyNode]
    prompts: Mapping[str, TextItem | WavItem]
    hours: Mapping[str, Hours]
    variables: Mapping[str, str]
    flows: Mapping[str, "Flow"]
    operator: Operator | None = None
    repeat: Repeat | None = None
    faqs: Mapping[str, FaqText] = field(default_factory=dict)

    def edges(self, node: Node) -> Iterator[Edge]:
        """All the ways out of a node, those that the flow adds to questions last."""
        yield from node.edges()
        if isinstance(node, Faq) and node.file in self.faqs:
            for answer in self.faqs[node.file].answers:
                if answer.next is not None:
                    yield Edge(answer.name, answer.next, ("file",))
        if isinstance(node, Question) and node.operator and self.operator is not None:
            yield Edge("operator", self.operator.next, ("operator",))
