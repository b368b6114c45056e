"""A service with agents at their desks, and its rows read from outside, for tests of whole systems."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import asyncpg
from aiohttp import ClientSession

from callcenter.storage.embedded import PostgresServer
from support.crowd import Call, Crowd, Desk
from support.program import Program

OPENERS = {
    "offer.sent": {"offer.accepted", "offer.rejected", "offer.no_answer", "offer.cancelled"},
    "agent.connected": {"conversation.ended"},
}


@dataclass
class Floor:
    """One service and the network it is connected to."""

    program: Program
    crowd: Crowd
    agents: list[str] = field(default_factory=list)
    desks: list[Desk] = field(default_factory=list)

    def staff(self, count: int, **behaviour: object) -> list[Desk]:
        """Give the service ``count`` agents; before it starts."""
        settings = self.program.settings
        settings["gateways"]["twilio"]["api_url"] = self.crowd.url
        for number in range(len(self.agents), len(self.agents) + count):
            address = f"+1555012{number:04d}"
            self.agents.append(f"agent{number}")
            self.desks.append(self.crowd.desk(address, **behaviour))
            settings["agents"].append({"id": self.agents[-1], "address": address, "queues": ["sales"]})
        return self.desks[-count:]

    async def start(self, *arguments: str, late: Sequence[Desk] = ()) -> None:
        """Start the service and let the agents sign in, but those who come ``late``."""
        await asyncio.to_thread(self.program.start, *arguments)
        await asyncio.to_thread(self.program.sign_in)
        await self.sign_in(self.agents[: len(self.agents) - len(late)])

    async def sign_in(self, agents: Sequence[str]) -> None:
        headers = {"Authorization": f"Bearer {self.program.token}"}
        async with ClientSession(self.program.url, headers=headers) as session:
            for agent in agents:
                url = f"/api/v1/agents/{agent}/state"
                async with session.post(url, json={"event": "sign_in"}) as answer:
                    assert answer.status == 200, await answer.text()

    async def api(self, method: str, path: str, body: object = None) -> Any:
        return await asyncio.to_thread(self.program.api, method, path, body)

    async def call(self, number: int, *, url: str = "", press: str = "1", **phone: object) -> Call:
        """A caller calls and, once connected, presses a key."""
        call = await self.crowd.call(url or self.program.url, f"+1555013{number:04d}", **phone)
        if press and not call.refused:
            await call.phone.press(press)
        return call

    async def rows(self, statement: str, *values: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database_url)
        try:
            found: list[asyncpg.Record] = await connection.fetch(statement, *values)
            return found
        finally:
            await connection.close()

    @property
    def database_url(self) -> str:
        url = self.program.settings.get("database", {}).get("url")
        return url or PostgresServer(self.program.folder / "data").url

    @asynccontextmanager
    async def database_kept(self) -> AsyncIterator[PostgresServer]:
        """Use the service's own database too, so that it outlives the service and can be read."""
        server = PostgresServer(self.program.folder / "data")
        await asyncio.to_thread(server.start)
        try:
            yield server
        finally:
            await asyncio.to_thread(server.stop)

    async def states(self) -> dict[str, str]:
        """What each agent is doing."""
        return {row["agent_id"]: row["state"] for row in await self.rows("SELECT * FROM callcenter.agent")}

    async def all_available(self) -> bool:
        return set((await self.states()).values()) == {"available"}

    async def rest(self, within_s: float = 15) -> None:
        """Wait until all agents are available."""
        with suppress(AssertionError):
            await eventually(self.all_available, within_s, "all agents are available")
        assert Counter((await self.states()).values()) == {"available": len(self.agents)}

    async def events(self) -> list[asyncpg.Record]:
        """The events of all calls, each call's in order."""
        return await self.rows(
            "SELECT at, type, call_id, seq, agent, queue, data::text AS data FROM callcenter.event"
            " WHERE call_id IS NOT NULL ORDER BY call_id, seq"
        )

    async def metric(self, name: str) -> float:
        """A figure of the process that happens to answer."""
        async with ClientSession() as session, session.get(f"{self.program.url}/metrics") as answer:
            text = await answer.text()
        return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1])


async def eventually(
    condition: Callable[[], Awaitable[bool]] | Callable[[], bool], timeout_s: float, what: str
) -> float:
    """Wait until the condition holds; returns how long that took."""
    began = time.monotonic()
    while True:
        result = condition()
        if await result if isinstance(result, Awaitable) else result:
            return time.monotonic() - began
        assert time.monotonic() - began < timeout_s, f"not within {timeout_s:g} s: {what}"
        await asyncio.sleep(0.1)


def check_numbering(events: Sequence[asyncpg.Record]) -> None:
    """Each call's events are numbered from 1 without holes and do not go back in time."""
    by_call: dict[Any, list[asyncpg.Record]] = {}
    for event in events:
        by_call.setdefault(event["call_id"], []).append(event)
    for call_id, own in by_call.items():
        assert [event["seq"] for event in own] == list(range(1, len(own) + 1)), call_id
        assert all(a["at"] <= b["at"] for a, b in pairwise(own)), call_id


def check_agents_are_never_shared(events: Sequence[asyncpg.Record]) -> int:
    """No agent has two offers or conversations at once; returns how many intervals were looked at."""
    busy: dict[str, list[tuple[Any, Any, Any]]] = {}
    opened: dict[tuple[Any, str, str], Any] = {}
    for event in events:
        if event["agent"] is None:
            continue
        for opener, closers in OPENERS.items():
            key = (event["call_id"], event["agent"], opener)
            if event["type"] == opener:
                opened[key] = event["at"]
            elif event["type"] in closers:
                began = opened.pop(key)
                busy.setdefault(event["agent"], []).append((began, event["at"], event["call_id"]))
    assert not opened, f"never ended: {opened}"
    for agent, intervals in busy.items():
        for one, next_ in pairwise(sorted(intervals)):
            overlap = next_[0] < one[1] and next_[2] != one[2]
            assert not overlap, f"{agent} had calls {one[2]} and {next_[2]} at once"
    return sum(map(len, busy.values()))
