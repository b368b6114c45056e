"""Whole recordings to turns of speech: cut, recognised several utterances at a time, put in order again."""

import asyncio
import dataclasses
import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from asr.commit import without_overlap
from asr.endpoint import Endpointer, Utterance
from asr.errors import RecognitionError
from asr.formats import Turn, clock
from asr.framing import Framer
from asr.locking import LanguageLock
from asr.placing import bounds_s, placed, without_first
from asr.recognizer import (
    AUTO,
    SAMPLE_RATE_HZ,
    Recognition,
    Recognizer,
    Segment,
    Speech,
    Urgency,
)
from asr.sound import Block, SoundFile
from asr.vad import VoiceDetector
from asr.voice import Confirmer, recognize_voice

_NOTHING = Recognition("", "", 0.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """How recordings are to be heard; see ``Speech`` for languages.

    ``speakers`` are the names of the two legs of a stereo recording; ``mix`` makes one of them.
    """

    language: str = "en"
    languages: tuple[str, ...] = ()
    with_words: bool = True
    speakers: tuple[str, str] = ("left", "right")
    mix: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What is in a recording, and how much of it there is.

    ``problems`` tell what of it is missing here, ``notes`` how it was taken; each is one line to follow the
    file's name.
    """

    duration_s: float
    language: str
    turns: tuple[Turn, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Said:
    """An utterance, of which the sound is not kept, and what came of it."""

    number: int
    utterance: Utterance
    outcome: Recognition | RecognitionError = _NOTHING


@dataclass(slots=True)
class _Leg:
    """One speaker. ``unsettled`` was recognised before the leg's language was known."""

    lock: LanguageLock
    said: list[_Said] = field(default_factory=list)
    unsettled: list[tuple[_Said, Speech]] = field(default_factory=list)
    last: asyncio.Task[None] | None = None


class _Places:
    """A semaphore whose places go to the lowest rank first."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    async def take(self, rank: int) -> None:
        if self._free:
            self._free -= 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._numbers), place))
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        while self._waiting:
            _, _, place = heapq.heappop(self._waiting)
            if not place.done():
                place.set_result(None)
                return
        self._free += 1


class FileTranscriber:
    """Transcribes recordings; ``in_flight`` bounds the utterances of all files that are recognised at a time.

    That bounds the memory too: a file is decoded no further than its utterances are taken. Of several files
    the first goes first and the others fill what it leaves, so short ones go side by side and long ones one
    after the other.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        reading: Reading,
        *,
        in_flight: int,
        confirmer: Confirmer | None = None,
    ) -> None:
        self._recognizer = recognizer
        self._reading = reading
        self._confirmer = confirmer
        self._places = _Places(in_flight)
        self._ranks = itertools.count()

    async def transcribe(self, path: Path, progress: Callable[[float], None]) -> Heard:
        """Transcribe a file. ``progress`` is told up to which second it is done.

        Raises ``SoundError`` for a file without any sound. What cannot be recognised, or is damaged, is a
        problem of the result.
        """
        loop = asyncio.get_running_loop()
        rank = next(self._ranks)  # before the first wait: files open in any order
        with ThreadPoolExecutor(1, thread_name_prefix="sound") as thread:
            sound = await loop.run_in_executor(thread, SoundFile, path, self._reading.mix)
            try:
                return await self._transcribe(sound, rank, thread, progress)
            finally:
                thread.submit(sound.close)

    async def _transcribe(
        self, sound: SoundFile, rank: int, thread: ThreadPoolExecutor, progress: Callable[[float], None]
    ) -> Heard:
        legs = [_Leg(LanguageLock(self._reading.language)) for _ in range(sound.legs)]
        pieces = cut(sound)
        at_s = done_s = 0.0
        pending: dict[asyncio.Task[None], float] = {}

        def tell() -> None:
            nonlocal done_s
            done_s = max(done_s, min(pending.values(), default=at_s))
            progress(done_s)

        def finished(task: asyncio.Task[None]) -> None:
            del pending[task]
            self._places.give_back()
            tell()

        try:
            while piece := await asyncio.get_running_loop().run_in_executor(thread, next, pieces, None):
                end_s, utterances = piece
                for index, utterance in utterances:
                    task = await self._begin(legs[index], utterance, rank)
                    pending[task] = utterance.start_sample / SAMPLE_RATE_HZ
                    task.add_done_callback(finished)
                at_s = max(at_s, end_s)
                tell()
            await asyncio.gather(*pending)
        finally:
            for task in [*pending]:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        return self._heard(sound, legs, at_s)

    async def _begin(self, leg: _Leg, utterance: Utterance, rank: int) -> asyncio.Task[None]:
        """Recognise an utterance; while its leg's language is not known, one after the other."""
        if leg.last is not None and leg.lock.code == AUTO:
            await asyncio.wait({leg.last})
        await self._places.take(rank)
        said = _Said(len(leg.said) + 1, dataclasses.replace(utterance, pcm16=b""))
        leg.said.append(said)
        speech = Speech(
            pcm16=utterance.pcm16,
            language=leg.lock.code,
            urgency=Urgency.LATER,
            deadline_s=rank,
            voiced_ms=utterance.voiced_ms,
            languages=self._reading.languages,
            with_words=self._reading.with_words,
        )
        leg.last = asyncio.create_task(
            self._recognize(leg, said, speech), name=f"utterance at {utterance.start_sample}"
        )
        return leg.last

    async def _recognize(self, leg: _Leg, said: _Said, speech: Speech) -> None:
        said.outcome = await self._outcome(speech)
        if speech.language == AUTO and isinstance(said.outcome, Recognition) and said.outcome.text:
            leg.unsettled.append((said, speech))
            leg.lock.heard(said.outcome, said.utterance.voiced_ms / 1000)
            if leg.lock.code != AUTO:
                await self._settle(leg)

    async def _settle(self, leg: _Leg) -> None:
        """Recognise again what was taken for another language before there was enough speech to tell."""
        unsettled, leg.unsettled = leg.unsettled, []
        for said, speech in unsettled:
            if isinstance(said.outcome, Recognition) and said.outcome.language != leg.lock.code:
                said.outcome = await self._outcome(dataclasses.replace(speech, language=leg.lock.code))

    async def _outcome(self, speech: Speech) -> Recognition | RecognitionError:
        try:
            check = self._confirmer.begin() if self._confirmer is not None else None
            return await recognize_voice(self._recognizer, check, speech)
        except RecognitionError as error:
            return error

    def _heard(self, sound: SoundFile, legs: list[_Leg], duration_s: float) -> Heard:
        names = self._reading.speakers if len(legs) > 1 else ("",)
        turns = [
            Turn(name, segment) for name, leg in zip(names, legs, strict=True) for segment in _segments(leg)
        ]
        turns.sort(key=lambda turn: turn.segment.start_s)
        problems = [sound.problem, _missed([said for leg in legs for said in leg.said])]
        return Heard(
            duration_s,
            _main_language(turns, self._reading.language),
            tuple(turns),
            tuple(problem for problem in problems if problem),
            sound.notes,
        )


