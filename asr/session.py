"""The speech of one leg: audio in as it comes, words while they are said, then segments in order."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, Protocol

from asr.commit import Agreement, without_overlap
from asr.endpoint import Endpointer, EndpointSettings, Utterance
from asr.errors import ClosedSpeechError, OverloadedSpeechError, RecognitionError
from asr.framing import Framer
from asr.guards import VOICE
from asr.languages import ends_sentence
from asr.locking import LanguageLock
from asr.placing import bounds_s, placed, without_first
from asr.recognizer import (
    Failure,
    Partial,
    Recognition,
    Recognizer,
    Segment,
    Speech,
    Urgency,
    Word,
)
from asr.vad import Detector, VoiceDetector
from asr.voice import Confirmer, VoiceCheck, recognize_voice

logger = logging.getLogger(__name__)

P = ParamSpec("P")

FIRST_PARTIAL_MS = 720
"""Of the utterance's sound, 300 ms of which are from before the voice."""

PARTIAL_EVERY_MS = 1000
PARTIAL_AGAIN_MS = 120
"""Where the one before brought no word."""

CHECK_EVERY_MS = 100
"""How often it is asked whether there is a voice, where somebody waits for that."""

FINAL_WITHIN_S, FIRST_PARTIAL_WITHIN_S, PARTIAL_WITHIN_S = 1.0, 0.1, 1.0
"""Deadlines: first words are waited for, those that follow less."""


@dataclass(frozen=True, slots=True)
class Listening:
    """How a leg is to be heard; see ``Speech`` for languages and hot words."""

    language: str = "en"
    languages: tuple[str, ...] = ()
    hot_words: tuple[str, ...] = ()
    partials: bool = True
    words: bool = True


class LegListener(Protocol):
    """Gets what a leg says. What it raises is logged and stays here."""

    def heard(self, segment: Segment) -> None:
        """A segment with text, in the order of speech."""

    def hearing(self, partial: Partial) -> None:
        """What is being said; empty where it came to nothing after all."""

    def timed(self, number: int, words: tuple[Word, ...]) -> None:
        """The times of a segment's words, where they were put off; seconds on the leg's clock."""

    def missed(self, failure: Failure) -> None:
        """A stretch of speech that was lost, in the order of speech."""


class VoiceListener(Protocol):
    """Gets to know that somebody speaks, before it is known what. What it raises is logged and stays here."""

    def voice_began(self) -> None:
        """There is a voice for sure."""

    def voice_ended(self) -> None:
        """What began is over; a segment, a failure or ``voice_was_nothing`` follows."""

    def voice_was_nothing(self) -> None:
        """No words came of what began."""


@dataclass(slots=True)
class _Said:
    """What is known of one utterance while it is said and recognised; ``shown_s`` is that of its partials.

    ``voiced``: its voice was confirmed while it was said.
    """

    number: int
    check: VoiceCheck | None
    agreement: Agreement
    shown_s: tuple[float, float] | None = None
    voiced: bool = False


