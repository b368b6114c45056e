"""Signs requests in: a bearer token, or the cookie that the sign-in page sets.

The cookie holds the token itself, out of the reach of scripts (``HttpOnly``) and of other sites
(``SameSite=Strict``). A request that would change something, or open a socket, with the cookie alone must
also name our own origin (``Origin`` or ``Sec-Fetch-Site``), which no other site's page can do. Sources:
RFC 6750, and the OWASP cheat sheet on cross-site request forgery ("Verifying Origin").
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from callcenter.web.errors import ForbiddenError, RateLimitedError, UnauthorizedError
from callcenter.web.limits import FailedSignIns
from callcenter.web.principal import Principal

COOKIE = "callcenter_session"
COOKIE_MAX_AGE_S = 12 * 3600
TOKEN_PREFIX = "cc_"  # noqa: S105 - the visible beginning of a token, not a secret
MAX_TOKEN_CHARS = 200
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PRINCIPAL = web.RequestKey("principal", Principal)

TokenLookup = Callable[[str], Awaitable[Principal | None]]
"""Finds the user of a token; ``None`` for an unknown or expired one."""


class Authenticator:
    """Finds out who asks. ``public_url`` is the address that browsers know us by, if it is not our own."""

    def __init__(self, lookup: TokenLookup, public_url: str) -> None:
        self._lookup = lookup
        self._public = urlsplit(public_url)
        self._failures = FailedSignIns()

    async def principal(self, request: web.Request) -> Principal:
        """Who sent the request.

        Raises ``UnauthorizedError`` (401), ``RateLimitedError`` (429), or ``ForbiddenError`` (403) for a
        cookie that comes from another site's page.
        """
        header = request.headers.get("Authorization")
        if header is not None:
            scheme, _, token = header.partition(" ")
            if scheme.lower() != "bearer":
                raise UnauthorizedError("the header Authorization must be: Bearer cc_...")
            return await self.of_token(token.strip(), request)
        token = request.cookies.get(COOKIE, "")
        if not token:
            raise UnauthorizedError("a token is needed: Authorization: Bearer cc_...")
        if request.method not in SAFE_METHODS or "Upgrade" in request.headers:
            self.require_same_origin(request)
        return await self.of_token(token, request)

    async def of_token(self, token: str, request: web.Request) -> Principal:
        """The user of ``token``; wrong ones are counted against the request's address."""
        now_s = asyncio.get_running_loop().time()
        address = request.remote or ""
        token_hash = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        if not self._failures.may_try(address, token_hash, now_s):
            raise RateLimitedError("too many wrong tokens; wait a minute")
        well_formed = token.startswith(TOKEN_PREFIX) and token.isascii() and len(token) <= MAX_TOKEN_CHARS
        principal = await self._lookup(token) if well_formed else None
        if principal is None:
            self._failures.failed(address, token_hash, now_s)
            raise UnauthorizedError("the token is unknown or has expired")
        self._failures.succeeded(token_hash)
        return principal

    def require_same_origin(self, request: web.Request) -> None:
        """Raise ``ForbiddenError`` unless a page of ours sent the request."""
        origin = request.headers.get("Origin")
        if origin is None:
            if request.headers.get("Sec-Fetch-Site") == "same-origin":
                return
            raise ForbiddenError("the request does not say that it comes from our own page")
        theirs = urlsplit(origin)
        is_public = theirs[:2] == self._public[:2] and self._public.netloc != ""
        if not is_public and theirs.netloc.lower() != request.host.lower():
            raise ForbiddenError("the request comes from another site's page")

    def set_cookie(self, response: web.StreamResponse, request: web.Request, token: str) -> None:
        """Sign the browser in."""
        response.set_cookie(
            COOKIE,
            token,
            max_age=COOKIE_MAX_AGE_S,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=request.secure or self._public.scheme == "https",
        )


def is_own_machine(request: web.Request) -> bool:
    """Whether the browser runs on this machine and addressed it by a loopback name.

    The name is checked too, so that a foreign page whose name resolves to 127.0.0.1 is not signed in, and
    a request that came through a proxy does not count.
    """
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    name = urlsplit(f"//{request.host}").hostname or ""
    return _is_loopback(request.remote or "") and (name == "localhost" or _is_loopback(name))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
