"""``/api/v1/do-not-call``: numbers that must not be called."""

from aiohttp import web

from callback.numbers import plain
from callback.search import Forbidden
from callback.store import Store
from callcenter.callbacks.desk import CallbackDesk
from callcenter.errors import NotFoundError
from callcenter.web import callback_bodies as bodies
from callcenter.web import callback_models as models
from callcenter.web.body import parse_body, parse_query
from callcenter.web.callback_access import by
from callcenter.web.errors import InvalidError
from callcenter.web.params import answer, principal_of


class DoNotCallRoutes:
    """The list, for supervisors."""

    def __init__(self, desk: CallbackDesk, store: Store) -> None:
        self._desk = desk
        self._store = store

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [
            web.get("/api/v1/do-not-call", self.list),
            web.post("/api/v1/do-not-call", self.add),
            web.delete("/api/v1/do-not-call", self.remove),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Numbers, in order; or the one that is asked for."""
        principal_of(request).require_supervisor()
        query = parse_query(bodies.DoNotCallQuery, request.query)
        if query.number is not None:
            found = await self._store.forbidden_number(plain(query.number))
            numbers, more = [] if found is None else [found], False
        else:
            numbers = await self._desk.forbidden(query.cursor or "", query.limit + 1)
            more = len(numbers) > query.limit
        page = [_entry(one) for one in numbers[: query.limit]]
        return answer(models.DoNotCallPage(numbers=page, next_cursor=page[-1].number if more else None))

    async def add(self, request: web.Request) -> web.Response:
        """Never call a number again; 200 where it was on the list."""
        principal = principal_of(request)
        principal.require_supervisor()
        body = parse_body(bodies.DoNotCallBody, await request.read(), request.content_type)
        known = await self._store.forbidden_number(plain(body.number))
        number = await self._desk.forbid(body.number, by=by(principal), note=body.note)
        entry = known or await self._store.forbidden_number(number)
        if entry is None:
            raise NotFoundError("somebody has just taken this number off the list")
        return answer(_entry(entry), 201 if known is None else 200)

    async def remove(self, request: web.Request) -> web.Response:
        """The number may be called again."""
        principal_of(request).require_supervisor()
        query = parse_query(bodies.DoNotCallQuery, request.query)
        if query.number is None:
            raise InvalidError("number: is needed", "number")
        if not await self._desk.allow(query.number):
            raise NotFoundError("this number is not on the list")
        return web.Response(status=204)


def _entry(one: Forbidden) -> models.DoNotCallEntry:
    return models.DoNotCallEntry(
        number=one.number, added_at=one.added_at, added_by=one.added_by, note=one.note
    )
