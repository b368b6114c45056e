"""What became of a call: exactly one outcome for each call that has ended.

Which outcome an ended call has, first match wins:

1. ``failed``: the end cause says so (or is missing or unknown), even if the caller was talking to an agent.
2. ``answered``: an agent was connected.
3. ``callback_requested``: the caller left a queue for a callback.
4. ``voicemail``: the end cause says so, or a voicemail recording was begun.
5. ``abandoned`` / ``short_abandoned``: the caller hung up while waiting. Short counts the whole time waited,
   in all queues of the call.
6. ``closed``, ``blocked``, ``timed_out``: the end cause says so, or this is why the caller left the last
   queue (``empty`` is ``blocked``: nobody was there to take the call), whatever the flow did afterwards.
7. ``ivr_abandoned``: the caller hung up in the IVR, be it before any queue or after leaving one by a key.
8. ``self_served``: the flow reached its end, or handed the caller to another number.

A call that was made to call a customer back has one of four: ``failed`` and ``answered`` as above,
``callback_abandoned`` where the customer had picked up and hung up before an agent came, else ``unreached``.
"""

from collections.abc import Mapping, Sequence

from callcenter.contact import Contact, ContactEnd
from callcenter.events import EndCause, LeftReason, Outcome


def decide(
    cause: EndCause | None,
    contacts: Sequence[Contact],
    *,
    bridged: bool,
    voicemail: bool,
    short_abandon_s: float,
) -> Outcome:
    """Choose the outcome of a call that has ended.

    ``bridged``: an agent was connected at any time; ``voicemail``: a voicemail recording was begun.
    """
    if cause in (None, EndCause.FAILED):
        return Outcome.FAILED
    if bridged:
        return Outcome.ANSWERED
    if any(contact.left_reason is LeftReason.CALLBACK for contact in contacts):
        return Outcome.CALLBACK_REQUESTED
    if voicemail or cause is EndCause.VOICEMAIL:
        return Outcome.VOICEMAIL
    if contacts and contacts[-1].ended is ContactEnd.ABANDONED:
        return abandon_outcome(sum(contact.wait_s for contact in contacts), short_abandon_s)
    reason = contacts[-1].left_reason if contacts else None
    return (
        _REFUSED_BY_CAUSE.get(cause) or _REFUSED_BY_REASON.get(reason) or _IN_IVR.get(cause, Outcome.FAILED)
    )


def decide_callback(cause: EndCause | None, *, bridged: bool, picked_up: bool) -> Outcome:
    """Choose the outcome of a call of ours to a customer; ``picked_up``: somebody was on the line."""
    if cause in (None, EndCause.FAILED):
        return Outcome.FAILED
    if bridged:
        return Outcome.ANSWERED
    hung_up = picked_up and cause is EndCause.CALLER_HANGUP
    return Outcome.CALLBACK_ABANDONED if hung_up else Outcome.UNREACHED


def abandon_outcome(wait_s: float, short_abandon_s: float) -> Outcome:
    """Tell a hang-up in the queue from a short one, which the net figures leave out."""
    return Outcome.SHORT_ABANDONED if is_short(wait_s, short_abandon_s) else Outcome.ABANDONED


def is_short(wait_s: float, short_abandon_s: float) -> bool:
    """Whether a wait that the caller broke off counts as short; never, where the threshold is 0."""
    return short_abandon_s > 0 and wait_s <= short_abandon_s


_REFUSED_BY_CAUSE: Mapping[EndCause | None, Outcome] = {
    EndCause.CLOSED: Outcome.CLOSED,
    EndCause.FULL: Outcome.BLOCKED,
    EndCause.TIMED_OUT: Outcome.TIMED_OUT,
}
_REFUSED_BY_REASON: Mapping[LeftReason | None, Outcome] = {
    LeftReason.CLOSED: Outcome.CLOSED,
    LeftReason.FULL: Outcome.BLOCKED,
    LeftReason.EMPTY: Outcome.BLOCKED,
    LeftReason.TIMEOUT: Outcome.TIMED_OUT,
}
_IN_IVR: Mapping[EndCause | None, Outcome] = {
    EndCause.CALLER_HANGUP: Outcome.IVR_ABANDONED,
    EndCause.COMPLETED: Outcome.SELF_SERVED,
    EndCause.TRANSFERRED: Outcome.SELF_SERVED,
}
