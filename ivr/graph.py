"""What is wrong with a flow as a whole: names that lead nowhere, and paths that do."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ivr.cases import HoursCase, VariableCase
from ivr.consent import Consent
from ivr.flow import RETURN, Flow
from ivr.lookup import Lookup
from ivr.node import Edge, Node
from ivr.nodes import Branch, Call, HangUp, Play, Queue, Set, Transfer, prompts_of
from ivr.part import RESERVED_VARIABLES
from ivr.prompt import Item, NamedItem, TextItem, WavItem, always_says_something, variables_of
from ivr.questions import Gather, Question
from ivr.survey import Survey

Graph = Mapping[str, tuple[Edge, ...]]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; ``at`` is its place within the flow."""

    at: tuple[str | int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Traits:
    """What a flow means for those that call it.

    ``returns``: it can come back. ``ends``: the call can end within it. ``at_once``: it can come back
    without the caller having done anything and without time having passed.
    """

    returns: bool
    ends: bool
    at_once: bool


@dataclass(frozen=True, slots=True)
class Outside:
    """Names of what the flow refers to beyond itself; ``None`` when nobody knows yet."""

    queues: frozenset[str] | None = None
    skills: frozenset[str] | None = None
    lookup_hosts: frozenset[str] | None = None


def bad_names(flow: Flow, outside: Outside, variables: frozenset[str]) -> Iterator[Problem]:
    """Names that lead nowhere."""
    if flow.start not in flow.nodes:
        yield Problem(("start",), f"no such node {flow.start!r}")
    for name, node in flow.nodes.items():
        for problem in _bad_names_of(node, flow, outside, variables | RESERVED_VARIABLES):
            yield replace(problem, at=("nodes", name, *problem.at))


def bad_sounds(
    prompts: Mapping[str, TextItem | WavItem], folder: Path, variables: frozenset[str]
) -> Iterator[Problem]:
    """What is wrong with the named prompts of a file whose sound files are in ``folder``."""
    for name, sound in prompts.items():
        yield from bad_item((name,), sound, folder, variables | RESERVED_VARIABLES)


def written_by(nodes: Mapping[str, Node]) -> Iterator[str]:
    """The variables that nodes give values to."""
    for node in nodes.values():
        if isinstance(node, Gather):
            yield node.variable
        elif isinstance(node, Set):
            yield from node.values
        elif isinstance(node, Lookup):
            yield from node.into


def bad_paths(flow: Flow, inner: Mapping[str, Traits]) -> Iterator[Problem]:
    """Paths that go wrong; every name must be good. ``inner`` are the traits of ``flow.flows``."""
    for name, node in flow.nodes.items():
        if isinstance(node, Call) and node.next is None and inner[node.callee].returns:
            yield Problem(("nodes", name, "next"), f"is missing, and {node.callee} can return")
        if isinstance(node, Call) and node.next is not None and not inner[node.callee].returns:
            yield Problem(("nodes", name, "next"), f"is never reached: {node.callee} does not return")
    graph = {name: tuple(flow.edges(node)) for name, node in flow.nodes.items()}
    reached = _reachable(graph, flow.start) | _reached_by_wish(flow, graph)
    for name in graph:
        if name not in reached:
            yield Problem(("nodes", name), "is never reached")
    hopeful = _can_end(flow, graph, inner)
    for name in graph:
        if name not in hopeful:
            yield Problem(("nodes", name), "the call can never end from here")
    loop = _loop(_instant(flow, graph, inner))
    if loop:
        path = " -> ".join((*loop, loop[0]))
        yield Problem(("nodes", loop[0]), f"goes round without input and without time passing: {path}")


def traits(flow: Flow, inner: Mapping[str, Traits]) -> Traits:
    """What a flow without bad paths means for those that call it."""
    graph = {name: tuple(flow.edges(node)) for name, node in flow.nodes.items()}
    ends = any(_is_end(node, inner) for node in flow.nodes.values())
    returns = any(edge.target == RETURN for edges in graph.values() for edge in edges)
    return Traits(returns, ends, at_once=RETURN in _reachable(_instant(flow, graph, inner), flow.start))


def _bad_names_of(node: Node, flow: Flow, outside: Outside, variables: frozenset[str]) -> Iterator[Problem]:
    for edge in node.edges():
        if edge.target not in flow.nodes and edge.target != RETURN:
            yield Problem(edge.field, f"no such node {edge.target!r}")
    if isinstance(node, Queue):
        yield from _bad_names_of_queue(node, outside, variables)
    if isinstance(node, Branch):
        yield from _bad_names_of_cases(node, flow, variables)
    if isinstance(node, Set):
        for name, value in node.values.items():
            yield from _bad_variables(("values", name), value, variables)
    if isinstance(node, Lookup):
        if outside.lookup_hosts is not None and node.host not in outside.lookup_hosts:
            yield Problem(("url",), f"the host {node.host!r} is not one of the lookup hosts")
        for at, template in node.templates():
            yield from _bad_variables(at, template, variables)
    for place, item in prompts_of(node):
        if isinstance(item, NamedItem) and item.prompt not in flow.prompts:
            yield Problem((*place, "prompt"), f"no such prompt {item.prompt!r}")
        yield from bad_item(place, item, flow.folder, variables)


def _bad_names_of_queue(node: Queue, outside: Outside, variables: frozenset[str]) -> Iterator[Problem]:
    if outside.queues is not None and node.queue not in outside.queues:
        yield Problem(("queue",), f"no such queue {node.queue!r}")
    for skill in node.skills:
        if outside.skills is not None and skill not in outside.skills:
            yield Problem(("skills", skill), f"no such skill {skill!r}")
    yield from _bad_variables(("preferred_agent",), node.preferred_agent, variables)


def _bad_names_of_cases(node: Branch, flow: Flow, variables: frozenset[str]) -> Iterator[Problem]:
    for index, case in enumerate(node.cases):
        if isinstance(case, HoursCase) and case.hours not in flow.hours:
            yield Problem(("cases", index, "hours"), f"no such hours {case.hours!r}")
        if isinstance(case, VariableCase) and case.variable not in variables:
            yield Problem(("cases", index, "variable"), f"no such variable {case.variable!r}")


def bad_item(
    at: tuple[str | int, ...], item: Item, folder: Path, variables: frozenset[str]
) -> Iterator[Problem]:
    """What is wrong with one prompt: variables and files that do not exist."""
    if isinstance(item, TextItem):
        for text in item.texts.values():
            yield from _bad_variables(at, text, variables)
    elif isinstance(item, WavItem):
        for file in item.files.values():
            if not os.path.isfile(folder / file):
                yield Problem((*at, "wav"), f"no such file {file!r}")


def _bad_variables(at: tuple[str | int, ...], text: str, variables: frozenset[str]) -> Iterator[Problem]:
    for name in variables_of(text):
        if name not in variables:
            yield Problem(at, f"no such variable {name!r}")


def _reached_by_wish(flow: Flow, graph: Graph) -> set[str]:
    """What callers reach who ask for the operator in a sub-flow that has none."""
    if flow.operator is None or not any(isinstance(node, Call) for node in flow.nodes.values()):
        return set()
    return _reachable(graph, flow.operator.next)


def _reachable(graph: Graph, start: str) -> set[str]:
    reached = {start}
    waiting = [start]
    while waiting:
        for edge in graph.get(waiting.pop(), ()):
            if edge.target not in reached:
                reached.add(edge.target)
                waiting.append(edge.target)
    return reached


def _is_end(node: Node, inner: Mapping[str, Traits]) -> bool:
    if isinstance(node, Call):
        return inner[node.callee].ends
    return isinstance(node, HangUp | Transfer | Queue)


def _can_end(flow: Flow, graph: Graph, inner: Mapping[str, Traits]) -> set[str]:
    before: dict[str, list[Edge]] = {}
    for name, edges in graph.items():
        for edge in edges:
            before.setdefault(edge.target, []).append(Edge("", name, ()))
    ends = [name for name, node in flow.nodes.items() if _is_end(node, inner)]
    backwards = {name: tuple(edges) for name, edges in before.items()}
    return set().union(*(_reachable(backwards, end) for end in (RETURN, *ends)))


def _instant(flow: Flow, graph: Graph, inner: Mapping[str, Traits]) -> Graph:
    return {
        name: tuple(edge for edge in edges if _is_instant(flow, flow.nodes[name], edge, inner))
        for name, edges in graph.items()
    }


def _is_instant(flow: Flow, node: Node, edge: Edge, inner: Mapping[str, Traits]) -> bool:
    match node:
        case Play() | Lookup():
            return not any(_audible(flow, item) for _, item in prompts_of(node))
        case Consent():
            return node.record != "ask" and not any(_audible(flow, item) for _, item in prompts_of(node))
        case Survey():
            return node.share < 1  # who is not asked goes on at once
        case Queue():
            return edge.label in ("empty", "full", "closed")
        case Question():
            return edge.label == "no match" and not node.takes_keys
        case Call():
            return inner[node.callee].at_once
        case _:
            return isinstance(node, Branch | Set | Transfer)


def _audible(flow: Flow, item: TextItem | WavItem | NamedItem) -> bool:
    sound = flow.prompts[item.prompt] if isinstance(item, NamedItem) else item
    return isinstance(sound, WavItem) or all(map(always_says_something, sound.texts.values()))


def _loop(graph: Graph) -> tuple[str, ...]:
    """The nodes of one loop in order, beginning with the one that stands first in the file; or none."""
    left = dict(graph)
    while True:
        done = [name for name, edges in left.items() if not any(edge.target in left for edge in edges)]
        if not done:
            break
        for name in done:
            del left[name]
    if not left:
        return ()
    path = [next(iter(left))]
    while (following := next(edge.target for edge in left[path[-1]] if edge.target in left)) not in path:
        path.append(following)
    loop = path[path.index(following) :]
    order = {name: index for index, name in enumerate(graph)}
    first = loop.index(min(loop, key=order.__getitem__))
    return (*loop[first:], *loop[:first])
