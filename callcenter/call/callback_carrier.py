"""What callbacks need of calls: who carries them out, and what the networks know of those that are lost."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from callback.ports import Fate, Found
from callback.request import Attempt, Callback, Claim
from callback.store import Store
from callcenter.call.callback_record import CallbackRecord
from callcenter.call.callback_session import CallbackSession, Carried
from callcenter.call.customer_dial import Number
from callcenter.call.relay import CallRelay
from callcenter.call.services import CallServices
from callcenter.call.supervisor import CallSupervisor
from callcenter.errors import GatewayError, NotFoundError, OverloadedError
from callcenter.storage.calls import Calls
from callcenter.storage.listener import Listener
from callcenter.telephony.port import CallFate, Gateway, Sought
from callcenter.telephony.shell import AttemptEvent

log = logging.getLogger(__name__)

CHANNEL = "callback"
AGAIN_S = 5.0
"""After so long a callback is due again that could not be made a call of."""
FATES: Final[Mapping[CallFate, Fate]] = {
    CallFate.RINGING: Fate.RINGING,
    CallFate.TALKING: Fate.TALKING,
    CallFate.ANSWERED: Fate.ANSWERED,
    CallFate.BUSY: Fate.BUSY,
    CallFate.NO_ANSWER: Fate.NO_ANSWER,
    CallFate.FAILED: Fate.FAILED,
}


@dataclass(slots=True)
class CarrierFigures:
    """Since the process started: callbacks carried out, and customers dialled for them."""

    carried: int = 0
    dialled: int = 0


class CallbackCarrier:
    """Makes a call of each claimed callback (``callback.ports.Carrier``)."""

    def __init__(self, services: CallServices, supervisor: CallSupervisor) -> None:
        self._services = services
        self._supervisor = supervisor
        self._sessions: dict[UUID, CallbackSession] = {}
        self.figures = CarrierFigures()

    @asynccontextmanager
    async def attached(self, listener: Listener) -> AsyncIterator[None]:
        """Hear of changes to what is being carried while the block lasts."""

        def heard(payload: str) -> None:
            session = self._sessions.get(UUID(json.loads(payload)["callback_id"]))
            if session is not None:
                session.changed()

        listener.subscribe(CHANNEL, heard)
        await listener.settled()
        yield

    async def carry(self, claim: Claim) -> None:
        """Carry it out; returns when the callback needs the call no more, which may still go on.

        Cancelling this leaves the call alone: whoever talks is not cut off by a worker that ends.
        """
        callback_id = claim.callback.callback_id
        callbacks = self._services.callbacks
        record = CallbackRecord(claim, callbacks.store, callbacks.rules.of, self._services.now)
        try:
            queue = self._services.queues.get(claim.callback.queue)
            session = CallbackSession(
                Carried(record, self._number(claim.callback, record), queue, callbacks.desk), self._services
            )
            self._supervisor.start(session)
        except (GatewayError, NotFoundError, OverloadedError) as error:
            log.warning("callback %s is put off: %s", callback_id, error)
            await record.put_off("cannot be dialled", AGAIN_S)
            return
        self._sessions[callback_id] = session
        self.figures.carried += 1
        watching = self._services.background.spawn(
            self._watch(session, record), name=f"callback {callback_id}"
        )
        try:
            await asyncio.shield(watching)
        finally:
            # Who is cancelled has lost the claim, or ends: the call finds out whether it may go on.
            session.changed()

    async def _watch(self, session: CallbackSession, record: CallbackRecord) -> None:
        await record.settled.wait()
        self.figures.dialled += record.is_dialled
        if self._sessions.get(record.callback_id) is session:
            del self._sessions[record.callback_id]

    def _number(self, callback: Callback, record: CallbackRecord) -> Number:
        shown = callback.from_number or record.rules.from_number
        return Number(callback.number, shown, self._gateway())

    def _gateway(self) -> Gateway:
        """The gateway that the settings name, or the one that is enabled; raises ``GatewayError``."""
        gateways, wanted = self._services.gateways, self._services.settings.callbacks.gateway
        if wanted and wanted not in gateways:
            raise GatewayError(f"customers are dialled through {wanted}, which is not enabled")
        if not gateways:
            raise GatewayError("no gateway is enabled, so no customer can be dialled")
        return gateways[wanted] if wanted else next(iter(gateways.values()))


class GatewayNetwork:
    """Asks the gateways about calls that another worker had dialled (``callback.ports.Network``)."""

    def __init__(self, services: CallServices, calls: Calls) -> None:
        self._services = services
        self._calls = calls

    async def fate(self, callback: Callback, attempt: Attempt) -> Found:
        """What became of it. What the network does not know is over, or was never dialled."""
        found = await self._asked(callback, attempt)
        return replace(found, talked=await self._talked(attempt))

    async def _asked(self, callback: Callback, attempt: Attempt) -> Found:
        gateway = self._services.gateways.get(attempt.gateway)
        if gateway is None:
            log.error("attempt %s: gateway %s is not enabled", attempt.attempt_id, attempt.gateway)
            return Found(Fate.UNKNOWN)
        store, others = self._services.callbacks.store, frozenset[str]()
        if not attempt.call_ref:
            if await store.has_other_number(attempt):
                return Found(Fate.UNKNOWN)  # which one was dialled is not known any more
            others = await store.other_calls(callback.number, attempt.attempt_id)
        sought = Sought(attempt.attempt_id, attempt.call_ref, callback.number, attempt.started_at, others)
        try:
            found = await gateway.find(sought)
        except GatewayError as error:
            log.warning("attempt %s: %s", attempt.attempt_id, error)
            return Found(Fate.UNKNOWN)
        if found.fate is not CallFate.GONE:
            return Found(FATES[found.fate], found.call_ref)
        if attempt.answered_at is not None:
            return Found(Fate.ANSWERED)
        return Found(Fate.NO_ANSWER if attempt.call_ref else Fate.NEVER)

    async def hang_up(self, attempt: Attempt, call_ref: str) -> None:
        """End it; one that is over is a success, and a gateway that is away does not keep anybody.

        A call that goes on is left alone: its process has lost the lease, such as by an outage of the
        database, and not the customer. The calls of dead processes have ended.
        """
        gateway = self._services.gateways.get(attempt.gateway)
        if gateway is None or not call_ref or await self._goes_on(attempt):
            return
        try:
            await gateway.hangup(call_ref)
        except GatewayError as error:
            log.warning("attempt %s: %s", attempt.attempt_id, error)

    async def _talked(self, attempt: Attempt) -> bool:
        try:
            return (await self._calls.get(attempt.call_id)).connected_at is not None
        except NotFoundError:
            return False

    async def _goes_on(self, attempt: Attempt) -> bool:
        try:
            return (await self._calls.get(attempt.call_id)).ended_at is None
        except NotFoundError:
            return False


async def take_news(event: AttemptEvent, store: Store, relay: CallRelay) -> None:
    """What a network tells of a customer's call, to whichever process: counted once, passed on to the call.

    Raises ``StorageError`` without a database, so that the network tells it again.
    """
    is_new = await store.gateway_event(event.attempt_id, event.event_id, event.status)
    if is_new and event.result is not None:
        await relay.dial_failed(event.reference, event.result)
