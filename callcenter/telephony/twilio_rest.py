"""The REST interface of Twilio-compatible networks: dial, ask after a call, change it.

Source: https://www.twilio.com/docs/voice/api/call-resource
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, encode_basic_auth

from callcenter import config
from callcenter.errors import DialUnknownError, GatewayError, NoSuchNumberError
from callcenter.telephony.port import CallFate, DialResult, FoundCall, Sought

CLOCKS_DIFFER = timedelta(seconds=60)
"""How far the network's clock and ours may lie apart."""
NEWEST = "50"

_FATES: Final[Mapping[str, CallFate]] = {
    "queued": CallFate.RINGING,
    "initiated": CallFate.RINGING,
    "ringing": CallFate.RINGING,
    "in-progress": CallFate.TALKING,
    "completed": CallFate.ANSWERED,
    "busy": CallFate.BUSY,
    "no-answer": CallFate.NO_ANSWER,
    "canceled": CallFate.NO_ANSWER,
    "failed": CallFate.FAILED,
}
_NO_SUCH_NUMBER = frozenset({21201, 21211, 21217, 21401, 21421})
"""https://www.twilio.com/docs/api/errors: what is asked to be dialled is no telephone number."""
_NO_SUCH_NUMBER_SIP = frozenset({"404", "410", "484", "604"})

DIAL_RESULTS: Final[Mapping[str, DialResult]] = {
    "busy": DialResult.BUSY,
    "no-answer": DialResult.NO_ANSWER,
    "canceled": DialResult.NO_ANSWER,
    "failed": DialResult.FAILED,
}


def dial_result(form: Mapping[str, str]) -> DialResult | None:
    """What a status callback says of a party who did not come; ``None`` for one who did, or may yet."""
    result = DIAL_RESULTS.get(form.get("CallStatus", ""))
    if result is DialResult.FAILED and form.get("SipResponseCode") in _NO_SUCH_NUMBER_SIP:
        return DialResult.INVALID
    return result


@dataclass(frozen=True, slots=True)
class TwilioRest:
    """``session`` is the HTTP client; its lifetime belongs to the caller. All raise ``GatewayError``."""

    settings: config.Twilio
    session: ClientSession

    async def dial(self, form: list[tuple[str, str]]) -> str:
        """Create a call; returns its sid. Raises ``DialUnknownError`` where it may have been created."""
        answer = await self._ask("POST", "Calls.json", form, dials=True)
        sid = answer.get("sid")
        if not isinstance(sid, str):
            raise DialUnknownError("twilio: the answer to a new call holds no sid")
        return sid

    async def change(self, call_ref: str, form: list[tuple[str, str]], *, gone_is_fine: bool = False) -> None:
        """Redirect or end a call."""
        await self._ask("POST", _call_path(call_ref), form, gone_is_fine=gone_is_fine)

    async def find(self, sought: Sought) -> FoundCall:
        """What became of a call: by its sid, else the newest one that was dialled to this number since.

        The list may be filtered by day alone, and one that is still queued has no start: so the calls to the
        number are read, newest first, and their times compared here.
        """
        if sought.call_ref:
            call = await self._ask("GET", _call_path(sought.call_ref), [], gone_is_fine=True)
            return _found(call)
        answer = await self._ask("GET", "Calls.json", [("To", sought.to), ("PageSize", NEWEST)])
        calls = answer.get("calls")
        ours = [call for call in calls if _is_ours(call, sought)] if isinstance(calls, list) else []
        return _found(_liveliest(ours))

    async def _ask(
        self,
        method: str,
        path: str,
        form: list[tuple[str, str]],
        *,
        gone_is_fine: bool = False,
        dials: bool = False,
    ) -> dict[str, Any]:
        settings = self.settings
        url = f"{settings.api_url.rstrip('/')}/2010-04-01/Accounts/{settings.account_sid}/{path}"
        auth = encode_basic_auth(settings.account_sid, settings.auth_token.get_secret_value())
        timeout = ClientTimeout(total=settings.request_timeout_s)
        asks = method == "GET"
        unclear = DialUnknownError if dials else GatewayError
        try:
            async with self.session.request(
                method,
                url,
                params=form if asks else None,
                data=None if asks else form,
                headers={"Authorization": auth},
                timeout=timeout,
            ) as response:
                if response.status == HTTPStatus.NOT_FOUND and gone_is_fine:
                    return {}
                if response.status >= HTTPStatus.BAD_REQUEST:
                    await _refuse(path, response, dials=dials)
                answer = await response.json(content_type=None)
        except TimeoutError:
            raise unclear(f"twilio: no answer to {path} in {settings.request_timeout_s:g} s") from None
        except (ClientError, ValueError) as error:
            raise unclear(f"twilio: {path}: {type(error).__name__}") from error
        return answer if isinstance(answer, dict) else {}


async def _refuse(path: str, response: ClientResponse, *, dials: bool) -> None:
    message = f"twilio: {path} was answered with status {response.status}"
    if dials and response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise DialUnknownError(message)
    if dials and response.status == HTTPStatus.BAD_REQUEST:
        with suppress(ClientError, ValueError):
            answer = await response.json(content_type=None)
            if isinstance(answer, dict) and answer.get("code") in _NO_SUCH_NUMBER:
                raise NoSuchNumberError(message)
    raise GatewayError(message)


def _is_ours(call: object, sought: Sought) -> bool:
    if not isinstance(call, dict) or call.get("direction") not in (None, "outbound-api"):
        return False
    if call.get("sid") in sought.others:
        return False
    made_at = _time(call.get("date_created"))
    return made_at is not None and made_at >= sought.since - CLOCKS_DIFFER


def _liveliest(calls: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Where several fit, one that is not over: better to wait for a stranger's call than to dial twice."""
    found: dict[str, Any] = {}
    for call in calls:
        if _found(call).fate in (CallFate.RINGING, CallFate.TALKING):
            return call
        found = found or call
    return found


def _found(call: Mapping[str, Any]) -> FoundCall:
    if not call:
        return FoundCall(CallFate.GONE)
    fate = _FATES.get(str(call.get("status")))
    if fate is None:
        raise GatewayError("twilio: a call without a status that is known")
    return FoundCall(fate, str(call.get("sid") or ""))


def _time(text: object) -> datetime | None:
    try:
        at = parsedate_to_datetime(str(text))
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _call_path(call_ref: str) -> str:
    """Where a call is reached; what a gateway called it must not lead anywhere else."""
    return f"Calls/{quote(call_ref, safe='')}.json"
