"""The telephone of a callback's customer, from the request to dial to the answer or the giving up.

What the network does not say by itself is asked for. A request to dial that was not answered is never made
again: it may have been carried out.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from callcenter.call.callback_record import CallbackRecord
from callcenter.call.context import CallContext
from callcenter.call.party import Party
from callcenter.call.signals import DialFailed
from callcenter.errors import (
    CallCenterError,
    DialUnknownError,
    GatewayError,
    NoSuchNumberError,
    StorageError,
)
from callcenter.telephony.port import CallFate, DialResult, FoundCall, Gateway, Sought
from callcenter.telephony.shell import new_token, reference_of

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
MARGIN_S = 5.0
"""How much longer than asked for a telephone may ring."""
CONNECTING_S = 5.0
"""How long the sound of somebody who has picked up may take to come."""
GIVE_UP_S = 15.0
TOKEN_MARGIN_S = 30.0
DIAL_WITHIN_S = 5.0
"""After the attempt was committed; who comes later does not dial, others may take the attempt for dead."""

_RESULTS = {
    CallFate.BUSY: DialResult.BUSY,
    CallFate.NO_ANSWER: DialResult.NO_ANSWER,
    CallFate.FAILED: DialResult.FAILED,
    CallFate.ANSWERED: DialResult.FAILED,  # picked up, and no sound ever came
}


@dataclass(frozen=True, slots=True)
class Number:
    """Who is dialled through which gateway, and what they see."""

    to: str
    shown: str
    gateway: Gateway


class CustomerDial:
    """One attempt. The call's inbox gets ``CustomerArrived`` or ``DialFailed`` with ``reference``.

    The attempt is committed before ``start``. ``was_dialled``: the network took the call, or may have.
    """

    def __init__(self, context: CallContext, record: CallbackRecord, number: Number) -> None:
        self._context = context
        self._record = record
        self._number = number
        self._token = new_token()
        self._asked_at: datetime | None = None
        self._call_ref = ""
        self._dialling: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self.reference = reference_of(self._token)
        self.was_dialled = True

    def start(self) -> None:
        """Dial, for as long as the queue lets it ring."""
        context = self._context
        context.expected_agents.add(self.reference)
        self._dialling = context.services.background.spawn(
            self._dial(), name=f"dialling the customer of call {context.call_id}"
        )
        self._watching = context.tasks.create_task(
            self._watch(self._dialling), name=f"watching the customer's telephone of call {context.call_id}"
        )

    def answered(self, _customer: Party) -> None:
        """Stop waiting: the leg has come in."""
        self._stop()

    async def give_up(self) -> bool:
        """Hang up what rings; true once nothing does, as far as the network says."""
        self._stop()
        try:
            async with asyncio.timeout(GIVE_UP_S):
                if self._dialling is not None:
                    await asyncio.shield(self._dialling)
                if not self.was_dialled:
                    return True
                call_ref = self._call_ref or (await self._find()).call_ref
                if call_ref:
                    await self._number.gateway.hangup(call_ref)
                return bool(call_ref)
        except (TimeoutError, GatewayError, StorageError) as error:
            log.warning("call %s: the customer may still be rung: %s", self._context.call_id, error)
            return False

    def _stop(self) -> None:
        self._context.expected_agents.discard(self.reference)
        if self._watching is not None:
            self._watching.cancel()

    def _failed(self, result: DialResult) -> None:
        self._context.inbox.put(DialFailed(self.reference, result))

    async def _dial(self) -> None:
        context, number, ring_s = self._context, self._number, self._record.rules.ring_s
        services, self._asked_at = context.services, context.services.now()
        try:
            await services.leg_tokens.announce(
                self._token,
                kind="customer",
                gateway=number.gateway.name,
                node_id=services.node_id,
                call_id=context.call_id,
                from_number=number.to,
                to_number=number.shown,
                ttl_s=ring_s + MARGIN_S + TOKEN_MARGIN_S,
            )
            if asyncio.get_running_loop().time() - self._record.committed_s > DIAL_WITHIN_S:
                raise GatewayError("the database took too long")
            self._call_ref = await number.gateway.originate(
                number.to, number.shown, self._token, ring_s, self._record.attempt_id
            )
        except DialUnknownError as error:
            log.warning("call %s: the customer may have been dialled: %s", context.call_id, error)
        except CallCenterError as error:
            log.warning("call %s: the customer could not be dialled: %s", context.call_id, error)
            is_invalid = isinstance(error, NoSuchNumberError)
            self.was_dialled = False
            self._failed(DialResult.INVALID if is_invalid else DialResult.FAILED)
        else:
            await self._record.dialled(self._call_ref)

    async def _watch(self, dialling: asyncio.Task[None]) -> None:
        """Look after the telephone, lest news that was lost keep an agent waiting."""
        loop = asyncio.get_running_loop()
        with suppress(Exception):
            await asyncio.shield(dialling)
        rung_out_s = loop.time() + self._record.rules.ring_s + MARGIN_S
        connected_s = rung_out_s + CONNECTING_S
        while self.was_dialled:
            await asyncio.sleep(max(0.0, min(LOOK_EVERY_S, rung_out_s - loop.time())) or CONNECTING_S / 5)
            found = await self._look()
            if found is not None and found.fate in _RESULTS:
                self._failed(_RESULTS[found.fate])
                return
            if found is not None and found.fate is CallFate.GONE and self._call_ref:
                self._failed(DialResult.NO_ANSWER)  # Asterisk forgets a channel with its end
                return
            if loop.time() < rung_out_s:
                continue
            if found is None or found.fate is CallFate.GONE:
                self._failed(DialResult.UNKNOWN)
                return
            if found.fate is CallFate.RINGING or loop.time() >= connected_s:
                self._failed(DialResult.NO_ANSWER if found.fate is CallFate.RINGING else DialResult.FAILED)
                return

    async def _look(self) -> FoundCall | None:
        """What the network says; ``None`` where it says nothing."""
        try:
            found = await self._find()
        except (GatewayError, StorageError) as error:
            log.info("call %s: the customer's call is not found: %s", self._context.call_id, error)
            return None
        if found.call_ref and not self._call_ref:
            self._call_ref = found.call_ref
            await self._record.dialled(found.call_ref)
        return found

    async def _find(self) -> FoundCall:
        record, to = self._record, self._number.to
        since = self._asked_at or self._context.services.now()
        others = frozenset[str]() if self._call_ref else await record.other_calls(to)
        return await self._number.gateway.find(Sought(record.attempt_id, self._call_ref, to, since, others))
