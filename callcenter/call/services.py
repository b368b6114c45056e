"""What a call needs from the rest of the program, handed over once by the composition root."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from asr import Confirmer, Recognizer
from callcenter import config
from callcenter.acd.dispatcher import Dispatcher
from callcenter.acd.queues import Queues
from callcenter.acd.waits import WaitTimes
from callcenter.call.background import Background
from callcenter.call.partials import Partials
from callcenter.callbacks.opening import Callbacks
from callcenter.errors import NotFoundError
from callcenter.events import Event
from callcenter.media.pacer import Pacer
from callcenter.media.prompts import Prompts
from callcenter.media.recorder import RecordingWriter
from callcenter.storage.closures import ClosureBoard
from callcenter.storage.history import History
from callcenter.storage.leg_tokens import LegTokens
from callcenter.storage.recordings import Recordings
from callcenter.storage.transcripts import Transcripts
from callcenter.storage.wait_estimates import WaitEstimates
from callcenter.telephony.port import Gateway
from ivr import Flow, LookUp


@dataclass(frozen=True, slots=True)
class CallServices:
    """The collaborators of every call session of this process."""

    node_id: UUID
    settings: config.Settings
    now: Callable[[], datetime]
    append: Callable[[Event], None]
    flows: Mapping[str, Flow]
    gateways: dict[str, Gateway]
    queues: Queues
    dispatcher: Dispatcher
    pacer: Pacer
    prompts: Prompts
    recorder: RecordingWriter
    recordings_dir: Path
    recordings: Recordings
    transcripts: Transcripts
    leg_tokens: LegTokens
    recognizer: Recognizer | None
    confirmer: Confirmer | None
    partials: Partials
    background: Background
    waits: WaitTimes
    wait_estimates: WaitEstimates
    look_up: Callable[[LookUp], Awaitable[Mapping[str, str] | None]]
    closures: ClosureBoard
    history: History
    callbacks: Callbacks

    def flow_for(self, number: str) -> Flow:
        """Return the flow that answers a called number; raises ``NotFoundError`` when none does."""
        flow = self.flows.get(number) or self.flows.get("*")
        if flow is None:
            raise NotFoundError(f"no route answers the number {number}")
        return flow
