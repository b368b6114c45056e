"""``/api/v1/queues``: who waits where, and for how long."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from aiohttp import web

from callcenter.errors import NotFoundError
from callcenter.storage.queue_line import LineEntry, QueueLine
from callcenter.web import models
from callcenter.web.params import answer, name_of


class QueueRoutes:
    """Waiting lines. ``names`` are the configured ones, listed also when nobody waits."""

    def __init__(self, line: QueueLine, now: Callable[[], datetime], names: Collection[str]) -> None:
        self._line = line
        self._now = now
        self._names = frozenset(names)

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [web.get("/api/v1/queues", self.list), web.get("/api/v1/queues/{name}", self.get)]

    async def list(self, _request: web.Request) -> web.Response:
        """All waiting lines."""
        entries = await self._line.entries()
        now = self._now()
        names = sorted(self._names | {entry.queue for entry in entries})
        queues = [models.QueueState(**_state(name, _of(name, entries), now)) for name in names]
        return answer(models.QueueList(queues=queues))

    async def get(self, request: web.Request) -> web.Response:
        """One waiting line with everyone in it."""
        name = name_of(request, "queue")
        entries = await self._line.entries(name)
        if name not in self._names and not entries:
            raise NotFoundError(f"there is no queue {name}")
        now = self._now()
        inside = [_entry(entry, now) for entry in entries]
        return answer(models.QueueDetail(**_state(name, entries, now), entries=inside))


def _of(name: str, entries: Sequence[LineEntry]) -> list[LineEntry]:
    return [entry for entry in entries if entry.queue == name]


def _state(name: str, entries: Sequence[LineEntry], now: datetime) -> dict[str, object]:
    oldest_at = min((entry.entered_at for entry in entries), default=None)
    return {
        "name": name,
        "waiting": len(entries),
        "oldest_at": oldest_at,
        "longest_wait_s": 0.0 if oldest_at is None else _age_s(oldest_at, now),
    }


def _entry(entry: LineEntry, now: datetime) -> models.QueueEntry:
    return models.QueueEntry(
        call_id=entry.call_id,
        position=entry.position,
        priority=entry.priority,
        entered_at=entry.entered_at,
        wait_s=_age_s(entry.entered_at, now),
        state=entry.state,
        agent_id=entry.agent_id,
    )


def _age_s(at: datetime, now: datetime) -> float:
    return max(0.0, (now - at).total_seconds())
