"""From a flow file to a flow, or to the one line that says what is wrong with it."""

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ivr.document import Document, Place, read
from ivr.errors import FlowError
from ivr.faq import Faq, FaqText
from ivr.flow import Flow, FlowText, SubFlowText
from ivr.graph import Outside, Traits, bad_names, bad_paths, bad_sounds, traits, written_by
from ivr.nodes import Call
from ivr.part import RESERVED_VARIABLES, Part
from ivr.sayings import bad_faq, bad_sayings, missing_texts

MAX_CALL_DEPTH = 16
_OWN_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "dict_type": "must hold keys and values",
    "mapping_type": "must hold keys and values",
    "model_type": "must hold keys and values",
    "model_attributes_type": "must hold keys and values",
    "tuple_type": "must be a list",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}

_Key = tuple[Path, str]
PartT = TypeVar("PartT", bound=Part)


def check(
    path: Path,
    queues: Collection[str] | None = None,
    skills: Collection[str] | None = None,
    lookup_hosts: Collection[str] | None = None,
    *,
    warn: Callable[[FlowError], None] | None = None,
) -> Flow:
    """Load a flow and all it calls, and prove that every path leads somewhere.

    ``queues`` and ``skills`` are the names of those that exist, ``lookup_hosts`` the hosts (``host`` or
    ``host:port``) that lookups may ask; without them any will do. Raises ``FlowError`` with the first
    problem: ``file:line: node NAME: field: what is wrong``. ``warn`` is told of what is not as it should be,
    but does no harm: texts that are missing in a language that callers can choose.
    """
    known = (queues, skills, lookup_hosts)
    outside = Outside(*(None if names is None else frozenset(names) for names in known))
    loader = _Loader(outside, warn or _say_nothing)
    return loader.file(path, ())


def _say_nothing(_warning: FlowError) -> None:
    """For those who only want the flow."""


