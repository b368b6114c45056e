"""A telephone that is rung for a call: an agent's, a second agent's, a supervisor's."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from callcenter.call.context import CallContext
from callcenter.call.party import Party
from callcenter.call.signals import DialFailed
from callcenter.errors import CallCenterError, GatewayError
from callcenter.telephony.port import DialResult
from callcenter.telephony.shell import new_token, reference_of

log = logging.getLogger(__name__)

TOKEN_MARGIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Telephone:
    """Whose it is, and how it is reached."""

    agent_id: str
    gateway: str
    address: str


async def _at_once() -> bool:
    return True


class Ringing:
    """One telephone, from the dialling to the answer or the giving up.

    The call's inbox gets ``AgentArrived`` or ``DialFailed`` with ``reference``. ``may_ring`` is asked before
    the network is.
    """

    def __init__(
        self,
        context: CallContext,
        telephone: Telephone,
        timeout_s: float,
        may_ring: Callable[[], Awaitable[bool]] = _at_once,
    ) -> None:
        self._context = context
        self._telephone = telephone
        self._timeout_s = timeout_s
        self._may_ring = may_ring
        self._token = new_token()
        self._timer: asyncio.TimerHandle | None = None
        self._call_ref = ""
        self._is_dropped = False
        self.reference = reference_of(self._token)
        self.party: Party | None = None

    def start(self) -> None:
        """Dial, for ``timeout_s`` at most."""
        context = self._context
        context.expected_agents.add(self.reference)
        missed = DialFailed(self.reference, DialResult.NO_ANSWER)
        self._timer = asyncio.get_running_loop().call_later(self._timeout_s, context.inbox.put, missed)
        context.tasks.create_task(
            self._dial(), name=f"dialling {self._telephone.agent_id} for call {context.call_id}"
        )

    def answered(self, party: Party) -> None:
        """Stop waiting: the leg has come in."""
        self.party = party
        self.stop()

    def drop(self) -> None:
        """Give the telephone up, answered or not; may be called twice."""
        self.stop()
        if self._is_dropped:
            return
        self._is_dropped = True
        spawn, call_id = self._context.services.background.spawn, self._context.call_id
        if self.party is not None:
            spawn(self.party.hang_up(), name=f"hanging up a leg of call {call_id}")
        if self._call_ref:
            spawn(self._hang_up(), name=f"hanging up a telephone for call {call_id}")

    def stop(self) -> None:
        """Wait for the telephone no longer; may be called twice."""
        self._context.expected_agents.discard(self.reference)
        if self._timer is not None:
            self._timer.cancel()

    async def _dial(self) -> None:
        context, telephone = self._context, self._telephone
        gateway = context.services.gateways.get(telephone.gateway)
        failed = DialFailed(self.reference, DialResult.FAILED)
        if gateway is None:
            log.error(
                "%s is reached by gateway %s, which is not enabled", telephone.agent_id, telephone.gateway
            )
            context.inbox.put(failed)
            return
        try:
            await context.services.leg_tokens.announce(
                self._token,
                kind="agent",
                gateway=telephone.gateway,
                node_id=context.services.node_id,
                call_id=context.call_id,
                ttl_s=self._timeout_s + TOKEN_MARGIN_S,
            )
            if not await self._may_ring():
                raise GatewayError("the offer no longer stands")
            self._call_ref = await gateway.originate(
                telephone.address, context.caller.info.from_number, self._token, self._timeout_s
            )
        except CallCenterError as error:
            log.warning("%s could not be dialled: %s", telephone.agent_id, error)
            context.inbox.put(failed)
            return
        if self._is_dropped:
            await self._hang_up()

    async def _hang_up(self) -> None:
        with suppress(GatewayError):
            await self._context.services.gateways[self._telephone.gateway].hangup(self._call_ref)
