"""The words of one call: recognized segments become rows and events, what is still being said is shown."""

import asyncio
import logging
from typing import Any
from uuid import UUID, uuid4

from asr import Failure, LegSession, Listening, Partial, Recognizer, Segment, Word
from callcenter import config
from callcenter.call.context import CallContext
from callcenter.call.partials import Speaking
from callcenter.errors import StorageError
from callcenter.events import EventType
from callcenter.storage.pool import retrying
from callcenter.storage.transcripts import TimedWord, TranscriptSegment

log = logging.getLogger(__name__)

STORE_DEADLINE_S = 120.0
FINISH_TIMEOUT_S = 600.0
"""The longest that words which had to wait, because too much was said at once, may come after a call."""


def listening(asr: config.Asr, queue: config.Queue | None) -> Listening:
    """How to hear people who talk about what ``queue`` is for, if they came through one."""
    return Listening(
        language=(queue.language if queue is not None else "") or asr.language,
        languages=tuple(asr.languages),
        hot_words=tuple(queue.hot_words) if queue is not None else (),
        partials=asr.partials,
        words=asr.word_times,
    )


class LegWords:
    """Listens to one leg (``caller`` or ``agent``) and stores what it says. ``feed`` is a tap of the bridge.

    ``queue`` is the one that the call came through and ``agent_id`` the agent it is connected to, if any:
    they decide who may watch.
    """

    def __init__(
        self,
        context: CallContext,
        recognizer: Recognizer,
        leg: str,
        queue: config.Queue | None,
        agent_id: str | None,
    ) -> None:
        services = context.services
        self._context = context
        self._speaking = Speaking(context.call_id, leg, queue.name if queue is not None else None, agent_id)
        self._storing: set[asyncio.Task[None]] = set()
        self._untimed: dict[int, tuple[UUID, asyncio.Task[None]]] = {}
        self._listening = listening(services.settings.asr, queue)
        self._session = LegSession(recognizer, self._listening, self, confirmer=services.confirmer)
        self.feed = self._session.feed
        self.pause = self._session.pause
        self.resume = self._session.resume

    async def finish(self) -> None:
        """Wait until everything said so far is recognized and stored, within a bound."""
        await self._session.finish(FINISH_TIMEOUT_S)
        if self._storing:
            await asyncio.wait(self._storing)

    # What the session hears.

    def heard(self, segment: Segment) -> None:
        """Store a segment."""
        leg, services = self._speaking.leg, self._context.services
        services.partials.replaced(self._speaking, segment.number)
        row = TranscriptSegment(
            segment_id=uuid4(),
            call_id=self._context.call_id,
            leg=leg,
            agent_id=self._speaking.agent_id if leg == "agent" else None,
            start_ms=round(segment.start_s * 1000),
            end_ms=round(segment.end_s * 1000),
            text=segment.text,
            language=segment.language,
            confidence=segment.confidence,
            number=segment.number,
            words=_timed(segment.words),
            degraded=segment.degraded,
        )
        task = services.background.spawn(self._store(row), name=f"storing words of call {row.call_id}")
        self._await(task)
        if self._listening.words and not row.words:
            self._untimed[segment.number] = row.segment_id, task

    def hearing(self, partial: Partial) -> None:
        """Show what is being said."""
        self._context.services.partials.tell(self._speaking, partial)

    def timed(self, number: int, words: tuple[Word, ...]) -> None:
        """Store the times of the words of a segment that was stored without."""
        segment_id, stored = self._untimed.pop(number)
        task = self._context.services.background.spawn(
            self._store_words(segment_id, words, stored),
            name=f"storing word times of call {self._context.call_id}",
        )
        self._await(task)

    def missed(self, failure: Failure) -> None:
        """Note what could not be recognized."""
        self._missing(round(failure.start_s * 1000), round(failure.end_s * 1000), failure.reason)

    # Rows.

    def _await(self, task: asyncio.Task[None]) -> None:
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
        mark: dict[str, Any] = {"degraded": True} if row.degraded else {}
        self._context.journal.write(
            EventType.TRANSCRIPT_SEGMENT,
            leg=row.leg,
            segment=str(row.segment_id),
            start_ms=row.start_ms,
            end_ms=row.end_ms,
            **mark,
        )

    async def _store_words(
        self, segment_id: UUID, words: tuple[Word, ...], stored: asyncio.Task[None]
    ) -> None:
        """Once the segment itself is there."""
        await asyncio.wait({stored})
        transcripts = self._context.services.transcripts
        try:
            await retrying(
                lambda: transcripts.set_words(segment_id, _timed(words)), deadline_s=STORE_DEADLINE_S
            )
        except StorageError as error:
            log.error("call %s: word times could not be stored: %s", self._context.call_id, error)

    def _missing(self, start_ms: int, end_ms: int, reason: str) -> None:
        self._context.journal.write(
            EventType.TRANSCRIPT_MISSING,
            leg=self._speaking.leg,
            start_ms=start_ms,
            end_ms=end_ms,
            reason=reason,
        )


def _timed(words: tuple[Word, ...]) -> tuple[TimedWord, ...]:
    return tuple(
        TimedWord(word.text, round(word.start_s * 1000), round(word.end_s * 1000), round(word.probability, 4))
        for word in words
    )
