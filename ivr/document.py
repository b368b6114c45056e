"""YAML as text: values without types, and the line of every one of them.

The document is built from the parser's events, so that size, depth, aliases and duplicate keys are
checked before anything grows. All scalars stay text (see ``ivr.part``).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from ivr.errors import FlowError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 24
MAX_ALIASES = 100
MAX_VALUES = 20_000

Place: TypeAlias = tuple[str | int, ...]
Value: TypeAlias = "str | list[Value] | dict[str, Value]"


class Document:
    """A flow file's values, and where each of them stands.

    A place is the keys and indices that lead to a value; the line of a value in a mapping is its key's.
    """

    def __init__(self, path: Path, root: dict[str, Value], lines: dict[Place, int]) -> None:
        self.path = path
        self.root = root
        self.lines = lines

    def error(self, at: Place, problem: str) -> FlowError:
        """The error of the value at ``at``; steps that are not in the file are left out or named last."""
        known: Place = ()
        shown: list[str] = []
        for step in at:
            if (*known, step) in self.lines and len(known) == len(shown):
                known = (*known, step)
                shown.append(str(step))
            elif isinstance(step, str) and step[:1] not in ("<", "["):
                shown.append(step)
        node, fields = _split(shown)
        return FlowError(self.path, self.lines.get(known, 1), problem, node, ".".join(fields))


def read(path: Path) -> Document:
    """Read a flow file; raises ``FlowError``."""
    text = _text(path)
    try:
        reader = _Reader(path, yaml.parse(text, Loader=yaml.SafeLoader))
        return Document(path, reader.document(), reader.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise FlowError(path, mark.line + 1 if mark else 1, error.problem or "not YAML") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        character = f"U+{ord(text[error.position]):04X}"
        raise FlowError(path, line, f"the character {character} is not allowed") from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise FlowError(path, 1, f"the file is larger than {MAX_BYTES // 1024} KiB")
        return raw.decode("utf-8")
    except OSError as error:
        raise FlowError(path, 1, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise FlowError(path, raw[: error.start].count(b"\n") + 1, "not UTF-8") from None


def _split(steps: list[str]) -> tuple[str, list[str]]:
    match steps:
        case ["nodes", node, *fields]:
            return node, fields
        case ["flows", flow, "nodes", node, *fields]:
            return f"{flow}/{node}", fields
        case _:
            return "", steps


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


class _Reader:
    """One pass over the events of one file."""

    def __init__(self, path: Path, events: Iterator[Any]) -> None:
        self.lines: dict[Place, int] = {}
        self._path = path
        self._events = events
        self._anchors: dict[str, tuple[Value, int]] = {}
        self._aliases = 0
        self._values = 0

    def document(self) -> dict[str, Value]:
        next(self._events)  # the start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise FlowError(self._path, 1, "the file is empty")
        first = next(self._events)
        root = self._value(first, ())
        if not isinstance(root, dict):
            raise self._error(first, "the file must hold keys and values")
        next(self._events)  # the end of the document
        another = next(self._events)
        if not isinstance(another, yaml.StreamEndEvent):
            raise self._error(another, "the file must hold one document")
        return root

    def _error(self, event: Any, problem: str) -> FlowError:
        return FlowError(self._path, _line(event), problem)

    def _value(self, event: Any, at: Place) -> Value:
        self.lines.setdefault(at, _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self._count(event, 1)
        if event.tag not in (None, "!"):
            raise self._error(event, f"the tag {event.tag} is not allowed")
        if len(at) > MAX_DEPTH:
            raise self._error(event, f"nested more than {MAX_DEPTH} deep")
        before = self._values
        value: Value
        if isinstance(event, yaml.ScalarEvent):
            value = str(event.value)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(at)
        else:
            value = self._mapping(at)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._values - before + 1)
        return value

    def _alias(self, event: Any) -> Value:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise self._error(event, f"more than {MAX_ALIASES} aliases")
        if event.anchor not in self._anchors:
            raise self._error(event, f"no such anchor {event.anchor!r} before this alias")
        value, size = self._anchors[event.anchor]
        self._count(event, size)
        return value

    def _count(self, event: Any, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise self._error(event, f"more than {MAX_VALUES} values, those behind aliases included")

    def _sequence(self, at: Place) -> list[Value]:
        items: list[Value] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*at, len(items))))
        return items

    def _mapping(self, at: Place) -> dict[str, Value]:
        pairs: dict[str, Value] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._error(event, "a key must be plain text")
            if event.value in pairs:
                first = self.lines[(*at, event.value)]
                raise self._error(event, f"the key {event.value!r} is already on line {first}")
            self.lines[(*at, event.value)] = _line(event)
            pairs[event.value] = self._value(next(self._events), (*at, event.value))
        return pairs
