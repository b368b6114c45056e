"""Parts of an address, checked."""

import re
from uuid import UUID

from aiohttp import web

from callcenter.errors import NotFoundError
from callcenter.web.auth import PRINCIPAL
from callcenter.web.models import Answer
from callcenter.web.principal import Principal

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def principal_of(request: web.Request) -> Principal:
    """Who asks; every handler of the API has one."""
    return request[PRINCIPAL]


def id_of(request: web.Request, kind: str) -> UUID:
    """The id in the address; raises ``NotFoundError`` for what cannot be one."""
    text = request.match_info["id"]
    if not _UUID.fullmatch(text):
        raise NotFoundError(f"there is no such {kind}")
    return UUID(text)


def name_of(request: web.Request, kind: str) -> str:
    """The name in the address, as in the settings; raises ``NotFoundError`` for what cannot be one."""
    text = request.match_info["name"]
    if not _NAME.fullmatch(text):
        raise NotFoundError(f"there is no such {kind}")
    return text


def answer(body: Answer, status: int = 200) -> web.Response:
    """The answer as JSON."""
    return web.Response(text=body.as_json(), content_type="application/json", status=status)
