"""What the phases of one call share."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from callcenter.call.journal import Journal
from callcenter.call.party import Party
from callcenter.call.services import CallServices
from callcenter.call.signals import AgentArrived, Command, CustomerArrived, Inbox, Signal
from callcenter.call.state import CallInput, CallState, after
from callcenter.errors import CallCenterError, TransitionError

log = logging.getLogger(__name__)


class CallerGoneError(CallCenterError):
    """The caller's leg ended at ``at``; the phase under way has written what that means."""

    def __init__(self, at: datetime) -> None:
        super().__init__("the caller has gone")
        self.at = at


class HangUpAskedError(CallCenterError):
    """Somebody asked through the API to end the call."""


@dataclass(slots=True)
class CallContext:
    """One call: who, its inbox, its events, its state, and the task group its helpers run in.

    ``expected_agents`` are the references of the leg tokens of those who are being dialled. Without
    ``is_recordable``, where callers have not consented, conversations are neither recorded nor written down.
    ``in_line`` is held while the call has a place in line, for its caller or for a second agent.
    """

    call_id: UUID
    caller: Party
    inbox: Inbox
    journal: Journal
    services: CallServices
    tasks: asyncio.TaskGroup
    started_s: float
    state: CallState = field(default=CallState.IVR)
    expected_agents: set[str] = field(default_factory=set)
    is_recordable: bool = True
    in_line: asyncio.Lock = field(default_factory=asyncio.Lock)

    def move(self, given: CallInput) -> None:
        """Change the state; the only place that does."""
        new = after(self.state, given)
        log.debug("call %s: %s -> %s", self.call_id, self.state.value, new.value)
        self.state = new

    def seconds(self) -> float:
        """Seconds since the call started, on the loop's clock."""
        return asyncio.get_running_loop().time() - self.started_s

    def dismiss(self, signal: Signal) -> None:
        """Deal with a signal that came too late for the phase it was meant for."""
        match signal:
            case AgentArrived(_, late) | CustomerArrived(_, late):
                self.services.background.spawn(late.hang_up(), name=f"late leg of call {self.call_id}")
            case Command():
                refuse(signal, self.state)
            case _:
                pass


def refuse(command: Command, state: CallState) -> None:
    """Answer a command that the call's state does not allow."""
    fail(command, TransitionError(f"a call that is {state.value} cannot {command.name.replace('_', ' ')}"))


def fail(command: Command, error: CallCenterError) -> None:
    """Answer a command that came to nothing."""
    if not command.done.done():
        command.done.set_exception(error)


def done(command: Command) -> None:
    """Answer a command that was carried out."""
    if not command.done.done():
        command.done.set_result(None)
