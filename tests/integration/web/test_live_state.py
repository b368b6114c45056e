"""The state over the live socket: its day, its pace, and who may see what."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from callcenter.acd.wait_time import Estimate, Method
from callcenter.events import EventType
from callcenter.web import board
from callcenter.web.feed import LiveFeed
from callcenter.web.routes import live as live_routes
from support.live_socket import LIVE, Watcher, until, watching

STATE = {"subscribe": ["state"]}
MANY = """
INSERT INTO callcenter.agent (agent_id, name, gateway, address)
SELECT 'agent-' || n, 'Agent ' || n, 'twilio', '' FROM generate_series(1, $1::integer) AS n
"""


KEYS = {"queues": "name", "agents": "id", "calls": "call_id", "ended": "call_id"}


class Center:
    """What a client knows, put together from all that it was told."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self.rows: dict[str, dict[str, Any]] = {}
        self.totals: dict[str, Any] = {}
        self.kinds: list[str] = []
        self.at_s: list[float] = []

    async def next(self, timeout_s: float = 5) -> None:
        async with asyncio.timeout(timeout_s):
            message = json.loads((await self._watcher.socket.receive()).data)
        self.at_s.append(asyncio.get_running_loop().time())
        self.kinds.append(message["type"])
        if message["type"] == "state":
            self.rows = {name: {} for name in KEYS}
        for name, key in KEYS.items():
            self.rows[name] |= {row[key]: row for row in message.get(name, [])}
            for gone in message.get(f"{name}_gone", []):
                self.rows[name].pop(gone, None)
        self.totals = message.get("totals", self.totals)

    async def until(self, condition: Any, timeout_s: float = 10) -> None:
        async with asyncio.timeout(timeout_s):
            while not self.rows or not condition(self):
                await self.next(timeout_s)


async def abandon(site: Any, call_id: Any, queue: str = "sales") -> None:
    await site.floor.line.leave(call_id)
    await site.floor.event(call_id, EventType.QUEUE_ABANDONED, queue=queue)
    await site.floor.end(call_id, outcome="abandoned")


async def test_queues_tell_their_day(site: Any, database: Any) -> None:
    await site.floor.answered_call()
    async with watching(site, STATE) as watcher:
        center = Center(watcher)
        await center.until(lambda center: center.rows["queues"]["sales"]["today"]["answered"] == 1)
        call_id = await site.floor.start()
        await site.floor.queued(call_id)
        await site.floor.queued(await site.floor.start(), "support")
        await center.until(lambda center: center.totals["waiting"] == 2)
        assert center.rows["queues"]["sales"]["oldest_at"] is not None
        assert center.rows["queues"]["sales"]["estimated_wait"] is None
        await abandon(site, call_id)
        await center.until(lambda center: center.rows["queues"]["sales"]["today"]["offered"] == 2)
        sales = center.rows["queues"]["sales"]
        assert (sales["waiting"], sales["today"]["abandoned"]) == (0, 1)
        # the one who hung up at once is a short abandon
        assert sales["today"]["service_level"] == {"value": 1.0, "numerator": 1, "denominator": 1}
        assert center.totals["today"]["offered"] == 2
    status, report = await site.get("/api/v1/reports/summary")
    assert (status, report["by_queue"]["sales"]["offered"]) == (200, 2)
    # another process, or this one after a restart, finds the same
    state = await LiveFeed(database, lambda: ["sales"], site.services.settings.metrics).standing()
    assert state.queues[0]["today"] == sales["today"]


async def test_what_happened_yesterday_is_not_of_today(site: Any, database: Any) -> None:
    await site.floor.answered_call()
    await database.execute("UPDATE callcenter.event SET at = at - interval '1 day'")
    feed = LiveFeed(database, lambda: ["sales"], site.services.settings.metrics)
    assert (await feed.standing()).queues[0]["today"]["offered"] == 0
    await site.floor.answered_call()
    assert (await feed.standing()).queues[0]["today"]["offered"] == 1
    assert (await feed.standing()).queues[0]["today"]["offered"] == 1


async def test_callbacks_are_not_offered_to_the_queue_once_more(site: Any, database: Any) -> None:
    await site.floor.answered_call()
    feed = LiveFeed(database, lambda: ["sales"], site.services.settings.metrics)
    before = (await feed.standing()).queues[0]["today"]
    call_id = await site.floor.start(direction="callback")
    await site.floor.queued(call_id)
    await site.floor.connected(call_id)
    assert (await feed.standing()).queues[0]["today"] == before
    again = LiveFeed(database, lambda: ["sales"], site.services.settings.metrics)
    assert (await again.standing()).queues[0]["today"] == before


async def test_agents_are_counted_by_what_they_do(site: Any) -> None:
    async with watching(site, STATE) as watcher:
        center = Center(watcher)
        await center.next()
        assert center.totals["agents"] == dict.fromkeys(center.totals["agents"], 0) | {"offline": 2}
        for name, event in (("ann", "sign_in"), ("bob", "sign_in"), ("bob", "break")):
            await site.send("POST", f"/api/v1/agents/{name}/state", {"event": event})
        await center.until(lambda center: center.totals["agents"]["break"] == 1)
        assert (center.totals["agents"]["signed_in"], center.totals["agents"]["available"]) == (2, 1)
        support = center.rows["queues"]["support"]["agents"]
        assert (support["signed_in"], support["break"], support["available"]) == (1, 1, 0)


