"""What became of one call: its events folded into ring, wait, talk, hold and wrap-up times.

The fold is a state table over the phases a caller goes through. The time between two events belongs to the
phase the call was in, so the parts of a call never add up to more than the call. An event that its phase
does not know changes nothing: logs of open calls and of calls that a dead process left behind are read
the same way as complete ones.

In a call that calls a customer back the agent may be there first: then the contact begins with the first
ringing of an agent's telephone, or where ``queue.entered`` says so, and its wait goes on while the customer's
rings, until ``agent.connected``, with whom the customer talks. Where the customer is there first the contact
begins with ``queue.entered``, as ever. ``call.answered`` is the customer's picking up in both.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from callcenter.contact import IN_CONTACT, Contact, ContactEnd, Entry, Phase
from callcenter.events import EndCause, Event, EventType, LeftReason, Outcome
from callcenter.outcome import decide, decide_callback

__all__ = ["CALLBACK", "INBOUND", "RELEVANT", "Contact", "ContactEnd", "Timeline", "build", "outcome_of"]

INBOUND = "inbound"
CALLBACK = "callback"
_ZERO = timedelta(0)
_Member = TypeVar("_Member", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Timeline:
    """One call. ``outcome`` is ``None`` while the call is open and does not change once it has ended.

    ``total_s`` is start to end (to ``now`` while open); ``ivr_s`` the time spent in the flow, outside of
    queues and conversations.
    """

    call_id: UUID | None
    chain_id: UUID | None
    direction: str
    from_number: str
    to_number: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    end_cause: EndCause | None
    outcome: Outcome | None
    total_s: float
    ivr_s: float
    contacts: tuple[Contact, ...]

    @property
    def wait_s(self) -> float:
        """Time waited in all queues of the call."""
        return sum(contact.wait_s for contact in self.contacts)


def build(events: Sequence[Event], now: datetime | None, short_abandon_s: float = 6) -> Timeline:
    """Fold one call's events, in whatever order they come, into its timeline.

    ``now`` is how far the times of an open call, or of a wrap-up that still runs, are counted; ``None``
    counts to the last event. ``short_abandon_s`` of 0 switches short abandons off. An event whose time lies
    before its predecessor's (two nodes' writes crossing) is taken as simultaneous with it. Raises
    ``ValueError`` for no events or events of more than one call.
    """
    if not events:
        raise ValueError("a timeline needs at least one event")
    if len({event.call_id for event in events}) > 1:
        raise ValueError("the events belong to more than one call")
    ordered = sorted(events, key=lambda event: event.seq or 0)
    call = _Call(started_at=ordered[0].at, at=ordered[0].at)
    for event in ordered:
        call.take(event)
    return call.freeze(ordered[0], now, short_abandon_s)


def outcome_of(events: Sequence[Event], cause: EndCause, short_abandon_s: float = 6) -> Outcome:
    """Say which outcome an open call will have if it ends now for this cause.

    The one writer of ``call.ended`` stores with it what ``build`` will find. Raises ``ValueError`` as
    ``build`` does.
    """
    last = max(events, key=lambda event: event.seq or 0, default=None)
    if last is None:
        raise ValueError("a timeline needs at least one event")
    end = Event(EventType.CALL_ENDED, last.at, last.call_id, (last.seq or 0) + 1, data={"cause": cause.value})
    return build([*events, end], None, short_abandon_s).outcome or Outcome.FAILED


@dataclass(slots=True)
class _Call:
    """A call in the making: ``take`` every event in order, then ``freeze``."""

    started_at: datetime
    at: datetime
    direction: str = INBOUND
    phase: Phase = Phase.SETUP
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    cause: EndCause | None = None
    ivr: timedelta = _ZERO
    entries: list[Entry] = field(default_factory=list)
    bridged: bool = False
    handed_over: bool = False
    voicemail: bool = False

    def take(self, event: Event) -> None:
        self._spend(max(event.at, self.at))
        effect = _ANYWHERE.get(event.type)
        if effect is not None:
            effect(self, event)
        step = _STEPS[self.phase].get(event.type)
        if step is not None:
            self.phase, effect = step
            effect(self, event)

    def freeze(self, first: Event, now: datetime | None, short_abandon_s: float) -> Timeline:
        self._spend(max(now or self.at, self.at))
        contacts = tuple(entry.freeze(self.at) for entry in self.entries)
        data = first.data if first.type is EventType.CALL_STARTED else {}
        return Timeline(
            call_id=first.call_id,
            chain_id=first.chain_id,
            direction=self.direction,
            from_number=str(data.get("from", "")),
            to_number=str(data.get("to", "")),
            started_at=self.started_at,
            answered_at=self.answered_at,
            ended_at=self.ended_at,
            end_cause=self.cause,
            outcome=None if self.ended_at is None else self._outcome(contacts, short_abandon_s),
            total_s=((self.ended_at or self.at) - self.started_at).total_seconds(),
            ivr_s=self.ivr.total_seconds(),
            contacts=contacts,
        )

    def _outcome(self, contacts: Sequence[Contact], short_abandon_s: float) -> Outcome:
        if self.direction == CALLBACK:
            picked_up = self.answered_at is not None
            return decide_callback(self.cause, bridged=self.bridged, picked_up=picked_up)
        return decide(
            self.cause,
            contacts,
            bridged=self.bridged,
            voicemail=self.voicemail,
            short_abandon_s=short_abandon_s,
        )

    def _spend(self, until: datetime) -> None:
        span, self.at = until - self.at, until
        if self.phase is Phase.IVR:
            self.ivr += span
        elif self.phase in IN_CONTACT:
            spent = self.entries[-1].spent
            spent[self.phase] = spent.get(self.phase, _ZERO) + span


# What a call's end means for a caller whose wait the log did not end; any other cause is a failure.
_CUT_OFF: Mapping[EndCause | None, tuple[ContactEnd, LeftReason | None]] = {
    EndCause.CALLER_HANGUP: (ContactEnd.ABANDONED, None),
    EndCause.CLOSED: (ContactEnd.LEFT, LeftReason.CLOSED),
    EndCause.FULL: (ContactEnd.LEFT, LeftReason.FULL),
    EndCause.TIMED_OUT: (ContactEnd.LEFT, LeftReason.TIMEOUT),
    EndCause.VOICEMAIL: (ContactEnd.LEFT, LeftReason.VOICEMAIL),
    EndCause.TRANSFERRED: (ContactEnd.LEFT, LeftReason.TRANSFER),
    EndCause.UNREACHED: (ContactEnd.LEFT, None),
}
_AT_THE_DOOR = frozenset({LeftReason.FULL, LeftReason.CLOSED, LeftReason.EMPTY})


def _member(kind: type[_Member], value: object) -> _Member | None:
    return next((member for member in kind if member.value == value), None)


def _nothing(_call: _Call, _event: Event) -> None:
    """Move on to the next phase, no more."""


def _begin(call: _Call, event: Event) -> None:
    call.direction = str(event.data.get("direction", INBOUND))


def _pick_up(call: _Call, _event: Event) -> None:
    call.answered_at = call.at


def _enter(call: _Call, event: Event) -> None:
    position = event.data.get("position")
    entry = Entry(event.queue or "", call.at)
    entry.known = {"position": position, "original_position": position}
    call.entries.append(entry)


def _move(call: _Call, event: Event) -> None:
    call.entries[-1].close(call.at, ContactEnd.LEFT, left_reason=LeftReason.TRANSFER)
    _enter(call, event)


def _talk_over_and_enter(call: _Call, event: Event) -> None:
    _talk_over(call, event)
    _enter(call, event)


def _announce(call: _Call, event: Event) -> None:
    entry = call.entries[-1]
    entry.known["position"] = event.data.get("position", entry.known["position"])


def _abandon(call: _Call, event: Event) -> None:
    entry = call.entries[-1]
    known = entry.known
    places = {key: event.data.get(key, known[key]) for key in ("position", "original_position")}
    entry.close(call.at, ContactEnd.ABANDONED, **places)


def _leave(call: _Call, event: Event) -> None:
    reason = _member(LeftReason, event.data.get("reason"))
    ended = ContactEnd.FAILED if reason is None else ContactEnd.LEFT
    call.entries[-1].close(call.at, ended, left_reason=reason)


def _turned_away(call: _Call, event: Event) -> None:
    """A queue that refuses a caller at the door may say only that the caller left it."""
    if event.queue and _member(LeftReason, event.data.get("reason")) in _AT_THE_DOOR:
        _enter(call, event)
        _leave(call, event)


def _offer(call: _Call, event: Event) -> None:
    entry = call.entries[-1]
    entry.stop_ringing(event.agent, call.at)
    entry.ringing[event.agent] = call.at
    entry.offers += 1


def _turn(call: _Call, event: Event) -> None:
    """An agent's telephone rings outside of any wait: so begins the turn of a customer who is called back."""
    if call.direction == CALLBACK:
        call.phase = Phase.WAITING
        _enter(call, event)
        _offer(call, event)


