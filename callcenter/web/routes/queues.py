"""``/api/v1/queues``: who waits where and for how long, and how each queue is served."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import ConfigDict, Field

from callcenter.acd.queues import Queues
from callcenter.acd.wait_time import Estimate
from callcenter.acd.waits import WaitTimes
from callcenter.queueing import Queue, Strategy
from callcenter.storage.queue_line import LineEntry, QueueLine
from callcenter.storage.queues import QueueRows
from callcenter.web import floor_models, models
from callcenter.web.body import merged, parse_body, parse_document, parse_object
from callcenter.web.errors import InvalidError
from callcenter.web.params import answer, name_of, principal_of


class QueueBody(Queue):
    """A queue as an administrator describes one; what is left out is as in a file that leaves it out.

    Who serves it is the agents' business, its name is in the address. With ``version`` nothing happens when
    the queue has been changed since; 0 stands for a queue that does not exist yet.
    """

    model_config = ConfigDict(strict=True)

    name: models.Name = Field("unnamed", exclude=True)
    strategy: Annotated[Strategy, Field(strict=False)] = Strategy.LONGEST_IDLE
    version: int | None = Field(None, ge=0, exclude=True)


class QueueRoutes:
    """Waiting lines. ``skills`` are the names of those that a queue may ask for."""

    def __init__(
        self,
        line: QueueLine,
        queues: Queues,
        rows: QueueRows,
        now: Callable[[], datetime],
        skills: Collection[str],
        waits: WaitTimes,
    ) -> None:
        self._line = line
        self._queues = queues
        self._rows = rows
        self._now = now
        self._skills = frozenset(skills)
        self._waits = waits

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [
            web.get("/api/v1/queues", self.list),
            web.get("/api/v1/queues/{name}", self.get),
            web.put("/api/v1/queues/{name}", self.put),
            web.patch("/api/v1/queues/{name}", self.patch),
            web.delete("/api/v1/queues/{name}", self.delete),
        ]

    async def list(self, _request: web.Request) -> web.Response:
        """All waiting lines."""
        entries = await self._line.entries()
        now = self._now()
        names = sorted({*self._queues.names, *(entry.queue for entry in entries)})
        waits = await self._waits.of_newcomers()
        queues = [
            floor_models.QueueState(**_state(name, _of(name, entries), now, waits.get(name)))
            for name in names
        ]
        return answer(floor_models.QueueList(queues=queues))

    async def get(self, request: web.Request) -> web.Response:
        """One waiting line with everyone in it."""
        return await self._detail(name_of(request, "queue"))

    async def put(self, request: web.Request) -> web.Response:
        """Make a queue (201) or change one (200) for all who enter it from now on; needs the role admin."""
        principal_of(request).require_admin()
        name = name_of(request, "queue")
        return await self._put(name, parse_body(QueueBody, await request.read(), request.content_type))

    async def patch(self, request: web.Request) -> web.Response:
        """Change some settings; supervisors may turn callbacks on and off, the rest needs the role admin."""
        name = name_of(request, "queue")
        principal, change = principal_of(request), parse_object(await request.read(), request.content_type)
        if not _is_switch(change):
            principal.require_admin()
        principal.require_supervisor()
        await self._queues.renew()
        record = self._queues.record(name)
        # Else what somebody else changes between reading and writing would be undone.
        version = change.pop("version", None)
        settings = record.queue.model_dump(mode="json", exclude={"name", "agents"})
        after = merged(settings, change) | {"version": record.version if version is None else version}
        return await self._put(name, parse_document(QueueBody, after))

    async def _put(self, name: str, body: QueueBody) -> web.Response:
        for field, where in (("name", "the address"), ("agents", "PUT /api/v1/agents/{id}")):
            if field in body.model_fields_set:
                raise InvalidError(f"{field}: belongs into {where}", field)
        if unknown := sorted(set(body.needs) - self._skills):
            raise InvalidError(f"needs: no such skill: {', '.join(unknown)}", "needs")
        queue = Queue(name=name, **body.model_dump())
        version = await self._rows.put(queue, body.version)
        await self._queues.renew()
        return await self._detail(name, 201 if version == 1 else 200)

    async def delete(self, request: web.Request) -> web.Response:
        """Remove a queue that neither the settings file nor anybody uses; needs the role admin."""
        principal_of(request).require_admin()
        await self._rows.delete(name_of(request, "queue"))
        await self._queues.renew()
        return web.Response(status=204)

    async def _detail(self, name: str, status: int = 200) -> web.Response:
        record = self._queues.record(name)
        entries = await self._line.entries(name)
        now, waits = self._now(), await self._waits.of_newcomers()
        detail = floor_models.QueueDetail(
            **_state(name, entries, now, waits.get(name)),
            entries=[_entry(entry, now) for entry in entries],
            settings=record.queue.model_dump(mode="json", exclude={"name", "agents"}),
            version=record.version,
            in_file=record.in_file,
        )
        return answer(detail, status)


def _is_switch(change: Mapping[str, Any]) -> bool:
    """Whether nothing else is changed than whether callbacks are taken and made."""
    callback = change.get("callback")
    return (
        change.keys() <= {"callback", "version"}
        and isinstance(callback, dict)
        and callback.keys() <= {"accept", "process"}
    )


def _of(name: str, entries: Sequence[LineEntry]) -> list[LineEntry]:
    return [entry for entry in entries if entry.queue == name]


def _state(name: str, entries: Sequence[LineEntry], now: datetime, wait: Estimate | None) -> dict[str, Any]:
    live = [entry for entry in entries if entry.callback_id is None]
    oldest_at = min((entry.entered_at for entry in live), default=None)
    return {
        "name": name,
        "waiting": len(live),
        "callbacks": len(entries) - len(live),
        "oldest_at": oldest_at,
        "longest_wait_s": 0.0 if oldest_at is None else _age_s(oldest_at, now),
        "estimated_wait": None if wait is None else _estimated(wait),
    }


def _estimated(wait: Estimate) -> floor_models.EstimatedWait | None:
    if wait.p50_s is None or wait.p90_s is None:
        return None
    return floor_models.EstimatedWait(method=wait.method.value, p50_s=wait.p50_s, p90_s=wait.p90_s)


def _entry(entry: LineEntry, now: datetime) -> floor_models.QueueEntry:
    return floor_models.QueueEntry(
        call_id=entry.call_id,
        callback_id=entry.callback_id,
        position=entry.position,
        priority=entry.priority,
        entered_at=entry.entered_at,
        wait_s=_age_s(entry.entered_at, now),
        state=entry.state,
        offered_to=list(entry.offered_to),
        preferred_agent=entry.preferred_agent,
    )


def _age_s(at: datetime, now: datetime) -> float:
    return max(0.0, (now - at).total_seconds())
