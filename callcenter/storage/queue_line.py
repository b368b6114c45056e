"""The waiting line: who waits, who is offered to whom.

Any process may match for all of them, one at a time. Lock order everywhere: the entry, then the agents by
name; the statement that claims pairs takes both but waits for neither. An offer is a pair of rows with one
``offer_id``: the agent ``reserved`` or ``ringing``, the entry ``offered``; where all telephones ring, it is
several agents with one entry. What ends an offer asks for both rows, so that a process that has slept cannot
move an agent who was freed meanwhile. The trigger ``agent_changed`` logs and notifies.

Who wants to be called back stands in the same line by an entry with a ``callback_id``, which follows the
callback's state by the trigger ``callback_in_line`` and belongs to no process. Matching sees it while it is
``ready``; its offer is for any process: whoever has claimed the callback takes the turn. The callback's row
is locked before its entry.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from callcenter import config
from callcenter.errors import StorageError
from callcenter.events import LeftReason
from callcenter.queueing import needs_of
from callcenter.storage import queue_sql as sql
from callcenter.storage.pool import Database

UNTAKEN_S = 5.0
"""Agents are not kept longer for the turn of a callback that nobody takes,"""

PASSED_BY_S = 60.0
"""and those who stand behind it pass for so long;"""

ALL_PASSED_BY_S = 10.0
"""callers pass all callbacks for so long: a line of them must not keep the agents one after the other."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A caller offered to an agent, and how that agent is dialled.

    ``callback_id`` is that of one who is not on the telephone but wants to be called back; ``node_id`` is
    ``None`` until a process has taken the turn.
    """

    offer_id: UUID
    call_id: UUID
    node_id: UUID | None
    agent_id: str
    agent_name: str
    gateway: str
    address: str
    callback_id: UUID | None = None

    @classmethod
    def from_json(cls, payload: str) -> "Offer":
        """Read the payload of the channel ``offer``; raises ``StorageError`` for anything else."""
        try:
            values = json.loads(payload)
            return cls(
                offer_id=UUID(values["offer_id"]),
                call_id=UUID(values["call_id"]),
                node_id=_optional(values["node_id"]),
                agent_id=values["agent_id"],
                agent_name=values["agent_name"],
                gateway=values["gateway"],
                address=values["address"],
                callback_id=_optional(values["callback_id"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StorageError(f"not an offer: {type(error).__name__}") from error


def _optional(value: str | None) -> UUID | None:
    return None if value is None else UUID(value)


@dataclass(frozen=True, slots=True)
class Place:
    """A caller's place in line: 1 is next. ``entered_at`` is UTC on the database's clock."""

    position: int
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class AfterOffer:
    """What an offer that came to nothing leaves behind.

    ``state`` and ``reason`` are where the agent goes who wished for nothing else; ``rest_s`` is how long
    the agent gets no offer at all, ``exclude_s`` how long not of this caller.
    """

    state: str
    reason: str = ""
    rest_s: float = 0
    exclude_s: float = 0


@dataclass(frozen=True, slots=True)
class LineEntry:
    """One in line; ``position`` counts from 1 within the queue, ``offered_to`` are agents.

    With ``callback_id`` it is one who keeps a place for a callback; ``call_id`` is nobody's call then until
    a process, ``node_id``, has taken the turn.
    """

    call_id: UUID
    node_id: UUID | None
    callback_id: UUID | None
    queue: str
    priority: int
    entered_at: datetime
    state: str
    offered_to: Sequence[str]
    preferred_agent: str | None
    position: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller brings along or asks for.

    ``number`` is known again when it calls once more within the queue's ``redial_s``; empty when it is
    withheld. ``skills`` come on top of what the queue needs. ``preferred_agent`` is waited for alone for
    ``hold_s``, where it is ``None`` for as long as the queue says. A ``consult`` is no caller who waits, but
    an agent who has one on hold and asks for a second agent.
    """

    number: str = ""
    skills: Mapping[str, int] = field(default_factory=dict)
    preferred_agent: str | None = None
    hold_s: float | None = None
    consult: bool = False


NOTHING = Asked()


class Round:
    """One round of matching: what there is to match, and claiming what was decided."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def agents(self) -> list[asyncpg.Record]:
        """The agents who may be asked and serve a queue with callers; ``now`` is the database's present."""
        rows: list[asyncpg.Record] = await self._connection.fetch(sql.IDLE_AGENTS)
        return rows

    async def callers(
        self, queues: Sequence[str], agents: Sequence[str], of_each: int
    ) -> list[asyncpg.Record]:
        """The first ``of_each`` callers of each class in these queues, and those held for these agents."""
        rows: list[asyncpg.Record] = await self._connection.fetch(sql.FIRST_CALLERS, queues, of_each, agents)
        return rows

    async def claim(self, pairs: Sequence[tuple[int, str, UUID]]) -> list[Offer]:
        """Make offers of entry, agent and new offer id; left out are those where either has changed."""
        columns = [list(column) for column in zip(*pairs, strict=True)]
        rows = await self._connection.fetch(sql.CLAIM_PAIRS, *columns)
        return [Offer.from_json(row["offer"]) for row in rows]


