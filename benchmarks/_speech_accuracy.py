"""What short input costs in errors, whether company changes what is heard, and how true word times are."""

import asyncio
import difflib
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import jiwer
from _report import Report
from _speech_audio import Said, SpokenWord
from _speech_live import quantile
from _speech_servers import LANGUAGE
from _speech_throughput import settings

from asr import (
    SAMPLE_RATE_HZ,
    Failure,
    LegSession,
    Listening,
    Partial,
    Recognition,
    Segment,
    Speech,
    Urgency,
    Word,
)
from asr.schedule import Plan
from asr.silero import SpeechConfirmer
from asr.whisper import WhisperBatches, open_engine

_FULL_CONTEXT = 3000
_NEAR_MS = 200
_LEAD_S = 1.0
_SILENCE_BYTES = round(_LEAD_S * SAMPLE_RATE_HZ) * 2
_PATIENCE_S = 120.0
_BATCH = 8
_NOT_A_WORD = re.compile(r"[^a-z0-9' ]")


async def errors(report: Report, sentences: Sequence[Said]) -> None:
    """Word error rates on sentences and voices that are new to the model, and their ratio."""
    short, full = [await _error_rate(sentences, context) for context in (None, _FULL_CONTEXT)]
    report.add("sentences", len(sentences), "sentences")
    report.add("wer_short_context", round(100 * short, 2), "%")
    report.add("wer_full_padding", round(100 * full, 2), "%")
    report.add("wer_ratio (short context to full padding)", _ratio(short, full), "", "<= 1.02")


async def _error_rate(sentences: Sequence[Said], context: int | None) -> float:
    heard = await _heard(sentences, context)
    return float(jiwer.wer([_plain(one.text) for one in sentences], [_plain(one.text) for one in heard]))


async def _heard(sentences: Sequence[Said], context: int | None) -> list[Recognition]:
    async with open_engine(settings("demo-en", context)) as engine:
        wanted = [Speech(one.pcm16, LANGUAGE, Urgency.LATER) for one in sentences]
        return list(await asyncio.gather(*(engine.recognize(speech) for speech in wanted)))


def _ratio(short: float, full: float) -> float:
    return round(short / full, 3) if full else 1.0 + short


def company(report: Report, sentences: Sequence[Said]) -> None:
    """Recognise each sentence alone and with up to seven others whose input is as long."""
    model = WhisperBatches(settings("demo-en"))
    model.load()
    groups: dict[Plan, list[Speech]] = {}
    for one in sentences:
        speech = Speech(one.pcm16, LANGUAGE)
        groups.setdefault(model.plan(speech, full=False), []).append(speech)
    differences = 0
    for plan, speeches in groups.items():
        for first in range(0, len(speeches), _BATCH):
            batch = speeches[first : first + _BATCH]
            alone = [model.run([speech], plan)[0] for speech in batch]
            differences += sum(
                _text(one) != _text(other) for one, other in zip(alone, model.run(batch, plan), strict=True)
            )
    model.close()
    report.add("differences (alone and in a batch)", differences, "texts", "= 0")


def _text(outcome: object) -> str:
    return outcome.text if isinstance(outcome, Recognition) else repr(type(outcome))


async def word_times(report: Report, sentences: Sequence[Said]) -> None:
    """Compare the starts of words with those of the synthesiser, where the same word was heard."""
    heard = await _as_legs_hear(sentences)
    off_ms = [
        1000 * abs(word.start_s - truth.start_s)
        for one, words in zip(sentences, heard, strict=True)
        for truth, word in _matched(one.words, words)
    ]
    said = sum(len(one.words) for one in sentences)
    near = sum(one <= _NEAR_MS for one in off_ms)
    report.add("words_matched", round(100 * len(off_ms) / said, 1), "% of words")
    report.add("word_start_error_p50", round(statistics.median(off_ms or [999.0])), "ms", "<= 60")
    report.add("word_start_error_p95", round(quantile(off_ms, 0.95)), "ms")
    report.add("word_starts_within_200_ms", round(100 * near / max(len(off_ms), 1), 1), "% of words", ">= 95")


@dataclass(slots=True)
class _Words:
    """Keeps the words of a leg on the clock of what was said; a ``LegListener``."""

    words: list[Word] = field(default_factory=list)

    def heard(self, segment: Segment) -> None:
        """Keep the words that have their times at once."""
        self.timed(segment.number, segment.words)

    def hearing(self, partial: Partial) -> None:
        """Partials have no times."""

    def timed(self, number: int, words: tuple[Word, ...]) -> None:
        """Keep words whose times came later."""
        self.words += [replace(word, start_s=word.start_s - _LEAD_S) for word in words]

    def missed(self, failure: Failure) -> None:
        """What is missed has no times."""


async def _as_legs_hear(sentences: Sequence[Said]) -> list[list[Word]]:
    """The words of each sentence as the only one of a leg, with silence around it."""
    listeners = [_Words() for _ in sentences]
    async with open_engine(settings("demo-en")) as engine, SpeechConfirmer() as confirmer:

        async def hear(one: Said, listener: _Words) -> None:
            session = LegSession(engine, Listening(LANGUAGE, partials=False), listener, confirmer=confirmer)
            session.feed(bytes(_SILENCE_BYTES) + one.pcm16 + bytes(_SILENCE_BYTES), 0)
            await session.finish(_PATIENCE_S)

        await asyncio.gather(*(hear(*pair) for pair in zip(sentences, listeners, strict=True)))
    return [sorted(listener.words, key=lambda word: word.start_s) for listener in listeners]


def _matched(truths: Sequence[SpokenWord], words: Sequence[Word]) -> list[tuple[SpokenWord, Word]]:
    """Words that were heard as they were said, in their order."""
    said, heard = [_plain(one.text) for one in truths], [_plain(one.text) for one in words]
    blocks = difflib.SequenceMatcher(None, said, heard, autojunk=False).get_matching_blocks()
    return [
        (truths[block.a + offset], words[block.b + offset])
        for block in blocks
        for offset in range(block.size)
        if said[block.a + offset]
    ]


def _plain(text: str) -> str:
    return " ".join(_NOT_A_WORD.sub(" ", text.lower()).split())
