"""``/api/v1/callbacks/{id}/…``: what people change about a callback."""

from typing import TypeVar

from aiohttp import web

from callcenter.callbacks.desk import CallbackDesk
from callcenter.web import callback_bodies as bodies
from callcenter.web import callback_models as models
from callcenter.web.body import parse_body
from callcenter.web.callback_access import CallbackAccess, by, version_of
from callcenter.web.errors import ForbiddenError
from callcenter.web.params import answer, principal_of

Body = TypeVar("Body", bound=bodies.Versioned)


class CallbackChangeRoutes:
    """Editing, moving, cancelling; and for supervisors the rest."""

    def __init__(self, desk: CallbackDesk, access: CallbackAccess) -> None:
        self._desk = desk
        self._access = access

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [
            web.patch("/api/v1/callbacks/{id}", self.edit),
            web.post("/api/v1/callbacks/{id}/move", self.move),
            web.post("/api/v1/callbacks/{id}/cancel", self.cancel),
            web.post("/api/v1/callbacks/{id}/expedite", self.expedite),
            web.post("/api/v1/callbacks/{id}/reassign", self.reassign),
            web.post("/api/v1/callbacks/erase", self.erase),
        ]

    async def edit(self, request: web.Request) -> web.Response:
        """Change what is known about it."""
        callback, body = await self._access.visible(request), await _body(bodies.EditBody, request)
        principal = principal_of(request)
        if body.priority is not None and not principal.sees_all:
            raise ForbiddenError("priority: this needs the role supervisor")
        changed = await self._desk.edit(
            callback.callback_id, by=by(principal), version=version_of(request, body), **body.changes
        )
        return await self._access.shown(changed)

    async def move(self, request: web.Request) -> web.Response:
        """Another time, or as soon as it is their turn."""
        callback, body = await self._access.visible(request), await _body(bodies.MoveBody, request)
        moved = await self._desk.move(
            callback.callback_id,
            by=by(principal_of(request)),
            slot_start=body.slot,
            zone=body.zone,
            version=version_of(request, body),
        )
        return await self._access.shown(moved)

    async def cancel(self, request: web.Request) -> web.Response:
        """Give it up."""
        callback, body = await self._access.visible(request), await _body(bodies.CancelBody, request)
        cancelled = await self._desk.cancel(
            callback.callback_id,
            by=by(principal_of(request)),
            cause=body.cause,
            version=version_of(request, body),
        )
        return await self._access.shown(cancelled)

    async def expedite(self, request: web.Request) -> web.Response:
        """It is due now; needs the role supervisor."""
        principal_of(request).require_supervisor()
        callback, body = await self._access.visible(request), await _body(bodies.Versioned, request)
        due = await self._desk.expedite(
            callback.callback_id, by=by(principal_of(request)), version=version_of(request, body)
        )
        return await self._access.shown(due)

    async def reassign(self, request: web.Request) -> web.Response:
        """To another queue or agent; needs the role supervisor."""
        principal = principal_of(request)
        principal.require_supervisor()
        callback, body = await self._access.visible(request), await _body(bodies.ReassignBody, request)
        if body.queue is not None:
            self._access.require_known(body.queue)
        await self._access.require_owner(principal, body.owner)
        reassigned = await self._desk.reassign(
            callback.callback_id,
            by=by(principal),
            queue=body.queue,
            owner=(body.owner or "") if "owner" in body.model_fields_set else None,
            version=version_of(request, body),
        )
        return await self._access.shown(reassigned)

    async def erase(self, request: web.Request) -> web.Response:
        """Forget a number; needs the role supervisor. It is in the body, so that no log of paths has it."""
        principal = principal_of(request)
        principal.require_supervisor()
        body = parse_body(bodies.NumberBody, await request.read(), request.content_type)
        return answer(models.Erased(erased=await self._desk.erase(body.number, by=by(principal))))


async def _body(model: type[Body], request: web.Request) -> Body:
    """The body; where nothing in it is needed it may be left out."""
    raw = await request.read()
    return (
        parse_body(model, raw, request.content_type) if raw else parse_body(model, b"{}", "application/json")
    )
