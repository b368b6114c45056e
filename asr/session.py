"""The speech of one leg: audio in as it comes, segments out in the order they were said."""

import asyncio
import logging
from collections.abc import Callable

from asr.endpoint import Endpointer, EndpointSettings, Utterance
from asr.errors import ClosedSpeechError, RecognitionError
from asr.framing import Framer
from asr.recognizer import SAMPLE_RATE_HZ, Failure, Recognition, Recognizer, Segment
from asr.vad import VoiceDetector

logger = logging.getLogger(__name__)


class LegSession:
    """Follows one leg of a call. To be used on the event loop only.

    ``on_segment`` gets every segment with text, ``on_failed`` every stretch of speech that was lost, both
    in the order of speech. What they or the recognizer raise is logged and stays here: recognition never
    breaks a call. How much may wait is bounded by the recognizer, which refuses what is too much.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        language: str,
        on_segment: Callable[[Segment], None],
        on_failed: Callable[[Failure], None],
        settings: EndpointSettings | None = None,
        detector: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._recognizer = recognizer
        self._language = language
        self._on_segment = on_segment
        self._on_failed = on_failed
        self._framer = Framer()
        self._endpointer = Endpointer(settings)
        self._detector = detector or VoiceDetector()
        self._tasks: dict[asyncio.Task[None], None] = {}  # in the order of speech
        self._paused = False
        self._finished = False

    def feed(self, pcm16: bytes, position: int) -> None:
        """Take PCM16 of 8 kHz, of any length, whose first sample has ``position`` on the leg's clock.

        Takes about 10 microseconds per 20 ms. Raises ``ValueError`` for half a sample.
        """
        if self._paused or self._finished:
            return
        for at, frame in self._framer.push(pcm16, position):
            utterance = self._endpointer.feed(frame, at, self._detector(frame))
            if utterance is not None:
                self._submit(utterance)

    def pause(self) -> None:
        """Stop listening (hold, music, our own prompts); what was being said ends here."""
        if not self._paused:
            self._flush()
        self._paused = True

    def resume(self) -> None:
        """Listen again. Nothing that was fed in between is transcribed."""
        self._paused = False

    async def finish(self, timeout_s: float) -> None:
        """End what is being said and wait until all of it is recognised, ``timeout_s`` at most.

        What is not recognised by then is reported to ``on_failed``. Nothing more may be fed.
        """
        if not self._paused:
            self._flush()
        self._finished = True
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=timeout_s)
        finally:
            late = list(self._tasks)
            for task in late:
                task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _flush(self) -> None:
        for at, frame in self._framer.flush():
            utterance = self._endpointer.feed(frame, at, self._detector(frame))
            if utterance is not None:
                self._submit(utterance)
        utterance = self._endpointer.flush()
        if utterance is not None:
            self._submit(utterance)

    def _submit(self, utterance: Utterance) -> None:
        before = next(reversed(self._tasks), None)
        task = asyncio.create_task(
            self._transcribe(utterance, before), name=f"utterance at {utterance.start_sample}"
        )
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    async def _transcribe(self, utterance: Utterance, before: asyncio.Task[None] | None) -> None:
        outcome: Recognition | RecognitionError = ClosedSpeechError("not recognised in time")
        try:
            outcome = await self._recognize(utterance)
            if before is not None:
                await asyncio.wait({before})
        finally:
            self._report(utterance, outcome)

    async def _recognize(self, utterance: Utterance) -> Recognition | RecognitionError:
        try:
            return await self._recognizer.recognize(utterance.pcm16, self._language)
        except RecognitionError as error:
            return error
        except Exception as error:
            logger.exception("recognizer failed")
            return RecognitionError(f"recognizer failed: {type(error).__name__}")

    def _report(self, utterance: Utterance, outcome: Recognition | RecognitionError) -> None:
        start_s = utterance.speech_start_sample / SAMPLE_RATE_HZ
        end_s = utterance.speech_end_sample / SAMPLE_RATE_HZ
        try:
            match outcome:
                case RecognitionError():
                    self._on_failed(Failure(start_s, end_s, str(outcome)))
                case Recognition(text=""):
                    pass
                case Recognition(text=text, language=language, confidence=confidence):
                    self._on_segment(Segment(start_s, end_s, text, language, confidence))
        except Exception:
            logger.exception("a listener of segments failed")
