"""The vocabulary of the append-only event log.

Every figure this project reports is computed from these events and nothing else. An event of a call
carries the call's id and a number that rises by one within the call; an event of an agent carries the
agent alone. ``at`` is UTC on the database's clock, in microseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class EventType(StrEnum):
    """What happened. The payload (``data``) that belongs to each type is given beside it."""

    CALL_STARTED = "call.started"  # direction, gateway, from, to
    CALL_ANSWERED = "call.answered"
    CALL_ENDED = "call.ended"  # cause: an EndCause
    TRANSFER_BLIND = "transfer.blind"  # to, kind: number | queue | agent
    TRANSFER_ATTENDED = "transfer.attended"  # to, kind: queue | agent

    CONSULT_STARTED = "consult.started"  # to, kind: the caller is on hold while agents talk about the call
    CONSULT_ENDED = "consult.ended"  # result: completed | cancelled | failed
    MONITOR_STARTED = "monitor.started"  # user, mode: listen | whisper | barge
    MONITOR_CHANGED = "monitor.changed"  # user, mode
    MONITOR_ENDED = "monitor.ended"  # user

    IVR_ENTERED = "ivr.entered"  # flow, node
    # node, kind, value ("*" per digit where the node is marked secret); kind speech: the name of what was
    # chosen, and score, how well it was heard
    IVR_INPUT = "ivr.input"
    IVR_NO_INPUT = "ivr.no_input"  # node
    IVR_NO_MATCH = "ivr.no_match"  # node
    IVR_LOOKUP = "ivr.lookup"  # node, result: ok | failed, ms; what was looked up is not in the log

    SURVEY_OFFERED = "survey.offered"  # survey, kinds: of its questions; queue and agent it is about
    SURVEY_ANSWERED = (
        "survey.answered"  # survey, question, kind (csat, nps, yes_no, words), score or recording
    )

    QUEUE_ENTERED = "queue.entered"  # position, priority, ewt_p50_s, ewt_p90_s
    QUEUE_ANNOUNCED = "queue.announced"  # position, ewt_p50_s, ewt_p90_s
    QUEUE_ABANDONED = "queue.abandoned"  # position, original_position, wait_s
    QUEUE_LEFT = "queue.left"  # reason: a LeftReason; to: the queue of an overflow

    # A caller in line was offered a callback (by: threshold | key; ewt_p50_s) and wanted none, or took it.
    CALLBACK_OFFERED = "callback.offered"
    CALLBACK_DECLINED = "callback.declined"
    CALLBACK_ACCEPTED = "callback.accepted"  # callback, kind: place | slot
    # What follows belongs to a callback and to no call: callback, from, to, by, cause, attempt.
    CALLBACK_QUEUED = "callback.queued"
    CALLBACK_SCHEDULED = "callback.scheduled"
    CALLBACK_DUE = "callback.due"
    CALLBACK_CLAIMED = "callback.claimed"
    CALLBACK_AGENT_RESERVED = "callback.agent_reserved"
    CALLBACK_AGENT_ACCEPTED = "callback.agent_accepted"
    CALLBACK_DIALING = "callback.dialing"
    CALLBACK_ANSWERED = "callback.answered"
    CALLBACK_CONFIRMING = "callback.confirming"
    CALLBACK_WAITING_AGENT = "callback.waiting_agent"
    CALLBACK_BRIDGED = "callback.bridged"
    CALLBACK_RETRY_WAIT = "callback.retry_wait"
    CALLBACK_RECONCILING = "callback.reconciling"
    CALLBACK_COMPLETED = "callback.completed"
    CALLBACK_CANCELLED = "callback.cancelled"
    CALLBACK_MERGED = "callback.merged"
    CALLBACK_EXHAUSTED = "callback.exhausted"
    CALLBACK_EXPIRED = "callback.expired"
    CALLBACK_REJECTED = "callback.rejected"
    CALLBACK_FAILED = "callback.failed"
    CALLBACK_REQUESTED = "callback.requested"
    CALLBACK_EDITED = "callback.edited"
    CALLBACK_MOVED = "callback.moved"
    CALLBACK_REASSIGNED = "callback.reassigned"
    CALLBACK_EXPEDITED = "callback.expedited"
    CALLBACK_ERASED = "callback.erased"

    OFFER_SENT = "offer.sent"
    OFFER_ACCEPTED = "offer.accepted"
    OFFER_REJECTED = "offer.rejected"
    OFFER_NO_ANSWER = "offer.no_answer"
    OFFER_CANCELLED = "offer.cancelled"  # reason

    AGENT_CONNECTED = "agent.connected"  # recorded: false where the caller has not consented, else absent
    HOLD_STARTED = "hold.started"
    HOLD_ENDED = "hold.ended"
    CONVERSATION_ENDED = "conversation.ended"  # by: customer | agent | system | transfer
    ACW_STARTED = "acw.started"
    ACW_ENDED = "acw.ended"  # disposition; resolved: whether it is, where the agent says so

    AGENT_STATE = "agent.state"  # from, to, reason

    TRANSCRIPT_SEGMENT = "transcript.segment"  # segment (row id); the words are not in the log
    TRANSCRIPT_MISSING = "transcript.missing"  # reason
    MEDIA_GAP = "media.gap"  # ms
    RECORDING_STARTED = "recording.started"  # recording, kind: conversation | voicemail | survey
    RECORDING_ENDED = "recording.ended"  # recording, duration_s
    RECORDING_FAILED = "recording.failed"  # recording, reason


class EndCause(StrEnum):
    """Why a call ended."""

    CALLER_HANGUP = "caller_hangup"
    AGENT_HANGUP = "agent_hangup"
    COMPLETED = "completed"  # the flow reached a hang-up node on purpose
    TRANSFERRED = "transferred"
    CLOSED = "closed"  # the flow hung up because of opening hours
    FULL = "full"
    TIMED_OUT = "timed_out"
    VOICEMAIL = "voicemail"
    UNREACHED = "unreached"  # the customer of a callback was not reached, or no agent for them
    FAILED = "failed"


class LeftReason(StrEnum):
    """Why a caller left a queue without an agent and without hanging up."""

    TIMEOUT = "timeout"
    KEY = "key"
    EMPTY = "empty"
    FULL = "full"
    CLOSED = "closed"
    TRANSFER = "transfer"
    CALLBACK = "callback"
    VOICEMAIL = "voicemail"
    OVERFLOW = "overflow"  # to another queue, keeping the time of arrival


class Outcome(StrEnum):
    """What became of a call; each ended call has exactly one."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    SHORT_ABANDONED = "short_abandoned"
    CALLBACK_REQUESTED = "callback_requested"
    VOICEMAIL = "voicemail"
    SELF_SERVED = "self_served"
    IVR_ABANDONED = "ivr_abandoned"
    CLOSED = "closed"
    BLOCKED = "blocked"
    TIMED_OUT = "timed_out"
    UNREACHED = "unreached"  # a callback whose customer did not come, or was put off
    CALLBACK_ABANDONED = "callback_abandoned"  # a callback whose customer hung up before an agent came
    FAILED = "failed"


CALLBACK_OUTCOMES = frozenset({Outcome.UNREACHED, Outcome.CALLBACK_ABANDONED})
"""No call that came in has one of these."""


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the event log.

    ``call_id`` and ``seq`` (from 1, without holes) are ``None`` for an event that belongs to an agent
    alone. ``event_id`` is given by the database when the event is stored.
    """

    type: EventType
    at: datetime
    call_id: UUID | None = None
    seq: int | None = None
    chain_id: UUID | None = None
    queue: str | None = None
    agent: str | None = None
    leg: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    event_id: int | None = None
