"""What each role may do with callbacks, and what the routes about them share.

Agents see and make callbacks of the queues they serve, and edit, move and cancel them: they are the ones who
have the customer on the telephone. The rest is for supervisors.
"""

import re

from aiohttp import web

from callback.request import Callback
from callcenter.acd.queues import Queues
from callcenter.callbacks.desk import CallbackDesk
from callcenter.errors import NotFoundError
from callcenter.storage.agents import Agents
from callcenter.web.callback_bodies import Versioned
from callcenter.web.callback_models import CallbackStanding
from callcenter.web.errors import ForbiddenError, InvalidError
from callcenter.web.params import answer, id_of, principal_of
from callcenter.web.principal import Principal

_TAG = re.compile(r'(?:W/)?"?([0-9]{1,9})"?')
KEY = re.compile(r"[!-~]{1,200}")


class CallbackAccess:
    """Finds what somebody may see, and shows it."""

    def __init__(self, desk: CallbackDesk, agents: Agents, queues: Queues) -> None:
        self._desk = desk
        self._agents = agents
        self._queues = queues

    async def queues_of(self, principal: Principal) -> frozenset[str] | None:
        """Whose callbacks may be seen; ``None`` is of all queues."""
        if principal.sees_all:
            return None
        if principal.agent_id is None:
            raise ForbiddenError("your user is tied to no agent")
        return frozenset((await self._agents.get(principal.agent_id)).queues)

    async def require_queue(self, principal: Principal, queue: str) -> None:
        """Raise ``ForbiddenError`` unless callbacks of the queue may be seen."""
        own = await self.queues_of(principal)
        if own is not None and queue not in own:
            raise ForbiddenError("your role may do this for callbacks of your own queues only")

    def require_known(self, queue: str) -> None:
        """Raise ``InvalidError`` for a queue that does not exist."""
        if self._queues.find(queue) is None:
            raise InvalidError(f"queue: there is no queue {queue}", "queue")

    async def require_owner(self, principal: Principal, owner: str | None) -> None:
        """Raise for an owner who does not exist, and for agents who name somebody else."""
        if owner is None:
            return
        if not principal.sees_all and owner != principal.agent_id:
            raise ForbiddenError("owner: your role may name yourself only")
        try:
            await self._agents.get(owner)
        except NotFoundError:
            raise InvalidError(f"owner: there is no agent {owner}", "owner") from None

    async def visible(self, request: web.Request) -> Callback:
        """The callback in the address; raises where it may not be seen."""
        callback = await self._desk.get(id_of(request, "callback"))
        await self.require_queue(principal_of(request), callback.queue)
        return callback

    async def standing(self, callback: Callback) -> dict[str, object]:
        """What is shown beside the callback itself."""
        status = await self._desk.status(callback)
        has_link = callback.is_open and callback.erased_at is None
        return {
            "position": status.place,
            "next_at": status.next_at,
            "attempts_left": status.attempts_left,
            "may_change": status.may_change,
            "manage_link": await self._desk.link(callback) if has_link else None,
        }

    async def shown(self, callback: Callback, status: int = 200) -> web.Response:
        """The callback now, with its version as ``ETag``."""
        shown = CallbackStanding.of(callback, **await self.standing(callback))
        return tagged(answer(shown, status), callback)


def tagged(response: web.Response, callback: Callback) -> web.Response:
    """The answer with the version of the callback."""
    response.headers["ETag"] = f'"{callback.version}"'
    return response


def version_of(request: web.Request, body: Versioned) -> int | None:
    """The version that is to be changed, of the body or the header ``If-Match``; ``None`` is any."""
    given = request.headers.get("If-Match", "").strip()
    if given in ("", "*"):
        return body.version
    if (found := _TAG.fullmatch(given)) is None:
        raise InvalidError("If-Match: not one of our ETags", "If-Match")
    version = int(found[1])
    if body.version not in (None, version):
        raise InvalidError("version: not that of If-Match", "version")
    return version


def key_of(request: web.Request) -> str:
    """The idempotency key of a request; empty without one."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return ""
    if not KEY.fullmatch(key):
        raise InvalidError("Idempotency-Key: 1 to 200 printable ASCII characters", "Idempotency-Key")
    return key


def by(principal: Principal) -> str:
    """Who it was, in the history."""
    return f"user {principal.user}"
