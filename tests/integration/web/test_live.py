import asyncio
import json
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError

from callcenter.storage.transcripts import TimedWord
from callcenter.web import live as live_module
from callcenter.web.auth import COOKIE
from callcenter.web.routes import live as live_routes
from callcenter.web.subscription import QUEUE_SIZE
from support.live_socket import LIVE, Watcher, until, watching


async def test_the_state_comes_at_once_and_on_every_change(site: Any) -> None:
    async with watching(site, {"subscribe": ["state"]}) as watcher:
        first = await watcher.next("state")
        assert [queue["name"] for queue in first["queues"]] == ["sales", "support"]
        assert [agent["state"] for agent in first["agents"]] == ["offline", "offline"]
        call_id = await site.floor.start()
        await site.floor.queued(call_id)
        while not (state := await watcher.next("state"))["queues"][0]["waiting"]:
            pass
        assert (state["calls"][0]["call_id"], state["calls"][0]["from"]) == (str(call_id), "+15125550142")
        await site.send("POST", "/api/v1/agents/ann/state", {"event": "sign_in"})
        while (await watcher.next("state"))["agents"][0]["state"] != "available":
            pass


async def test_strangers_have_few_places_and_leave_them_free(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_routes, "MAX_STRANGERS", 1)
    async with site.client.ws_connect(site.url + LIVE) as stranger:
        with pytest.raises(WSServerHandshakeError) as caught:
            await site.client.ws_connect(site.url + LIVE)
        assert caught.value.status == 503
        async with watching(site, {"subscribe": ["state"]}) as watcher:
            await watcher.next("state")
        await stranger.send_json({"subscribe": ["state"], "token": site.tokens["supervisor"]})
        await Watcher(stranger).next("state")
        async with site.client.ws_connect(site.url + LIVE) as other:
            assert not other.closed


async def test_nothing_is_sent_while_nothing_changes(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "POLL_S", 0.05)
    async with watching(site, {"subscribe": ["state"]}) as watcher:
        await watcher.next("state")
        with pytest.raises(TimeoutError):
            await watcher.next("state", timeout_s=0.8)


async def test_the_state_comes_at_most_four_times_a_second(site: Any) -> None:
    async with watching(site, {"subscribe": ["state"]}) as watcher:
        await watcher.next("state")
        began = asyncio.get_running_loop().time()
        for _ in range(30):
            await site.floor.start()
        count = 0
        while True:
            count += 1
            if len((await watcher.next("state"))["calls"]) == 30:
                break
        assert count <= (asyncio.get_running_loop().time() - began) * 4 + 2


async def test_events_come_in_order_and_words_with_them(site: Any) -> None:
    async with watching(site, {"subscribe": ["events", "transcript"]}) as watcher:
        call_id = await site.floor.start()
        await site.floor.queued(call_id)
        segment_id = await site.floor.say(call_id, "hello there")
        started, queued = [await watcher.next("event") for _ in range(2)]
        assert [one["event"]["type"] for one in (started, queued)] == ["call.started", "queue.entered"]
        assert queued["event"]["call_id"] == str(call_id)
        segment = await watcher.next("segment")
        assert (segment["segment_id"], segment["text"], segment["leg"]) == (
            str(segment_id),
            "hello there",
            "caller",
        )
        assert (segment["start_ms"], segment["end_ms"], segment["call_id"]) == (1000, 1900, str(call_id))


async def test_only_the_topics_and_the_queue_asked_for(site: Any) -> None:
    async with watching(site, {"subscribe": ["transcript"], "queue": "support"}) as watcher:
        for queue, text in (("sales", "not this"), ("support", "this")):
            call_id = await site.floor.start()
            await site.floor.queued(call_id, queue)
            await site.floor.say(call_id, text)
        message = json.loads((await watcher.socket.receive(timeout=5)).data)
        assert (message["type"], message["text"]) == ("segment", "this")


