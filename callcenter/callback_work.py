"""The part of a process that carries callbacks out."""

import asyncio
import json
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self
from uuid import UUID

from callback.options import Options
from callback.state import State
from callback.worker import Worker
from callcenter.acd.dispatcher import Offer
from callcenter.call.callback_carrier import CHANNEL, CallbackCarrier, GatewayNetwork
from callcenter.call.services import CallServices
from callcenter.call.supervisor import CallSupervisor
from callcenter.errors import StorageError
from callcenter.storage.calls import Calls
from callcenter.storage.listener import Listener
from callcenter.storage.room import AgentRoom

RECORD_WITHIN_S = 5.0
"""How long calls that were cut off at the end have to record what became of their callbacks."""


class Turns:
    """Tells the worker, once there is one, whose turn the dispatcher has found an agent for."""

    def __init__(self) -> None:
        self.worker: Worker | None = None

    def __call__(self, callback_id: UUID, _offer: Offer) -> None:
        """Say so; turns that come before the worker are told again."""
        if self.worker is not None:
            self.worker.turn([callback_id])


class CallbackWork:
    """``async with CallbackWork(...)``: carries callbacks until ``stop``, or until the block ends."""

    def __init__(
        self,
        services: CallServices,
        supervisor: CallSupervisor,
        room: AgentRoom,
        calls: Calls,
        listener: Listener,
        turns: Turns,
    ) -> None:
        settings = services.settings
        self._listener = listener
        self._turns = turns
        self.carrier = CallbackCarrier(services, supervisor)
        self.worker = Worker(
            services.callbacks.store,
            self.carrier,
            GatewayNetwork(services, calls),
            room,
            services.callbacks.rules.of,
            services.node_id,
            Options(
                at_once=settings.callbacks.workers,
                lease_s=settings.callbacks.lease_s,
                dial_rate_per_s=settings.callbacks.dial_rate_per_s,
                drain_s=settings.server.drain_timeout_s + RECORD_WITHIN_S,
                outages=(StorageError,),
            ),
        )
        self._stack = AsyncExitStack()
        self._stopping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to claim."""
        await self._stack.enter_async_context(self.carrier.attached(self._listener))
        self._listener.subscribe(CHANNEL, self._heard, self.worker.nudge)
        await self._stack.enter_async_context(self.worker)
        self._turns.worker = self.worker
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, unless that was done."""
        await self.stop()

    async def stop(self) -> None:
        """Claim no more, give back what was not dialled, let the rest go on to its end, with a bound."""
        if self._stopping is None:
            self._turns.worker = None
            self._stopping = asyncio.create_task(self._stack.aclose(), name="callbacks end")
        await asyncio.shield(self._stopping)

    def _heard(self, payload: str) -> None:
        told = json.loads(payload)
        self.worker.changed(UUID(told["callback_id"]), State(told["state"]))
