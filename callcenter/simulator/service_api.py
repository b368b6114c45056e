"""What an agent's desk asks of the service over its HTTP API."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from callcenter.errors import CallCenterError

_TIMEOUT = ClientTimeout(total=10)
_CONFLICT = 409


class ServiceError(CallCenterError):
    """The service refused, failed or did not answer."""


class ServiceApi:
    """A client of the service. ``session`` belongs to the caller; ``took`` gets the s of each answer."""

    def __init__(
        self, session: ClientSession, url: str, token: str, took: Callable[[float], None] | None = None
    ) -> None:
        self._session = session
        self._took = took
        self.url = url.rstrip("/")
        self._base = self.url + "/api/v1"
        self._headers = {"Authorization": f"Bearer {token}"}

    async def look(self) -> None:
        """Ask for something that costs next to nothing."""
        await self._call("GET", "/queues")

    async def agent_event(self, agent_id: str, event: str) -> bool:
        """Tell the agent's state ``event`` (sign_in, ready, sign_out); false where the state forbids it."""
        status, _ = await self._call("POST", f"/agents/{agent_id}/state", {"event": event})
        return status != _CONFLICT

    async def call_of(self, agent_id: str) -> str | None:
        """The id of the call that the agent is on."""
        _, agent = await self._call("GET", f"/agents/{agent_id}")
        call_id = agent.get("call_id")
        return str(call_id) if call_id else None

    async def hold(self, call_id: str) -> None:
        """Put the caller on hold."""
        await self._command(call_id, "hold")

    async def resume(self, call_id: str) -> None:
        """Take the caller back from hold."""
        await self._command(call_id, "resume")

    async def transfer(self, call_id: str, to: str, name: str, mode: str) -> None:
        """Hand the caller over ``to`` a queue or an agent of this name, ``blind`` or ``warm``."""
        await self._command(call_id, "transfer", {to: name, "mode": mode})

    async def complete_transfer(self, call_id: str) -> bool:
        """Leave the caller to the agent who was asked; false where that agent is not there."""
        status, _ = await self._call("POST", f"/calls/{call_id}/transfer/complete")
        return status != _CONFLICT

    async def cancel_transfer(self, call_id: str) -> None:
        """Let the agent go who was asked, and take the caller back."""
        await self._command(call_id, "transfer/cancel")

    async def _command(self, call_id: str, command: str, body: dict[str, str] | None = None) -> None:
        status, _ = await self._call("POST", f"/calls/{call_id}/{command}", body)
        if status == _CONFLICT:
            raise ServiceError(f"{command} was refused")

    async def _call(
        self, method: str, path: str, body: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        try:
            async with self._session.request(
                method, self._base + path, json=body, headers=self._headers, timeout=_TIMEOUT
            ) as response:
                if response.status >= 300 and response.status != _CONFLICT:
                    raise ServiceError(f"{method} {path} answered {response.status}")
                answer = await response.json() if response.content_type == "application/json" else {}
                return response.status, answer if isinstance(answer, dict) else {}
        except (ClientError, TimeoutError, ValueError) as error:
            raise ServiceError(f"{method} {path} failed: {type(error).__name__}") from None
        finally:
            if self._took is not None:
                self._took(loop.time() - asked_s)
