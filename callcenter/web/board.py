"""What watchers are told of the state: all of it, or what changed since they were told last. Pure.

Everything is made once for all who see the same, and only when somebody takes it. While there is little to
tell (``WHOLE_ROWS``) the whole state is told every time, so that a simple client need not put anything
together. Beyond that a watcher gets the whole once and then rows that are new or changed and the keys of
those that are gone, since the state that this very watcher was told last, however long ago that is.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from pydantic_core import to_json

from callcenter.web.standing import Row, Standing

WHOLE_ROWS = 150
"""Queues, agents and calls; so many are about 40 kB."""

MAX_GONE = 5000
"""Of so many rows that are gone it is known when they went; who was told last before that gets the whole."""


class Rows:
    """The rows of one list, by key, with the version in which each was last changed."""

    def __init__(self, key: str, shown: Callable[[Row, datetime], Any]) -> None:
        self._key = key
        self._shown = shown
        self._rows: dict[Any, tuple[int, Row]] = {}
        self._gone: deque[tuple[int, Any]] = deque()
        self.known_since = 0

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, rows: Sequence[Row], version: int) -> bool:
        """Replace the rows; whether any differs. An unchanged row may be the same object or an equal one."""
        before, changed = self._rows, False
        self._rows = {}
        for row in rows:
            key = row[self._key]
            known = before.pop(key, None)
            if known is None or (known[1] is not row and known[1] != row):
                known, changed = (version, row), True
            self._rows[key] = known
        self._gone.extend((version, key) for key in before)
        while len(self._gone) > MAX_GONE:
            self.known_since = self._gone.popleft()[0]
        return changed or bool(before)

    def all(self, now: datetime) -> list[Any]:
        """Every row as it is shown."""
        return [self._shown(row, now) for _, row in self._rows.values()]

    def since(self, version: int, now: datetime) -> list[Any]:
        """The rows that changed after ``version``."""
        return [self._shown(row, now) for changed, row in self._rows.values() if changed > version]

    def gone_since(self, version: int) -> list[Any]:
        """The keys of those that went after ``version`` and did not come back."""
        gone = {key: None for went, key in self._gone if went > version}
        return [key for key in gone if key not in self._rows]


class Part:
    """Some lists that several audiences have in common, and the JSON text of each version."""

    def __init__(self, lists: Mapping[str, Rows]) -> None:
        self.lists = lists
        self.version = 0
        self.now = datetime.min
        self._totals: Row | None = None
        self._totals_version = 0
        self._texts: dict[int | None, str] = {}

    def take(self, rows: Mapping[str, Sequence[Row]], now: datetime, totals: Row | None = None) -> None:
        """Replace what is known; ``version`` rises if anything but the time differs."""
        version = self.version + 1
        changed = [name for name, given in rows.items() if self.lists[name].take(given, version)]
        if totals != self._totals:
            self._totals, self._totals_version = totals, version
        if changed or self._totals_version == version:
            self.version = version
        self.now = now
        self._texts.clear()

    def whole(self) -> str:
        """Everything, as the inside of a JSON object."""
        if None not in self._texts:
            document: dict[str, Any] = {name: rows.all(self.now) for name, rows in self.lists.items()}
            if self._totals is not None:
                document["totals"] = self._totals
            self._texts[None] = _inside(document)
        return self._texts[None]

    def since(self, version: int) -> str:
        """What changed after ``version``, as the inside of a JSON object; empty where nothing did."""
        if version not in self._texts:
            found = {name: rows.since(version, self.now) for name, rows in self.lists.items()}
            document: dict[str, Any] = {name: rows for name, rows in found.items() if rows}
            gone = {f"{name}_gone": rows.gone_since(version) for name, rows in self.lists.items()}
            document |= {name: keys for name, keys in gone.items() if keys}
            if self._totals_version > version:
                document["totals"] = self._totals
            self._texts[version] = _inside(document)
        return self._texts[version]

    def knows(self, version: int) -> bool:
        """Whether it can say what changed after ``version``."""
        return all(rows.known_since <= version for rows in self.lists.values())


Told = tuple[int, int]
"""What a watcher was told last: the versions of the two parts of its board."""

Audience = tuple[str | None, bool, str | None]


class Board:
    """What one audience sees: ``floor`` (queues, agents, totals) and ``calls`` (calls, ended)."""

    def __init__(self, floor: Part, calls: Part) -> None:
        self._floor = floor
        self._calls = calls

    @property
    def version(self) -> Told:
        """Differs when there is something new to tell."""
        return self._floor.version, self._calls.version

    def message(self, told: Told | None) -> str:
        """The next message for a watcher who was told ``told`` last, or nothing yet."""
        parts = (self._floor, self._calls)
        small = sum(len(rows) for part in parts for rows in part.lists.values()) <= WHOLE_ROWS
        if told is None or small or not all(part.knows(one) for part, one in zip(parts, told, strict=True)):
            kind, inside = "state", [part.whole() for part in parts]
        else:
            kind, inside = "change", [part.since(one) for part, one in zip(parts, told, strict=True)]
        head = _inside({"type": kind, "now": self._floor.now})
        return f"{{{','.join(filter(None, [head, *inside]))}}}"


class Viewer(Protocol):
    """Somebody who sees a part of the whole."""

    def view(self, standing: Standing) -> Standing:
        """The part."""


class Boards:
    """The boards of all audiences that watch.

    An audience is a queue or none, whether it sees all, and else whose calls it sees.
    """

    def __init__(self) -> None:
        self._floors: dict[str | None, Part] = {}
        self._calls: dict[Audience, Part] = {}
        self._boards: dict[Audience, Board] = {}

    def show(self, audiences: Mapping[Audience, Viewer], standing: Standing) -> None:
        """Bring the boards of these audiences up to date and forget all others."""
        by_queue = {key[0]: viewer for key, viewer in audiences.items()}
        self._floors = {queue: self._floors.get(queue) or _floor() for queue in by_queue}
        for queue, viewer in by_queue.items():
            seen = viewer.view(replace(standing, calls=(), ended=()))
            self._floors[queue].take({"queues": seen.queues, "agents": seen.agents}, seen.now, seen.totals)
        self._calls = {key: self._calls.get(key) or _calls() for key in audiences}
        calls, ended = _by_agent(standing.calls), _by_agent(standing.ended)
        for key, viewer in audiences.items():
            _, sees_all, agent = key
            # what an agent sees is looked for among the own calls only, however many agents watch
            part = Standing(standing.now, (), (), standing.calls, standing.ended)
            if not sees_all:
                part = Standing(standing.now, (), (), calls.get(agent, ()), ended.get(agent, ()))
            seen = viewer.view(part)
            self._calls[key].take({"calls": seen.calls, "ended": seen.ended}, seen.now)
        self._boards = {
            key: self._boards.get(key) or Board(self._floors[key[0]], self._calls[key]) for key in audiences
        }

    def of(self, audience: Audience) -> Board:
        """The board of an audience that was shown last."""
        return self._boards[audience]


def state_document(standing: Standing) -> dict[str, Any]:
    """The parts of a state message, also what the page is first drawn from."""
    return {
        "now": standing.now,
        "queues": [_queue(row, standing.now) for row in standing.queues],
        "agents": list(standing.agents),
        "calls": [_call(row) for row in standing.calls],
        "ended": [_call(row) for row in standing.ended],
        "totals": standing.totals,
    }


def _by_agent(calls: Sequence[Row]) -> Mapping[str | None, Sequence[Row]]:
    found: dict[str | None, list[Row]] = {}
    for row in calls:
        found.setdefault(row["agent_id"], []).append(row)
    return found


def _floor() -> Part:
    return Part({"queues": Rows("name", _queue), "agents": Rows("id", lambda row, _now: row)})


def _calls() -> Part:
    return Part({name: Rows("call_id", lambda row, _now: _call(row)) for name in ("calls", "ended")})


def _queue(row: Row, now: datetime) -> dict[str, Any]:
    since = row["oldest_at"]
    age_s = 0.0 if since is None else round(max(0.0, float((now - since).total_seconds())), 1)
    return {**row, "longest_wait_s": age_s}


def _call(row: Row) -> dict[str, Any]:
    renamed = {"from_number": "from", "to_number": "to"}
    return {renamed.get(name, name): value for name, value in row.items()}


def _inside(document: Mapping[str, Any]) -> str:
    return to_json(document).decode()[1:-1]
