"""All calls of this process: takes their legs in, keeps one failing call from another, drains at the end."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID, uuid4

from callcenter.call.party import Party
from callcenter.call.services import CallServices
from callcenter.call.session import CallSession
from callcenter.call.signals import DialFailed, Gone, Inbox, Key
from callcenter.call.state import CallState
from callcenter.errors import LegRefusedError, NotFoundError, OverloadedError, StorageError
from callcenter.media.playout import Losses
from callcenter.storage.leg_tokens import ExpectedLeg
from callcenter.telephony.port import DialResult, Leg, LegInfo, LegSink
from callcenter.telephony.shell import reference_of

log = logging.getLogger(__name__)


class CallSupervisor:
    """Owns the sessions. Each runs in a task of its own with its own task group."""

    def __init__(self, services: CallServices) -> None:
        self._services = services
        self._sessions: dict[UUID, CallSession] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._legs = 0
        self.losses = Losses()
        self.draining = False
        self._drained = False

    @property
    def calls(self) -> int:
        """Calls in progress, wrap-up and the wait for last words included."""
        return len(self._sessions)

    @property
    def legs(self) -> int:
        """Legs that are connected."""
        return self._legs

    def check_capacity(self) -> None:
        """Raise ``OverloadedError`` when no further call can be taken."""
        if self.draining:
            raise OverloadedError("the service is shutting down")
        self._check_room()

    def _check_room(self) -> None:
        if self._drained:
            raise OverloadedError("the service has shut down")
        # One that has ended may wait for its last words for minutes; it takes nobody's place.
        connected = sum(session.state is not CallState.ENDED for session in self._sessions.values())
        if connected >= self._services.settings.server.max_calls:
            raise OverloadedError("all places for calls are taken")

    async def accept(self, leg: Leg) -> LegSink:
        """Take in a leg: a new call's caller, or the agent or customer that a call is waiting for.

        A caller who was announced before the shutdown began still gets in. Raises ``LegRefusedError`` for a
        leg that is not expected here, ``OverloadedError`` for a caller there is no place for.
        """
        arrived_at = self._services.now()
        try:
            expected = await self._services.leg_tokens.consume(leg.info.token, gateway=leg.info.gateway)
        except StorageError:
            self._cannot_join(reference_of(leg.info.token))
            raise
        leg.info = _identify(leg.info, expected)
        if expected.kind == "caller":
            self._check_room()
            return self._begin(leg, arrived_at)
        return self._join(leg, expected, arrived_at)

    def _begin(self, leg: Leg, arrived_at: datetime) -> Party:
        call_id, inbox = uuid4(), Inbox()
        caller = Party(leg, self._services.pacer, self.losses)
        self._legs += 1
        caller.on_key = lambda digit: inbox.put(Key(digit))
        caller.on_gone = lambda reason: self._leg_ended(inbox, Gone(caller, reason))
        self._run(CallSession(call_id, caller, inbox, self._services, arrived_at))
        return caller

    def start(self, session: CallSession) -> None:
        """Carry a call that is not begun by a caller; raises ``OverloadedError`` when there is no place."""
        self.check_capacity()
        self._run(session)

    def _run(self, session: CallSession) -> None:
        call_id = session.call_id
        self._sessions[call_id] = session
        task = asyncio.create_task(session.run(), name=f"call {call_id}")
        self._tasks[call_id] = task
        task.add_done_callback(lambda done: self._ended(call_id, done))

    def _join(self, leg: Leg, expected: ExpectedLeg, arrived_at: datetime) -> Party:
        session = self._sessions.get(expected.call_id) if expected.call_id is not None else None
        reference = reference_of(leg.info.token)
        if session is None or not session.expects(reference):
            raise LegRefusedError("the call does not wait for this leg any more")
        party = Party(leg, self._services.pacer, self.losses)
        self._legs += 1
        party.on_gone = lambda reason: self._leg_ended(session.inbox, Gone(party, reason))
        if expected.kind == "customer":
            party.on_key = lambda digit: session.inbox.put(Key(digit))
            session.customer_arrived(reference, party, arrived_at)
        else:
            session.agent_arrived(reference, party, arrived_at)
        return party

    def _cannot_join(self, reference: str) -> None:
        """Let the call that waits for this leg know: who answered must not count as having missed it."""
        for session in self._sessions.values():
            if session.expects(reference):
                session.dial_failed(DialFailed(reference, DialResult.FAILED))

    def _leg_ended(self, inbox: Inbox, gone: Gone) -> None:
        self._legs -= 1
        inbox.put(gone)

    def _ended(self, call_id: UUID, task: asyncio.Task[None]) -> None:
        del self._sessions[call_id], self._tasks[call_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("call %s failed", call_id, exc_info=error)

    # What others tell a call.

    def dial_failed(self, call_id: UUID, reference: str, result: DialResult) -> None:
        """Tell a call that whom it dialled did not come; a call that is over does not care."""
        if (session := self._sessions.get(call_id)) is not None:
            session.dial_failed(DialFailed(reference, result))

    async def command(self, call_id: UUID, name: str, arguments: Mapping[str, str]) -> None:
        """Carry a command to a call of this process; raises ``NotFoundError`` when it has none such."""
        session = self._sessions.get(call_id)
        if session is None:
            raise NotFoundError(f"there is no call {call_id} in progress")
        await session.command(name, arguments)

    async def drain(self, timeout_s: float) -> None:
        """Refuse new calls, let those in progress end until the time is up, then end them."""
        self.draining = True
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        if self._tasks:
            log.info("waiting up to %g s for %d calls to end", timeout_s, len(self._tasks))
        while self._tasks and (left_s := until_s - loop.time()) > 0:
            await asyncio.wait(list(self._tasks.values()), timeout=left_s)
        self._drained = True
        left = list(self._tasks.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _identify(info: LegInfo, expected: ExpectedLeg) -> LegInfo:
    return LegInfo(
        leg_id=info.leg_id,
        gateway=info.gateway,
        call_ref=info.call_ref,
        token=info.token,
        paced_by=info.paced_by,
        from_number=expected.from_number,
        to_number=expected.to_number,
    )
