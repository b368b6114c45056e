"""Speech recognition: where speech begins and ends, and what was said.

A leaf: it knows sound, text and time, and nothing of calls. ``asr.whisper`` is imported on its own,
because that loads the machine-learning libraries.
"""

from asr.endpoint import Endpointer, EndpointSettings, Utterance
from asr.errors import (
    ClosedSpeechError,
    LanguageError,
    ModelError,
    OverloadedSpeechError,
    RecognitionError,
    SpeechError,
)
from asr.framing import Framer
from asr.recognizer import SAMPLE_RATE_HZ, Failure, Recognition, Recognizer, Segment
from asr.session import LegSession
from asr.vad import VoiceDetector

__all__ = [
    "SAMPLE_RATE_HZ",
    "ClosedSpeechError",
    "EndpointSettings",
    "Endpointer",
    "Failure",
    "Framer",
    "LanguageError",
    "LegSession",
    "ModelError",
    "OverloadedSpeechError",
    "Recognition",
    "RecognitionError",
    "Recognizer",
    "Segment",
    "SpeechError",
    "Utterance",
    "VoiceDetector",
]
