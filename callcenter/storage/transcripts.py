"""What was said: recognized segments of a call's legs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self
from uuid import UUID

from callcenter.storage.pool import Database

# Adding a segment again, after an outage that hid the commit, changes nothing.
ADD = """
INSERT INTO callcenter.transcript_segment
       (segment_id, call_id, leg, agent_id, start_ms, end_ms, text, language, confidence, number, degraded,
        words)
SELECT segment_id, call_id, leg, agent_id, start_ms, end_ms, text, language, confidence, number, degraded,
       words::jsonb
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::integer[], $6::integer[], $7::text[],
              $8::text[], $9::real[], $10::integer[], $11::boolean[], $12::text[])
       AS given (segment_id, call_id, leg, agent_id, start_ms, end_ms, text, language, confidence, number,
                 degraded, words)
ON CONFLICT DO NOTHING
"""
SET_WORDS = "UPDATE callcenter.transcript_segment SET words = $2 WHERE segment_id = $1"
OF_CALL = """
SELECT segment_id, call_id, leg, agent_id, start_ms, end_ms, text, language, confidence, number, degraded,
       words
  FROM callcenter.transcript_segment WHERE call_id = $1 ORDER BY start_ms, end_ms, segment_id
"""


class TimedWord(NamedTuple):
    """One word and when it was said, in ms since the call's start; ``probability`` is 0 to 1.

    In languages without blanks between words these are pieces of one to three characters.
    """

    text: str
    start_ms: int
    end_ms: int
    probability: float


@dataclass(frozen=True, slots=True)
class TranscriptSegment:
    """One utterance. Times are ms since the call's start; ``leg`` is ``caller`` or ``agent``.

    ``number`` counts the utterances of the leg while it is listened to, ``None`` where it was not counted.
    ``words`` are empty where their times are not known (yet). ``degraded`` tells that it was put off because
    too much was said at once.
    """

    segment_id: UUID
    call_id: UUID
    leg: str
    agent_id: str | None
    start_ms: int
    end_ms: int
    text: str
    language: str
    confidence: float
    number: int | None = None
    words: tuple[TimedWord, ...] = ()
    degraded: bool = False

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """The segment of a row of the table."""
        return cls(**dict(row) | {"words": tuple(TimedWord(*word) for word in row["words"] or ())})


class Transcripts:
    """The segments of all calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, segments: Sequence[TranscriptSegment]) -> None:
        """Store segments in one statement; safe to repeat."""
        if segments:
            columns = zip(*(_row(segment) for segment in segments), strict=True)
            await self._database.execute(ADD, *(list(column) for column in columns))

    async def set_words(self, segment_id: UUID, words: Sequence[TimedWord]) -> None:
        """Store the words of a segment whose times came later; one that is not there is passed over."""
        await self._database.execute(SET_WORDS, segment_id, list(words) or None)

    async def of_call(self, call_id: UUID) -> list[TranscriptSegment]:
        """A call's segments in the order in which they began."""
        return [TranscriptSegment.of_row(row) for row in await self._database.fetch(OF_CALL, call_id)]


def _row(segment: TranscriptSegment) -> tuple[Any, ...]:
    return (
        segment.segment_id,
        segment.call_id,
        segment.leg,
        segment.agent_id,
        segment.start_ms,
        segment.end_ms,
        segment.text,
        segment.language,
        segment.confidence,
        segment.number,
        segment.degraded,
        json.dumps(segment.words) if segment.words else None,
    )
