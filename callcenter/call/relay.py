"""Carries commands and dial results to the process that carries the call.

Any process may be asked through its API to hold or end a call, and a gateway's webhook may reach any
process; the media live in one. The message goes over the database's notifications, the answer back.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from callcenter.call.background import Background
from callcenter.call.supervisor import CallSupervisor
from callcenter.errors import CallCenterError, NotFoundError, StorageError, TransitionError, UsageError
from callcenter.storage.calls import Calls
from callcenter.storage.leg_tokens import LegTokens
from callcenter.storage.listener import Listener
from callcenter.storage.messages import Messages
from callcenter.telephony.port import DialResult

log = logging.getLogger(__name__)

CHANNEL = "call"
ANSWER_TIMEOUT_S = 5.0
_ERRORS: dict[str, type[CallCenterError]] = {
    error.__name__: error for error in (NotFoundError, TransitionError, CallCenterError)
}


class CallRelay:
    """Finds the process of a call and speaks to the call there."""

    def __init__(
        self,
        node_id: UUID,
        supervisor: CallSupervisor,
        calls: Calls,
        leg_tokens: LegTokens,
        messages: Messages,
        transfer_prefixes: Sequence[str],
    ) -> None:
        self._node_id = node_id
        self._supervisor = supervisor
        self._calls = calls
        self._leg_tokens = leg_tokens
        self._messages = messages
        self._transfer_prefixes = tuple(transfer_prefixes)
        self._asked: dict[str, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def attached(self, listener: Listener, background: Background) -> AsyncIterator[None]:
        """Hear what other processes send while the block lasts."""

        def heard(payload: str) -> None:
            message = json.loads(payload)
            if message.get("to") == str(self._node_id):
                self._heard(message, background)

        listener.subscribe(CHANNEL, heard)
        await listener.settled()
        yield

    async def control(self, call_id: UUID, command: str, **arguments: str) -> None:
        """Carry out a command on a call wherever its media are; the API's ports say which there are.

        Raises ``NotFoundError`` for a call that is not in progress and ``TransitionError`` for a command
        that its state does not allow. The disposition may be given after the end, while the agent wraps up.
        Raises ``UsageError`` for a transfer to a number that the settings do not allow.
        """
        number = arguments.get("number")
        if number is not None and not number.startswith(self._transfer_prefixes):
            raise UsageError(
                "transfers to this number are not allowed: gateways.transfer_prefixes names those that are"
            )
        call = await self._calls.get(call_id)
        if call.ended_at is not None and command != "disposition":
            raise TransitionError(f"the call {call_id} has ended")
        if call.node_id == self._node_id:
            await self._supervisor.command(call_id, command, arguments)
            return
        request = str(uuid4())
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked[request] = answer
        try:
            await self._messages.send(
                CHANNEL,
                {
                    "to": str(call.node_id),
                    "from": str(self._node_id),
                    "request": request,
                    "call": str(call_id),
                    "command": command,
                    "arguments": arguments,
                },
            )
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await answer
        except TimeoutError:
            raise StorageError("the process that carries the call did not answer") from None
        finally:
            del self._asked[request]

    async def dial_failed(self, reference: str, result: DialResult) -> None:
        """Tell the call that dialled the party of ``reference`` what became of it."""
        leg = await self._leg_tokens.by_reference(reference)
        if leg is None or leg.call_id is None:
            return
        if leg.node_id == self._node_id:
            self._supervisor.dial_failed(leg.call_id, reference, result)
            return
        await self._messages.send(
            CHANNEL,
            {"to": str(leg.node_id), "call": str(leg.call_id), "dial": reference, "result": result.value},
        )

    def _heard(self, message: dict[str, Any], background: Background) -> None:
        if "dial" in message:
            result = DialResult(message["result"])
            self._supervisor.dial_failed(UUID(message["call"]), message["dial"], result)
        elif "command" in message:
            background.spawn(self._obey(message), name="command from another process")
        elif (answer := self._asked.get(message["answer"])) is not None and not answer.done():
            if message["error"]:
                answer.set_exception(_ERRORS[message["error"]](message["message"]))
            else:
                answer.set_result(None)

    async def _obey(self, message: dict[str, Any]) -> None:
        error: CallCenterError | None = None
        try:
            await self._supervisor.command(UUID(message["call"]), message["command"], message["arguments"])
        except CallCenterError as problem:
            error = problem
        name = "" if error is None else type(error).__name__
        await self._messages.send(
            CHANNEL,
            {
                "to": message["from"],
                "answer": message["request"],
                "error": name if name in _ERRORS else name and CallCenterError.__name__,
                "message": str(error or ""),
            },
        )
