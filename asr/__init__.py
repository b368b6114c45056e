"""Speech recognition: where speech begins and ends, and what was said.

A leaf: it knows sound, text and time, and nothing of calls. ``asr.whisper`` and ``asr.silero``
are imported on their own, because they load the machine-learning libraries.
"""

from asr.endpoint import Endpointer, EndpointSettings, Utterance
from asr.engine import EngineSettings, EngineStats, SpeechEngine
from asr.errors import (
    ClosedSpeechError,
    LanguageError,
    ModelError,
    OverloadedSpeechError,
    RecognitionError,
    SpeechError,
)
from asr.framing import Framer
from asr.recognizer import (
    AUTO,
    SAMPLE_RATE_HZ,
    Failure,
    Partial,
    Recognition,
    Recognizer,
    Segment,
    Speech,
    Urgency,
    Word,
)
from asr.session import LegListener, LegSession, Listening, VoiceListener
from asr.vad import VoiceDetector
from asr.voice import Confirmer

__all__ = [
    "AUTO",
    "SAMPLE_RATE_HZ",
    "ClosedSpeechError",
    "Confirmer",
    "EndpointSettings",
    "Endpointer",
    "EngineSettings",
    "EngineStats",
    "Failure",
    "Framer",
    "LanguageError",
    "LegListener",
    "LegSession",
    "Listening",
    "ModelError",
    "OverloadedSpeechError",
    "Partial",
    "Recognition",
    "RecognitionError",
    "Recognizer",
    "Segment",
    "Speech",
    "SpeechEngine",
    "SpeechError",
    "Urgency",
    "Utterance",
    "VoiceDetector",
    "VoiceListener",
    "Word",
]
