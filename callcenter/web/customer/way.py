"""Where a filled-in form leads: always to another page, whatever became of it."""

from aiohttp import web

from callback.request import Callback
from callcenter.callbacks.desk import CallbackDesk
from callcenter.storage.page_codes import Filled, PageCodes
from callcenter.web.customer.booking import Booking, Outcome
from callcenter.web.customer.drawing import Drawing, LinkError, seen
from callcenter.web.customer.visit import Visit


class Way:
    """Takes forms as far as they go, and the browser to what comes next."""

    def __init__(self, desk: CallbackDesk, booking: Booking, codes: PageCodes, drawing: Drawing) -> None:
        self._desk = desk
        self._booking = booking
        self._codes = codes
        self._drawing = drawing

    async def opened(self, key: str) -> Filled:
        """The form of that key; raises ``LinkError`` for one that nobody has filled in, or long ago."""
        filled = await self._codes.find(key) if key else None
        if filled is None:
            raise LinkError
        return filled

    async def on(self, visit: Visit, key: str, filled: Filled) -> web.Response:
        """Do what can be done with the form, and lead to what follows."""
        progress = await self._booking.proceed(key, filled)
        match progress.outcome:
            case Outcome.GRANTED:
                assert progress.callback is not None, "granted without a callback"
                notice = "" if progress.is_new else "stands"
                return seen(visit.url(await self.path_of(progress.callback), notice=notice))
            case Outcome.STANDS:
                return seen(visit.url("/callback/stands", key=key))
            case Outcome.TIME:
                return seen(visit.url("/callback/time", key=key))
            case Outcome.REFUSED:
                return self._drawing.message(visit, "not_offered", 409, again=True)
            case Outcome.NUMBER:
                await self._codes.choose(key, number="")
                return seen(_form_address(visit, key, filled, "number"))
            case Outcome.CODE:
                return await self._to_code(visit, key, filled)

    async def path_of(self, callback: Callback) -> str:
        """Where its page is on this service."""
        link = await self._desk.link(callback)
        return f"/callback/{link.rpartition('/')[2]}"

    async def _to_code(self, visit: Visit, key: str, filled: Filled) -> web.Response:
        sent = filled.has_code or await self._booking.send_code(key, filled.wish)
        if sent:
            return seen(visit.url("/callback/code", key=key))
        return seen(_form_address(visit, key, filled, "wait" if sent is None else "unsent"))


def _form_address(visit: Visit, key: str, filled: Filled, notice: str) -> str:
    wish = filled.wish
    return visit.url("/callback", topic=wish["topic"], at=wish["at"], key=key, notice=notice)
