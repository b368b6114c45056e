import json

import pytest
from multidict import MultiDict

from callcenter.errors import UsageError
from callcenter.web.body import parse_body, parse_query
from callcenter.web.errors import InvalidError, MediaTypeError, RequestError
from callcenter.web.floor_models import AgentBody, AgentStateBody
from callcenter.web.models import CallQuery, TransferBody

JSON = "application/json"


def test_a_good_body() -> None:
    assert parse_body(TransferBody, b'{"to": "+15125550123"}', JSON).to == "+15125550123"
    assert parse_body(AgentStateBody, b'{"event": "break", "reason": "lunch"}', JSON).reason == "lunch"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'"to"',
        b"{",
        b'{"to": NaN}',
        b'{"to": "1", "to": "2"}',
        b"\xff",
        b"[" * 5000,
        b"null",
    ],
)
def test_what_is_not_a_json_object_is_a_bad_request(raw: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        parse_body(TransferBody, raw, JSON)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"{}", None),
        (b'{"to": ""}', "to"),
        (b'{"to": 15125550123}', "to"),
        (b'{"to": "1\\n2"}', "to"),
        (b'{"to": "' + b"9" * 101 + b'"}', "to"),
        (b'{"to": "12", "from": "2"}', "from"),
    ],
)
def test_a_wrong_value_names_its_field(raw: bytes, field: str | None) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_body(TransferBody, raw, JSON)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "raw",
    [
        b'{"event": "reserve"}',
        b'{"event": "ready", "reason": "why"}',
        b'{"event": "sign_in", "disposition": "sold"}',
        b'{"event": "sign_in", "resolved": true}',
        b'{"event": "ready", "resolved": "yes"}',
    ],
)
def test_an_agent_may_not_say_everything(raw: bytes) -> None:
    with pytest.raises(InvalidError):
        parse_body(AgentStateBody, raw, JSON)


def test_an_agent_needs_a_queue() -> None:
    with pytest.raises(InvalidError) as caught:
        parse_body(AgentBody, b'{"name": "Ann", "gateway": "twilio", "address": "x", "queues": []}', JSON)
    assert caught.value.field == "queues"


@pytest.mark.parametrize("to", ["", "sales", "+", "1", "+1 512 555 0111", "+15125550111\n", "sip:a@b.c"])
def test_a_call_is_transferred_to_a_number_only(to: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_body(TransferBody, json.dumps({"to": to}).encode(), JSON)
    assert caught.value.field == "to"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_taken(content_type: str) -> None:
    with pytest.raises(MediaTypeError):
        parse_body(TransferBody, b'{"to": "1"}', content_type)


def test_a_query_is_parsed_and_bounded() -> None:
    query = parse_query(CallQuery, MultiDict({"from": "2025-03-01T00:00:00Z", "limit": "200", "queue": ""}))
    assert query.from_ is not None
    assert query.from_.utcoffset() is not None
    assert (query.limit, query.queue) == (200, None)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "201"},
        {"limit": "0"},
        {"limit": "many"},
        {"from": "2025-03-01T00:00:00"},
        {"from": "yesterday"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"to": "9999-12-31T23:59:59-14:00"},
        {"from": "2025-03-02T00:00:00Z", "to": "2025-03-01T00:00:00Z"},
        {"outcome": "happy"},
        {"number": "' OR 1=1"},
        {"queue": "../etc"},
        {"colour": "red"},
        {"from_": "2025-03-01T00:00:00Z"},
    ],
)
def test_a_wrong_query_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        parse_query(CallQuery, MultiDict(query))


def test_a_repeated_parameter_is_refused() -> None:
    with pytest.raises(InvalidError) as caught:
        parse_query(CallQuery, MultiDict([("limit", "1"), ("limit", "2")]))
    assert caught.value.field == "limit"
