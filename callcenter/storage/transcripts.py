"""What was said: recognized segments of a call's legs."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from uuid import UUID

from callcenter.storage.pool import Database

# Adding a segment again, after an outage that hid the commit, changes nothing.
ADD = """
INSERT INTO callcenter.transcript_segment
       (segment_id, call_id, leg, agent_id, start_ms, end_ms, text, language, confidence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::integer[], $6::integer[],
                     $7::text[], $8::text[], $9::real[])
ON CONFLICT DO NOTHING
"""
OF_CALL = """
SELECT segment_id, call_id, leg, agent_id, start_ms, end_ms, text, language, confidence
  FROM callcenter.transcript_segment WHERE call_id = $1 ORDER BY start_ms, end_ms, segment_id
"""


@dataclass(frozen=True, slots=True)
class TranscriptSegment:
    """One utterance. Times are ms since the call's start; ``leg`` is ``caller`` or ``agent``."""

    segment_id: UUID
    call_id: UUID
    leg: str
    agent_id: str | None
    start_ms: int
    end_ms: int
    text: str
    language: str
    confidence: float


class Transcripts:
    """The segments of all calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, segments: Sequence[TranscriptSegment]) -> None:
        """Store segments in one statement; safe to repeat."""
        if segments:
            columns = zip(*(astuple(segment) for segment in segments), strict=True)
            await self._database.execute(ADD, *(list(column) for column in columns))

    async def of_call(self, call_id: UUID) -> list[TranscriptSegment]:
        """A call's segments in the order in which they began."""
        return [TranscriptSegment(**row) for row in await self._database.fetch(OF_CALL, call_id)]