async def test_estimates_are_those_of_who_makes_them(site: Any, database: Any) -> None:
    async def estimates() -> dict[str, Estimate]:
        return {name: Estimate(Method.FORMULA, 40.0, 100.0) for name in ("sales", "gone")}

    feed = LiveFeed(database, lambda: ["sales", "support"], estimates=estimates)
    sales, support = (await feed.standing()).queues
    assert sales["estimated_wait"] == {"method": "formula", "p50_s": 40, "p90_s": 100}
    assert support["estimated_wait"] is None


async def test_agents_who_come_and_go(site: Any, database: Any) -> None:
    async with watching(site, STATE) as watcher:
        center = Center(watcher)
        await center.until(lambda center: set(center.rows["agents"]) == {"ann", "bob"})
        body = {"name": "Cat", "gateway": "twilio", "address": "+15125550103", "queues": ["support"]}
        await site.send("PUT", "/api/v1/agents/cat", body, "admin")
        await center.until(lambda center: set(center.rows["agents"]) == {"ann", "bob", "cat"})
        await database.execute("UPDATE callcenter.agent SET enabled = false WHERE agent_id = 'bob'")
        await center.until(lambda center: set(center.rows["agents"]) == {"ann", "cat"})


@pytest.mark.parametrize("whole_rows", [board.WHOLE_ROWS, 0])
async def test_a_storm_is_told_at_most_four_times_a_second(
    site: Any, monkeypatch: pytest.MonkeyPatch, whole_rows: int
) -> None:
    monkeypatch.setattr(board, "WHOLE_ROWS", whole_rows)
    async with watching(site, STATE) as watcher, watching(site, STATE, role="agent") as other:
        center, narrow = Center(watcher), Center(other)
        await center.next()

        async def storm() -> None:
            for number in range(120):
                event = "sign_in" if number % 2 == 0 else "sign_out"
                await site.send("POST", "/api/v1/agents/ann/state", {"event": event})
                call_id = await site.floor.start()
                await site.floor.queued(call_id)
                await abandon(site, call_id)
            await site.send("POST", "/api/v1/agents/ann/state", {"event": "sign_in"})

        def over(center: Center) -> bool:
            is_last = center.rows["agents"]["ann"]["state"] == "available"
            return is_last and center.totals["today"]["offered"] == 120

        await asyncio.gather(storm(), center.until(over, 20), narrow.until(over, 20))
        for seen in (center, narrow):
            assert len(seen.at_s) >= 3
            for first, fifth in zip(seen.at_s, seen.at_s[4:], strict=False):
                assert fifth - first > 0.98  # five within a second would be one too many
            assert set(seen.kinds[1:]) == ({"state"} if whole_rows else {"change"})
            assert seen.totals["waiting"] == 0
            assert seen.totals["today"]["abandoned"] == 120
            assert len(seen.rows["ended"]) == (12 if seen is center else 0)
        with pytest.raises(TimeoutError):
            await center.next(0.6)


async def test_in_a_quiet_hour_a_change_is_told_at_once(site: Any) -> None:
    async with watching(site, STATE) as watcher:
        center = Center(watcher)
        await center.next()
        delays = []
        for event in ("sign_in", "sign_out") * 3:
            await asyncio.sleep(0.3)
            began = asyncio.get_running_loop().time()
            await site.send("POST", "/api/v1/agents/ann/state", {"event": event})
            await center.next()
            delays.append(center.at_s[-1] - began)
        assert sorted(delays)[2] < 0.25  # the median: the machine may be busy with something else


async def test_a_slow_watcher_of_the_state_is_dropped_and_harms_nobody(
    site: Any, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_routes, "SEND_TIMEOUT_S", 0.5)
    monkeypatch.setattr(board, "WHOLE_ROWS", 100_000)  # the whole of a large center every time
    await database.execute(MANY, 5000)
    hub = site.services.hub
    host, port = site.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    try:
        await _watch_the_state_and_stop_reading(reader, writer, site.tokens["supervisor"])
        async with watching(site, STATE, max_msg_size=0) as watcher:
            await until(lambda: hub.subscribers == 2)
            center = Center(watcher)
            await center.next()
            async with asyncio.timeout(20):
                while not hub.dropped_total:
                    await site.floor.start()
                    await center.next()
            assert hub.subscribers == 1
            await site.send("POST", "/api/v1/agents/ann/state", {"event": "sign_in"})
            await center.until(lambda center: center.rows["agents"]["ann"]["state"] == "available")
    finally:
        writer.close()


async def _watch_the_state_and_stop_reading(reader: Any, writer: Any, token: str) -> None:
    head = f"GET {LIVE} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    writer.write(f"{head}{key}Authorization: Bearer {token}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    payload = json.dumps(STATE).encode()
    writer.write(bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
    await writer.drain()


async def test_times_near_midnight(site: Any, database: Any) -> None:
    """Who came before midnight and is answered after it is a contact of yesterday."""
    call_id = await site.floor.start()
    await site.floor.queued(call_id)
    await site.floor.connected(call_id)
    midnight = site.floor.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    await database.execute(
        "UPDATE callcenter.event SET at = $1 WHERE type = 'queue.entered'", midnight - timedelta(seconds=5)
    )
    feed = LiveFeed(database, lambda: ["sales"], site.services.settings.metrics)
    assert (await feed.standing()).queues[0]["today"]["answered"] == 0
