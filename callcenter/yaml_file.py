"""Reads YAML files of settings, and remembers on which line of which file everything stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from callcenter.errors import ConfigError

Place = tuple[str | int, ...]
"""A way into a document: keys of mappings and indices of lists."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file's mapping. ``lines`` has where each part stands, ``FILE:LINE``."""

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Place, str] = field(default_factory=dict)


def read(path: Path) -> Document:
    """Read a file that holds keys and values; an empty one has none.

    Raises ``ConfigError`` with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
        lines = {at: f"{path}:{line}" for at, line in _lines_of(node, ())}
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that does not exist
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply, or a part that contains itself") from None
    if values is None:
        return Document(lines={(): f"{path}:1"})
    if not isinstance(values, dict):
        raise ConfigError(f"{path}:1: the file must hold keys and values, not a {type(values).__name__}")
    return Document(values, lines)


def include(document: Document, key: str, path: Path, keys: frozenset[str]) -> None:
    """Put another file's ``keys``, ``key`` among them, in the place of ``key``, which names the file.

    Raises ``ConfigError`` for a file with other keys, or with one that the document has as well.
    """
    inner = read(path)
    del document.values[key]
    for name in inner.values:
        where = inner.lines.get((name,), f"{path}:1")
        if name not in keys:
            raise ConfigError(f"{where}: {name}: only {', '.join(sorted(keys))} may stand in this file")
        if name in document.values:
            raise ConfigError(f"{where}: {name}: stands in {document.lines[name,]} already")
    document.values.update(inner.values)
    document.lines.update(inner.lines | {(): document.lines[()]})


def nearest(lines: Mapping[Place, str], at: Place) -> Place:
    """The innermost part around ``at`` of which a line is known."""
    while at and at not in lines:
        at = at[:-1]
    return at


def _lines_of(node: yaml.Node | None, at: Place) -> Iterator[tuple[Place, int]]:
    if node is None:
        return
    yield at, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines_of(value, (*at, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines_of(value, (*at, index))
