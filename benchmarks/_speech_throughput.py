"""Sound recognised per second of time: ours and faster-whisper's own ways, in turn, on the same segments.

Ours gets all segments at once, as from files, on two workers of one thread. ``WhisperModel.transcribe`` is
called by two threads on a model with two workers; ``BatchedInferencePipeline`` gets all segments as clips of
one sound, eight to a batch, on a model with two threads. Both are run with a beam of 1 and the language
given, everything else as it comes.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
from _report import Report, progress
from _speech_audio import Said
from _speech_models import BUNDLED, SHAPES, random_model
from _speech_servers import LANGUAGE, wide
from faster_whisper import BatchedInferencePipeline, WhisperModel

from asr import SAMPLE_RATE_HZ, Recognizer, Speech, Urgency
from asr.whisper import WhisperSettings, open_engine

WORKERS = 2
TRANSCRIBE, BATCHED = "WhisperModel.transcribe", "BatchedInferencePipeline"
_BATCH = 8
_FLOOR_10_S, _NO_FLOOR = 1000, 1
_GAP_S = 0.5
_WIDE_HZ = 2 * SAMPLE_RATE_HZ

Way = Callable[[Sequence[Said]], Awaitable[None]]


def whisper(folder: Path, *, threads: int, workers: int) -> WhisperModel:
    """faster-whisper's own model."""
    return WhisperModel(
        str(folder), device="cpu", compute_type="int8", cpu_threads=threads, num_workers=workers
    )


def settings(model: str, context: int | None = None) -> WhisperSettings:
    """Ours, with both cores."""
    return WhisperSettings(model=model, device="cpu", beam_size=1, workers=WORKERS, context=context)


def by_engine(engine: Recognizer) -> Way:
    """Ours."""

    async def recognise(segments: Sequence[Said]) -> None:
        await asyncio.gather(
            *(engine.recognize(Speech(one.pcm16, LANGUAGE, Urgency.LATER)) for one in segments)
        )

    return recognise


def by_transcribe(model: WhisperModel) -> Way:
    """Each segment by itself, padded to 30 s."""

    def transcribe(one: Said) -> None:
        list(model.transcribe(wide(one.pcm16), language=LANGUAGE, beam_size=1)[0])

    def all_of(segments: Sequence[Said]) -> None:
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(transcribe, segments))

    async def recognise(segments: Sequence[Said]) -> None:
        await asyncio.to_thread(all_of, segments)

    return recognise


def by_batches(model: WhisperModel) -> Way:
    """Eight segments at a time, padded to 30 s."""
    pipeline = BatchedInferencePipeline(model)

    def all_of(segments: Sequence[Said]) -> None:
        sounds, clips, at_s = [], [], 0.0
        gap = np.zeros(round(_GAP_S * _WIDE_HZ), np.float32)
        for one in segments:
            sounds += [wide(one.pcm16), gap]
            clips.append({"start": at_s, "end": at_s + one.seconds})
            at_s += one.seconds + _GAP_S
        heard, _ = pipeline.transcribe(
            np.concatenate(sounds),
            language=LANGUAGE,
            beam_size=1,
            batch_size=_BATCH,
            vad_filter=False,
            clip_timestamps=clips,
        )
        list(heard)

    async def recognise(segments: Sequence[Said]) -> None:
        await asyncio.to_thread(all_of, segments)

    return recognise


async def speeds(ways: dict[str, Way], segments: Sequence[Said], rounds: int) -> dict[str, float]:
    """Seconds of sound per second of each way: the median of ``rounds``, after a few segments to warm up."""
    sound_s = sum(one.seconds for one in segments)
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        await way(segments[:2])
    for _ in range(rounds):
        for name, way in ways.items():
            began_s = time.perf_counter()
            await way(segments)
            measured[name].append(sound_s / (time.perf_counter() - began_s))
            progress(f"{name}: {measured[name][-1]:.1f} x real time")
    return {name: statistics.median(values) for name, values in measured.items()}


async def bundled(report: Report, segments: Sequence[Said], rounds: int) -> None:
    """With the model that hears the demo."""
    async with open_engine(settings("demo-en")) as engine:
        ways = {
            "callcenter": by_engine(engine),
            TRANSCRIBE: by_transcribe(whisper(BUNDLED, threads=1, workers=WORKERS)),
            BATCHED: by_batches(whisper(BUNDLED, threads=WORKERS, workers=1)),
        }
        found = await speeds(ways, segments, rounds)
    report.add("segments", len(segments), "segments")
    report.add("segments_sound", round(sum(one.seconds for one in segments)), "s")
    for name, speed in found.items():
        report.add(f"demo_en_speed ({name})", round(speed, 1), "x real time")
    for name in (TRANSCRIBE, BATCHED):
        report.add(
            f"demo_en_speed_ratio (to {name})", round(found["callcenter"] / found[name], 1), "", ">= 8"
        )


async def shapes(report: Report, segments: Sequence[Said], rounds: int, names: Sequence[str]) -> None:
    """With random weights in Whisper's usual shapes: what it costs, not what is heard."""
    for name in names:
        with tempfile.TemporaryDirectory(prefix="callcenter-bench-") as temporary:
            folder = random_model(SHAPES[name], Path(temporary) / name)
            await _shape(report, segments, rounds, name, folder)


async def _shape(report: Report, segments: Sequence[Said], rounds: int, name: str, folder: Path) -> None:
    async with AsyncExitStack() as stack:
        cut = await stack.enter_async_context(open_engine(settings(str(folder), _NO_FLOOR)))
        floor = await stack.enter_async_context(open_engine(settings(str(folder), _FLOOR_10_S)))
        ways = {
            "callcenter without padding": by_engine(cut),
            "callcenter padding to 10 s": by_engine(floor),
            TRANSCRIBE: by_transcribe(whisper(folder, threads=1, workers=WORKERS)),
            BATCHED: by_batches(whisper(folder, threads=WORKERS, workers=1)),
        }
        found = await speeds(ways, segments, rounds)
    peer = max(found[TRANSCRIBE], found[BATCHED])
    for way, speed in found.items():
        report.add(f"{name}_speed ({way})", round(speed, 1), "x real time")
    without, with_floor = list(found.values())[:2]
    report.add(f"{name}_speed_ratio (without padding, to the faster peer)", round(without / peer, 1), "")
    report.add(
        f"{name}_speed_ratio (padding to 10 s, to the faster peer)", round(with_floor / peer, 1), "", ">= 4"
    )
