"""What customers and staff change. A worker that has the callback and has dialled nobody loses it."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import asyncpg

from callback.errors import TransitionError
from callback.request import Callback, Result, Slot, Terms
from callback.state import CLAIMED, DIALLED, State, Step
from callback.store.changing import (
    NOW,
    Part,
    change,
    check_allowed,
    check_slot,
    local,
    lock_slot,
    locked,
    stepped,
    unclaimed,
)

END_ATTEMPT = """
UPDATE callback.attempt SET ended_at = clock_timestamp(), result = $2, counted = $3
WHERE callback_id = $1 AND ended_at IS NULL
"""
INTO = "SELECT data ->> 'call' FROM callback.event WHERE callback_id = $1 AND step = 'merge'"
FORBID = """
INSERT INTO callback.do_not_call (number, added_by, note) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
RETURNING true
"""
ALLOW = "DELETE FROM callback.do_not_call WHERE number = $1 RETURNING true"
OPEN_IDS = """
SELECT callback_id FROM callback.callback
WHERE number = $1 AND ended_at IS NULL ORDER BY callback_id FOR UPDATE
"""
IDS = "SELECT callback_id FROM callback.callback WHERE number = $1 ORDER BY callback_id FOR UPDATE"
# A hash of a request with a number in it tells the number to whoever tries them all.
FORGET_KEYS = "DELETE FROM callback.idempotency WHERE callback_id = ANY ($1::uuid[])"


class People(Part):
    """Part of the store: changes that people make.

    With ``version`` they raise ``VersionError`` when the callback is in another one.
    """

    async def cancel(
        self, callback_id: UUID, *, by: str, cause: str = "", version: int | None = None
    ) -> Callback:
        """Give it up; raises ``TransitionError`` once the customer is being dialled."""
        async with self._within() as connection:
            before = await locked(connection, callback_id, version)
            if before.state in DIALLED:
                raise TransitionError(f"callback {callback_id} is {before.state.value}")
            return await stepped(connection, before, Step.CANCEL, _taken(before), by=by, cause=cause)

    async def move(
        self,
        callback_id: UUID,
        terms: Terms,
        slot: Slot | None,
        *,
        by: str,
        zone: str = "",
        version: int | None = None,
    ) -> Callback:
        """Another time; without ``slot`` as soon as it is its turn. The place in line stays.

        Raises ``TransitionError`` once the customer is being dialled, ``RefusedError`` for a full slot.
        """
        async with self._within() as connection:
            await lock_slot(connection, slot)
            before = await unclaimed(connection, await locked(connection, callback_id, version), by=by)
            await check_slot(connection, before.queue, slot, callback_id)
            step = Step.QUEUE if slot is None else Step.SCHEDULE
            start, end = (None, None) if slot is None else (slot.start, slot.end)
            zone = zone or before.zone
            return await stepped(
                connection,
                before,
                step,
                {
                    "slot_start": start,
                    "slot_end": end,
                    "slot_local": local(start, zone),
                    "zone": zone,
                    "not_before": terms.not_before,
                    "expires_at": terms.expires_at,
                    "promised_from": terms.promised_from,
                    "promised_until": terms.promised_until,
                    "version": before.version + 1,
                },
                by=by,
                what="moved",
            )

    async def edit(
        self,
        callback_id: UUID,
        *,
        by: str,
        version: int | None = None,
        number: str | None = None,
        name: str | None = None,
        topic: str | None = None,
        note: str | None = None,
        language: str | None = None,
        priority: int | None = None,
    ) -> Callback:
        """Change what is not ``None``.

        Another number takes it from a worker that has not dialled yet; one that has goes on, and the next
        attempt is made to the new number. Raises ``TransitionError`` when it has ended, or the new number has
        an open callback in the queue; ``RefusedError`` for a number on the do-not-call list.
        """
        given = {
            "number": number,
            "name": name,
            "topic": topic,
            "note": note,
            "language": language,
            "priority": priority,
        }
        async with self._within() as connection:
            before = await _open(connection, callback_id, version)
            values = {key: value for key, value in given.items() if value not in (None, getattr(before, key))}
            if not values:
                return before
            if "number" in values:
                if before.erased_at is not None:
                    raise TransitionError(f"callback {callback_id} was erased")
                await check_allowed(connection, str(number))
            if "number" in values and before.state in CLAIMED:
                before = await unclaimed(connection, before, by=by)
            return await _changed(connection, before, "edited", values, by)

    async def reassign(
        self,
        callback_id: UUID,
        *,
        by: str,
        queue: str | None = None,
        needs: str | None = None,
        owner: str | None = None,
        owner_until: datetime | None = None,
        version: int | None = None,
    ) -> Callback:
        """Give it to another queue or agent; an empty ``owner`` gives it to all agents of the queue.

        Raises ``TransitionError`` once the customer is being dialled, or when the number has an open callback
        in the other queue.
        """
        values: dict[str, object] = {}
        if queue is not None:
            values["queue"] = queue
        if needs is not None:
            values["needs"] = needs
        if owner is not None:
            values |= {"owner": owner or None, "owner_until": owner_until if owner else None}
        async with self._within() as connection:
            before = await _open(connection, callback_id, version)
            if not values:
                return before
            before = await unclaimed(connection, before, by=by)
            return await _changed(connection, before, "reassigned", values, by)

    async def expedite(self, callback_id: UUID, *, by: str, version: int | None = None) -> Callback:
        """It is due now; nothing changes for one that is, or that a worker has.

        Raises ``TransitionError`` when it has ended, ``RefusedError`` for a number not to be called.
        """
        async with self._within() as connection:
            before = await _open(connection, callback_id, version)
            if before.state not in (State.QUEUED, State.SCHEDULED, State.RETRY_WAIT):
                return before
            await check_allowed(connection, before.number)
            return await stepped(
                connection,
                before,
                Step.FALL_DUE,
                {"not_before": NOW, "version": before.version + 1},
                by=by,
                what="expedited",
            )

    async def merge(
        self, callback_id: UUID, *, by: str, call_id: UUID, connection: asyncpg.Connection | None = None
    ) -> Callback:
        """The customer goes on in person, in the call ``call_id``; a worker that has it loses it.

        An attempt under way ends uncounted. May be repeated after an outage. Raises ``TransitionError`` when
        the callback has ended otherwise.
        """
        async with self._within(connection) as own:
            before = await locked(own, callback_id)
            if before.state is State.MERGED and await own.fetchval(INTO, callback_id) == str(call_id):
                return before
            after = await stepped(own, before, Step.MERGE, _taken(before), by=by, data={"call": str(call_id)})
            await own.execute(END_ATTEMPT, callback_id, Result.MERGED.value, False)
            return after

    async def erase(self, number: str, *, by: str) -> int:
        """Forget the customer: the rows stay, without number, name, topic and note; returns how many.

        Open callbacks are cancelled. One that is being dialled loses its number when it ends, and is not
        tried again.
        """
        async with self._within() as connection:
            ids = [row["callback_id"] for row in await connection.fetch(IDS, number)]
            for callback_id in ids:
                before = await locked(connection, callback_id)
                if before.is_open and before.state not in DIALLED | {State.RECONCILING}:
                    before = await stepped(
                        connection, before, Step.CANCEL, _taken(before), by=by, cause="erased"
                    )
                values: dict[str, object] = {"name": "", "topic": "", "note": "", "erased_at": NOW}
                if not before.is_open:
                    values["number"] = ""
                await _changed(connection, before, "erased", values, by)
            await connection.execute(FORGET_KEYS, ids)
        return len(ids)

    async def forbid(self, number: str, *, by: str, note: str = "") -> bool:
        """Put a number on the do-not-call list; false if it stands there.

        Its callbacks that were not dialled are rejected.
        """
        async with self._within() as connection:
            is_new = bool(await connection.fetchval(FORBID, number, by, note))
            for row in await connection.fetch(OPEN_IDS, number):
                before = await locked(connection, row["callback_id"])
                if before.state not in DIALLED | {State.RECONCILING}:
                    await stepped(connection, before, Step.REJECT, _taken(before), by=by, cause="do_not_call")
        return is_new

    async def allow(self, number: str) -> bool:
        """Take a number off the do-not-call list; false if it does not stand there."""
        async with self._within() as connection:
            return bool(await connection.fetchval(ALLOW, number))


def _taken(before: Callback) -> dict[str, object]:
    # Whoever has claimed it finds its fence gone.
    return {"fence": before.fence + 1, "version": before.version + 1}


async def _open(connection: asyncpg.Connection, callback_id: UUID, version: int | None) -> Callback:
    before = await locked(connection, callback_id, version)
    if not before.is_open:
        raise TransitionError(f"callback {callback_id} is {before.state.value}")
    return before


async def _changed(
    connection: asyncpg.Connection, before: Callback, what: str, values: Mapping[str, object], by: str
) -> Callback:
    fields = sorted(set(values) - {"erased_at"})
    try:
        return await change(
            connection,
            before,
            what,
            {**values, "version": before.version + 1},
            by=by,
            data={"fields": fields},
        )
    except asyncpg.UniqueViolationError:
        raise TransitionError("this number has an open callback in that queue") from None
