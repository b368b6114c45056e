"""Dialling through Asterisk's REST interface.

The channel's id is chosen by us, so Asterisk itself refuses to dial twice for one attempt.
Source: https://docs.asterisk.org/Latest_API/API_Documentation/Asterisk_REST_Interface/Channels_REST_API/
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from aiohttp import ClientError, ClientSession, ClientTimeout, encode_basic_auth

from callcenter import config
from callcenter.errors import DialUnknownError, GatewayError
from callcenter.telephony.port import CallFate, FoundCall, Sought
from callcenter.telephony.shell import reference_of

TIMEOUT_S = 10.0
_TALKING = frozenset({"Up"})


@dataclass(frozen=True, slots=True)
class Ari:
    """``session`` is the HTTP client; its lifetime belongs to the caller. All raise ``GatewayError``."""

    settings: config.Asterisk
    session: ClientSession

    async def dial(
        self, to: str, from_number: str, token: str, ring_timeout_s: float, attempt_id: UUID | None
    ) -> str:
        """Dial an agent's endpoint, or a customer's number by ``customer_endpoint``.

        The channel runs ``agent_context`` with the UUID as its extension, where ``AudioSocket(${EXTEN},...)``
        is expected.
        """
        channel = f"cc-{reference_of(token)}" if attempt_id is None else channel_of(attempt_id)
        query = {
            "endpoint": to if attempt_id is None else self._endpoint(to),
            "context": self.settings.agent_context,
            "extension": token,
            "priority": "1",
            "callerId": from_number,
            "timeout": str(max(1, round(ring_timeout_s))),
            "channelId": channel,
            "formats": "slin",
        }
        await self._ask("POST", "channels", query, unclear=DialUnknownError)
        return channel

    async def find(self, sought: Sought) -> FoundCall:
        """The channel as it is; Asterisk forgets one as soon as it is over."""
        channel = sought.call_ref or channel_of(sought.attempt_id)
        answer = await self._ask("GET", f"channels/{channel}", {})
        if answer is None:
            return FoundCall(CallFate.GONE)
        talking = answer.get("state") in _TALKING
        return FoundCall(CallFate.TALKING if talking else CallFate.RINGING, channel)

    async def hang_up(self, call_ref: str) -> None:
        """Hang up a channel that was dialled."""
        await self._ask("DELETE", f"channels/{call_ref}", {})

    def _endpoint(self, number: str) -> str:
        pattern = self.settings.customer_endpoint
        if not pattern:
            raise GatewayError(
                "asterisk: gateways.asterisk.customer_endpoint is not set, so no customer can be dialled"
            )
        return pattern.replace("{number}", number)

    async def _ask(
        self, method: str, path: str, query: dict[str, str], unclear: type[GatewayError] = GatewayError
    ) -> dict[str, Any] | None:
        """The answer; ``None`` for a channel that there is not (any more)."""
        settings = self.settings
        if not settings.ari_url:
            raise GatewayError("asterisk: gateways.asterisk.ari_url is not set, so nobody can be dialled")
        password = settings.ari_password.get_secret_value()
        headers = {"Authorization": encode_basic_auth(settings.ari_user, password)}
        url = f"{settings.ari_url.rstrip('/')}/{path}"
        try:
            async with self.session.request(
                method, url, params=query, headers=headers, timeout=ClientTimeout(total=TIMEOUT_S)
            ) as response:
                if response.status == HTTPStatus.NOT_FOUND and method != "POST":
                    return None
                if response.status >= HTTPStatus.BAD_REQUEST:
                    is_ours = response.status == HTTPStatus.CONFLICT
                    kind = unclear if is_ours or response.status >= 500 else GatewayError
                    raise kind(f"asterisk: {path} was answered with status {response.status}")
                answer = await response.json(content_type=None) if method == "GET" else {}
        except TimeoutError:
            raise unclear(f"asterisk: no answer to {path} in {TIMEOUT_S:g} s") from None
        except (ClientError, ValueError) as error:
            raise unclear(f"asterisk: {path}: {type(error).__name__}") from error
        return answer if isinstance(answer, dict) else {}


def channel_of(attempt_id: UUID) -> str:
    """The channel of a customer's call."""
    return f"cb-{attempt_id}"
