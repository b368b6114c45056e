"""The service as its administrator sees it: calls, events and agents over the API."""

import asyncio
import time
from datetime import datetime
from typing import Any, Self

from aiohttp import ClientSession

from support.program import Program

PATIENCE_S = 5.0
POLL_S = 0.02


class Office:
    """A client of one installation. Everything that waits gives up after ``PATIENCE_S``."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._token = program.sign_in()
        self._agents: list[str] = []

    async def __aenter__(self) -> Self:
        self.session = ClientSession(headers={"Authorization": f"Bearer {self._token}"})
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One request; returns status and JSON body."""
        async with self.session.request(method, f"{self.program.url}/api/v1{path}", json=body) as answer:
            return answer.status, (await answer.json() if answer.content_length else None)

    async def get(self, path: str) -> Any:
        status, body = await self.ask("GET", path)
        assert status == 200, (path, status, body)
        return body

    # Agents.

    async def hire(self, agent_id: str, address: str, gateway: str = "twilio", queue: str = "sales") -> None:
        """Make an agent and sign the agent in."""
        body = {"name": agent_id.title(), "gateway": gateway, "address": address, "queues": [queue]}
        status, answer = await self.ask("PUT", f"/agents/{agent_id}", body)
        assert status in (200, 201), answer
        self._agents.append(agent_id)
        status, answer = await self.ask("POST", f"/agents/{agent_id}/state", {"event": "sign_in"})
        assert status == 200, answer

    async def agent(self, agent_id: str) -> dict[str, Any]:
        return dict(await self.get(f"/agents/{agent_id}"))

    async def agent_is(self, agent_id: str, *states: str) -> dict[str, Any]:
        """Wait until an agent is in one of the states."""
        deadline = time.monotonic() + PATIENCE_S
        while (agent := await self.agent(agent_id))["state"] not in states:
            assert time.monotonic() < deadline, agent
            await asyncio.sleep(POLL_S)
        return agent

    async def fire_all(self) -> None:
        """Remove the agents that were hired, so that the next test begins without any."""
        deadline = time.monotonic() + PATIENCE_S
        while self._agents:
            status, answer = await self.ask("DELETE", f"/agents/{self._agents[-1]}")
            if status in (204, 404):
                self._agents.pop()
                continue
            assert time.monotonic() < deadline, answer
            await asyncio.sleep(POLL_S)

    # Calls.

    async def call_from(self, number: str) -> str:
        """Wait for the call of a number; returns its id."""
        deadline = time.monotonic() + PATIENCE_S
        while not (calls := (await self.get(f"/calls?number=%2B{number.removeprefix('+')}"))["calls"]):
            assert time.monotonic() < deadline, f"no call of {number}"
            await asyncio.sleep(POLL_S)
        assert len(calls) == 1
        return str(calls[0]["call_id"])

    async def command(self, call_id: str, command: str, body: object = None) -> None:
        status, answer = await self.ask("POST", f"/calls/{call_id}/{command}", body)
        assert status == 204, answer

    async def events(self, call_id: str) -> list[dict[str, Any]]:
        return list((await self.get(f"/calls/{call_id}/events"))["events"])

    async def types(self, call_id: str) -> list[str]:
        return [event["type"] for event in await self.events(call_id)]

    async def event(self, call_id: str, type_: str, number: int = 1) -> dict[str, Any]:
        """Wait for the nth event of a type."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            events = await self.events(call_id)
            found = [event for event in events if event["type"] == type_]
            if len(found) >= number:
                return found[number - 1]
            assert time.monotonic() < deadline, (type_, number, [event["type"] for event in events])
            await asyncio.sleep(POLL_S)

    async def recording(self, call_id: str) -> dict[str, Any]:
        """Wait until the only recording of a call is closed."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            recordings = (await self.get(f"/calls/{call_id}/recordings"))["recordings"]
            if recordings and recordings[0]["state"] != "writing":
                assert len(recordings) == 1
                return dict(recordings[0])
            assert time.monotonic() < deadline, recordings
            await asyncio.sleep(POLL_S)

    async def sound(self, recording: dict[str, Any]) -> bytes:
        """The file of a recording."""
        async with self.session.get(self.program.url + recording["url"]) as answer:
            assert answer.status == 200
            return await answer.read()


def seconds_between(earlier: dict[str, Any], later: dict[str, Any]) -> float:
    """The time between two events."""
    times = [datetime.fromisoformat(event["at"]) for event in (earlier, later)]
    return (times[1] - times[0]).total_seconds()
