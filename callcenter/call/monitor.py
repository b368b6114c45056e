"""Supervisors who listen to a conversation, whisper to its agent, or barge in."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from callcenter.call.context import CallContext, done, fail
from callcenter.call.earshot import Mode
from callcenter.call.party import Party
from callcenter.call.ringing import Ringing, Telephone
from callcenter.call.signals import AgentArrived, Command, DialFailed, Gone, Signal
from callcenter.errors import CallCenterError, NotFoundError, TransitionError
from callcenter.events import EventType
from callcenter.media.bridge import BridgeSide
from callcenter.media.conference import Conference

log = logging.getLogger(__name__)

MAX_SUPERVISORS: Final = 4
RING_S: Final = 20.0


@dataclass(slots=True)
class _Monitor:
    """One supervisor, whose telephone rings until ``party`` is there."""

    user: str
    mode: Mode
    ringing: Ringing
    party: Party | None = None

    @property
    def seat(self) -> str:
        """The name in the conference; a user may be called like a party."""
        return f"supervisor {self.user}"


class Monitors:
    """The supervisors of one conversation. ``changed`` is called when it matters to who hears whom."""

    def __init__(
        self,
        context: CallContext,
        conference: Conference,
        queue: str,
        agent_id: str,
        changed: Callable[[], None],
    ) -> None:
        self._context = context
        self._conference = conference
        self._queue = queue
        self._agent_id = agent_id
        self._changed = changed
        self._of_user: dict[str, _Monitor] = {}

    @property
    def modes(self) -> dict[str, Mode]:
        """How each supervisor who has come takes part, by seat."""
        return {one.seat: one.mode for one in self._of_user.values() if one.party is not None}

    def obey(self, command: Command) -> None:
        """Do ``monitor`` (``user``, ``mode``, how the ``agent``'s telephone is reached) or ``unmonitor``."""
        try:
            if command.name == "monitor":
                self._monitor(command)
            else:
                self._end(command.arguments["user"])
        except CallCenterError as error:
            fail(command, error)
        else:
            done(command)

    def hear(self, signal: Signal) -> bool:
        """Take what concerns a supervisor's leg; false for what does not."""
        for one in self._of_user.values():
            match signal:
                case AgentArrived(reference, party) if reference == one.ringing.reference:
                    self._join(one, party)
                    return True
                case DialFailed(reference, result) if reference == one.ringing.reference:
                    log.info("call %s: supervisor %s: %s", self._context.call_id, one.user, result)
                    self._remove(one)
                    return True
                case Gone(party) if party is one.party:
                    self._remove(one)
                    return True
        return False

    def close(self) -> None:
        """The conversation is over."""
        for one in [*self._of_user.values()]:
            self._remove(one)

    def _monitor(self, command: Command) -> None:
        given = command.arguments
        user, mode = given["user"], Mode(given["mode"])
        if given["agent"] == self._agent_id:
            raise TransitionError(f"agent {self._agent_id} talks on this call")
        one = self._of_user.get(user)
        if one is not None:
            self._switch(one, mode)
            return
        if len(self._of_user) >= MAX_SUPERVISORS:
            raise TransitionError(f"{MAX_SUPERVISORS} supervisors are on this call")
        telephone = Telephone(given["agent"], given["gateway"], given["address"])
        one = self._of_user[user] = _Monitor(user, mode, Ringing(self._context, telephone, RING_S))
        one.ringing.start()

    def _switch(self, one: _Monitor, mode: Mode) -> None:
        if one.mode is mode:
            return
        one.mode = mode
        if one.party is not None:
            self._write(EventType.MONITOR_CHANGED, user=one.user, mode=mode.value)
            self._changed()

    def _join(self, one: _Monitor, party: Party) -> None:
        one.party = party
        one.ringing.answered(party)
        side = BridgeSide(self._context.started_s, _unheard, ())
        self._conference.seat(one.seat, side, party.send)
        party.listen(side.hear)
        self._write(EventType.MONITOR_STARTED, user=one.user, mode=one.mode.value)
        self._changed()

    def _end(self, user: str) -> None:
        one = self._of_user.get(user)
        if one is None:
            raise NotFoundError(f"{user} is not on this call")
        self._remove(one)

    def _remove(self, one: _Monitor) -> None:
        del self._of_user[one.user]
        one.ringing.drop()
        if one.party is None:
            return
        one.party.listen(None)
        self._conference.unseat(one.seat)
        self._write(EventType.MONITOR_ENDED, user=one.user)
        self._changed()

    def _write(self, type_: EventType, **data: Any) -> None:
        self._context.journal.write(type_, queue=self._queue, agent=self._agent_id, **data)


async def _unheard(_pcm16: bytes) -> None:
    """Until the conference says who hears the supervisor."""
