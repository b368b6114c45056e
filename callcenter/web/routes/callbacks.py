"""``/api/v1/callbacks``: customers who asked to be called back; asking for them."""

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from hashlib import sha256
from uuid import UUID

from aiohttp import web

from callback.errors import RefusedError
from callback.numbers import plain
from callback.refusal import Refusal
from callback.request import Callback, Source
from callback.search import Search
from callback.state import OPEN
from callback.store import Store
from callcenter.callbacks.desk import CallbackDesk
from callcenter.callbacks.models import Asked
from callcenter.errors import StorageError
from callcenter.storage.calls import CallRecord, Calls
from callcenter.web import callback_bodies as bodies
from callcenter.web import callback_models as models
from callcenter.web import paging
from callcenter.web.body import parse_body, parse_query
from callcenter.web.callback_access import CallbackAccess, by, key_of, tagged
from callcenter.web.callback_csv import rows_of
from callcenter.web.errors import ForbiddenError, InvalidError
from callcenter.web.params import answer, id_of, principal_of
from callcenter.web.principal import Principal

log = logging.getLogger(__name__)

CSV_PAGE = 500
CSV_ROWS = 100_000


class CallbackRoutes:
    """The list, one of it, and new ones."""

    def __init__(self, desk: CallbackDesk, store: Store, access: CallbackAccess, calls: Calls) -> None:
        self._desk = desk
        self._store = store
        self._access = access
        self._calls = calls

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [
            web.get("/api/v1/callbacks", self.list),
            web.post("/api/v1/callbacks", self.create),
            web.get("/api/v1/callbacks/slots", self.slots),
            web.get("/api/v1/callbacks/{id}", self.get),
            web.post("/api/v1/calls/{id}/callback", self.create_of_call),
        ]

    async def list(self, request: web.Request) -> web.StreamResponse:
        """Callbacks, newest request first."""
        query = parse_query(bodies.CallbackQuery, request.query)
        queues = await self._access.queues_of(principal_of(request))
        if query.stranded:
            gone = await self._desk.gone_queues()
            queues = gone if queues is None else queues & gone
        wanted = Search(
            queue=query.queue,
            states=query.state or (OPEN if query.stranded else ()),
            number=None if query.number is None else plain(query.number),
            source=query.source,
            owner=query.owner,
            since=query.since,
            until=query.until,
            after=paging.decode(query.cursor) if query.cursor is not None else None,
            limit=query.limit + 1,
            queues=queues,
            text=query.text,
        )
        if query.format == "csv" or (query.format is None and _prefers_csv(request)):
            return await self._table(request, replace(wanted, limit=CSV_PAGE))
        found = await self._desk.find(wanted)
        page, more = found[: query.limit], len(found) > query.limit
        return answer(
            models.CallbackPage(
                callbacks=[models.Callback.of(one) for one in page],
                next_cursor=paging.encode(_place(page[-1])) if more else None,
            )
        )

    async def get(self, request: web.Request) -> web.Response:
        """One callback with its attempts and its history."""
        callback = await self._access.visible(request)
        detail = models.CallbackDetail.of(
            callback,
            **await self._access.standing(callback),
            attempts_made=[
                models.CallbackAttempt.of(one) for one in await self._desk.attempts_of(callback.callback_id)
            ],
            history=[models.CallbackChange.of(one) for one in await self._desk.history(callback.callback_id)],
        )
        return tagged(answer(detail), callback)

    async def slots(self, request: web.Request) -> web.Response:
        """The times that can be chosen."""
        query = parse_query(bodies.SlotQuery, request.query)
        self._access.require_known(query.queue)
        slots = await self._desk.slots(query.queue, zone=query.zone, since=query.since, days=query.days)
        return answer(
            models.SlotList(
                queue=query.queue,
                slots=[
                    models.CallbackSlot(start=one.start, end=one.end, capacity=one.capacity, free=one.free)
                    for one in slots
                ],
            )
        )

    async def create(self, request: web.Request) -> web.Response:
        """Ask for one: 201, or 200 where the number had an open one in the queue."""
        body = parse_body(bodies.CallbackBody, await request.read(), request.content_type)
        return await self._create(request, body, body.call)

    async def create_of_call(self, request: web.Request) -> web.Response:
        """Ask for one for the other party of a call."""
        call_id, raw = id_of(request, "call"), await request.read()
        body = parse_body(bodies.AskBody, raw, request.content_type) if raw else bodies.AskBody()
        return await self._create(request, body, call_id)

    async def _create(self, request: web.Request, body: bodies.AskBody, call_id: UUID | None) -> web.Response:
        principal, key = principal_of(request), key_of(request)
        asked_for = sha256(f"{call_id} {body.model_dump_json(exclude_unset=True)}".encode()).digest()
        if key and (known := await self._replayed(principal, key, asked_for)) is not None:
            return known
        asked = await self._asked(principal, body, call_id)
        callback, is_new = await self._desk.request(
            replace(asked, key=key, body_hash=asked_for), by=by(principal)
        )
        if key and not is_new:
            # Either there was one already, or the same request was quicker on another connection.
            known = await self._replayed(principal, key, asked_for, only_made=True)
            if known is not None:
                return known
        response = await self._access.shown(callback, 201 if is_new else 200)
        response.headers["Location"] = f"/api/v1/callbacks/{callback.callback_id}"
        return response

    async def _replayed(
        self, principal: Principal, key: str, asked_for: bytes, *, only_made: bool = False
    ) -> web.Response | None:
        """The answer to a request whose key was used before; raises ``RefusedError`` for another request."""
        keyed = await self._store.keyed(by(principal), key)
        if keyed is None or (only_made and not keyed.created):
            return None
        if keyed.body_hash != asked_for:
            raise RefusedError(
                Refusal.KEY_REUSED, "this key came with another request before", "Idempotency-Key"
            )
        callback = await self._desk.get(keyed.callback_id)
        response = await self._access.shown(callback, 201 if keyed.created else 200)
        response.headers["Idempotent-Replayed"] = "true"
        response.headers["Location"] = f"/api/v1/callbacks/{callback.callback_id}"
        return response

    async def _asked(self, principal: Principal, body: bodies.AskBody, call_id: UUID | None) -> Asked:
        call = None if call_id is None else await self._calls.get(call_id)
        if call is not None:
            principal.require_agent(call.agent_id)
        queue, number = _whom(body, call)
        self._access.require_known(queue)
        if call is None or queue != call.queue:
            await self._access.require_queue(principal, queue)
        if body.priority and not principal.sees_all:
            raise ForbiddenError("priority: this needs the role supervisor")
        await self._access.require_owner(principal, body.owner)
        return Asked(
            queue=queue,
            number=number,
            source=_source(principal, call),
            slot_start=body.slot,
            zone=body.zone,
            language=body.language,
            name=body.name,
            topic=body.topic,
            note=body.note,
            consent=body.consent,
            priority=body.priority,
            owner=body.owner,
            chain_id=None if call is None else call.chain_id,
            call_id=call_id,
        )

    async def _table(self, request: web.Request, wanted: Search) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/csv; charset=utf-8",
                "Content-Disposition": 'attachment; filename="callbacks.csv"',
            }
        )
        pieces = rows_of(self._all(wanted))
        await response.prepare(request)
        try:
            async for piece in pieces:
                await response.write(piece.encode())
        except StorageError as error:
            # The status is sent already: only a connection that breaks says that the table is not whole.
            log.warning("a table of callbacks was cut off: %s", error)
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the table was cut off") from error
        await response.write_eof()
        return response

    async def _all(self, wanted: Search) -> AsyncIterator[Sequence[Callback]]:
        for _ in range(CSV_ROWS // CSV_PAGE):
            page = await self._desk.find(wanted)
            yield page
            if len(page) < wanted.limit:
                return
            wanted = replace(wanted, after=_place(page[-1]))


def _place(callback: Callback) -> paging.Place:
    return paging.Place(callback.requested_at, callback.callback_id)


def _prefers_csv(request: web.Request) -> bool:
    kinds = [kind.partition(";")[0].strip().lower() for kind in request.headers.get("Accept", "").split(",")]
    return kinds[0] == "text/csv"


def _whom(body: bodies.AskBody, call: CallRecord | None) -> tuple[str, str]:
    """Queue and number, of the request or else of the call."""
    if call is None:
        assert body.queue is not None
        assert body.number is not None
        return body.queue, body.number
    queue = body.queue or call.queue
    if queue is None:
        raise InvalidError("queue: the call came to no queue, so one must be named", "queue")
    number = body.number or (call.from_number if call.direction == "inbound" else call.to_number)
    if not number:
        raise InvalidError("number: the caller withheld it, so one must be given", "number")
    return queue, number


def _source(principal: Principal, call: CallRecord | None) -> Source:
    if not principal.sees_all:
        return Source.AGENT
    return Source.API if call is None else Source.SUPERVISOR
