"""Changing callbacks, numbers not to be called, erasing, the dead letters of webhooks, switches of queues."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callback.deliveries import Deliveries, Hook
from callback.store import Store

CALLBACKS = "/api/v1/callbacks"
NUMBER = "+15125550142"
OTHER = "+442079460123"
ALWAYS = {"enabled": True, "dial_from": "00:00", "dial_until": "24:00", "regions": ["US", "GB"]}


@pytest.fixture
async def made(site: Any) -> dict[str, Any]:
    """A callback of the queue sales."""
    for queue in ("sales", "support"):
        await site.send("PATCH", f"/api/v1/queues/{queue}", {"callback": ALWAYS}, "admin")
    body = {"queue": "sales", "number": NUMBER, "name": "Ada", "topic": "Delivery"}
    status, made = await site.send("POST", CALLBACKS, body)
    assert status == 201
    return dict(made)


def path_of(made: dict[str, Any], action: str = "") -> str:
    return f"{CALLBACKS}/{made['callback_id']}{action and '/' + action}"


async def with_tag(site: Any, method: str, path: str, tag: str, body: Any) -> tuple[int, Any]:
    headers = site.auth() | {"If-Match": tag}
    async with site.client.request(method, site.url + path, headers=headers, json=body) as response:
        return response.status, await response.json()


async def types_of(site: Any, made: dict[str, Any]) -> list[str]:
    _, detail = await site.get(path_of(made))
    return [change["type"].removeprefix("callback.") for change in detail["history"]]


# Editing.


async def test_editing_changes_what_is_given(site: Any, made: dict[str, Any]) -> None:
    body = {"note": "order 4711", "language": "ja", "priority": 3, "number": "+44 20 7946 0123"}
    status, edited = await site.send("PATCH", path_of(made), body)
    assert (status, edited["version"]) == (200, made["version"] + 1)
    changed = {name for name in made if edited[name] != made[name]} - {"manage_link", "position"}
    assert changed == {"note", "language", "priority", "number", "version"}
    assert edited["number"] == OTHER
    assert (await types_of(site, made))[-1] == "edited"
    _, detail = await site.get(path_of(made))
    assert OTHER not in str(detail["history"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, None),
        ({"version": 1}, None),
        ({"number": "911"}, "number"),
        ({"number": None}, None),
        ({"priority": 1.5}, "priority"),
        ({"state": "completed"}, "state"),
        ({"attempts": 9}, "attempts"),
        ({"name": "x" * 101}, "name"),
    ],
)
async def test_what_cannot_be_edited_is_refused(
    site: Any, made: dict[str, Any], body: dict[str, Any], field: str | None
) -> None:
    status, problem = await site.send("PATCH", path_of(made), body)
    assert (status, problem["error"].get("field")) == (422, field)


async def test_who_changed_in_between_is_not_overwritten(site: Any, made: dict[str, Any]) -> None:
    path = path_of(made)
    assert (await site.send("PATCH", path, {"topic": "Refund", "version": 1}))[0] == 200
    status, problem = await site.send("PATCH", path, {"topic": "Repair", "version": 1})
    assert (status, problem["error"]["code"]) == (409, "stale")
    for tag, status in (('"1"', 409), ('"2"', 200), ('W/"3"', 200), ("*", 200), ("nonsense", 422)):
        assert (await with_tag(site, "PATCH", path, tag, {"topic": f"by {status} {tag}"}))[0] == status, tag
    assert (await with_tag(site, "PATCH", path, '"9"', {"topic": "x", "version": 8}))[0] == 422
    for action, body in (
        ("cancel", {}),
        ("move", {"asap": True}),
        ("expedite", {}),
        ("reassign", {"owner": None}),
    ):
        status, problem = await with_tag(site, "POST", path_of(made, action), '"1"', body)
        assert (status, problem["error"]["code"]) == (409, "stale"), action


async def test_an_agent_edits_but_does_not_push_in(site: Any, made: dict[str, Any]) -> None:
    assert (await site.send("PATCH", path_of(made), {"note": "called me"}, "agent"))[0] == 200
    assert (await site.send("PATCH", path_of(made), {"priority": 50}, "agent"))[0] == 403
    assert (await site.send("POST", path_of(made, "expedite"), {}, "agent"))[0] == 403
    assert (await site.send("POST", path_of(made, "reassign"), {"owner": "ann"}, "agent"))[0] == 403
    assert (await site.send("POST", path_of(made, "cancel"), {"cause": "solved"}, "agent"))[0] == 200


# Moving and the like.


async def test_moving_to_a_slot_and_back(site: Any, made: dict[str, Any]) -> None:
    _, answer = await site.get(f"{CALLBACKS}/slots", queue="sales")
    slot = answer["slots"][5]
    status, moved = await site.send("POST", path_of(made, "move"), {"slot": slot["start"]})
    assert (status, moved["state"], moved["slot_start"], moved["slot_end"]) == (
        200,
        "scheduled",
        slot["start"],
        slot["end"],
    )
    assert moved["position"] is None
    status, back = await site.send("POST", path_of(made, "move"), {"asap": True})
    assert (status, back["state"], back["slot_start"], back["position"]) == (200, "queued", None, 1)
    assert back["arrived_at"] == made["arrived_at"]
    assert await types_of(site, made) == ["requested", "queued", "moved", "moved"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid"),
        ({"asap": False}, "invalid"),
        ({"asap": True, "slot": "2099-01-01T00:00:00Z"}, "invalid"),
        ({"slot": "2099-01-01T00:00:00Z"}, "slot_too_far"),
        ({"slot": "2001-01-01T00:00:00Z"}, "slot_past"),
    ],
)
async def test_a_time_that_is_none(site: Any, made: dict[str, Any], body: Any, code: str) -> None:
    status, problem = await site.send("POST", path_of(made, "move"), body)
    assert (status, problem["error"]["code"]) == (422, code)


async def test_cancelling_ends_it_for_good(site: Any, made: dict[str, Any]) -> None:
    status, gone = await site.send("POST", path_of(made, "cancel"), {"cause": "solved_by_email"})
    assert (status, gone["state"], gone["ended_by"], gone["cause"]) == (
        200,
        "cancelled",
        "user supervisor",
        "solved_by_email",
    )
    assert gone["manage_link"] is None
    for action, body in (
        ("cancel", {}),
        ("move", {"asap": True}),
        ("expedite", {}),
        ("reassign", {"owner": "ann"}),
    ):
        assert (await site.send("POST", path_of(made, action), body))[0] == 409, action
    assert (await site.send("PATCH", path_of(made), {"note": "late"}))[0] == 409


async def test_why_is_a_word(site: Any, made: dict[str, Any]) -> None:
    """Who writes more might write who the customer is, and the log is never erased."""
    for cause in ("Ada wants no more", "+15125550142", "x" * 41, "_"):
        status, problem = await site.send("POST", path_of(made, "cancel"), {"cause": cause})
        assert (status, problem["error"]["field"]) == (422, "cause")


async def test_a_body_may_be_left_out_where_nothing_is_needed(site: Any, made: dict[str, Any]) -> None:
    assert (await site.send("POST", path_of(made, "expedite")))[1]["state"] == "due"
    assert (await site.send("POST", path_of(made, "cancel")))[1]["state"] == "cancelled"


async def test_reassigning(site: Any, made: dict[str, Any]) -> None:
    status, one = await site.send("POST", path_of(made, "reassign"), {"owner": "ann"})
    assert (status, one["owner"], one["owner_until"] is None) == (200, "ann", False)
    status, one = await site.send("POST", path_of(made, "reassign"), {"queue": "support", "owner": None})
    assert (status, one["owner"], one["owner_until"], one["queue"]) == (200, None, None, "support")
    await site.send("POST", CALLBACKS, {"queue": "sales", "number": NUMBER})
    status, problem = await site.send("POST", path_of(made, "reassign"), {"queue": "sales"})
    assert (status, problem["error"]["code"]) == (409, "conflict")
    for body, field in (({}, None), ({"queue": "nowhere"}, "queue"), ({"owner": "nobody"}, "owner")):
        status, problem = await site.send("POST", path_of(made, "reassign"), body)
        assert (status, problem["error"].get("field")) == (422, field)


# Numbers.


async def test_erasing_leaves_a_tombstone(site: Any, made: dict[str, Any]) -> None:
    assert await site.send("POST", f"{CALLBACKS}/erase", {"number": "512-555-0142"}) == (200, {"erased": 1})
    _, grave = await site.get(path_of(made))
    assert (grave["state"], grave["number"], grave["name"], grave["topic"]) == ("cancelled", "", "", "")
    assert grave["erased_at"] is not None
    assert NUMBER not in str(grave)
    assert "Ada" not in str(grave)
    assert (await site.send("POST", f"{CALLBACKS}/erase", {"number": NUMBER}))[1] == {"erased": 0}
    assert (await site.send("POST", f"{CALLBACKS}/erase", {"number": "nobody"}))[0] == 422


async def test_numbers_not_to_be_called(site: Any, made: dict[str, Any]) -> None:
    path = "/api/v1/do-not-call"
    status, entry = await site.send("POST", path, {"number": "(512) 555-0142", "note": "in writing"})
    assert (status, entry["number"], entry["added_by"], entry["note"]) == (
        201,
        NUMBER,
        "user supervisor",
        "in writing",
    )
    assert (await site.send("POST", path, {"number": NUMBER, "note": "again"})) == (200, entry)
    _, rejected = await site.get(path_of(made))
    assert (rejected["state"], rejected["cause"]) == ("rejected", "do_not_call")
    status, problem = await site.send("POST", CALLBACKS, {"queue": "sales", "number": NUMBER})
    assert (status, problem["error"]["code"]) == (422, "do_not_call")
    await site.send("POST", path, {"number": OTHER})
    _, page = await site.get(path, limit="1")
    assert ([one["number"] for one in page["numbers"]], page["next_cursor"]) == ([NUMBER], NUMBER)
    _, page = await site.get(path, cursor=page["next_cursor"])
    assert ([one["number"] for one in page["numbers"]], page["next_cursor"]) == ([OTHER], None)
    for cursor in ("\0", "x", "+"):
        assert (await site.get(path, cursor=cursor))[0] == 422
    assert (await site.get(path, number=OTHER))[1]["numbers"][0]["number"] == OTHER
    assert (await site.get(path, number="+15125550199"))[1]["numbers"] == []
    assert (await site.send("DELETE", path))[0] == 422
    assert (await site.send("DELETE", f"{path}?number=%2B15125550142"))[0] == 204
    assert (await site.send("DELETE", f"{path}?number=%2B15125550142"))[0] == 404
    assert (await site.send("POST", CALLBACKS, {"queue": "sales", "number": NUMBER}))[0] == 201


async def hung_up(site: Any, number: str, queue: str = "sales", ago_s: float = 60) -> str:
    call_id = await site.floor.start(from_=number, ago_s=ago_s)
    await site.floor.queued(call_id, queue)
    await site.floor.line.leave(call_id)
    await site.floor.end(call_id, outcome="abandoned")
    return str(call_id)


async def test_callers_who_hung_up(site: Any, made: dict[str, Any]) -> None:
    path = f"{CALLBACKS}/abandoned"
    one, other, third, fourth = (f"+1512555016{digit}" for digit in range(4))
    await hung_up(site, one, ago_s=300)
    again = await hung_up(site, one)
    second = await hung_up(site, other, "support")
    await hung_up(site, third)
    await site.floor.connected(await site.floor.start(from_=third))  # was answered later
    await hung_up(site, fourth)
    await site.send("POST", "/api/v1/do-not-call", {"number": fourth})
    await hung_up(site, NUMBER)  # has an open callback
    await hung_up(site, "")  # withheld
    await hung_up(site, "+15125550177", ago_s=100_000)  # yesterday
    _, page = await site.get(path)
    assert [(row["call_id"], row["number"], row["calls"]) for row in page["callers"]] == [
        (second, other, 1),
        (again, one, 2),
    ]
    assert [row["number"] for row in (await site.get(path, queue="sales"))[1]["callers"]] == [one]
    since = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    assert len((await site.get(path, since=since))[1]["callers"]) == 3
    _, first = await site.get(path, limit="1")
    _, rest = await site.get(path, cursor=first["next_cursor"])
    assert [row["number"] for row in first["callers"] + rest["callers"]] == [other, one]
    # Called back since, and served.
    await site.send("POST", CALLBACKS, {"call": again})
    assert [row["number"] for row in (await site.get(path))[1]["callers"]] == [other]


# Webhooks.


async def test_dead_letters(site: Any, made: dict[str, Any]) -> None:
    deliveries = Deliveries(site.services.database.transaction)
    await deliveries.sync([Hook("crm", "https://crm.example.com/hook")])
    await site.send("PATCH", path_of(made), {"note": "x"})
    await site.send("POST", path_of(made, "cancel"))
    path = "/api/v1/webhooks/deliveries"
    _, page = await site.get(path)
    assert [(one["type"], one["state"]) for one in page["deliveries"]] == [
        ("callback.cancelled", "pending"),
        ("callback.edited", "pending"),
    ]
    (claimed,) = await deliveries.claim("crm", 5, 30)
    await deliveries.failed(claimed, "it answered 500", None)
    _, page = await site.get(path, state="dead", webhook="crm", callback=made["callback_id"])
    (dead,) = page["deliveries"]
    assert (dead["last_error"], dead["next_at"], dead["tries"]) == ("it answered 500", None, 1)
    again = f"{path}/{dead['delivery_id']}/retry"
    assert (await site.send("POST", again))[0] == 204
    assert (await site.send("POST", again))[0] == 409
    assert (await site.send("POST", f"{path}/999/retry"))[0] == 404
    assert (await site.send("POST", f"{path}/0/retry"))[0] == 404
    assert (await site.send("POST", f"{path}/{10**30}/retry"))[0] == 404
    (claimed,) = await deliveries.claim("crm", 5, 30)
    await deliveries.failed(claimed, "it answered 500", None)
    assert await site.send("POST", f"{path}/retry", {"webhook": "other"}) == (200, {"retried": 0})
    assert await site.send("POST", f"{path}/retry") == (200, {"retried": 1})
    _, first = await site.get(path, limit="1")
    _, rest = await site.get(path, cursor=str(first["next_cursor"]))
    assert [one["type"] for one in rest["deliveries"]] == ["callback.edited"]


# The queue's settings.


async def test_both_switches(site: Any, made: dict[str, Any]) -> None:
    path = "/api/v1/queues/sales"
    status, queue = await site.send("PATCH", path, {"callback": {"accept": False, "process": False}})
    assert status == 200
    rules = queue["settings"]["callback"]
    assert (rules["accept"], rules["process"], rules["enabled"], rules["dial_from"]) == (
        False,
        False,
        True,
        "00:00",
    )
    status, problem = await site.send("POST", CALLBACKS, {"queue": "sales", "number": OTHER})
    assert (status, problem["error"]["code"]) == (409, "not_offered")
    # Who was promised one still stands in line.
    assert (await site.get(path_of(made)))[1]["state"] == "queued"
    status, problem = await site.send("PATCH", path, {"callback": {"accept": True}, "version": 1})
    assert status == 409
    assert (await site.send("PATCH", path, {"callback": {"accept": True}, "weight": 2}))[0] == 403
    assert (await site.send("PATCH", path, {"callback": {"accept": True, "attempts": 9}}))[0] == 403
    assert (await site.send("PATCH", path, {"weight": 2}, "admin"))[1]["settings"]["weight"] == 2
    status, queue = await site.send("PATCH", path, {"weight": None}, "admin")
    assert (status, queue["settings"]["weight"], queue["settings"]["callback"]["accept"]) == (200, 1.0, False)
    assert (await site.send("PATCH", "/api/v1/queues/nowhere", {"weight": 2}, "admin"))[0] == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"mode": "fax"}, "callback.mode"),
        ({"attempts": 0}, "callback.attempts"),
        ({"retry": {"busy_s": -1}}, "callback.retry.busy_s"),
        ({"retry": {"bored_s": 1}}, "callback.retry.bored_s"),
        ({"slots": {"minutes": 7}}, "callback.slots.minutes"),
        ({"dial_from": "25:00"}, "callback.dial_from"),
        ({"key": "**"}, "callback.key"),
        ({"regions": ["us"]}, "callback.regions.0"),
        ({"hours": {"zone": "Mars"}}, "callback.hours"),
        ({"unknown": 1}, "callback.unknown"),
        ("on", "callback"),
    ],
)
async def test_rules_that_cannot_be_name_the_field(site: Any, change: Any, field: str) -> None:
    for method in ("PATCH", "PUT"):
        status, problem = await site.send(method, "/api/v1/queues/sales", {"callback": change}, "admin")
        assert (status, problem["error"].get("field")) == (422, field), method
        assert "\n" not in problem["error"]["message"]
    assert (await site.get("/api/v1/queues/sales"))[1]["version"] == 1


async def test_keys_are_forgotten(site: Any, made: dict[str, Any]) -> None:
    store = Store(site.services.database.transaction)
    headers = site.auth() | {"Idempotency-Key": "k"}
    body = {"queue": "sales", "number": OTHER}
    async with site.client.post(site.url + CALLBACKS, headers=headers, json=body) as response:
        assert response.status == 201
    assert await store.keyed("user supervisor", "k") is not None
    await store.forget_keys(3600)
    assert await store.keyed("user supervisor", "k") is not None
    await store.forget_keys(0)
    assert await store.keyed("user supervisor", "k") is None


async def test_what_is_old_is_forgotten_with_all_that_belongs_to_it(site: Any, made: dict[str, Any]) -> None:
    database = site.services.database
    store, deliveries = Store(database.transaction), Deliveries(database.transaction)
    await deliveries.sync([Hook("crm", "https://crm.example.com/hook")])
    await site.send("POST", path_of(made, "cancel"))
    status, still_open = await site.send("POST", CALLBACKS, {"queue": "sales", "number": OTHER})
    assert status == 201
    await database.execute("UPDATE callback.callback SET requested_at = requested_at - interval '9 days'")
    assert await store.forget_old(10) == 0
    assert await store.forget_old(9) == 1
    assert (await site.get(path_of(made)))[0] == 404
    assert (await site.get(path_of(still_open)))[0] == 200
    assert {str(one.change.callback_id) for one in await deliveries.listed()} == {still_open["callback_id"]}
