"""What may lie between a filled-in form and its callback: a code, another time, a request that stands."""

import secrets
from collections.abc import Mapping

from aiohttp import web

from callcenter.callback_settings import Page
from callcenter.callbacks.desk import CallbackDesk
from callcenter.storage.page_codes import Filled, PageCodes, Tried
from callcenter.web.customer import forms
from callcenter.web.customer.booking import Booking, zone_given
from callcenter.web.customer.choices import is_choice, start_of
from callcenter.web.customer.drawing import Drawing, LinkError, read_form, seen
from callcenter.web.customer.forms import BadFormError
from callcenter.web.customer.limits import Limits
from callcenter.web.customer.offering import Offering
from callcenter.web.customer.visit import Visit
from callcenter.web.customer.way import Way

CODE_CHARS = 6
STEPS = 3


class CallbackSteps:
    """The pages of one filled-in form; its key is in the address."""

    def __init__(
        self,
        settings: Page,
        desk: CallbackDesk,
        drawing: Drawing,
        way: Way,
        booking: Booking,
        codes: PageCodes,
        limits: Limits,
    ) -> None:
        self._settings = settings
        self._desk = desk
        self._drawing = drawing
        self._way = way
        self._booking = booking
        self._codes = codes
        self._limits = limits
        self._offering = Offering(desk)

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        handle = self._drawing.handle
        return [
            web.get("/callback/code", handle(self.code)),
            web.post("/callback/code", handle(self.enter_code)),
            web.get("/callback/time", handle(self.time)),
            web.post("/callback/time", handle(self.choose_time)),
            web.get("/callback/stands", handle(self.stands)),
        ]

    # The code.

    async def code(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        """Ask for the code."""
        key = visit.asked.get("key", "")
        filled = await self._way.opened(key)
        if self._is_past_code(filled):
            return await self._way.on(visit, key, filled)
        wrong = {} if filled.has_code else {"code": visit.words["wrong_code_over"]}
        notice = visit.words["code_sent"] if visit.asked.get("notice") == "sent" and not wrong else ""
        return self._code_page(visit, key, filled, wrong, notice=notice)

    async def enter_code(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        """Try the code, or send a new one."""
        sent = await read_form(request)
        key = sent.get("key", "")
        filled = await self._way.opened(key)
        if self._is_past_code(filled):
            return await self._way.on(visit, key, filled)
        if sent.get("send"):
            return await self._send_again(request, visit, key, filled)
        typed = forms.digits(sent.get("code", ""))
        if len(typed) != CODE_CHARS or not typed.isascii() or not typed.isdecimal():
            return self._code_page(visit, key, filled, {"code": visit.words["wrong_code_form"]}, 422)
        tried, left = await self._booking.try_code(key, filled.wish, typed)
        match tried:
            case Tried.RIGHT:
                return await self._way.on(visit, key, await self._way.opened(key))
            case Tried.WRONG:
                text = visit.words["wrong_code"].format(left=left)
            case Tried.OVER:
                text = visit.words["wrong_code_over"]
        return self._code_page(visit, key, filled, {"code": text}, 422)

    async def _send_again(
        self, request: web.Request, visit: Visit, key: str, filled: Filled
    ) -> web.StreamResponse:
        await self._limits.count(request, filled.wish["number"], secrets.token_hex())
        sent = await self._booking.send_code(key, filled.wish)
        if sent:
            return seen(visit.url("/callback/code", key=key, notice="sent"))
        text = visit.words["wrong_code_wait" if sent is None else "wrong_code_unsent"]
        return self._code_page(visit, key, filled, {"code": text}, 422 if sent is None else 503)

    def _is_past_code(self, filled: Filled) -> bool:
        return filled.done or filled.proved or not self._booking.needs_code or not filled.wish["number"]

    def _code_page(
        self,
        visit: Visit,
        key: str,
        filled: Filled,
        wrong: Mapping[str, str],
        status: int = 200,
        notice: str = "",
    ) -> web.Response:
        words, wish = visit.words, filled.wish
        text = words["code_call"] if self._settings.code == "call" else words["code_sms"]
        return self._drawing.page(
            visit.on("/callback/code", key=key),
            "code",
            status,
            key=key,
            wrong=wrong,
            notice=notice,
            steps=STEPS,
            sent_text=text.format(ending=wish["number"][-2:]),
            other_href=visit.url("/callback", topic=wish["topic"], at=wish["at"], key=key),
        )

    # Another time, because the chosen one is gone.

    async def time(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        """The free times nearest to the one that was wanted."""
        key = visit.asked.get("key", "")
        filled = await self._way.opened(key)
        if filled.done or not filled.wish["number"]:
            return await self._way.on(visit, key, filled)
        wish = filled.wish
        zone = self._desk.zone(wish["number"], wish["topic"], zone_given(filled))
        offered = await self._offering.of(wish["topic"], visit, zone, near=start_of(wish["at"]) or visit.now)
        if offered.is_nothing:
            return self._drawing.message(visit, "not_offered", 409, again=True)
        return await self._drawing.long_page(visit, "taken", key=key, **offered.as_values())

    async def choose_time(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        """Take another time for what was filled in."""
        sent = await read_form(request)
        key, at = sent.get("key", ""), sent.get("at", "")
        if not is_choice(at):
            raise BadFormError
        filled = await self._way.opened(key)
        if not filled.done:
            await self._codes.choose(key, at=at)
            filled = await self._way.opened(key)
        return await self._way.on(visit, key, filled)

    # What stands already.

    async def stands(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        """Somebody has asked for this number before; it is not told who, when, nor for when."""
        filled = await self._way.opened(visit.asked.get("key", ""))
        if not filled.done or filled.callback_id is not None:
            raise LinkError
        text = visit.words["stands_text"].format(ending=filled.wish["ending"])
        return self._drawing.page(visit, "message", title=visit.words["stands_title"], text=text, again=False)