async def test_an_agent_hears_the_own_calls_only(site: Any) -> None:
    async with watching(site, role="agent") as watcher:
        for agent, text in (("bob", "not this"), ("ann", "this")):
            call_id = await site.floor.start()
            await site.floor.queued(call_id)
            await site.floor.connected(call_id, agent)
            await site.floor.say(call_id, text)
        assert (await watcher.next("segment"))["text"] == "this"
    async with watching(site, {"subscribe": ["state"]}, role="agent") as watcher:
        assert [call["agent_id"] for call in (await watcher.next("state"))["calls"]] == ["ann"]


async def test_words_come_while_they_are_said(site: Any) -> None:
    async with watching(site, {"subscribe": ["partials", "transcript"]}) as watcher:
        call_id = await site.floor.start()
        await site.floor.saying(call_id, "hel", "lo", number=3, seq=7)
        assert await watcher.next("partial") == {
            "type": "partial",
            "call_id": str(call_id),
            "leg": "caller",
            "agent_id": None,
            "number": 3,
            "seq": 7,
            "start_ms": 1000,
            "end_ms": 1700,
            "stable": "hel",
            "volatile": "lo",
        }
        await site.floor.saying(call_id, "", leg="agent")
        empty = await watcher.next("partial")
        assert (empty["agent_id"], empty["stable"], empty["volatile"]) == ("ann", "", "")
        words = (TimedWord("hello", 1000, 1400, 0.5),)
        await site.floor.say(call_id, "hello", number=3, words=words, degraded=True)
        segment = await watcher.next("segment")
        assert (segment["number"], segment["degraded"]) == (3, True)
        assert segment["words"] == [{"text": "hello", "start_ms": 1000, "end_ms": 1400, "probability": 0.5}]


async def test_partials_go_to_those_who_asked_and_may_hear_the_call(site: Any) -> None:
    call_id = await site.floor.start()
    async with (
        watching(site, {"subscribe": ["partials"]}, role="agent") as ann,
        watching(site, {"subscribe": ["partials"], "queue": "support"}) as support,
        watching(site, {"subscribe": ["transcript"]}) as words,
    ):
        await until(lambda: site.services.hub.subscribers == 3)
        await site.floor.saying(call_id, "to bob", agent="bob", leg="agent")
        await site.floor.saying(call_id, "to nobody", agent=None)
        await site.floor.saying(call_id, "to ann", leg="agent")
        await site.floor.saying(call_id, "about support", queue="support", agent=None)
        await site.floor.say(call_id, "a segment")
        assert (await ann.next("partial"))["stable"] == "to ann"
        assert (await support.next("partial"))["stable"] == "about support"
        message = json.loads((await words.socket.receive(timeout=5)).data)
        assert message["type"] == "segment"


async def test_a_notification_that_holds_no_partial_words_harms_nobody(site: Any) -> None:
    async with watching(site, {"subscribe": ["partials"]}) as watcher:
        call_id = await site.floor.start()
        await until(lambda: site.services.hub.subscribers == 1)
        site.services.hub.on_partials("nonsense")
        await site.floor.saying(call_id, "hello")
        assert (await watcher.next("partial"))["stable"] == "hello"


async def test_a_slow_watcher_gets_the_newest_partial_and_is_not_dropped_for_them(site: Any) -> None:
    hub = site.services.hub
    call_id = await site.floor.start()
    async with watching(site, {"subscribe": ["partials"]}) as watcher:
        await until(lambda: hub.subscribers == 1)
        document = {"call_id": str(call_id), "leg": "caller", "queue": None, "agent": None, "number": 1}
        told = 4 * QUEUE_SIZE
        for seq in range(told):  # all of it before the watcher's own task has a turn
            text = {"seq": seq, "start_ms": 0, "end_ms": 1, "stable": "", "volatile": "x"}
            hub.on_partials(json.dumps({"partials": [document | text]}))
        got = []
        while not got or got[-1] != told - 1:
            got.append((await watcher.next("partial"))["seq"])
        assert len(got) <= 2
        assert hub.dropped_total == 0