class LegSession:
    """Follows one leg of a call. To be used on the event loop only.

    Recognition never breaks a call: what the recognizer or the listener raises is logged and stays here.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        listening: Listening,
        listener: LegListener,
        *,
        confirmer: Confirmer | None = None,
        settings: EndpointSettings | None = None,
        detector: Detector | None = None,
        voice: VoiceListener | None = None,
    ) -> None:
        self._recognizer = recognizer
        self._listening = listening
        self._listener = listener
        self._confirmer = confirmer
        self._framer = Framer()
        self._endpointer = Endpointer(settings)
        self._detector = detector or VoiceDetector()
        self._language = LanguageLock(listening.language)
        self._finals: dict[asyncio.Task[None], None] = {}  # in the order of speech
        self._timings: set[asyncio.Task[None]] = set()
        self._partial: asyncio.Task[None] | None = None
        self._next_partial_ms = FIRST_PARTIAL_MS
        self._voice = voice
        self._checking: asyncio.Task[None] | None = None
        self._next_check_ms = 0
        self._said = self._begin()
        self._last_text = ""
        self._seq = 0
        self._paused = False
        self._finished = False

    def feed(self, pcm16: bytes, position: int) -> None:
        """Take PCM16 of 8 kHz, of any length, whose first sample has ``position`` on the leg's clock.

        Takes about 10 microseconds per 20 ms. Raises ``ValueError`` for half a sample.
        """
        if self._paused or self._finished:
            return
        self._hear(self._framer.push(pcm16, position))

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

        What is not recognised by then is reported as missed. Nothing more may be fed.
        """
        if not self._paused:
            self._flush()
        self._finished = True
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        try:
            await self._wait_for_all(deadline_s)
        finally:
            late = [*self._finals, *self._timings]
            for task in late:
                task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _wait_for_all(self, deadline_s: float) -> None:
        """Wait for finals and then for the word times that some of them ask for."""
        for tasks in (self._finals, self._timings):
            left_s = deadline_s - asyncio.get_running_loop().time()
            if tasks:
                await asyncio.wait(tasks, timeout=max(left_s, 0))

    # Sound.

    def _hear(self, frames: list[tuple[int, bytes]]) -> None:
        for at, frame in frames:
            number = self._endpointer.number
            utterance = self._endpointer.feed(frame, at, self._detector(frame))
            if self._endpointer.number != number:
                self._ended(utterance)
        if self._listening.partials and self._endpointer.length_ms >= self._next_partial_ms:
            self._begin_partial()
        if self._voice is not None and self._endpointer.length_ms >= max(self._next_check_ms, 1):
            self._begin_check()

    def _flush(self) -> None:
        self._hear(self._framer.flush())
        number = self._endpointer.number
        utterance = self._endpointer.flush()
        if self._endpointer.number != number:
            self._ended(utterance)

    def _begin(self) -> _Said:
        check = self._confirmer.begin() if self._confirmer is not None else None
        return _Said(self._endpointer.number, check, Agreement(self._language.code))

    def _ended(self, utterance: Utterance | None) -> None:
        said, self._said = self._said, self._begin()
        self._next_partial_ms, self._next_check_ms = FIRST_PARTIAL_MS, 0
        if self._partial is not None:
            self._partial.cancel()
        if said.voiced and self._voice is not None:
            self._call(self._voice.voice_ended)
        if utterance is None:
            self._hide(said)
            return
        before = next(reversed(self._finals), None)
        task = asyncio.create_task(
            self._transcribe(said, utterance, before), name=f"utterance at {utterance.start_sample}"
        )
        self._finals[task] = None
        task.add_done_callback(self._finals.pop)

    # The voice.

    def _begin_check(self) -> None:
        """Ask whether there is a voice in what was said so far."""
        if self._said.voiced or self._checking is not None:
            return
        utterance = self._endpointer.so_far()
        if utterance is None:
            return
        self._next_check_ms = self._endpointer.length_ms + CHECK_EVERY_MS
        self._checking = asyncio.create_task(
            self._check_voice(self._said, utterance), name=f"voice at {utterance.start_sample}"
        )
        self._checking.add_done_callback(self._check_done)

    def _check_done(self, _task: asyncio.Task[None]) -> None:
        self._checking = None

    async def _check_voice(self, said: _Said, utterance: Utterance) -> None:
        is_voice = said.check is None or await said.check.confirm(utterance.pcm16) >= VOICE
        if is_voice and said is self._said and self._voice is not None:
            said.voiced = True
            self._call(self._voice.voice_began)

    # Partials.

    def _begin_partial(self) -> None:
        if self._partial is not None:
            return
        utterance = self._endpointer.so_far()
        self._next_partial_ms = self._endpointer.length_ms + PARTIAL_AGAIN_MS
        if utterance is None:
            return
        self._partial = asyncio.create_task(
            self._hear_so_far(self._said, utterance), name=f"partial at {utterance.start_sample}"
        )
        self._partial.add_done_callback(self._partial_done)

    def _partial_done(self, _task: asyncio.Task[None]) -> None:
        self._partial = None

    async def _hear_so_far(self, said: _Said, utterance: Utterance) -> None:
        """One pass over what was said so far; the next one comes a while later, on a busy machine later."""
        within_s = FIRST_PARTIAL_WITHIN_S if said.shown_s is None else PARTIAL_WITHIN_S
        try:
            recognition = await recognize_voice(
                self._recognizer, said.check, self._speech(utterance, Urgency.PARTIAL, within_s)
            )
        except OverloadedSpeechError:
            self._next_partial_ms = self._endpointer.length_ms + PARTIAL_EVERY_MS
            return
        except RecognitionError:
            return
        except Exception:
            logger.exception("recognizer failed")
            return
        if said is self._said and recognition.text:
            self._show(said, utterance, recognition)

    def _show(self, said: _Said, utterance: Utterance, recognition: Recognition) -> None:
        pace = self._recognizer.pace()
        self._next_partial_ms = self._endpointer.length_ms + round(PARTIAL_EVERY_MS * min(pace, 10))
        stable, volatile = said.agreement.hear(recognition.text, recognition.language)
        self._endpointer.sentence_ended = ends_sentence(recognition.text, recognition.language)
        said.shown_s = bounds_s(utterance)
        self._tell(said.number, said.shown_s, stable, volatile, recognition.language)

    def _hide(self, said: _Said) -> None:
        if said.shown_s is not None:
            self._tell(said.number, said.shown_s, "", "", self._language.code)

    def _tell(
        self, number: int, shown_s: tuple[float, float], stable: str, volatile: str, language: str
    ) -> None:
        self._seq += 1
        self._call(self._listener.hearing, Partial(number, self._seq, *shown_s, stable, volatile, language))

    # Finals.

    async def _transcribe(self, said: _Said, utterance: Utterance, before: asyncio.Task[None] | None) -> None:
        outcome: Recognition | RecognitionError = ClosedSpeechError("not recognised in time")
        try:
            outcome = await self._recognize(said, utterance)
            if before is not None:
                await asyncio.wait({before})
        finally:
            self._report(said, utterance, outcome)

    async def _recognize(self, said: _Said, utterance: Utterance) -> Recognition | RecognitionError:
        try:
            speech = self._speech(utterance, Urgency.FINAL, FINAL_WITHIN_S)
            return await recognize_voice(self._recognizer, said.check, speech)
        except RecognitionError as error:
            return error
        except Exception as error:
            logger.exception("recognizer failed")
            return RecognitionError(f"recognizer failed: {type(error).__name__}")

    def _speech(self, utterance: Utterance, urgency: Urgency, within_s: float) -> Speech:
        is_final = urgency is Urgency.FINAL
        return Speech(
            pcm16=utterance.pcm16,
            language=self._language.code,
            urgency=urgency,
            deadline_s=asyncio.get_running_loop().time() + within_s,
            voiced_ms=utterance.voiced_ms,
            languages=self._listening.languages,
            hot_words=self._listening.hot_words,
            with_words=is_final and self._listening.words,
        )

    def _report(self, said: _Said, utterance: Utterance, outcome: Recognition | RecognitionError) -> None:
        start_s, end_s = bounds_s(utterance)
        match outcome:
            case RecognitionError():
                self._hide(said)
                self._call(self._listener.missed, Failure(start_s, end_s, str(outcome)))
            case Recognition():
                self._language.heard(outcome, utterance.voiced_ms / 1000)
                self._report_text(said, utterance, outcome)

    def _report_text(self, said: _Said, utterance: Utterance, recognition: Recognition) -> None:
        text, words = recognition.text, recognition.words
        if utterance.overlap_ms:
            text = without_overlap(self._last_text, text, recognition.language)
            words = without_first(words, recognition.text, text)
        self._last_text = text
        if not text:
            self._hide(said)
            if said.voiced and self._voice is not None:
                self._call(self._voice.voice_was_nothing)
            return
        start_s, end_s = bounds_s(utterance)
        segment = Segment(
            said.number,
            start_s,
            end_s,
            text,
            recognition.language,
            recognition.confidence,
            placed(words, utterance),
            recognition.degraded,
        )
        self._call(self._listener.heard, segment)
        if self._listening.words and not words:
            self._time_later(said.number, utterance, segment)

    def _time_later(self, number: int, utterance: Utterance, segment: Segment) -> None:
        task = asyncio.create_task(
            self._time(number, utterance, segment), name=f"word times at {utterance.start_sample}"
        )
        self._timings.add(task)
        task.add_done_callback(self._timings.discard)

    async def _time(self, number: int, utterance: Utterance, segment: Segment) -> None:
        speech = Speech(utterance.pcm16, segment.language, Urgency.LATER, with_words=True, text=segment.text)
        try:
            recognition = await self._recognizer.recognize(speech)
        except RecognitionError as error:
            logger.info("no word times for an utterance: %s", error)
            return
        if recognition.words:
            self._call(self._listener.timed, number, placed(recognition.words, utterance))

    # Others.

    def _call(self, listen: Callable[P, None], *arguments: P.args, **keywords: P.kwargs) -> None:
        try:
            listen(*arguments, **keywords)
        except Exception:
            logger.exception("a listener of speech failed")
