"""The model of a flow: what a caller can meet, node by node.

A flow is a graph of named nodes. A node's targets are names of nodes of the same flow, or ``return``,
which ends a sub-flow and goes on where it was called; in the outermost flow it ends the call. Flows come
from files through ``ivr.load``; ``configs/ivr/main.yaml`` shows the common fields in use.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from ivr.cases import ClosedCase, VariableCase
from ivr.hours import Hours
from ivr.lookup import Lookup
from ivr.nodes import AnyNode, Branch, HangUp, HangUpReason
from ivr.part import Language, Name, NewVariable, Part, problem
from ivr.prompt import Sound, TextItem, WavItem

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
    nodes: Annotated[Mapping[NodeName, AnyNode], Field(min_length=1, max_length=500)]


class FlowText(Part):
    """A whole flow file, before its names are resolved."""

    language: Language
    start: Name
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
    call, by ``Call.callee``.
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


def closing(flow: Flow, message: str) -> Flow:
    """A flow to stand in for one that is closed: it says the message and ends the call."""
    text = message.replace("{", "{{").replace("}", "}}")
    node = HangUp(kind="hangup", prompts=(TextItem(text=text),), reason=HangUpReason.CLOSED)
    return replace(
        flow, name="closed", start="closed", nodes={"closed": node}, prompts={}, hours={}, flows={}
    )


@lru_cache(maxsize=1000)
def reads(flow: Flow, names: tuple[str, ...]) -> bool:
    """Whether the flow, or one that it calls, looks at any of the variables."""
    mentioned = re.compile(rf"{{(?:{'|'.join(map(re.escape, names))})[}}|]")
    texts = (text for part in (flow.nodes, flow.prompts) for text in _texts(part))
    return (
        any(_cases_read(node, names) for node in flow.nodes.values())
        or any(mentioned.search(text) for text in texts)
        or any(reads(inner, names) for inner in flow.flows.values())
    )


def _texts(value: object) -> Iterator[str]:
    """Every text in a part of a flow."""
    if isinstance(value, str):
        yield value
        return
    inside: Iterable[object] = ()
    if isinstance(value, Part):
        inside = (inner for _, inner in value)
    elif isinstance(value, Mapping):
        inside = value.values()
    elif isinstance(value, tuple | list):
        inside = value
    for inner in inside:
        yield from _texts(inner)


def _cases_read(node: AnyNode, names: Collection[str]) -> bool:
    cases = node.cases if isinstance(node, Branch) else ()
    return any(
        (isinstance(case, VariableCase) and case.variable in names)
        or (isinstance(case, ClosedCase) and "closed" in names)
        for case in cases
    )


def lookups(flow: Flow) -> Iterator[tuple[str, Lookup]]:
    """Every lookup of the flow and of those that it calls, with a name that says where it is."""
    for name, node in flow.nodes.items():
        if isinstance(node, Lookup):
            yield f"{flow.name}: node {name}", node
    for inner in flow.flows.values():
        yield from lookups(inner)
