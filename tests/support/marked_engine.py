"""The real engine, which also writes down which process recognised how many utterances."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from asr.engine import EngineSettings, SpeechEngine
from asr.recognizer import Recognition, Speech
from asr.whisper import WhisperSettings, open_engine


class MarkedEngine:
    """Leaves a line with the process's number for every utterance it has recognised."""

    def __init__(self, engine: SpeechEngine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder

    async def recognize(self, speech: Speech) -> Recognition:
        recognition = await self._engine.recognize(speech)
        with (self._folder / "marks").open("a") as marks:
            marks.write(f"{os.getpid()}\n")
        return recognition

    def pace(self) -> float:
        return self._engine.pace()


@asynccontextmanager
async def marked_engine(whisper: WhisperSettings, engine: EngineSettings) -> AsyncIterator[MarkedEngine]:
    """For ``RayRecognizer``; the marks are in the engine's folder for sound that waits."""
    assert engine.spool_folder is not None
    async with open_engine(whisper, engine) as opened:
        yield MarkedEngine(opened, engine.spool_folder)


def marks(folder: Path) -> Counter[int]:
    """How many utterances each process has recognised so far."""
    file = folder / "marks"
    return Counter(int(line) for line in file.read_text().splitlines()) if file.exists() else Counter()


async def marks_of(folder: Path, processes: int, utterances: int, within_s: float) -> Counter[int]:
    """Wait until so many processes have recognised so many utterances each."""
    async with asyncio.timeout(within_s):
        while sum(count >= utterances for count in marks(folder).values()) < processes:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return marks(folder)
