"""Measures conversations once their words are known, and again when words come late.

The trigger ``words_changed`` notes which calls have new words, whoever wrote them. Any number of processes
measure: one that takes a call moves its time, so that another takes it only if this one dies, and stores
nothing where words came meanwhile.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from callcenter.errors import StorageError
from callcenter.events import Event, EventType
from callcenter.reports.conversations import TYPES, Conversation, conversations
from callcenter.reports.talk import BY_CHARACTER, Party, Said, Talk, Unit, measure
from callcenter.storage.pool import Database
from callcenter.storage.transcripts import Transcripts, TranscriptSegment

log = logging.getLogger(__name__)

BATCH = 20
EVERY_S = 5.0
TAKEN_FOR_S = 60.0
REST_S = 2.0
"""After so long without new words a call is due, as the trigger says."""

_PARTY = {"agent": Party.AGENT, "caller": Party.CUSTOMER}

CLAIM = """
UPDATE callcenter.talk_due AS due SET due_at = clock_timestamp() + make_interval(secs => $2)
 WHERE due.call_id IN (
           SELECT ready.call_id FROM callcenter.talk_due AS ready JOIN callcenter.call USING (call_id)
            WHERE ready.due_at <= clock_timestamp() + make_interval(secs => $3) AND call.ended_at IS NOT NULL
            ORDER BY ready.due_at LIMIT $1 FOR UPDATE OF ready SKIP LOCKED)
RETURNING due.call_id, due.version
"""
EVENTS = """
SELECT at, type, call_id, seq, queue, agent, data FROM callcenter.event
 WHERE call_id = $1 AND type = ANY ($2) ORDER BY seq
"""
LOCK = "SELECT FROM callcenter.talk_due WHERE call_id = $1 AND version = $2 FOR UPDATE"
FORGET = "DELETE FROM callcenter.talk WHERE call_id = $1"
STORE = """
INSERT INTO callcenter.talk
SELECT $1::uuid, * FROM unnest(
    $2::integer[], $3::text[], $4::text[], $5::timestamptz[], $6::integer[], $7::integer[], $8::integer[],
    $9::integer[], $10::integer[], $11::integer[], $12::integer[], $13::integer[], $14::integer[],
    $15::integer[], $16::integer[], $17::integer[], $18::integer[], $19::integer[], $20::integer[])
"""
DONE = "DELETE FROM callcenter.talk_due WHERE call_id = $1"
AGAIN = """
INSERT INTO callcenter.talk_due AS due (call_id, due_at)
SELECT call_id, now() FROM callcenter.call
 WHERE started_at >= $1 AND started_at < $2
   AND EXISTS (SELECT FROM callcenter.transcript_segment AS said WHERE said.call_id = call.call_id)
ON CONFLICT (call_id) DO UPDATE SET due_at = now(), version = due.version + 1
"""


class TalkStore:
    """The talk measures of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._transcripts = Transcripts(database)

    async def keep_up(self) -> None:
        """Measure what is due until cancelled; an outage only delays it."""
        while True:
            try:
                while await self.measure_due():
                    pass
            except StorageError as error:
                log.warning("talk measures wait: %s", error)
            except Exception:
                log.exception("measuring talk failed; it goes on")
            await asyncio.sleep(EVERY_S)

    async def measure_due(self, limit: int = BATCH, *, ahead_s: float = 0) -> int:
        """Measure up to ``limit`` calls that have ended and whose words have come to rest; how many.

        With ``ahead_s`` also those whose words will have come to rest by then.
        """
        due = await self._database.fetch(CLAIM, limit, TAKEN_FOR_S, ahead_s)
        for row in due:
            await self._measure(row["call_id"], row["version"])
        return len(due)

    async def measure_again(self, since: datetime, until: datetime) -> None:
        """Note that all calls that began in [since, until) are to be measured anew."""
        await self._database.execute(AGAIN, since, until)

    async def _measure(self, call_id: UUID, version: int) -> None:
        rows = await self._database.fetch(EVENTS, call_id, [kind.value for kind in TYPES])
        segments = await self._transcripts.of_call(call_id)
        events = [Event(type=EventType(row["type"]), **{k: row[k] for k in _COLUMNS}) for row in rows]
        # In a thread: a long conversation takes longer than the calls on this loop can wait.
        measured = await asyncio.to_thread(_measured, events, segments)
        columns = [list(column) for column in zip(*measured, strict=True)]
        async with self._database.transaction() as connection:
            if await connection.fetchrow(LOCK, call_id, version) is None:
                return  # words came meanwhile, or somebody else was quicker
            await connection.execute(FORGET, call_id)
            if columns:
                await connection.execute(STORE, call_id, *columns)
            await connection.execute(DONE, call_id)


_COLUMNS = ("at", "call_id", "seq", "queue", "agent", "data")


def words_of(segments: Sequence[TranscriptSegment]) -> Iterator[Said]:
    """What was said, word by word; a segment whose words have no times counts as one piece."""
    for segment in segments:
        party = _PARTY.get(segment.leg)
        if party is None:
            continue
        unit = Unit.CHARACTERS if segment.language in BY_CHARACTER else Unit.WORDS
        if not segment.words:
            yield Said(party, segment.start_ms, segment.end_ms, _amount(segment.text, unit), unit)
        for word in segment.words:
            yield Said(party, word.start_ms, word.end_ms, _amount(word.text, unit), unit)


def _amount(text: str, unit: Unit) -> int:
    """How many words, or characters but for signs and blanks."""
    return len(text.split()) if unit is Unit.WORDS else sum(map(str.isalnum, text))


def _measured(events: Sequence[Event], segments: Sequence[TranscriptSegment]) -> list[tuple[Any, ...]]:
    said = list(words_of(segments))
    return [
        _row(number, one, measure(said, one.span, one.holds))
        for number, one in enumerate(conversations(events), start=1)
    ]


def _row(number: int, one: Conversation, talk: Talk) -> tuple[Any, ...]:
    sides = [
        figure
        for side in (talk.agent, talk.customer)
        for figure in (
            *(side.talk_ms, side.interruptions),
            *(side.words, side.words_ms, side.characters, side.characters_ms),
        )
    ]
    times = talk.time_ms, talk.non_talk_ms, talk.longest_non_talk_ms
    return (number, one.queue, one.agent, one.at, *times, *sides)
