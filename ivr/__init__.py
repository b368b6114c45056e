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
    HungUp,
    Input,
    JoinQueue,
    LookedUp,
    LookUp,
    NoInput,
    NoMatch,
    Play,
    Played,
    QueueEnded,
    RecordWords,
    StartTimer,
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
from ivr.flow import Flow, closing, lookups, reads
from ivr.hours import Hours
from ivr.load import check
from ivr.lookup import Request, Secret, found
from ivr.nodes import HangUpReason, QueueExit
from ivr.part import RECOGNISED_VARIABLES
from ivr.prompt import Prompt, Say, Wav

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
    "Hours",
    "HungUp",
    "Input",
    "IvrError",
    "JoinQueue",
    "LookUp",
    "LookedUp",
    "NoInput",
    "NoMatch",
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
    "StartTimer",
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
