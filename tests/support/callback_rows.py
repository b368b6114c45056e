"""Rows of callbacks, calls and their events as a past day has left them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from callcenter.storage.pool import Database
from support.numbers import new_number

CALL = """
INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref, from_number, to_number,
                             queue, topic, queued_at, agent_id, connected_at, started_at, ended_at, outcome)
VALUES ($1, $1, $1, $2, 'test', $3, $4, '+12025550199', $5, $5, $6, $7, $8, $6, $9, $10)
"""
EVENT = """
INSERT INTO callcenter.event (at, type, call_id, seq, chain_id, queue, data)
SELECT $1, $2, $3, 1 + coalesce(max(seq), 0), $3, $4, $5 FROM callcenter.event WHERE call_id = $3
"""
CALLBACK = """
INSERT INTO callback.callback
       (callback_id, queue, number, source, mode, state, state_since, requested_at, arrived_at, not_before,
        expires_at, promised_from, promised_until, slot_start, zone, chain_id, call_id, attempts_max,
        ended_at)
VALUES ($1, $2, $3, $4, 'agent_first', $5, $6::timestamptz, $6, $6, $6, $6 + interval '1 day', $7, $8, $9,
        'UTC', $1, $10, 3, $11)
"""
ATTEMPT = """
INSERT INTO callback.attempt
       (attempt_id, callback_id, number_of, fence, worker, gateway, call_id, ring_timeout_s, started_at,
        answered_at, bridged_at, ended_at, result, counted)
SELECT $1, $2, 1 + count(*), 1, $1, 'test', $3, 20, $4, $5, $6, $7, $8, $9
  FROM callback.attempt WHERE callback_id = $2
"""


class CallbackRows:
    """Writes rows; seconds count from ``start``."""

    def __init__(self, database: Database, start: datetime) -> None:
        self._database = database
        self._start = start

    def at(self, second: float) -> datetime:
        return self._start + timedelta(seconds=second)

    async def call(
        self,
        second: float,
        *events: tuple[float, str, dict[str, Any]],
        queue: str = "sales",
        number: str | None = None,
        direction: str = "inbound",
        agent: str | None = None,
        connected: float | None = None,
        outcome: str = "callback_requested",
        ended: float | None = 60,
    ) -> UUID:
        """A call that entered the queue as soon as it began; ``connected`` and ``ended`` count from then."""
        call_id = uuid4()
        await self._database.execute(
            CALL,
            call_id,
            direction,
            call_id.hex,
            number or new_number(),
            queue,
            self.at(second),
            agent,
            None if connected is None else self.at(second + connected),
            None if ended is None else self.at(second + ended),
            None if ended is None else outcome,
        )
        started = (0, "call.started", {"direction": direction})
        entered = (0, "queue.entered", {"position": 1})
        for later, kind, data in (started, entered, *events):
            await self._database.execute(EVENT, self.at(second + later), kind, call_id, queue, data)
        return call_id

    async def callback(
        self,
        second: float,
        state: str = "completed",
        *,
        promised: tuple[float, float] = (0, 600),
        queue: str = "sales",
        source: str = "ivr",
        call_id: UUID | None = None,
        number: str | None = None,
        chosen: bool = False,
        ended: float | None = 1000,
        callback_id: UUID | None = None,
    ) -> UUID:
        """A callback; ``promised`` and ``ended`` count from when it was asked for."""
        callback_id = callback_id or uuid4()
        await self._database.execute(
            CALLBACK,
            callback_id,
            queue,
            number or new_number(),
            source,
            state,
            self.at(second),
            self.at(second + promised[0]),
            self.at(second + promised[1]),
            self.at(second) if chosen else None,
            call_id,
            None if ended is None else self.at(second + ended),
        )
        return callback_id

    async def attempt(
        self,
        callback_id: UUID,
        second: float,
        result: str | None,
        *,
        answered: float | None = None,
        bridged: float | None = None,
        ended: float | None = 20,
        counted: bool = True,
        call_id: UUID | None = None,
    ) -> UUID:
        """An attempt; the other times count from its beginning."""
        attempt_id = uuid4()
        times = [None if one is None else self.at(second + one) for one in (answered, bridged, ended)]
        values = (attempt_id, callback_id, call_id or uuid4(), self.at(second), *times, result, counted)
        await self._database.execute(ATTEMPT, *values)
        return attempt_id
