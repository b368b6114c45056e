"""Call flows: files that say what callers meet, and an engine that takes callers through them.

``check`` loads a flow, ``Engine`` runs it for one caller, ``draw`` makes a picture of it. The package
knows nothing of telephones or of the program around it.
"""

from ivr.actions import (
    Action,
    CancelTimer,
    Digit,
    Entered,
    Event,
    HangUp,
    Heard,
    HungUp,
    Input,
    JoinQueue,
    Listen,
    NoInput,
    NoMatch,
    NotHeard,
    Play,
    Played,
    QueueEnded,
    Speech,
    SpeechEnded,
    SpeechStarted,
    StartTimer,
    StopListening,
    StopPlaying,
    Timeout,
    Transfer,
    TransferFailed,
    Voicemail,
    VoicemailEnded,
)
from ivr.draw import draw
from ivr.engine import Engine, Phase
from ivr.errors import FlowError, IvrError
from ivr.flow import Flow
from ivr.hours import Hours
from ivr.load import check
from ivr.nodes import HangUpReason, QueueExit
from ivr.prompt import Prompt, Say, Wav

__all__ = [
    "Action",
    "CancelTimer",
    "Digit",
    "Engine",
    "Entered",
    "Event",
    "Flow",
    "FlowError",
    "HangUp",
    "HangUpReason",
    "Heard",
    "Hours",
    "HungUp",
    "Input",
    "IvrError",
    "JoinQueue",
    "Listen",
    "NoInput",
    "NoMatch",
    "NotHeard",
    "Phase",
    "Play",
    "Played",
    "Prompt",
    "QueueEnded",
    "QueueExit",
    "Say",
    "Speech",
    "SpeechEnded",
    "SpeechStarted",
    "StartTimer",
    "StopListening",
    "StopPlaying",
    "Timeout",
    "Transfer",
    "TransferFailed",
    "Voicemail",
    "VoicemailEnded",
    "Wav",
    "check",
    "draw",
]