async def test_nothing_comes_twice(site: Any) -> None:
    hub = site.services.hub
    async with watching(site, {"subscribe": ["events"]}) as watcher:
        await site.floor.start()
        seen = (await watcher.next("event"))["event"]["event_id"]
        hub.on_reconnect()
        hub.on_event(f"{seen}..{seen}")
        hub.on_event("nonsense")
        last = await site.floor.start()
        assert (await watcher.next("event"))["event"]["call_id"] == str(last)


async def test_a_lost_notification_is_made_up_for(
    site: Any, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "POLL_S", 0.05)
    async with watching(site, {"subscribe": ["events"]}) as watcher:
        await site.floor.start()
        await watcher.next("event")
        await database.execute(
            "INSERT INTO callcenter.event (at, type, data) VALUES (now(), 'media.gap', '{}')"
        )
        assert (await watcher.next("event"))["event"]["type"] == "media.gap"


async def test_nobody_is_told_what_happened_before(site: Any) -> None:
    old = await site.floor.start()
    async with watching(site, {"subscribe": ["events"]}) as watcher:
        await asyncio.sleep(0.1)
        new = await site.floor.start()
        assert (await watcher.next("event"))["event"]["call_id"] == str(new) != str(old)


async def test_a_listener_that_was_cut_off_catches_up(site: Any, database: Any) -> None:
    async with watching(site, {"subscribe": ["events"]}) as watcher:
        await site.floor.start()
        await watcher.next("event")
        await database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' "
            "AND datname = current_database()"
        )
        call_id = await site.floor.start()
        assert (await watcher.next("event", 10))["event"]["call_id"] == str(call_id)


@pytest.mark.parametrize(
    ("how", "accepted"),
    [
        ("first message", True),
        ("wrong first message", False),
        ("no token", False),
        ("cookie", True),
    ],
)
async def test_ways_to_sign_in(site: Any, how: str, accepted: bool) -> None:
    body: dict[str, Any] = {"subscribe": ["state"]}
    headers = {}
    match how:
        case "first message":
            body["token"] = site.tokens["supervisor"]
        case "wrong first message":
            body["token"] = "cc_wrong"
        case "cookie":
            headers = {"Cookie": f"{COOKIE}={site.tokens['supervisor']}", "Origin": site.url}
    async with watching(site, body, headers=headers) as watcher:
        if accepted:
            assert await watcher.next("state")
        else:
            assert (await watcher.next("error"))["code"] == "unauthorized"
            assert await watcher.close_code() == 1008


@pytest.mark.parametrize("origin", ["https://evil.example", None])
async def test_a_cookie_from_another_site_opens_no_socket(site: Any, origin: str | None) -> None:
    headers = {"Cookie": f"{COOKIE}={site.tokens['supervisor']}"} | ({"Origin": origin} if origin else {})
    with pytest.raises(WSServerHandshakeError) as caught:
        async with watching(site, headers=headers):
            pass
    assert caught.value.status == 403


async def test_a_wrong_header_opens_no_socket(site: Any) -> None:
    with pytest.raises(WSServerHandshakeError) as caught:
        async with watching(site, headers={"Authorization": "Bearer cc_wrong"}):
            pass
    assert caught.value.status == 401


async def test_a_token_in_the_address_does_not_count(site: Any) -> None:
    url = f"{site.url}{LIVE}?access_token={site.tokens['admin']}"
    async with site.client.ws_connect(url) as socket:
        await socket.send_json({"subscribe": ["state"]})
        assert await Watcher(socket).close_code() == 1008


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"subscribe": []}',
        '{"subscribe": ["secrets"]}',
        '{"subscribe": ["state"], "x": 1}',
        '{"subscribe": ["state"], "queue": "../x"}',
        "{" * 100,
    ],
)
async def test_a_first_message_that_makes_no_sense(site: Any, body: str) -> None:
    async with watching(site, body) as watcher:
        assert await watcher.next("error")
        assert await watcher.close_code() == 1008
    assert site.services.hub.subscribers == 0


async def test_a_long_first_message(site: Any) -> None:
    async with watching(site, json.dumps({"subscribe": ["state"], "token": "x" * 10_000})) as watcher:
        assert await watcher.close_code() == 1009


