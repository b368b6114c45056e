"""Reads JSON bodies and query parameters strictly: what we do not know is an error, not ignored."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Never, TypeVar

from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from callcenter.web.errors import InvalidError, MediaTypeError, RequestError

Model = TypeVar("Model", bound=BaseModel)


def parse_body(model: type[Model], raw: bytes, content_type: str) -> Model:
    """The body as ``model``.

    Raises ``MediaTypeError`` (415) for anything but ``application/json``, ``RequestError`` (400) for text
    that is not strict JSON (RFC 8259, no repeated keys) and ``InvalidError`` (422) for wrong values.
    """
    return _validated(model, parse_object(raw, content_type))


def parse_object(raw: bytes, content_type: str) -> dict[str, Any]:
    """The body as a JSON object; raises as ``parse_body``."""
    if content_type != "application/json":
        raise MediaTypeError("the body must be application/json")
    return strict_json(raw)


def parse_document(model: type[Model], document: Mapping[str, Any]) -> Model:
    """JSON that was put together here as ``model``; raises ``InvalidError``."""
    return _validated(model, document)


def merged(present: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """What ``change`` makes of ``present``: objects are merged, null removes (JSON merge patch, RFC 7396)."""
    result = dict(present)
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            before = result.get(name)
            result[name] = merged(before if isinstance(before, dict) else {}, value)
        else:
            result[name] = value
    return result


def parse_query(model: type[Model], query: MultiMapping[str]) -> Model:
    """The query parameters as ``model``; a repeated or unknown parameter is refused. Empty means absent."""
    repeated = next((name for name in query if len(query.getall(name)) > 1), None)
    if repeated is not None:
        raise InvalidError(f"{repeated}: given twice", repeated)
    return _validated(model, {name: value for name, value in query.items() if value != ""})


def strict_json(raw: bytes | str) -> dict[str, Any]:
    """A JSON object; ``NaN``, repeated keys, too deep nesting and other than objects are refused."""
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        document = json.loads(text, object_pairs_hook=_no_repeats, parse_constant=_no_constants)
    except (ValueError, RecursionError):
        raise RequestError("the body is not valid JSON") from None
    if not isinstance(document, dict):
        raise RequestError("the body must be a JSON object")
    return document


def _validated(model: type[Model], document: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(step) for step in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        raise InvalidError(f"{field}: {message}" if field else message, field or None) from None


def _no_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("repeated key")
    return document


def _no_constants(name: str) -> Never:
    raise ValueError(name)