def _offer_over(call: _Call, event: Event) -> None:
    call.entries[-1].stop_ringing(event.agent, call.at)


def _connect(call: _Call, event: Event) -> None:
    call.entries[-1].close(call.at, ContactEnd.ANSWERED, connected_at=call.at, agent=event.agent)


def _hand_over(call: _Call, _event: Event) -> None:
    call.handed_over = True


def _take_over(call: _Call, event: Event) -> None:
    """The agent who talked may have handed the caller over in person."""
    if call.handed_over:
        call.handed_over = False
        call.phase = Phase.TALKING
        known = {"attended": True, "position": None, "original_position": None}
        call.entries.append(Entry(event.queue or "", call.at, known))
        _connect(call, event)


def _part(call: _Call, event: Event) -> None:
    if event.data.get("bridge") == "failed":
        _wait_again(call)
    else:
        _talk_over(call, event)


def _talk_over(call: _Call, _event: Event) -> None:
    call.entries[-1].known["conversation_ended_at"] = call.at


def _wait_again(call: _Call) -> None:
    """The agent was lost as soon as connected: there was no conversation, and the wait has gone on."""
    entry = call.entries[-1]
    for name in ("ended", "left_at", "connected_at", "agent", "attended"):
        entry.known.pop(name, None)
    spent = entry.spent
    spent[Phase.WAITING] = sum((spent.pop(phase, _ZERO) for phase in IN_CONTACT), _ZERO)
    call.bridged = any(each.known.get("connected_at") for each in call.entries)
    call.phase = Phase.WAITING