async def test_who_leaves_is_forgotten(site: Any) -> None:
    async with watching(site) as watcher:
        await watcher.next("state")
        assert site.services.hub.subscribers == 1
    await until(lambda: site.services.hub.subscribers == 0)
    assert site.services.hub.dropped_total == 0


async def test_a_slow_watcher_is_dropped_and_the_others_are_not(site: Any) -> None:
    hub = site.services.hub
    slow_url = site.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(slow_url[0], int(slow_url[1]), limit=1024)
    try:
        await _subscribe_and_stop_reading(reader, writer, site.tokens["supervisor"])
        async with watching(site, {"subscribe": ["transcript"]}) as watcher, asyncio.timeout(20):
            await until(lambda: hub.subscribers == 2)
            call_id = await site.floor.start()
            told = 0
            while not hub.dropped_total:
                for _ in range(20):
                    await site.floor.say(call_id, "word " * 4000, start_ms=told)
                    told += 1
                for _ in range(20):
                    await watcher.next("segment")
            assert told < 4 * QUEUE_SIZE
            assert hub.subscribers == 1
            await site.floor.say(call_id, "still here")
            assert (await watcher.next("segment"))["text"] == "still here"
    finally:
        writer.close()


async def _subscribe_and_stop_reading(reader: Any, writer: Any, token: str) -> None:
    writer.write(
        (
            f"GET {LIVE} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        ).encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    payload = b'{"subscribe": ["transcript"]}'
    writer.write(bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
    await writer.drain()


async def test_a_token_that_is_taken_back_ends_the_watch(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_routes, "SIGN_IN_CHECK_S", 0.05)
    first_message = {"subscribe": ["state"], "token": site.tokens["agent"]}
    async with watching(site) as by_header, watching(site, first_message, headers={}) as by_message:
        await by_header.next("state")
        await by_message.next("state")
        await site.services.users.revoke_all("agent")
        assert await by_message.close_code() == 1008
        assert site.services.hub.subscribers == 1
        await site.services.users.revoke_all("supervisor")
        assert await by_header.close_code() == 1008


async def test_watchers_are_sent_away_when_we_go(site: Any) -> None:
    async with watching(site) as watcher:
        await watcher.next("state")
        site.services.hub.close()
        assert await watcher.close_code() == 1001
    async with watching(site) as late:
        assert (await late.next("error"))["code"] == "overloaded"
        assert await late.close_code() == 1013


async def test_callbacks_are_told_to_who_may_see_them(site: Any) -> None:
    for queue in ("sales", "support"):
        rules = {"callback": {"enabled": True, "dial_from": "00:00", "dial_until": "24:00"}}
        await site.send("PATCH", f"/api/v1/queues/{queue}", rules, "admin")
    subscribe = {"subscribe": ["events"]}
    async with (
        watching(site, subscribe) as everything,
        watching(site, subscribe | {"queue": "support"}) as support,
        watching(site, subscribe, role="agent") as agent,
    ):
        made = {}
        for queue in ("sales", "support"):
            body = {"queue": queue, "number": "+15125550142"}
            _, made[queue] = await site.send("POST", "/api/v1/callbacks", body)
        await site.send("POST", f"/api/v1/callbacks/{made['support']['callback_id']}/cancel")
        told = [(await everything.next("event"))["event"] for _ in range(5)]
        assert [(event["type"].removeprefix("callback."), event["queue"]) for event in told] == [
            ("requested", "sales"),
            ("queued", "sales"),
            ("requested", "support"),
            ("queued", "support"),
            ("cancelled", "support"),
        ]
        assert {event["call_id"] for event in told} == {None}
        assert told[-1]["data"]["callback"] == made["support"]["callback_id"]
        assert told[-1]["data"]["by"] == "user supervisor"
        assert "5550142" not in json.dumps(told)
        for kind in ("requested", "queued", "cancelled"):
            event = (await support.next("event"))["event"]
            assert (event["type"], event["queue"]) == (f"callback.{kind}", "support")
        with pytest.raises(TimeoutError):
            await agent.next("event", timeout_s=0.3)
