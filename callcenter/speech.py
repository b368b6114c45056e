"""What listens to legs, as the settings ask for it; a part of the composition root."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from asr import Confirmer, EngineSettings, EngineStats, ModelError, Recognizer, SpeechEngine
from asr.cluster import ClusterSettings, RayRecognizer
from asr.silero import SpeechConfirmer
from asr.whisper import WhisperSettings, open_engine
from callcenter import config
from callcenter.errors import UsageError


@dataclass(frozen=True, slots=True)
class Speech:
    """A recognizer and the better of two voice detectors; nothing where recognition is switched off."""

    recognizer: Recognizer | None = None
    confirmer: Confirmer | None = None


async def open_speech(stack: AsyncExitStack, settings: config.Asr) -> Speech:
    """Load the model, here or in a cluster. Raises ``UsageError`` where that cannot be done."""
    if not settings.enabled:
        return Speech()
    enter = stack.enter_async_context
    model = whisper_settings(settings)
    engine = EngineSettings(batch_s=settings.batch_ms / 1000, max_rows=settings.batch_rows)
    recognizer: Recognizer
    try:
        if settings.engine == "ray":
            cluster = ClusterSettings(**settings.cluster.model_dump())
            recognizer = await enter(RayRecognizer(cluster, model, engine))
        else:
            recognizer = await enter(open_engine(model, engine))
    except ModelError as error:
        raise UsageError(str(error)) from None
    return Speech(recognizer, await enter(SpeechConfirmer()))


def whisper_settings(settings: config.Asr) -> WhisperSettings:
    """The model that the settings name."""
    return WhisperSettings(
        model=settings.model,
        device=settings.device,
        compute_type=settings.compute_type,
        beam_size=settings.beam_size,
        workers=settings.workers,
        context=settings.context,
    )


def speech_stats(recognizer: Recognizer | None) -> tuple[EngineStats, int]:
    """What the engine did, and how often it had to be asked again because a replica was lost."""
    match recognizer:
        case SpeechEngine():
            return recognizer.stats(), 0
        case RayRecognizer():
            seen = recognizer.stats()
            return EngineStats(waiting=seen.waiting, done=seen.done, failed=seen.failed), seen.retried
        case _:
            return EngineStats(), 0
