"""The words of one call: recognized segments become rows and events."""

import asyncio
import logging
from uuid import uuid4

from asr import Failure, LegSession, Recognizer, Segment
from callcenter.call.context import CallContext
from callcenter.errors import StorageError
from callcenter.events import EventType
from callcenter.storage.pool import retrying
from callcenter.storage.transcripts import TranscriptSegment

log = logging.getLogger(__name__)

STORE_DEADLINE_S = 120.0
FINISH_TIMEOUT_S = 60.0


class LegWords:
    """Listens to one leg and stores what it says. ``feed`` is a tap of the bridge."""

    def __init__(
        self, context: CallContext, recognizer: Recognizer, leg: str, agent_id: str | None, language: str
    ) -> None:
        self._context = context
        self._leg = leg
        self._agent_id = agent_id
        self._storing: set[asyncio.Task[None]] = set()
        self._session = LegSession(recognizer, language, on_segment=self._heard, on_failed=self._failed)
        self.feed = self._session.feed
        self.pause = self._session.pause
        self.resume = self._session.resume

    async def finish(self) -> None:
        """Wait until everything said so far is recognized and stored, within a bound."""
        await self._session.finish(FINISH_TIMEOUT_S)
        if self._storing:
            await asyncio.wait(self._storing)

    def _heard(self, segment: Segment) -> None:
        row = TranscriptSegment(
            segment_id=uuid4(),
            call_id=self._context.call_id,
            leg=self._leg,
            agent_id=self._agent_id,
            start_ms=round(segment.start_s * 1000),
            end_ms=round(segment.end_s * 1000),
            text=segment.text,
            language=segment.language,
            confidence=segment.confidence,
        )
        task = self._context.services.background.spawn(
            self._store(row), name=f"storing words of call {self._context.call_id}"
        )
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)

    async def _store(self, row: TranscriptSegment) -> None:
        services = self._context.services
        try:
            await retrying(lambda: services.transcripts.add([row]), deadline_s=STORE_DEADLINE_S)
        except StorageError as error:
            log.error("call %s: words of %s could not be stored: %s", row.call_id, row.leg, error)
            self._missing(row.start_ms, row.end_ms, "not stored")
            return
        self._context.journal.write(
            EventType.TRANSCRIPT_SEGMENT,
            leg=row.leg,
            segment=str(row.segment_id),
            start_ms=row.start_ms,
            end_ms=row.end_ms,
        )

    def _failed(self, failure: Failure) -> None:
        self._missing(round(failure.start_s * 1000), round(failure.end_s * 1000), failure.reason)

    def _missing(self, start_ms: int, end_ms: int, reason: str) -> None:
        self._context.journal.write(
            EventType.TRANSCRIPT_MISSING, leg=self._leg, start_ms=start_ms, end_ms=end_ms, reason=reason
        )
