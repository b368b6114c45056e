"""What a flow, with all that it calls, looks at; and the flow that stands in for one that is closed."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from ivr.cases import ClosedCase, VariableCase
from ivr.flow import Flow
from ivr.lookup import Lookup
from ivr.nodes import AnyNode, Branch, HangUp, HangUpReason
from ivr.part import Part
from ivr.prompt import TextItem


@lru_cache(maxsize=1000)
def reads(flow: Flow, names: tuple[str, ...]) -> bool:
    """Whether the flow, or one that it calls, looks at any of the variables."""
    mentioned = re.compile(rf"{{(?:{'|'.join(map(re.escape, names))})[}}|]")
    texts = (text for part in (flow.nodes, flow.prompts, flow.faqs) for text in _texts(part))
    return (
        any(_cases_read(node, names) for node in flow.nodes.values())
        or any(mentioned.search(text) for text in texts)
        or any(reads(inner, names) for inner in flow.flows.values())
    )


def lookups(flow: Flow) -> Iterator[tuple[str, Lookup]]:
    """Every lookup of the flow and of those that it calls, with a name that says where it is."""
    for name, node in flow.nodes.items():
        if isinstance(node, Lookup):
            yield f"{flow.name}: node {name}", node
    for inner in flow.flows.values():
        yield from lookups(inner)


def closing(flow: Flow, message: str) -> Flow:
    """A flow to stand in for one that is closed: it says the message and ends the call."""
    text = message.replace("{", "{{").replace("}", "}}")
    node = HangUp(kind="hangup", prompts=(TextItem(text=text),), reason=HangUpReason.CLOSED)
    nodes = {"closed": node}
    return replace(
        flow, name="closed", start="closed", nodes=nodes, prompts={}, hours={}, flows={}, operator=None
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