def _end(call: _Call, event: Event) -> None:
    call.ended_at = call.at
    call.cause = _member(EndCause, event.data.get("cause"))


def _end_waiting(call: _Call, event: Event) -> None:
    _end(call, event)
    ended, reason = _CUT_OFF.get(call.cause, (ContactEnd.FAILED, None))
    call.entries[-1].close(call.at, ended, left_reason=reason)


def _end_talking(call: _Call, event: Event) -> None:
    _end(call, event)
    _talk_over(call, event)


def _bridge(call: _Call, _event: Event) -> None:
    call.bridged = call.bridged or call.ended_at is None


def _record(call: _Call, event: Event) -> None:
    taken = call.ended_at is None and event.data.get("kind") == "voicemail"
    call.voicemail = call.voicemail or taken


def _wrap_up(call: _Call, event: Event) -> None:
    entry = _handled_by(call, event.agent)
    if entry is not None and entry.acw_since is None:
        entry.acw_since = call.at


def _wrapped_up(call: _Call, event: Event) -> None:
    """The agent may have taken the same caller again before this was noted: what runs is ended."""
    wrapping = [entry for entry in call.entries if entry.acw_since is not None]
    own = [entry for entry in wrapping if event.agent in (None, entry.known.get("agent"))]
    for entry in (own or wrapping)[:1]:
        entry.stop_acw(call.at)


