"""A process that has one utterance recognised by a cluster, then waits for its input to end.

Arguments: address, folder for marks, file with PCM16, model. Prints what was heard, or the error.
"""

import asyncio
import sys
from pathlib import Path

from asr import EngineSettings, ModelError, Speech
from asr.cluster import ClusterSettings, RayRecognizer
from asr.whisper import WhisperSettings
from support.marked_engine import marked_engine


async def main(address: str, folder: str, sound: str, model: str) -> None:
    settings = ClusterSettings(address, 1, 1, 0.5, start_timeout_s=120)
    engine = EngineSettings(spool_folder=Path(folder))
    try:
        async with RayRecognizer(settings, WhisperSettings(model), engine, marked_engine) as recognizer:
            heard = await recognizer.recognize(Speech(Path(sound).read_bytes(), "en"))
            tell(heard.text)
            await asyncio.to_thread(sys.stdin.read)
    except ModelError as error:
        tell(f"ModelError: {error}")


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
