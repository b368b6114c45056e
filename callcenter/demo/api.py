"""Reads the results of the day from the service's public API."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import ClientError, ClientSession

from callcenter.demo.naming import named
from callcenter.errors import CallCenterError

CALLBACK = "callback"
"""The direction of calls to customers who asked for them."""

SETTLE_TIMEOUT_S = 60.0
_POLL_S = 0.2
_PAGE = 200
_AT_REST = ("callcenter_calls", "callcenter_events_pending")


@dataclass(frozen=True, slots=True)
class Day:
    """What the service knows: its report, and by name (``naming``) each call, with what was said to the
    IVR (``spoken``, the names that the log has for it) and how it was ``handed`` over, and its transcript.
    Of the calls to customers those that reached them. ``callbacks`` are all wishes to be called
    back, with their attempts, ``callback_report`` the report on them.
    """

    report: dict[str, Any]
    calls: dict[str, dict[str, Any]]
    segments: dict[str, list[dict[str, Any]]]
    callbacks: list[dict[str, Any]]
    callback_report: dict[str, Any]


class ServiceReader:
    """A client of the service with a supervisor's token. ``session`` belongs to the caller.

    All methods raise ``CallCenterError`` when the service does not answer as it should.
    """

    def __init__(self, session: ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}

    async def settle(self) -> None:
        """Wait until no call is under way, the last words are written and every event is stored."""
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                while True:
                    if not any(gauges(await self._text("/metrics"), _AT_REST)):
                        return
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise CallCenterError(f"the service did not come to rest within {SETTLE_TIMEOUT_S:g} s") from None

    async def day(self, since: datetime, until: datetime) -> Day:
        """Everything of the calls that started in [since, until)."""
        span = {"from": since.isoformat(), "to": until.isoformat()}
        report = await self._json("/api/v1/reports/summary", span)
        listed = sorted(await self._pages("/api/v1/calls", "calls", span), key=lambda one: one["started_at"])
        by_name = named(
            (one["to"] if one["direction"] == CALLBACK else one["from"], one["direction"] == CALLBACK, one)
            for one in listed
            if one["direction"] != CALLBACK or one["outcome"] == "answered"
        )
        calls, segments = {}, {}
        for name, one in by_name.items():
            path = f"/api/v1/calls/{one['call_id']}"
            events = (await self._json(f"{path}/events"))["events"]
            told = {"spoken": spoken(events), "handed": handed(events)}
            calls[name] = {**await self._json(path), **told}
            segments[name] = (await self._json(f"{path}/transcript"))["segments"]
        on_callbacks = await self._json("/api/v1/reports/callbacks", span)
        return Day(report, calls, segments, await self._callbacks(), on_callbacks)

    async def _callbacks(self) -> list[dict[str, Any]]:
        wishes = await self._pages("/api/v1/callbacks", "callbacks", {})
        return [await self._json(f"/api/v1/callbacks/{wish['callback_id']}") for wish in wishes]

    async def quality(self, since: datetime, until: datetime) -> dict[str, Any]:
        """The report on quality of [since, until)."""
        return await self._json(
            "/api/v1/reports/quality", {"from": since.isoformat(), "to": until.isoformat()}
        )

    async def _pages(self, path: str, name: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        asked = {**query, "limit": str(_PAGE)}
        while True:
            page = await self._json(path, asked)
            found += page[name]
            if page["next_cursor"] is None:
                return found
            asked["cursor"] = page["next_cursor"]

    async def _json(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            async with self._session.get(self._url + path, params=query, headers=self._headers) as response:
                if response.status != 200:
                    raise CallCenterError(f"the service answered {response.status} to {path}")
                answer: dict[str, Any] = await response.json()
                return answer
        except (ClientError, TimeoutError, ValueError) as error:
            raise CallCenterError(f"the service did not answer to {path}: {type(error).__name__}") from None

    async def _text(self, path: str) -> str:
        try:
            async with self._session.get(self._url + path, headers=self._headers) as response:
                return await response.text()
        except (ClientError, TimeoutError) as error:
            raise CallCenterError(f"the service did not answer to {path}: {type(error).__name__}") from None


def spoken(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of what the IVR took from a caller's words, in order."""
    inputs = [event["data"] for event in events if event["type"] == "ivr.input"]
    return [str(data["value"]) for data in inputs if data["kind"] == "speech"]


def handed(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """How agents handed the caller over, or asked to, in order: blind, completed, cancelled, failed."""
    ends = {"transfer.blind": "blind", "consult.ended": None}
    found = [event for event in events if event["type"] in ends]
    return [ends[event["type"]] or str(event["data"]["result"]) for event in found]


def gauges(exposition: str, names: tuple[str, ...]) -> list[float]:
    """Values of metrics without labels in Prometheus' text; raises ``CallCenterError`` if one lacks."""
    lines = (line.rpartition(" ") for line in exposition.splitlines() if not line.startswith("#"))
    values = {name: value for name, _, value in lines}
    try:
        return [float(values[name]) for name in names]
    except (KeyError, ValueError):
        raise CallCenterError("the service's metrics do not say whether it is at rest") from None