class _Loader:
    """The files and flows of one ``check``; each is read and proved once."""

    def __init__(self, outside: Outside, warn: Callable[[FlowError], None]) -> None:
        self._outside = outside
        self._warn = warn
        self._faqs: dict[Path, tuple[Document, FaqText]] = {}
        self._texts: dict[Path, tuple[Document, FlowText]] = {}
        self._flows: dict[_Key, Flow] = {}
        self._traits: dict[_Key, Traits] = {}

    def file(self, path: Path, trail: tuple[_Key, ...]) -> Flow:
        """The flow of a whole file; ``trail`` are the flows that lead to it."""
        real = _real(path)
        if real not in self._texts:
            document = read(path)
            text = _validate(document, FlowText)
            for problem in bad_sounds(text.prompts, path.parent, _variables(text)):
                raise document.error(("prompts", *problem.at), problem.text)
            self._texts[real] = (document, text)
        document, text = self._texts[real]
        flow = self._flow(document, text, "", trail)
        called = {key[1] for key in self._flows if key[0] == real}
        for name in text.flows:
            if name not in called:
                raise document.error(("flows", name), "is never called")
        return flow

    def _flow(self, document: Document, text: FlowText, name: str, trail: tuple[_Key, ...]) -> Flow:
        key = (_real(document.path), name)
        if key in self._flows:
            return self._flows[key]
        body = text.flows[name] if name else text
        place: Place = ("flows", name) if name else ()
        flows: dict[str, Flow] = {}
        inner: dict[str, Traits] = {}
        for node_name, node in body.nodes.items():
            if isinstance(node, Call) and node.callee not in flows:
                at = (*place, "nodes", node_name, "flow" if node.flow else "file")
                callee = self._callee(document, text, node, at, (*trail, key))
                flows[node.callee], inner[node.callee] = callee
        flow = replace(_resolved(document.path, text, name, flows), faqs=self._faqs_of(document, place, body))
        for problem in bad_names(flow, self._outside, _variables(text)):
            raise document.error((*place, *problem.at), problem.text)
        for problem in bad_sayings(flow):
            raise document.error((*place, *problem.at), problem.text)
        self._check_faqs(flow, _variables(text))
        for problem in bad_paths(flow, inner):
            raise document.error((*place, *problem.at), problem.text)
        for problem in missing_texts(flow):
            self._warn(document.error((*place, *problem.at), problem.text))
        self._flows[key], self._traits[key] = flow, traits(flow, inner)
        return flow

    def _faqs_of(self, document: Document, place: Place, body: FlowText | SubFlowText) -> dict[str, FaqText]:
        """The answers that the nodes of a flow give, by the name of their file."""
        found: dict[str, FaqText] = {}
        for name, node in body.nodes.items():
            if not isinstance(node, Faq):
                continue
            path = document.path.parent / node.file
            if not os.path.isfile(path):
                raise document.error((*place, "nodes", name, "file"), f"no such file {node.file!r}")
            if _real(path) not in self._faqs:
                answers = read(path)
                self._faqs[_real(path)] = answers, _validate(answers, FaqText)
            found[node.file] = self._faqs[_real(path)][1]
        return found

    def _check_faqs(self, flow: Flow, variables: frozenset[str]) -> None:
        for file, faq in flow.faqs.items():
            document, _ = self._faqs[_real(flow.folder / file)]
            for problem in bad_faq(flow, faq, variables | RESERVED_VARIABLES):
                raise document.error(problem.at, problem.text)

    def _callee(
        self, document: Document, text: FlowText, node: Call, at: Place, trail: tuple[_Key, ...]
    ) -> tuple[Flow, Traits]:
        path = document.path.parent / node.file if node.file else document.path
        if node.flow and node.flow not in text.flows:
            raise document.error(at, f"no such flow {node.flow!r}")
        if node.file and not os.path.isfile(path):
            raise document.error(at, f"no such file {node.file!r}")
        key = (_real(path), node.flow or "")
        if key in trail:
            names = " -> ".join(_label(step) for step in (*trail[trail.index(key) :], key))
            raise document.error(at, f"a flow cannot call itself: {names}")
        if len(trail) >= MAX_CALL_DEPTH:
            raise document.error(at, f"sub-flows are nested more than {MAX_CALL_DEPTH} deep")
        flow = self._flow(document, text, node.flow, trail) if node.flow else self.file(path, trail)
        return flow, self._traits[key]


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _resolved(path: Path, text: FlowText, name: str, flows: dict[str, Flow]) -> Flow:
    body = text.flows[name] if name else text
    return Flow(
        name=f"{path.stem}/{name}" if name else path.stem,
        folder=path.parent,
        language=body.language or text.language,
        start=body.start,
        nodes=body.nodes,
        prompts=text.prompts,
        hours=text.hours,
        variables=text.variables,
        flows=flows,
        operator=body.operator,
        repeat=body.repeat,
    )


def _label(key: _Key) -> str:
    path, name = key
    return f"{path.name}/{name}" if name else path.name


def _variables(text: FlowText) -> frozenset[str]:
    written = [written_by(text.nodes), *(written_by(flow.nodes) for flow in text.flows.values())]
    return frozenset(text.variables).union(*written)


def _validate(document: Document, model: type[PartT]) -> PartT:
    try:
        return model.model_validate(document.root)
    except ValidationError as error:
        raise _first(document, error) from None


def _first(document: Document, error: ValidationError) -> FlowError:
    details: Any = error.errors(include_url=False)[0]
    at: Place = details["loc"]
    context = details.get("ctx", {})
    if details["type"] == "kind":
        node = details["input"]
        text = details["msg"] if isinstance(node, dict) else _OWN_WORDS["dict_type"]
        at = (*at, "kind") if isinstance(node, dict) else at
        return document.error(at, text)
    at = (*at, *context.get("at", ()))
    text = _OWN_WORDS.get(details["type"], details["msg"].removeprefix("Value error, "))
    return document.error(at, text)
