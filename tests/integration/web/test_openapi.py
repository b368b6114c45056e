"""The document says what the server does, no more and no less."""

import json
from importlib import resources
from typing import Any
from uuid import uuid4

import pytest
import yaml
from aiohttp import web
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate
from referencing import Registry, Resource

from callcenter.storage.transcripts import TimedWord
from callcenter.web import board
from callcenter.web.server import build_app

ADDRESS = "urn:callcenter"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    text = resources.files("callcenter.web").joinpath("openapi.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def check(document: dict[str, Any], schema: str, instance: Any) -> None:
    resource = Resource.from_contents({"$schema": "https://json-schema.org/draft/2020-12/schema", **document})
    registry: Registry[Any] = Registry().with_resource(ADDRESS, resource)
    reference = {"$ref": f"{ADDRESS}#/components/schemas/{schema}"}
    Draft202012Validator(reference, registry=registry, format_checker=FormatChecker()).validate(instance)


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


async def test_every_route_is_described_and_every_description_has_a_route(
    site: Any, document: dict[str, Any]
) -> None:
    app: web.Application = build_app(site.services)
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None
        and route.resource.canonical.startswith("/api/")
        and route.method != "HEAD"
    }
    described = {
        (method, path)
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert routes == described


async def test_it_is_served_as_json(site: Any, document: dict[str, Any]) -> None:
    status, served = await site.get("/api/v1/openapi.json")
    assert status == 200
    assert served == json.loads(json.dumps(document))


@pytest.fixture
async def call_id(site: Any) -> Any:
    call_id = await site.floor.answered_call()
    await site.services.recordings.open(
        recording_id=uuid4(),
        call_id=call_id,
        node_id=uuid4(),
        kind="voicemail",
        path="a.wav",
        channels=1,
        offset_ms=0,
    )
    await site.floor.queued(await site.floor.start())
    return call_id


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("calls", "CallPage"),
        ("calls?limit=1", "CallPage"),
        ("calls/{}", "CallDetail"),
        ("calls/{}/events", "EventList"),
        ("calls/{}/transcript", "Transcript"),
        ("calls/{}/recordings", "RecordingList"),
        ("queues", "QueueList"),
        ("closure", "ClosureList"),
        ("reports/ewt", "WaitAccuracy"),
        ("queues/sales", "QueueDetail"),
        ("agents", "AgentList"),
        ("agents/ann", "Agent"),
        ("reports/summary", "Summary"),
        ("reports/summary?interval=15&queue=sales", "Summary"),
        ("reports/callbacks", "CallbackReport"),
        ("reports/callbacks?interval=60&queue=sales&calls=5&unserved=true", "CallbackReport"),
        ("reports/quality", "QualityReport"),
        ("reports/quality?interval=60&queue=sales&agent=ann", "QualityReport"),
    ],
)
async def test_answers_are_as_described(
    site: Any, document: dict[str, Any], call_id: Any, path: str, schema: str
) -> None:
    status, answer = await site.get("/api/v1/" + path.format(call_id))
    assert status == 200
    check(document, schema, answer)


@pytest.mark.parametrize("path", ["calls/x", "calls?limit=0", "calls?cursor=x", "nothing"])
async def test_problems_are_as_described(site: Any, document: dict[str, Any], path: str) -> None:
    status, answer = await site.get("/api/v1/" + path)
    assert status >= 400
    check(document, "Problem", answer)


@pytest.mark.parametrize("whole_rows", [board.WHOLE_ROWS, 0])
async def test_live_messages_are_as_described(
    site: Any, document: dict[str, Any], call_id: Any, monkeypatch: pytest.MonkeyPatch, whole_rows: int
) -> None:
    monkeypatch.setattr(board, "WHOLE_ROWS", whole_rows)
    schemas = {
        "state": "LiveState",
        **({} if whole_rows else {"change": "LiveChange"}),
        "event": "LiveEvent",
        "segment": "LiveSegment",
        "partial": "LivePartial",
    }
    async with site.client.ws_connect(site.url + "/api/v1/live", headers=site.auth()) as socket:
        await socket.send_json({"subscribe": ["events", "transcript", "partials", "state"]})
        seen = set()

        async def see(kinds: set[str]) -> None:
            while not kinds <= seen:
                message = await socket.receive_json(timeout=5)
                seen.add(message["type"])
                check(document, schemas[message["type"]], message)

        await see({"state"})
        talking = await site.floor.start()
        await site.floor.saying(talking, "hel", "lo")
        await site.floor.say(talking, "hello", number=1, words=(TimedWord("hello", 1000, 1400, 0.5),))
        await see(set(schemas))


async def test_live_refusals_are_as_described(site: Any, document: dict[str, Any]) -> None:
    async with site.client.ws_connect(site.url + "/api/v1/live") as socket:
        await socket.send_json({"subscribe": ["state"]})
        check(document, "LiveError", await socket.receive_json(timeout=5))


def test_a_wrong_answer_would_be_noticed(document: dict[str, Any]) -> None:
    from jsonschema import ValidationError

    with pytest.raises(ValidationError):
        check(document, "CallPage", {"calls": [{}], "next_cursor": None})
    with pytest.raises(ValidationError):
        check(
            document,
            "QueueState",
            {"name": "x", "waiting": -1, "callbacks": 0, "longest_wait_s": 0, "oldest_at": None},
        )
