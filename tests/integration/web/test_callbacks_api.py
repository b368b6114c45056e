"""``/api/v1/callbacks``: asking, the list, one of it; what each role may do."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientPayloadError

CALLBACKS = "/api/v1/callbacks"
NUMBER = "+15125550142"
OTHER = "+442079460123"
ALWAYS = {"enabled": True, "dial_from": "00:00", "dial_until": "24:00", "regions": ["US", "GB"]}


@pytest.fixture
async def open_site(site: Any) -> Any:
    """Both queues take callbacks, at any hour."""
    for queue in ("sales", "support"):
        status, _ = await site.send("PATCH", f"/api/v1/queues/{queue}", {"callback": ALWAYS}, "admin")
        assert status == 200
    return site


async def ask(site: Any, role: str = "supervisor", key: str | None = None, **body: Any) -> Any:
    """Post a wish; returns status, answer and headers."""
    headers = site.auth(role) | ({} if key is None else {"Idempotency-Key": key})
    wish = body if "call" in body else {"queue": "sales", "number": NUMBER} | body
    async with site.client.post(site.url + CALLBACKS, headers=headers, json=wish) as response:
        return response.status, await response.json(), response.headers


async def free_slot(site: Any, queue: str = "sales") -> str:
    _, answer = await site.get(f"{CALLBACKS}/slots", queue=queue)
    return str(next(slot["start"] for slot in answer["slots"] if slot["free"]))


# Asking.


async def test_a_wish_is_promised_a_window(open_site: Any) -> None:
    site = open_site
    status, made, headers = await ask(site, name="Ada", topic="Delivery", number="(512) 555-0142")
    assert (status, made["state"], made["number"], made["source"]) == (201, "queued", NUMBER, "api")
    assert made["promised_from"] < made["promised_until"] <= made["expires_at"]
    assert (made["position"], made["may_change"], made["attempts_left"]) == (1, True, 3)
    assert made["manage_link"].startswith("/callback/")
    assert headers["ETag"] == '"1"'
    assert headers["Location"] == f"{CALLBACKS}/{made['callback_id']}"
    status, found = await site.get(headers["Location"])
    assert (status, found["state"]) == (200, "queued")
    assert [change["type"] for change in found["history"]] == ["callback.requested", "callback.queued"]
    assert found["history"][0]["by"] == "user supervisor"
    assert found["attempts_made"] == []


async def test_a_second_wish_is_the_first_one(open_site: Any) -> None:
    _, first, _ = await ask(open_site, name="Ada")
    status, second, headers = await ask(open_site, name="Eve", number="512-555-0142")
    assert (status, second["callback_id"], second["name"]) == (200, first["callback_id"], "Ada")
    assert "Idempotent-Replayed" not in headers
    assert (await ask(open_site, queue="support"))[0] == 201


async def test_the_same_key_is_the_same_request(open_site: Any) -> None:
    status, first, headers = await ask(open_site, key="order-4711", name="Ada")
    assert (status, headers.get("Idempotent-Replayed")) == (201, None)
    status, again, headers = await ask(open_site, key="order-4711", name="Ada")
    assert (status, headers["Idempotent-Replayed"]) == (201, "true")
    changing = {"manage_link"}  # each is signed anew
    assert {k: v for k, v in again.items() if k not in changing} == {
        k: v for k, v in first.items() if k not in changing
    }
    status, problem, _ = await ask(open_site, key="order-4711", name="Eve")
    assert (status, problem["error"]["code"]) == (422, "key_reused")
    status, problem, _ = await ask(open_site, key="order-4711", number=OTHER)
    assert (status, problem["error"]["code"]) == (422, "key_reused")
    # Another user's keys are other keys.
    assert (await ask(open_site, role="admin", key="order-4711", number=OTHER))[0] == 201


async def test_a_replay_answers_whatever_became_of_it_and_of_the_queue(open_site: Any) -> None:
    site = open_site
    slot = await free_slot(site)
    _, first, _ = await ask(site, key="k", slot=slot)
    await site.send("POST", f"{CALLBACKS}/{first['callback_id']}/cancel")
    await site.send("PATCH", "/api/v1/queues/sales", {"callback": {"accept": False}})
    status, again, headers = await ask(site, key="k", slot=slot)
    assert (status, again["callback_id"], again["state"]) == (201, first["callback_id"], "cancelled")
    assert headers["Idempotent-Replayed"] == "true"
    assert again["manage_link"] is None


async def test_a_key_that_found_one_says_so_again(open_site: Any) -> None:
    await ask(open_site)
    assert [(await ask(open_site, key="k"))[0] for _ in range(2)] == [200, 200]


async def test_requests_at_once_make_one(open_site: Any) -> None:
    with_key = await asyncio.gather(*(ask(open_site, key="same") for _ in range(12)))
    assert {status for status, _, _ in with_key} == {201}
    assert len({body["callback_id"] for _, body, _ in with_key}) == 1
    assert sum("Idempotent-Replayed" not in headers for _, _, headers in with_key) == 1
    without = await asyncio.gather(*(ask(open_site, number=OTHER) for _ in range(12)))
    assert sorted(status for status, _, _ in without) == [200] * 11 + [201]
    assert len((await open_site.get(CALLBACKS))[1]["callbacks"]) == 2


@pytest.mark.parametrize("key", ["", "x" * 201, "schlüssel".encode().decode("latin-1")])
async def test_a_key_that_is_none_is_refused(open_site: Any, key: str) -> None:
    status, problem, _ = await ask(open_site, key=key)
    assert (status, problem["error"]["field"]) == (422, "Idempotency-Key")


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"number": "911"}, 422, "number_emergency", "number"),
        ({"number": "+1900555"}, 422, "number_invalid", "number"),
        ({"number": "call me"}, 422, "number_invalid", "number"),
        ({"number": ""}, 422, "invalid", "number"),
        ({"number": 15125550142}, 422, "invalid", "number"),
        ({"queue": "nowhere"}, 422, "invalid", "queue"),
        ({"queue": None}, 422, "invalid", None),
        ({"slot": "2020-01-01T00:00:00Z"}, 422, "slot_past", "slot"),
        ({"slot": "tomorrow"}, 422, "invalid", "slot"),
        ({"slot": "2099-01-01T00:00:00Z"}, 422, "slot_too_far", "slot"),
        ({"zone": "Mars/Olympus"}, 422, "zone_unknown", "zone"),
        ({"priority": 101}, 422, "invalid", "priority"),
        ({"owner": "nobody"}, 422, "invalid", "owner"),
        ({"note": "x" * 1001}, 422, "invalid", "note"),
        ({"name": "a\nb"}, 422, "invalid", "name"),
        ({"language": "klingon"}, 422, "invalid", "language"),
        ({"unknown": 1}, 422, "invalid", "unknown"),
    ],
)
async def test_a_wish_that_cannot_be_granted_says_why(
    open_site: Any, body: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    found, problem, _ = await ask(open_site, **body)
    error = problem["error"]
    assert (found, error["code"]) == (status, code)
    if field is not None:
        assert error.get("field", "").startswith(field)
    assert (await open_site.get(CALLBACKS))[1]["callbacks"] == []


async def test_a_queue_that_takes_none(site: Any) -> None:
    status, problem, _ = await ask(site)
    assert (status, problem["error"]["code"]) == (409, "not_offered")


async def test_a_full_slot_names_free_ones(open_site: Any) -> None:
    site = open_site
    slot = await free_slot(site)
    for number in ("+15125550103", "+15125550104"):
        assert (await ask(site, number=number, slot=slot))[0] == 201
    status, problem, _ = await ask(site, slot=slot)
    assert (status, problem["error"]["code"]) == (409, "slot_full")
    assert problem["error"]["nearest"]
    _, answer = await site.get(f"{CALLBACKS}/slots", queue="sales")
    assert next(one for one in answer["slots"] if one["start"] == slot)["free"] == 0
    assert (await ask(site, slot=problem["error"]["nearest"][0]))[0] == 201


async def test_slots_beyond_what_there_is(open_site: Any) -> None:
    path = f"{CALLBACKS}/slots?queue=sales"
    assert await open_site.get(f"{path}&since=9999-12-31T23:00:00Z") == (200, {"queue": "sales", "slots": []})
    assert (await open_site.get(f"{path}&zone=Europe/Atlantis"))[0] == 422


async def test_slots_need_a_queue_that_there_is(open_site: Any) -> None:
    assert (await open_site.get(f"{CALLBACKS}/slots"))[0] == 422
    status, problem = await open_site.get(f"{CALLBACKS}/slots", queue="nowhere")
    assert (status, problem["error"]["field"]) == (422, "queue")
    assert (await open_site.get(f"{CALLBACKS}/slots", queue="sales", days="91"))[0] == 422
    status, answer = await open_site.get(f"{CALLBACKS}/slots", queue="sales", days="1", zone="Asia/Tokyo")
    assert status == 200
    last = datetime.fromisoformat(answer["slots"][-1]["start"])
    assert last < datetime.now(UTC) + timedelta(days=2)


# From calls.


async def test_one_click_for_somebody_who_hung_up(open_site: Any) -> None:
    site = open_site
    call_id = await site.floor.start(ago_s=30)
    await site.floor.queued(call_id)
    await site.floor.line.leave(call_id)
    await site.floor.end(call_id, outcome="abandoned")
    _, answer = await site.get(f"{CALLBACKS}/abandoned")
    assert [(one["call_id"], one["number"], one["queue"]) for one in answer["callers"]] == [
        (str(call_id), NUMBER, "sales")
    ]
    status, made, _ = await ask(site, call=str(call_id))
    assert (status, made["number"], made["queue"], made["source"]) == (201, NUMBER, "sales", "supervisor")
    assert (made["call_id"], made["chain_id"]) == (str(call_id), str(call_id))
    assert (await site.get(f"{CALLBACKS}/abandoned"))[1]["callers"] == []


async def test_an_agent_asks_for_the_own_caller(open_site: Any) -> None:
    site = open_site
    call_id = await site.floor.answered_call()
    path = f"/api/v1/calls/{call_id}/callback"
    status, made = await site.send("POST", path, {"note": "the invoice", "owner": "ann"}, "agent")
    assert (status, made["source"], made["owner"], made["number"]) == (201, "agent", "ann", NUMBER)
    other = await site.floor.answered_call(agent="bob")
    assert (await site.send("POST", f"/api/v1/calls/{other}/callback", {}, "agent"))[0] == 403
    assert (await site.send("POST", f"/api/v1/calls/{other}/callback", role="supervisor"))[0] == 200
    assert (await site.send("POST", f"/api/v1/calls/{uuid4()}/callback", {}))[0] == 404


async def test_a_call_that_says_too_little_needs_more(open_site: Any) -> None:
    site = open_site
    call_id = await site.floor.start()
    status, problem, _ = await ask(site, call=str(call_id))
    assert (status, problem["error"]["field"]) == (422, "queue")
    withheld = await site.floor.start(from_="")
    await site.floor.queued(withheld)
    status, problem, _ = await ask(site, call=str(withheld))
    assert (status, problem["error"]["field"]) == (422, "number")
    assert (await ask(site, call=str(withheld), number=OTHER))[0] == 201


# Roles.


async def test_agents_have_those_of_their_own_queues(open_site: Any) -> None:
    site = open_site
    _, own, _ = await ask(site, role="agent")
    assert own["source"] == "agent"
    assert (await ask(site, role="agent", queue="support"))[0] == 403
    _, foreign, _ = await ask(site, queue="support", number=OTHER)
    _, page = await site.get(CALLBACKS, "agent")
    assert [one["number"] for one in page["callbacks"]] == [NUMBER]
    assert (await site.get(CALLBACKS, "agent", queue="support"))[1]["callbacks"] == []
    assert (await site.get(f"{CALLBACKS}/{own['callback_id']}", "agent"))[0] == 200
    assert (await site.get(f"{CALLBACKS}/{foreign['callback_id']}", "agent"))[0] == 403
    for action in ("cancel", "move", "expedite", "reassign"):
        path = f"{CALLBACKS}/{foreign['callback_id']}/{action}"
        assert (await site.send("POST", path, {"asap": True} if action == "move" else {}, "agent"))[0] == 403
    assert (await ask(site, role="agent", priority=5, number=OTHER))[0] == 403
    assert (await ask(site, role="agent", owner="bob", number=OTHER))[0] == 403
    assert (await ask(site, role="agent", owner="ann", number=OTHER))[0] == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{CALLBACKS}/abandoned", None),
        ("POST", f"{CALLBACKS}/erase", {"number": NUMBER}),
        ("GET", "/api/v1/do-not-call", None),
        ("POST", "/api/v1/do-not-call", {"number": NUMBER}),
        ("DELETE", "/api/v1/do-not-call?number=%2B15125550142", None),
        ("GET", "/api/v1/webhooks/deliveries", None),
        ("POST", "/api/v1/webhooks/deliveries/1/retry", None),
        ("POST", "/api/v1/webhooks/deliveries/retry", None),
        ("PATCH", "/api/v1/queues/sales", {"callback": {"accept": False}}),
    ],
)
async def test_the_rest_is_for_supervisors(site: Any, method: str, path: str, body: Any) -> None:
    assert (await site.send(method, path, body, "agent"))[0] == 403
    assert (await site.send(method, path, body))[0] in (200, 201, 204, 404)


# The list.


async def test_the_list_is_filtered(open_site: Any) -> None:
    site = open_site
    _, one, _ = await ask(site, name="Ada Lovelace", owner="ann")
    _, other, _ = await ask(site, queue="support", number=OTHER, topic="100% refund")
    await site.send("POST", f"{CALLBACKS}/{other['callback_id']}/cancel")
    for filters, wanted in (
        ({"queue": "sales"}, [one]),
        ({"state": "cancelled"}, [other]),
        ({"state": "open"}, [one]),
        ({"state": "ended,queued"}, [other, one]),
        ({"number": NUMBER}, [one]),
        ({"number": NUMBER.removeprefix("+1")}, [one]),
        ({"source": "api"}, [other, one]),
        ({"source": "ivr"}, []),
        ({"owner": "ann"}, [one]),
        ({"text": "love"}, [one]),
        ({"text": "100%"}, [other]),
        ({"text": "%"}, [other]),
        ({"since": one["requested_at"]}, [other, one]),
        ({"until": one["requested_at"]}, []),
    ):
        status, page = await site.get(CALLBACKS, **filters)
        assert status == 200, filters
        found = [row["callback_id"] for row in page["callbacks"]]
        assert found == [row["callback_id"] for row in wanted], filters


async def test_what_a_removed_queue_leaves_is_found_and_given_to_another(open_site: Any) -> None:
    site = open_site
    await ask(site)
    assert (await site.send("PUT", "/api/v1/queues/gone", {"callback": ALWAYS}, "admin"))[0] in (200, 201)
    _, left, _ = await ask(site, queue="gone", number=OTHER)
    assert (await site.get(CALLBACKS, stranded="true"))[1]["callbacks"] == []
    assert (await site.send("DELETE", "/api/v1/queues/gone", None, "admin"))[0] == 204
    _, page = await site.get(CALLBACKS, stranded="true")
    assert [row["callback_id"] for row in page["callbacks"]] == [left["callback_id"]]
    assert (await site.get(CALLBACKS, role="agent", stranded="true"))[1]["callbacks"] == []
    address = f"{CALLBACKS}/{left['callback_id']}"
    assert (await site.get(address))[0] == 200
    status, given = await site.send("POST", f"{address}/reassign", {"queue": "sales"})
    assert (status, given["queue"]) == (200, "sales")
    assert (await site.get(CALLBACKS, stranded="true"))[1]["callbacks"] == []


@pytest.mark.parametrize(
    "query", ["state=asleep", "source=fax", "limit=0", "cursor=x", "format=xml", "q=1", "text=%00"]
)
async def test_a_wrong_filter_is_refused(site: Any, query: str) -> None:
    status, problem = await site.get(f"{CALLBACKS}?{query}")
    assert status in (400, 422)
    assert problem["error"]["field"].startswith(query.partition("=")[0])


async def test_pages_neither_skip_nor_repeat(open_site: Any) -> None:
    site = open_site
    for last in range(10, 17):
        await ask(site, number=f"+151255501{last}")
    seen, cursor = [], None
    while True:
        _, page = await site.get(CALLBACKS, limit="3", **({} if cursor is None else {"cursor": cursor}))
        seen += [row["callback_id"] for row in page["callbacks"]]
        if (cursor := page["next_cursor"]) is None:
            break
    _, whole = await site.get(CALLBACKS)
    assert seen == [row["callback_id"] for row in whole["callbacks"]]
    assert len(set(seen)) == 7


@pytest.mark.parametrize("by", ["format", "accept"])
async def test_a_table_has_all_of_them(open_site: Any, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from callcenter.web.routes import callbacks

    site = open_site
    monkeypatch.setattr(callbacks, "CSV_PAGE", 2)
    await ask(site, name='=HYPERLINK("http://x")', note='with "quotes", and commas')
    for last in range(10, 14):
        await ask(site, number=f"+151255501{last}", name="-Ada")
    headers = site.auth() | ({"Accept": "text/csv"} if by == "accept" else {})
    params = {"format": "csv"} if by == "format" else {}
    async with site.client.get(site.url + CALLBACKS, headers=headers, params=params) as response:
        assert response.status == 200
        assert response.content_type == "text/csv"
        rows = list(csv.DictReader(io.StringIO(await response.text())))
    assert len(rows) == 5
    assert rows[-1]["number"] == NUMBER
    assert rows[-1]["name"] == '\'=HYPERLINK("http://x")'
    assert rows[-1]["note"] == 'with "quotes", and commas'
    assert rows[0]["name"] == "'-Ada"


async def test_a_table_that_breaks_off_is_no_whole_one(open_site: Any) -> None:
    site = open_site
    database = site.services.database
    await ask(site)
    async with database.transaction() as connection:
        # The rows are waited for; when they come there are none to be read.
        await connection.execute("LOCK TABLE callback.callback")
        response = await site.client.get(f"{site.url}{CALLBACKS}?format=csv", headers=site.auth())
        assert response.status == 200
        await connection.execute("ALTER TABLE callback.callback RENAME TO away")
    with pytest.raises(ClientPayloadError):
        await response.read()


async def test_what_is_none_is_not_found(site: Any) -> None:
    assert (await site.get(f"{CALLBACKS}/{uuid4()}"))[0] == 404
    assert (await site.get(f"{CALLBACKS}/x"))[0] == 404


async def test_numbers_are_in_no_log(open_site: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="callcenter")
    caplog.set_level("INFO", logger="aiohttp.access")
    site = open_site
    await ask(site, name="Ada Lovelace")
    await ask(site, number="+1512555014")
    await site.get(CALLBACKS, number=NUMBER)
    await site.send("POST", f"{CALLBACKS}/erase", {"number": NUMBER})
    await site.send("POST", "/api/v1/do-not-call", {"number": NUMBER})
    await site.send("DELETE", f"/api/v1/do-not-call?number={NUMBER.replace('+', '%2B')}")
    assert "POST /api/v1/callbacks" in caplog.text
    for private in ("5550142", "Ada", "Lovelace"):
        assert private not in caplog.text