def _handled_by(call: _Call, agent: str | None) -> Entry | None:
    """Find the last contact of this agent; after a transfer the first agent wraps up beside the second."""
    handled = [entry for entry in call.entries if entry.known.get("connected_at")]
    own = [entry for entry in handled if agent in (None, entry.known["agent"])]
    return (own or handled)[-1] if handled else None


_Effect = Callable[[_Call, Event], None]
_Step = tuple[Phase, _Effect]


def _staying(phase: Phase, effect: _Effect, types: Iterable[EventType]) -> dict[EventType, _Step]:
    return dict.fromkeys(types, (phase, effect))


# These count in every phase: they belong to the agent or to the call as a whole.
_ANYWHERE: Mapping[EventType, _Effect] = {
    EventType.CALL_STARTED: _begin,
    EventType.AGENT_CONNECTED: _bridge,
    EventType.TRANSFER_ATTENDED: _hand_over,
    EventType.RECORDING_STARTED: _record,
    EventType.ACW_STARTED: _wrap_up,
    EventType.ACW_ENDED: _wrapped_up,
}
_IN_FLOW: Mapping[EventType, _Step] = {
    EventType.IVR_ENTERED: (Phase.IVR, _nothing),
    EventType.QUEUE_ENTERED: (Phase.WAITING, _enter),
    EventType.QUEUE_LEFT: (Phase.IVR, _turned_away),
    EventType.CALL_ENDED: (Phase.ENDED, _end),
}
_IN_TALK: Mapping[EventType, _Step] = {
    EventType.CONVERSATION_ENDED: (Phase.RELEASED, _part),
    EventType.QUEUE_ENTERED: (Phase.WAITING, _talk_over_and_enter),
    EventType.CALL_ENDED: (Phase.ENDED, _end_talking),
}
_OFFER_ENDS = (
    EventType.OFFER_ACCEPTED,
    EventType.OFFER_REJECTED,
    EventType.OFFER_NO_ANSWER,
    EventType.OFFER_CANCELLED,
)
_STEPS: Mapping[Phase, Mapping[EventType, _Step]] = {
    Phase.SETUP: {
        **_IN_FLOW,
        EventType.CALL_ANSWERED: (Phase.IVR, _pick_up),
        EventType.OFFER_SENT: (Phase.SETUP, _turn),
    },
    Phase.IVR: {**_IN_FLOW, EventType.OFFER_SENT: (Phase.IVR, _turn)},
    Phase.WAITING: {
        EventType.CALL_ANSWERED: (Phase.WAITING, _pick_up),
        EventType.QUEUE_ANNOUNCED: (Phase.WAITING, _announce),
        EventType.OFFER_SENT: (Phase.WAITING, _offer),
        **_staying(Phase.WAITING, _offer_over, _OFFER_ENDS),
        EventType.AGENT_CONNECTED: (Phase.TALKING, _connect),
        EventType.QUEUE_ABANDONED: (Phase.RELEASED, _abandon),
        EventType.QUEUE_LEFT: (Phase.IVR, _leave),
        EventType.QUEUE_ENTERED: (Phase.WAITING, _move),
        EventType.CALL_ENDED: (Phase.ENDED, _end_waiting),
    },
    Phase.TALKING: {**_IN_TALK, EventType.HOLD_STARTED: (Phase.HOLDING, _nothing)},
    Phase.HOLDING: {**_IN_TALK, EventType.HOLD_ENDED: (Phase.TALKING, _nothing)},
    Phase.RELEASED: {**_IN_FLOW, EventType.AGENT_CONNECTED: (Phase.RELEASED, _take_over)},
    Phase.ENDED: {},
}

RELEVANT = frozenset(_ANYWHERE).union(*_STEPS.values())
"""The event types that a timeline is made of; all others may be left out of what is read."""
