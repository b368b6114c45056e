"""The document says what the server does, no more and no less."""

import json
from importlib import resources
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from aiohttp import web
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate
from referencing import Registry, Resource

from callback.deliveries import Deliveries, Hook
from callback.refusal import Refusal
from callback.request import Result, Source
from callback.state import State
from callcenter.callback_settings import CallbackRules
from callcenter.storage.transcripts import TimedWord
from callcenter.web import board
from callcenter.web.server import build_app
from callcenter.web.webhook_messages import WebhookMessages

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


NUMBER = "+15125550142"


@pytest.fixture
async def callback_id(site: Any) -> Any:
    """A callback that has been through a lot."""
    rules = {"callback": {"enabled": True, "dial_from": "00:00", "dial_until": "24:00"}}
    await site.send("PATCH", "/api/v1/queues/sales", rules, "admin")
    await Deliveries(site.services.database.transaction).sync([Hook("crm", "https://crm.example.com/")])
    _, made = await site.send("POST", "/api/v1/callbacks", {"queue": "sales", "number": NUMBER})
    callback_id = made["callback_id"]
    await site.send("PATCH", f"/api/v1/callbacks/{callback_id}", {"note": "x", "version": 1})
    await site.services.database.execute(ATTEMPT, uuid4(), UUID(callback_id), uuid4())
    await site.send("POST", "/api/v1/do-not-call", {"number": "+15125550143"})
    lost = await site.floor.start(from_="+15125550144")
    await site.floor.queued(lost)
    await site.floor.line.leave(lost)
    await site.floor.end(lost, outcome="abandoned")
    return callback_id


ATTEMPT = """
INSERT INTO callback.attempt (attempt_id, callback_id, number_of, fence, worker, gateway, call_id,
                              ring_timeout_s, ended_at, result, counted)
VALUES ($1, $2, 1, 1, $3, 'twilio', $3, 20, now(), 'busy', true)
"""


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("callbacks", "CallbackPage"),
        ("callbacks?limit=1", "CallbackPage"),
        ("callbacks/{}", "CallbackDetail"),
        ("callbacks/slots?queue=sales", "SlotList"),
        ("callbacks/abandoned", "AbandonedPage"),
        ("do-not-call", "DoNotCallPage"),
        ("webhooks/deliveries", "DeliveryPage"),
        ("calls?limit=1", "CallPage"),
    ],
)
async def test_answers_about_callbacks_are_as_described(
    site: Any, document: dict[str, Any], callback_id: str, path: str, schema: str
) -> None:
    status, answer = await site.get("/api/v1/" + path.format(callback_id))
    assert status == 200
    check(document, schema, answer)
    assert all(value != [] for value in answer.values())


async def test_changes_of_callbacks_are_as_described(
    site: Any, document: dict[str, Any], callback_id: str
) -> None:
    path = f"/api/v1/callbacks/{callback_id}"
    for action, body in (("reassign", {"owner": "ann"}), ("expedite", None), ("cancel", None)):
        status, answer = await site.send("POST", f"{path}/{action}", body)
        assert status == 200
        check(document, "CallbackStanding", answer)
    _, problem = await site.send("POST", f"{path}/cancel")
    check(document, "Problem", problem)


async def test_what_webhooks_are_told_is_as_described(
    site: Any, document: dict[str, Any], callback_id: str
) -> None:
    desk = site.services.callbacks
    deliveries = await Deliveries(site.services.database.transaction).listed()
    message = await WebhookMessages(desk.get, desk.link).of(deliveries[0])
    check(document, "WebhookMessage", json.loads(message))


def test_examples_are_as_described(document: dict[str, Any]) -> None:
    content = document["webhooks"]["callbackChanged"]["post"]["requestBody"]["content"]
    check(document, "WebhookMessage", content["application/json"]["example"])
    for method, path in (("post", "/api/v1/callbacks"), ("post", "/api/v1/calls/{id}/callback")):
        body = document["paths"][path][method]["requestBody"]["content"]["application/json"]
        for example in [one["value"] for one in body.get("examples", {}).values()] or [body["example"]]:
            check(document, "CallbackWish", {name: one for name, one in example.items() if name != "call"})


def test_names_of_states_and_the_like_are_ours(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["CallbackState"]["enum"] == [state.value for state in State]
    assert schemas["CallbackSource"]["enum"] == [source.value for source in Source]
    assert schemas["CallbackResult"]["enum"] == [result.value for result in Result]
    refused = document["components"]["responses"]["Refused"]["description"]
    assert [refusal for refusal in Refusal if f"`{refusal.value}`" not in refused] == []
    rules = schemas["CallbackRules"]["properties"]
    assert rules.keys() == CallbackRules.model_fields.keys()


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
