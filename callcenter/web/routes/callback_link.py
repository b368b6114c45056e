"""``/callback/{token}``: where customers see, move and cancel their own request.

The signed token is all there is to know: whoever has it may do these things to that one callback, and nothing
else. A token of a final notice leads to a new request instead.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from aiohttp import web

from callback.errors import NotFoundError, RefusedError, TransitionError, VersionError
from callback.links import Purpose
from callback.refusal import Refusal
from callback.request import Callback
from callback.state import State
from callcenter.callbacks.desk import CallbackDesk
from callcenter.errors import NotFoundError as QueueGoneError
from callcenter.web.customer import forms
from callcenter.web.customer.choices import is_choice, start_of
from callcenter.web.customer.drawing import Drawing, LinkError, read_form, seen
from callcenter.web.customer.forms import BadFormError, OldFormError
from callcenter.web.customer.offering import Offering
from callcenter.web.customer.standing import Row, Standing, number_row, standing
from callcenter.web.customer.topics import Topics
from callcenter.web.customer.visit import Visit

BY = "customer"
NOTICES = {
    "moved": "notice_moved",
    "stands": "notice_stands",
    "meanwhile": "notice_meanwhile",
    "late": "notice_too_late",
}

Shown = Callable[[web.Request, Visit, Callback, str], Awaitable[web.StreamResponse]]
"""A handler that is given the callback, and the path of its page."""


class CallbackLink:
    """The page of one request."""

    def __init__(self, desk: CallbackDesk, topics: Topics, drawing: Drawing) -> None:
        self._desk = desk
        self._topics = topics
        self._drawing = drawing
        self._offering = Offering(desk)

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer. What else begins with ``/callback/`` must be known to the router before."""
        handle = self._drawing.handle
        return [
            web.get("/callback/{token}", handle(self.page)),
            web.get("/callback/{token}/state", handle(self._of_link(self.state))),
            web.get("/callback/{token}/move", handle(self._of_link(self.choose))),
            web.post("/callback/{token}/move", handle(self._of_link(self.move))),
            web.get("/callback/{token}/cancel", handle(self._of_link(self.confirm))),
            web.post("/callback/{token}/cancel", handle(self._of_link(self.cancel))),
        ]

    def _of_link(self, handler: Shown) -> Callable[[web.Request, Visit], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request, visit: Visit) -> web.StreamResponse:
            token = request.match_info["token"]
            callback = await self._find(token, Purpose.MANAGE)
            return await handler(request, visit.prefer(callback.language), callback, f"/callback/{token}")

        return handle

    async def _find(self, token: str, purpose: Purpose) -> Callback:
        try:
            callback = await self._desk.by_link(token, purpose)
        except NotFoundError:
            raise LinkError from None
        if callback.erased_at is not None:
            raise LinkError
        return callback

    # Looking.

    async def page(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        """How the request stands; or the way to a new one, by the link in a final notice."""
        try:
            return await self._of_link(self.show)(request, visit)
        except LinkError:
            token = request.match_info["token"]
            last = await self._find(token, Purpose.AGAIN)
        language = visit.prefer(last.language).language
        return seen(visit.url("/callback", topic=last.queue, again=token, lang=language))

    async def show(
        self, request: web.Request, visit: Visit, callback: Callback, path: str
    ) -> web.StreamResponse:
        """How the request stands."""
        shown = await self._standing(visit, callback)
        texts: dict[str, str] = {**visit.words}  # type: ignore[dict-item]
        notice = NOTICES.get(visit.asked.get("notice", ""))
        return self._drawing.page(
            visit,
            "status",
            view=shown,
            path=path,
            notice=texts[notice] if notice else "",
            refreshes=visit.asked.get("still") != "1",
            poll_url=visit.url(f"{path}/state"),
            again_href=await self._again(visit, callback) if shown.again else "",
        )

    async def state(
        self, request: web.Request, visit: Visit, callback: Callback, path: str
    ) -> web.StreamResponse:
        """What changes on that page, for its script."""
        shown = await self._standing(visit, callback)
        return web.json_response(shown.as_json(), headers={"Referrer-Policy": "no-referrer"})

    # Moving.

    async def choose(
        self, request: web.Request, visit: Visit, callback: Callback, path: str
    ) -> web.StreamResponse:
        """Which other times there are."""
        if not (await self._desk.status(callback)).may_change:
            return seen(visit.url(path, notice="late"))
        return await self._choices(visit, callback, path, {})

    async def _choices(
        self,
        visit: Visit,
        callback: Callback,
        path: str,
        wrong: Mapping[str, str],
        near: datetime | None = None,
    ) -> web.Response:
        offered = await self._offering.of(callback.queue, visit, callback.zone, near=near)
        return await self._drawing.long_page(
            visit.on(f"{path}/move"),
            "move",
            409 if wrong else 200,
            path=path,
            wrong=wrong,
            key=await self._key("move", visit, callback),
            version=callback.version,
            **offered.as_values(),
        )

    async def move(
        self, request: web.Request, visit: Visit, callback: Callback, path: str
    ) -> web.StreamResponse:
        """Take another time; a second click finds what the first has done."""
        sent = await read_form(request)
        at, version = sent.get("at", ""), sent.get("version", "")
        if not is_choice(at) or not (version.isascii() and version.isdecimal() and len(version) < 10):
            raise BadFormError
        try:
            await self._check("move", sent, visit, callback)
        except OldFormError:
            return await self._choices(visit, callback, path, {"form": visit.words["wrong_old_form"]})
        wanted = start_of(at)
        try:
            await self._desk.move(
                callback.callback_id, by=BY, slot_start=wanted, zone=callback.zone, version=int(version)
            )
        except VersionError:
            now = await self._desk.get(callback.callback_id)
            is_done = now.slot_start == wanted and now.is_open
            return seen(visit.url(path, notice="moved" if is_done else "meanwhile"))
        except (TransitionError, QueueGoneError):
            return seen(visit.url(path, notice="late"))
        except RefusedError as error:
            if error.refusal is Refusal.TOO_LATE:
                return seen(visit.url(path, notice="late"))
            wrong = {"at": visit.words["wrong_time"]}
            return await self._choices(visit, callback, path, wrong, near=wanted)
        return seen(visit.url(path, notice="moved"))

    # Cancelling.

    async def confirm(
        self, request: web.Request, visit: Visit, callback: Callback, path: str
    ) -> web.StreamResponse:
        """Whether it is really meant."""
        shown = await self._standing(visit, callback)
        if not shown.may_change:
            return seen(visit.url(path, notice="" if callback.state is State.CANCELLED else "late"))
        return await self._confirmation(visit, callback, path, {})

    async def _confirmation(
        self, visit: Visit, callback: Callback, path: str, wrong: Mapping[str, str]
    ) -> web.Response:
        words, calendar = visit.words, visit.calendar(callback.zone)
        window = calendar.span(callback.promised_from, callback.promised_until)
        rows = [
            Row(words["about"], self._topics.title(callback.queue, visit.language)),
            Row(words["window"], window, note=calendar.zone_name(callback.promised_from)),
            number_row(callback.number, visit),
        ]
        return self._drawing.page(
            visit.on(f"{path}/cancel"),
            "cancel",
            422 if wrong else 200,
            path=path,
            wrong=wrong,
            rows=rows,
            key=await self._key("cancel", visit, callback),
        )

    async def cancel(
        self, request: web.Request, visit: Visit, callback: Callback, path: str
    ) -> web.StreamResponse:
        """Give it up; a second click finds it cancelled."""
        sent = await read_form(request)
        if callback.state is State.CANCELLED:
            return seen(visit.url(path))
        try:
            await self._check("cancel", sent, visit, callback)
        except OldFormError:
            return await self._confirmation(visit, callback, path, {"form": visit.words["wrong_old_form"]})
        try:
            await self._desk.cancel(callback.callback_id, by=BY, cause="page")
        except (TransitionError, RefusedError):
            now = await self._desk.get(callback.callback_id)
            return seen(visit.url(path, notice="" if now.state is State.CANCELLED else "late"))
        return seen(visit.url(path))

    # Common to all.

    async def _standing(self, visit: Visit, callback: Callback) -> Standing:
        status = await self._desk.status(callback)
        return standing(status, self._topics.title(callback.queue, visit.language), visit)

    async def _again(self, visit: Visit, callback: Callback) -> str:
        """The way to the same request once more, where it can be had."""
        if self._topics.find(callback.queue) is None:
            return ""
        link = await self._desk.link(callback, Purpose.AGAIN)
        return visit.url(f"/callback/{link.rpartition('/')[2]}")

    async def _key(self, what: str, visit: Visit, callback: Callback) -> str:
        nonce = secrets.token_bytes(forms.NONCE_BYTES)
        return forms.form_key(f"{what} {callback.callback_id}", await self._desk.code_key(), visit.now, nonce)

    async def _check(self, what: str, sent: Mapping[str, str], visit: Visit, callback: Callback) -> None:
        purpose = f"{what} {callback.callback_id}"
        forms.check_key(sent.get("key", ""), purpose, await self._desk.code_key(), visit.now)
