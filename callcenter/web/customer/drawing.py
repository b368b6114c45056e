"""Draws the customers' pages, and answers for what goes wrong on them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import jinja2
from aiohttp import web

from callback.errors import CallbackError
from callcenter.callback_settings import Page
from callcenter.errors import CallCenterError, StorageError
from callcenter.web.customer.forms import MAX_FORM_BYTES, MAX_NAME_CHARS, BadFormError, fields
from callcenter.web.customer.language import LANGUAGES
from callcenter.web.customer.visit import Visit
from callcenter.web.middleware import REQUEST_ID

log = logging.getLogger(__name__)

HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
RETRY_AFTER_S = 900
BODY_TIMEOUT_S = 15.0

Handler = Callable[[web.Request, Visit], Awaitable[web.StreamResponse]]


class LinkError(CallCenterError):
    """The link is forged, too old, or of something that is gone. Which of these is told to nobody."""


class TooManyError(CallCenterError):
    """The number or the address has asked too often."""


class Drawing:
    """The templates, and what all pages have in common."""

    def __init__(self, settings: Page, now: Callable[[], datetime]) -> None:
        self._now = now
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("callcenter.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            brand=settings.title,
            languages=[(name, words["own_name"]) for name, words in LANGUAGES.items()],
            most_name=MAX_NAME_CHARS,
            wrong={},
            notice="",
        )

    def handle(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler for the router: it is given the visit, and its errors become pages."""

        async def handle(request: web.Request) -> web.StreamResponse:
            accepted = request.headers.get("Accept-Language", "")
            visit = Visit.of(request.path, request.query, accepted, self._now())
            try:
                return await handler(request, visit)
            except web.HTTPException:
                raise
            except Exception as error:  # noqa: BLE001  # whatever it is, the customer gets a page
                return self._failed(request, visit, error)

        return handle

    def page(self, visit: Visit, name: str, status: int = 200, **values: Any) -> web.Response:
        """The page of that template."""
        template = self._templates.get_template(f"callback/{name}.html")
        text = template.render(visit=visit, words=visit.words, **values)
        return web.Response(text=text, content_type="text/html", status=status, headers=HEADERS)

    async def long_page(self, visit: Visit, name: str, status: int = 200, **values: Any) -> web.Response:
        """A page with a long list, which takes a while to draw: sound must go on meanwhile."""
        return await asyncio.to_thread(self.page, visit, name, status, **values)

    def message(self, visit: Visit, name: str, status: int, *, again: bool = False) -> web.Response:
        """A page that says one thing."""
        texts: dict[str, str] = {**visit.words}  # type: ignore[dict-item]
        title, text = texts[f"{name}_title"], texts[f"{name}_text"]
        # Not on an address that only takes forms, nor on one that does not work.
        on = visit.on("/callback")
        return self.page(on, "message", status, title=title, text=text, again=again)

    def _failed(self, request: web.Request, visit: Visit, error: Exception) -> web.Response:
        match error:
            case LinkError():
                return self.message(visit, "link", 404, again=True)
            case TooManyError():
                response = self.message(visit, "many", 429)
                response.headers["Retry-After"] = str(RETRY_AFTER_S)
                return response
            case BadFormError():
                return self.message(visit, "bad_form", 400, again=True)
            case StorageError():
                log.warning("request %s: %s", request[REQUEST_ID], error)
            case ConnectionResetError():
                raise error
            case CallbackError() | CallCenterError():
                # What it says may name a number.
                log.warning("request %s: %s", request[REQUEST_ID], type(error).__name__)
            case _:
                log.exception("request %s failed", request[REQUEST_ID])
        return self.message(visit, "away", 503)


def seen(path: str) -> web.Response:
    """Leads the browser to another page, so that going back or reloading sends nothing again."""
    return web.Response(status=303, headers={"Location": path, **HEADERS})


async def read_form(request: web.Request) -> dict[str, str]:
    """The fields that were sent; raises ``BadFormError`` for other than a form of ours.

    There is no cookie, so another site's page could at most send what anybody may send; browsers say where
    a form stood, and those of other sites are refused.
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise BadFormError
    if (request.content_length or 0) > MAX_FORM_BYTES:
        raise BadFormError
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > MAX_FORM_BYTES:
                    raise BadFormError
    except TimeoutError:
        raise BadFormError from None
    return fields(bytes(body), request.content_type)
