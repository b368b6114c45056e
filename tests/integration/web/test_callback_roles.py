"""Who may do what with callbacks: every route of theirs, for everybody who may ask."""

from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from callcenter.web.server import build_app

CALLBACKS = "/api/v1/callbacks"
ONE = f"{CALLBACKS}/{{id}}"
CALL = "/api/v1/calls/{id}/callback"
DO_NOT_CALL = "/api/v1/do-not-call"
DELIVERIES = "/api/v1/webhooks/deliveries"
NUMBER, OTHER = "+12125550142", "+12125550143"
ALWAYS = {"enabled": True, "dial_from": "00:00", "dial_until": "24:00"}
FORBIDDEN = 403

# What an agent gets for a callback of the own queue, for one of another queue, and a supervisor.
TABLE: dict[tuple[str, str], tuple[Any, int, int, int]] = {
    ("GET", CALLBACKS): (None, 200, 200, 200),
    ("POST", CALLBACKS): ({"queue": "QUEUE", "number": OTHER}, 201, FORBIDDEN, 201),
    ("GET", f"{CALLBACKS}/slots"): (None, 200, 200, 200),
    ("GET", ONE): (None, 200, FORBIDDEN, 200),
    ("PATCH", ONE): ({"name": "Ada"}, 200, FORBIDDEN, 200),
    ("POST", f"{ONE}/move"): ({"asap": True}, 200, FORBIDDEN, 200),
    ("POST", f"{ONE}/cancel"): ({}, 200, FORBIDDEN, 200),
    ("POST", f"{ONE}/expedite"): ({}, FORBIDDEN, FORBIDDEN, 200),
    ("POST", f"{ONE}/reassign"): ({"owner": "bob"}, FORBIDDEN, FORBIDDEN, 200),
    ("POST", CALL): ({}, FORBIDDEN, FORBIDDEN, 201),
    ("POST", f"{CALLBACKS}/erase"): ({"number": NUMBER}, FORBIDDEN, FORBIDDEN, 200),
    ("GET", f"{CALLBACKS}/abandoned"): (None, FORBIDDEN, FORBIDDEN, 200),
    ("GET", "/api/v1/reports/callbacks"): (None, FORBIDDEN, FORBIDDEN, 200),
    ("GET", DO_NOT_CALL): (None, FORBIDDEN, FORBIDDEN, 200),
    ("POST", DO_NOT_CALL): ({"number": OTHER}, FORBIDDEN, FORBIDDEN, 201),
    ("DELETE", DO_NOT_CALL): (None, FORBIDDEN, FORBIDDEN, 404),
    ("GET", DELIVERIES): (None, FORBIDDEN, FORBIDDEN, 200),
    ("POST", f"{DELIVERIES}/retry"): ({}, FORBIDDEN, FORBIDDEN, 200),
    ("POST", f"{DELIVERIES}/{{number}}/retry"): (None, FORBIDDEN, FORBIDDEN, 404),
}


@pytest.fixture
async def open_site(site: Any) -> Any:
    """Two queues that take callbacks, of which the agent serves one, and an agent of no queue."""
    for queue in ("sales", "support"):
        assert (await site.send("PATCH", f"/api/v1/queues/{queue}", {"callback": ALWAYS}, "admin"))[0] == 200
    await site.services.users.add("guest", role="agent", agent_id=None)
    site.tokens["guest"] = await site.services.users.issue_token("guest")
    return site


async def asked(site: Any, route: tuple[str, str], queue: str, role: str) -> int:
    """The answer's status for a callback, and a call, of ``queue``."""
    _, made = await site.send("POST", CALLBACKS, {"queue": queue, "number": NUMBER})
    method, path = route
    if path == CALL:
        call_id = await site.floor.start("+12125550144")
        await site.floor.queued(call_id, queue)
        path = path.format(id=call_id)
    path = path.format(id=made["callback_id"], number=1)
    if method == "GET" and path.endswith("/slots"):
        path += f"?queue={queue}"
    if method == "DELETE":
        path += "?number=%2B12125550143"
    body = TABLE[route][0]
    if isinstance(body, dict) and body.get("queue") == "QUEUE":
        body = body | {"queue": queue}
    client: ClientSession = site.client
    headers = site.auth(role) if role else {}
    async with client.request(method, site.url + path, headers=headers, json=body) as answer:
        text = await answer.text()
        if answer.status >= 400:
            assert NUMBER not in text
            assert made["callback_id"] not in text
        return answer.status


def test_every_route_is_in_the_table(site: Any) -> None:
    parts = ("callback", "do-not-call", "webhooks")
    routes = {
        (route.method, route.resource.canonical)
        for route in build_app(site.services).router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/api/v1/")
    }
    theirs = {(m, path) for m, path in routes if m != "HEAD" and any(part in path for part in parts)}
    assert theirs == set(TABLE)


@pytest.mark.parametrize("route", TABLE, ids=" ".join)
async def test_everybody_at_every_route(open_site: Any, route: tuple[str, str]) -> None:
    _, own, foreign, supervisor = TABLE[route]
    assert await asked(open_site, route, "sales", "") == 401
    assert await asked(open_site, route, "support", "agent") == foreign
    assert await asked(open_site, route, "sales", "guest") == (200 if route[1].endswith("slots") else 403)
    assert await asked(open_site, route, "sales", "agent") == own
    if own == FORBIDDEN:
        assert await asked(open_site, route, "sales", "supervisor") == supervisor
    else:
        assert await asked(open_site, route, "support", "supervisor") == supervisor


async def test_a_list_holds_nothing_of_other_queues(open_site: Any) -> None:
    site = open_site
    for queue, number in (("sales", NUMBER), ("support", OTHER)):
        await site.send("POST", CALLBACKS, {"queue": queue, "number": number, "name": f"Ada of {queue}"})
    for query in ({}, {"text": "ada"}, {"state": "open"}, {"queue": "support"}, {"number": OTHER}):
        _, page = await site.get(CALLBACKS, "agent", **query)
        assert {one["queue"] for one in page["callbacks"]} <= {"sales"}
    async with site.client.get(f"{site.url}{CALLBACKS}?format=csv", headers=site.auth("agent")) as answer:
        table = await answer.text()
    assert (NUMBER in table, OTHER in table) == (True, False)


async def test_what_does_not_exist_looks_alike(open_site: Any) -> None:
    for role in ("agent", "supervisor"):
        for callback_id in (str(uuid4()), "1", "%2e%2e", "abc'--"):
            assert (await open_site.get(f"{CALLBACKS}/{callback_id}", role))[0] == 404


async def test_a_key_is_its_users_own(open_site: Any) -> None:
    site, wish = open_site, {"queue": "sales", "number": NUMBER}
    made = {}
    for role in ("supervisor", "admin", "agent"):
        headers = site.auth(role) | {"Idempotency-Key": "the-same"}
        body = wish if role == "supervisor" else wish | {"number": OTHER}
        async with site.client.post(site.url + CALLBACKS, headers=headers, json=body) as answer:
            assert "Idempotent-Replayed" not in answer.headers
            made[role] = (answer.status, (await answer.json())["number"])
    assert made == {"supervisor": (201, NUMBER), "admin": (201, OTHER), "agent": (200, OTHER)}
