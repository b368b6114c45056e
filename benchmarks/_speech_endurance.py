"""What many hours show: words that nobody said, and memory that is not given back.

Sound is fed as quickly as it is recognised, unless it is to be as slow as it really is. A leg's next second
waits while much is still to be recognised, so nothing is put off and partials come as in calls.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from _report import Report, progress
from _speech_audio import NON_SPEECH, Leg, non_speech
from _speech_servers import LANGUAGE, Ear
from _speech_throughput import settings

from asr import SAMPLE_RATE_HZ, Confirmer, LegSession, Listening, SpeechEngine
from asr.silero import SpeechConfirmer
from asr.whisper import open_engine

_PIECE_S = 0.1
_PIECE = round(_PIECE_S * SAMPLE_RATE_HZ)
_WAITING_MAX = 4
_FINISH_S = 60.0
_WARM_UP_SHARE = 0.2
_SAMPLE_EVERY_S = 10
_MIB = 2**20


class _Crowd:
    """Legs that are fed side by side, a piece of each in turn."""

    def __init__(self, engine: SpeechEngine, confirmer: Confirmer, count: int) -> None:
        self.engine = engine
        self.fed_s = 0.0
        self.ears = [Ear(lambda: self.fed_s) for _ in range(count)]
        self._sessions = [
            LegSession(engine, Listening(LANGUAGE), ear, confirmer=confirmer) for ear in self.ears
        ]

    async def hear(self, sounds: Sequence[bytes], realtime: bool = False) -> None:
        """Feed each leg its sound, all of the same length."""
        began_s, from_s = time.monotonic(), self.fed_s
        for at in range(0, len(sounds[0]) // 2, _PIECE):
            position = round(self.fed_s * SAMPLE_RATE_HZ)
            for session, sound in zip(self._sessions, sounds, strict=True):
                session.feed(sound[2 * at : 2 * (at + _PIECE)], position)
            self.fed_s = round(self.fed_s + _PIECE_S, 1)
            while self.engine.stats().waiting > _WAITING_MAX:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
            ahead_s = self.fed_s - from_s - (time.monotonic() - began_s)
            await asyncio.sleep(max(ahead_s, 0) if realtime else 0)

    async def finish(self) -> None:
        """Wait for all that was said."""
        await asyncio.gather(*(session.finish(_FINISH_S) for session in self._sessions))


async def no_speech(report: Report, each_s: float) -> None:
    """Each kind of sound that is no speech, ``each_s`` seconds of it on a leg of its own."""
    async with open_engine(settings("demo-en")) as engine, SpeechConfirmer() as confirmer:
        crowd = _Crowd(engine, confirmer, len(NON_SPEECH))
        for sounds in zip(*(non_speech(kind, each_s) for kind in NON_SPEECH), strict=True):
            await crowd.hear(sounds)
        await crowd.finish()
    hours = len(NON_SPEECH) * crowd.fed_s / 3600
    for kind, ear in zip(NON_SPEECH, crowd.ears, strict=True):
        if ear.seen.finals:
            progress(f"{kind}: {len(ear.seen.finals)} finals")
    invented = sum(len(ear.seen.finals) for ear in crowd.ears)
    report.add("non_speech", round(60 * hours, 1), "minutes")
    report.add("finals_per_hour_of_non_speech", round(invented / hours, 2), "finals", "<= 0.5")


async def memory(report: Report, legs: Sequence[Leg], long_s: float, realtime: bool) -> None:
    """Follow the memory of this process while ``legs`` are heard over and over for ``long_s`` each."""
    sampled: list[tuple[float, float]] = []
    async with open_engine(settings("demo-en")) as engine, SpeechConfirmer() as confirmer:
        crowd = _Crowd(engine, confirmer, len(legs))
        began_s = time.monotonic()
        for sounds in _over_and_over(legs):
            await crowd.hear(sounds, realtime)
            sampled.append((crowd.fed_s / 60, _rss_bytes() / _MIB))
            for ear in crowd.ears:
                ear.seen.finals.clear()
                ear.seen.shown.clear()
            if crowd.fed_s >= long_s:
                break
        await crowd.finish()
    steady = sampled[int(len(sampled) * _WARM_UP_SHARE) :]
    minutes, mib = np.array(steady).T
    report.add("memory_legs", len(legs), "legs")
    report.add("memory_sound", round(crowd.fed_s / 60, 1), "min of each leg")
    report.add("memory_faster_than_real_time", round(crowd.fed_s / (time.monotonic() - began_s), 1), "times")
    report.add("memory_at_the_end", round(sampled[-1][1]), "MiB")
    report.add("memory_slope", round(float(np.polyfit(minutes, mib, 1)[0]), 3), "MiB per min", "<= 1")


def _over_and_over(legs: Sequence[Leg]) -> Iterator[list[bytes]]:
    """Ten seconds of each leg at a time, for ever."""
    size = _SAMPLE_EVERY_S * SAMPLE_RATE_HZ * 2
    for turn in itertools.count():
        yield [_from(leg.pcm16, turn * size, size) for leg in legs]


def _from(sound: bytes, start: int, size: int) -> bytes:
    """``size`` bytes of a sound that is repeated, from ``start`` on."""
    at = start % len(sound)
    return (sound[at:] + sound * (size // len(sound) + 1))[:size]


def _rss_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