class QueueLine:
    """The waiting line of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enter(
        self,
        call_id: UUID,
        node_id: UUID,
        queue: config.Queue,
        priority: int,
        since: datetime | None = None,
        asked: Asked = NOTHING,
    ) -> Place | LeftReason:
        """Stand in line; ``LeftReason.FULL`` or ``EMPTY`` (nobody signed in) when the queue refuses.

        ``since`` is when the caller asked for it, now if ``None``: who asked first stands first, even when a
        busy database took the other one in first. May be repeated after an outage: a call that stands in
        line already gets its own place.
        """
        hold_s = queue.preferred_agent_s if asked.hold_s is None else asked.hold_s
        async with self._database.acquire() as connection:
            async with connection.transaction():
                await connection.execute(sql.LOCK_QUEUE, queue.name)
                if asked.number and queue.redial_s:
                    kept = await connection.fetchval(
                        sql.TAKE_LEFT_PLACE, asked.number, queue.name, queue.redial_s
                    )
                    since = min((at for at in (kept, since) if at is not None), default=None)
                row = await connection.fetchrow(
                    sql.ENTER,
                    call_id,
                    node_id,
                    queue.name,
                    priority,
                    queue.max_length,
                    queue.refuse_when_unstaffed,
                    since,
                    json.dumps(needs_of(queue, asked.skills)),
                    asked.preferred_agent,
                    hold_s,
                    asked.consult,
                )
            if row["entered_at"] is None:
                return LeftReason.FULL if row["is_full"] else LeftReason.EMPTY
            # One whom an agent has already taken has no place any more; it was the first.
            return Place(await connection.fetchval(sql.POSITION, call_id) or 1, row["entered_at"])

    async def rejoin(
        self,
        call_id: UUID,
        node_id: UUID,
        queue: config.Queue,
        priority: int,
        entered_at: datetime,
        asked: Asked = NOTHING,
    ) -> None:
        """Put back an entry that was lost while its caller still waits, at its old place."""
        needs = json.dumps(needs_of(queue, asked.skills))
        await self._database.execute(sql.REJOIN, call_id, node_id, queue.name, priority, entered_at, needs)

    async def remember_place(self, number: str, queue: str, entered_at: datetime) -> None:
        """Keep the place of a caller who hung up for one who calls again from the same number."""
        await self._database.execute(sql.LEAVE_PLACE, number, queue, entered_at)

    async def staffed(self, queue: str) -> bool:
        """Whether somebody who serves the queue is signed in."""
        staffed: bool = await self._database.fetchval(sql.STAFFED, queue)
        return staffed

    async def position(self, call_id: UUID) -> int | None:
        """The place in line, 1 is next; ``None`` for a call that is not in line."""
        position: int | None = await self._database.fetchval(sql.POSITION, call_id)
        return position

    @asynccontextmanager
    async def matching(self) -> AsyncIterator[Round | None]:
        """A round of matching; ``None`` while another process has one, which leaves nobody unmatched.

        Whatever happens meanwhile wakes that process, too, and it looks again when it is done.
        """
        async with self._database.transaction() as connection:
            yield Round(connection) if await connection.fetchval(sql.TRY_LOCK) else None

    async def ring(self, offer: Offer) -> bool:
        """The agent is being called; false when the offer no longer stands."""
        stands: bool = await self._database.fetchval(sql.RING, offer.call_id, offer.offer_id, offer.agent_id)
        return stands

    async def accept(self, offer: Offer) -> bool:
        """The agent took the call: out of the line, talking; false when the offer no longer stands.

        Others whose telephones ring for the same offer are free again. May be repeated after an outage.
        """
        stands: bool = await self._database.fetchval(
            sql.ACCEPT, offer.call_id, offer.offer_id, offer.agent_id
        )
        return stands

    async def take_back(self, offer: Offer, after: AfterOffer) -> bool:
        """End an offer without a conversation: the caller keeps the place; false if it no longer stood.

        Where other telephones ring for the same offer, they go on.
        """
        freed: int = await self._database.fetchval(
            sql.TAKE_BACK,
            offer.call_id,
            offer.offer_id,
            offer.agent_id,
            after.state,
            after.reason,
            after.rest_s,
            after.exclude_s,
        )
        return freed > 0

    async def leave(self, call_id: UUID, offers: Sequence[Offer] = ()) -> None:
        """Leave the line; an agent who holds an offer of this call is available again.

        The agents of ``offers`` are freed as well: of one whose acceptance was asked for and never confirmed,
        of those of a callback whose turn has ended. A callback keeps its place while its state says so.
        """
        agents = [offer.agent_id for offer in offers]
        await self._database.execute(sql.LEAVE, call_id, agents, [offer.offer_id for offer in offers])

    async def leave_for_callback(self, connection: asyncpg.Connection, call_id: UUID) -> Place | None:
        """Leave the line in the transaction that stores the callback; returns the place that was left.

        ``None``: an agent has been found, or the call is not in line; then there must be no callback.
        """
        row = await connection.fetchrow(sql.LEAVE_FOR_CALLBACK, call_id)
        return None if row is None else Place(row["position"], row["entered_at"])

    async def take_place(
        self, connection: asyncpg.Connection, call_id: UUID, since: datetime, priority: int
    ) -> None:
        """Give a caller the place of a callback that ends in the same transaction, if it is better."""
        await connection.execute(sql.TAKE_PLACE, call_id, since, priority)

    async def place_of(self, callback_id: UUID) -> int | None:
        """The place of a callback among all who wait, 1 is next; ``None`` for one that is not in line."""
        position: int | None = await self._database.fetchval(sql.PLACE_OF, callback_id)
        return position

    async def take_turn(
        self, callback_id: UUID, call_id: UUID, node_id: UUID
    ) -> tuple[Place, list[Offer]] | None:
        """Make an offered turn that of a process and its call; ``None`` where it is no longer offered.

        Only for whoever has claimed the callback. May be repeated after an outage.
        """
        rows = await self._database.fetch(sql.TAKE_TURN, callback_id, call_id, node_id)
        if not rows:
            return None
        return Place(1, rows[0]["entered_at"]), [Offer.from_json(row["offer"]) for row in rows]

    async def turns(self) -> list[Offer]:
        """The offers to callbacks that no process has taken yet."""
        return [Offer.from_json(row["offer"]) for row in await self._database.fetch(sql.TURNS)]

    async def offers_of(self, node_id: UUID) -> list[Offer]:
        """The offers that the calls of one process have and have not begun to ring."""
        return [Offer.from_json(row["offer"]) for row in await self._database.fetch(sql.OFFERS, node_id)]

    async def calls_of(self, node_id: UUID) -> set[UUID]:
        """The calls of one process that stand in line."""
        return {row["call_id"] for row in await self._database.fetch(sql.CALLS, node_id)}

    async def sweep(self, older_than_s: float) -> int:
        """End offers that nobody has handled for so long, turns that nobody took; returns how many agents
        were freed.
        """
        freed = 0
        for row in await self._database.fetch(sql.STALE, older_than_s):
            freed += await self._take_back(row)
        untaken = await self._database.fetch(sql.UNTAKEN, UNTAKEN_S)
        if any(row["is_turn"] for row in untaken):
            # Before the agents are free, who would be kept for the next one at once.
            await self._database.execute(sql.LET_CALLERS_BY, ALL_PASSED_BY_S)
        for row in untaken:
            freed += await self._take_back(row, exclude_s=PASSED_BY_S)
            await self._database.execute(sql.LET_OTHERS_BY, row["call_id"], row["agent_id"], PASSED_BY_S)
        await self._database.execute(sql.REQUEUE_ORPHANS)
        await self._database.execute(sql.FORGET_PLACES)
        return freed

    async def _take_back(self, row: asyncpg.Record, exclude_s: float = 0.0) -> int:
        claim = row["call_id"], row["offer_id"], row["agent_id"]
        count: int = await self._database.fetchval(sql.TAKE_BACK, *claim, "available", "", 0.0, exclude_s)
        if count == 0:
            count = await self._database.fetchval(sql.FREE_ALONE, row["agent_id"], row["offer_id"])
        return count

    async def drop_node(self, node_id: UUID) -> int:
        """Remove the callers of a dead process and free its agents; returns how many callers.

        The callbacks that it carried keep their places.
        """
        async with self._database.transaction() as connection:
            gone = await connection.fetch(sql.DROP_CALLERS, node_id)
            await connection.execute(sql.DROP_TURNS, node_id)
            await connection.execute(sql.FREE_NODE, node_id)
        return len(gone)

    async def entries(self, queue: str | None = None) -> list[LineEntry]:
        """The callers in line in the order in which they are served, of one queue or of all."""
        return [LineEntry(**row) for row in await self._database.fetch(sql.ENTRIES, queue)]
