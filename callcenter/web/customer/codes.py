"""Has codes sent: tells the one who can, by SMS or by call, within bounded time."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit
from uuid import uuid4

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

from callcenter.callback_settings import Page
from callcenter.web.webhook_signature import signed

log = logging.getLogger(__name__)

TIMEOUT_S = 6.0
AT_ONCE = 20


class CodeSender:
    """Posts ``{number, code, language, channel}`` to ``code_url``, signed like a webhook.

    Neither the number nor the code is ever logged.
    """

    def __init__(self, settings: Page, now: Callable[[], datetime]) -> None:
        self._url = settings.code_url
        self._key = settings.code_secret.get_secret_value().encode()
        self._channel = settings.code
        self._now = now
        self._free = asyncio.Semaphore(AT_ONCE)

    async def send(self, number: str, code: str, language: str) -> bool:
        """Whether somebody has taken it on, 6 s later at most."""
        document = {"number": number, "code": code, "language": language, "channel": self._channel}
        body = json.dumps(document).encode()
        headers = {"Content-Type": "application/json", **signed(self._key, uuid4().hex, self._now(), body)}
        try:
            async with asyncio.timeout(TIMEOUT_S), self._free:
                status = await self._post(body, headers)
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            reason = type(error).__name__
        else:
            if 200 <= status < 300:
                return True
            reason = f"it answered {status}"
        log.warning("a code was not sent by %s: %s", urlsplit(self._url).hostname, reason)
        return False

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        async with (
            ClientSession(timeout=ClientTimeout(total=TIMEOUT_S), cookie_jar=DummyCookieJar()) as session,
            session.post(self._url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            return response.status
