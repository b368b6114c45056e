"""Call flows: files that say what callers meet, and an engine that takes callers through them.

``check`` loads a flow, ``Engine`` runs it for one caller, ``draw`` makes a picture of it. The package
knows nothing of telephones or of the program around it.
"""

from ivr.actions import (
    Action,
    CancelTimer,
    Consented,
    Digit,
    Entered,
    Event,
    HangUp,
    Heard,
    HungUp,
    Input,
    JoinQueue,
    Listen,
    LookedUp,
    LookUp,
    NoInput,
    NoMatch,
    NotHeard,
    Play,
    Played,
    QueueEnded,
    RecordWords,
    Speech,
    SpeechEnded,
    SpeechStarted,
    StartTimer,
    StopListening,
    StopPlaying,
    SurveyAnswered,
    SurveyOffered,
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
from ivr.lookup import Request, Secret, found
from ivr.nodes import HangUpReason, QueueExit
from ivr.part import RECOGNISED_VARIABLES
from ivr.prompt import Prompt, Say, Wav
from ivr.reading import closing, lookups, reads

__all__ = [
    "RECOGNISED_VARIABLES",
    "Action",
    "CancelTimer",
    "Consented",
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
    "LookUp",
    "LookedUp",
    "NoInput",
    "NoMatch",
    "NotHeard",
    "Phase",
    "Play",
    "Played",
    "Prompt",
    "QueueEnded",
    "QueueExit",
    "RecordWords",
    "Request",
    "Say",
    "Secret",
    "Speech",
    "SpeechEnded",
    "SpeechStarted",
    "StartTimer",
    "StopListening",
    "StopPlaying",
    "SurveyAnswered",
    "SurveyOffered",
    "Timeout",
    "Transfer",
    "TransferFailed",
    "Voicemail",
    "VoicemailEnded",
    "Wav",
    "check",
    "closing",
    "draw",
    "found",
    "lookups",
    "reads",
]