def cut(sound: SoundFile) -> Iterator[tuple[float, list[tuple[int, Utterance]]]]:
    """What is said in a file: (second reached, utterances with the number of their leg), as it is decoded."""
    cutters = [_Cutter() for _ in range(sound.legs)]
    end_s = 0.0
    for block in sound.blocks():
        end_s = block.end / SAMPLE_RATE_HZ
        yield end_s, [found for leg, cutter in enumerate(cutters) for found in cutter.feed(block, leg)]
    yield end_s, [found for leg, cutter in enumerate(cutters) for found in cutter.end(leg)]


class _Cutter:
    """Finds the utterances of one leg."""

    def __init__(self) -> None:
        self._framer = Framer()
        self._endpointer = Endpointer()
        self._is_voice = VoiceDetector()

    def feed(self, block: Block, leg: int) -> Iterator[tuple[int, Utterance]]:
        return self._hear(self._framer.push(block.legs[leg], block.position), leg)

    def end(self, leg: int) -> Iterator[tuple[int, Utterance]]:
        yield from self._hear(self._framer.flush(), leg)
        if utterance := self._endpointer.flush():
            yield leg, utterance

    def _hear(self, frames: list[tuple[int, bytes]], leg: int) -> Iterator[tuple[int, Utterance]]:
        for position, frame in frames:
            if utterance := self._endpointer.feed(frame, position, self._is_voice(frame)):
                yield leg, utterance


def _segments(leg: _Leg) -> Iterator[Segment]:
    """What a leg said, in order, without what two utterances that were cut in mid-speech have in common."""
    before = ""
    for said in leg.said:
        outcome = said.outcome
        if isinstance(outcome, RecognitionError):
            continue
        text, words = outcome.text, outcome.words
        if said.utterance.overlap_ms:
            text = without_overlap(before, text, outcome.language)
            words = without_first(words, outcome.text, text)
        before = text
        if text:
            yield Segment(
                said.number,
                *bounds_s(said.utterance),
                text,
                outcome.language,
                outcome.confidence,
                placed(words, said.utterance),
            )


def _missed(said: list[_Said]) -> str:
    missed = [
        (bounds_s(one.utterance)[0], one.outcome) for one in said if isinstance(one.outcome, RecognitionError)
    ]
    if not missed:
        return ""
    first_s, error = min(missed, key=lambda one: one[0])
    if len(missed) == 1:
        return f"an utterance at {clock(first_s)} could not be recognised: {error}"
    return f"{len(missed)} utterances could not be recognised, the first at {clock(first_s)}: {error}"


def _main_language(turns: list[Turn], asked_for: str) -> str:
    """The language that was asked for, or else the one that was spoken most."""
    if asked_for != AUTO:
        return asked_for
    spoken_s: defaultdict[str, float] = defaultdict(float)
    for turn in turns:
        spoken_s[turn.segment.language] += turn.segment.end_s - turn.segment.start_s
    return max(spoken_s, key=lambda code: spoken_s[code], default=AUTO)
