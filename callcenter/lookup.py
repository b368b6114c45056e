"""Asks other systems on behalf of flows: one HTTP client per process, every wait and every size bounded.

Whatever the other side does, the caller's flow goes on: an answer that is not good is told in one line of the
log without its content, and never in an error.
"""

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Never, Self
from urllib.parse import urlsplit

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientResponse,
    ClientSession,
    ClientSSLError,
    DummyCookieJar,
)
from yarl import URL

import ivr
from callcenter.errors import CallCenterError

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 64 * 1024


class LookupFailedError(CallCenterError):
    """No good answer; the message tells nothing of what was asked or answered."""


class Lookups:
    """``async with Lookups(...)``: carries out the ``LookUp`` actions of all flows of this process.

    ``at_once`` are under way at the same time, others wait within their own time; secrets are in ``environ``.
    """

    def __init__(self, at_once: int, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._free = asyncio.Semaphore(at_once)
        self._stack = AsyncExitStack()
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        # No cookies: what is set for one caller must not be sent for the next.
        session = ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False)
        self._session = await self._stack.enter_async_context(session)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def __call__(self, wanted: ivr.LookUp) -> Mapping[str, str] | None:
        """The values found, by variable; ``None`` where the lookup failed. Raises nothing else."""
        request = wanted.request
        try:
            async with asyncio.timeout(request.timeout_s), self._free:
                return await self._ask(request)
        except TimeoutError:
            reason = f"no answer within {request.timeout_s:g} s"
        except LookupFailedError as error:
            reason = str(error)
        except (ClientConnectorCertificateError, ClientSSLError):
            reason = "the TLS connection failed"
        except ClientConnectorError:
            reason = "no connection"
        except Exception as error:  # noqa: BLE001  # what it says may tell of the caller: its name must do
            reason = f"the exchange broke ({type(error).__name__})"
        log.warning("lookup of node %s at %s failed: %s", wanted.node, urlsplit(request.url).hostname, reason)
        return None

    async def _ask(self, request: ivr.Request) -> Mapping[str, str]:
        assert self._session is not None, "outside of its async with"
        headers = {name: self._value(value) for name, value in request.headers.items()}
        body = None if request.body is None else json.dumps(request.body).encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        async with self._session.request(
            request.method,
            _as_written(request.url),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", **headers},
            data=body,
            allow_redirects=False,
        ) as response:
            if not 200 <= response.status < 300:
                raise LookupFailedError(f"it answered {response.status}")
            if not request.into:
                return {}
            return _understood(await _read(response), request.into)

    def _value(self, value: str | ivr.Secret) -> str:
        if isinstance(value, str):
            return value
        secret = self._environ.get(value.env)
        if secret is None:
            raise LookupFailedError(f"the variable {value.env} is not set")
        return value.prefix + secret.strip()


def _as_written(url: str) -> URL:
    """Not encoded again, and its path not made shorter."""
    return URL(url, encoded=True)


async def _read(response: ClientResponse) -> bytes:
    kind = response.content_type
    if kind != "application/json" and not kind.endswith("+json"):
        raise LookupFailedError("the answer is not JSON by its content type")
    if (response.content_length or 0) > MAX_ANSWER_BYTES:
        raise LookupFailedError(f"the answer is larger than {MAX_ANSWER_BYTES // 1024} KiB")
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise LookupFailedError(f"the answer is larger than {MAX_ANSWER_BYTES // 1024} KiB")
    return bytes(body)


def _understood(body: bytes, into: Mapping[str, str]) -> dict[str, str]:
    try:
        document = json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise LookupFailedError("the answer is not valid JSON") from None
    try:
        return ivr.found(document, into)
    except ValueError as error:
        raise LookupFailedError(str(error)) from None


def _no_constant(name: str) -> Never:
    raise ValueError(name)
