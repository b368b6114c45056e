"""Callers whose leg is about to come in, because their gateway announced them."""

import asyncio
import hmac
import logging
from hashlib import sha256

from pydantic import SecretStr

from callcenter.call.services import CallServices
from callcenter.call.supervisor import CallSupervisor
from callcenter.errors import LegRefusedError, StorageError

log = logging.getLogger(__name__)

TTL_S = 60.0
"""How long an announced leg is waited for."""
STORE_TIMEOUT_S = 8.0
"""A gateway that gets no answer in time tells the caller nothing; one that is refused says so."""


class ExpectedCallers:
    """Writes down announced callers; any process may then take their leg, once.

    All methods raise ``NotFoundError`` for a number that no flow answers, ``OverloadedError`` when no call
    can be taken, ``StorageError`` without a database.
    """

    def __init__(
        self,
        services: CallServices,
        supervisor: CallSupervisor,
        key: SecretStr,
    ) -> None:
        self._services = services
        self._supervisor = supervisor
        self._key = key.get_secret_value().encode()

    async def twilio(self, gateway: str, call_ref: str, from_number: str, to_number: str) -> str:
        """Return the token for the call ``call_ref``.

        It is derived from the reference, so a webhook that is sent again gets the same answer and the call
        still has one leg.
        """
        token = hmac.new(self._key, b"leg:" + call_ref.encode(), sha256).hexdigest()
        try:
            await self._expect(token, gateway, call_ref, from_number, to_number)
        except LegRefusedError:
            log.info("twilio: a call was announced again; its token stays the same")
        return token

    async def asterisk(self, uuid: str, call_ref: str, from_number: str, to_number: str) -> None:
        """Expect a leg with this UUID; raises ``LegRefusedError`` for one that was announced before."""
        await self._expect(uuid, "asterisk", call_ref, from_number, to_number)

    async def _expect(
        self, token: str, gateway: str, call_ref: str, from_number: str, to_number: str
    ) -> None:
        self._supervisor.check_capacity()
        self._services.flow_for(to_number)
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                await self._services.leg_tokens.announce(
                    token,
                    kind="caller",
                    gateway=gateway,
                    call_ref=call_ref,
                    from_number=from_number,
                    to_number=to_number,
                    ttl_s=TTL_S,
                )
        except TimeoutError:
            raise StorageError("the database does not answer") from None
