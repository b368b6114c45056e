"""The pages for people: the wallboard, signing in and signing out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jinja2
from aiohttp import web

from callcenter.web.auth import COOKIE, Authenticator, is_own_machine
from callcenter.web.board import state_document
from callcenter.web.errors import RateLimitedError, RequestError, UnauthorizedError
from callcenter.web.feed import LiveFeed
from callcenter.web.principal import Principal
from callcenter.web.standing import Standing
from callcenter.web.subscription import Interest, Topic

GROUPS = {
    "available": "Available",
    "reserved": "Reserved",
    "ringing": "Ringing",
    "talking": "Talking",
    "wrap_up": "Wrap-up",
    "break": "On a break",
    "offline": "Offline",
}
PHASES = {"ivr": "In the menu", "waiting": "Waiting", "ringing": "Ringing", "talking": "Talking"}
MAX_CARDS = 24


class Pages:
    """HTML, drawn here for the first view and kept up to date by ``live.js``.

    ``demo_token`` signs in browsers on this very machine by themselves; only the demo sets it.
    """

    def __init__(
        self, feed: LiveFeed, authenticator: Authenticator, service_level_s: float, demo_token: str | None
    ) -> None:
        self._feed = feed
        self._authenticator = authenticator
        self._service_level_s = service_level_s
        self._demo_token = demo_token
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("callcenter.web"),
            autoescape=True,
            undefined=jinja2.ChainableUndefined,
        )

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [
            web.get("/", self.wallboard),
            web.post("/sign-in", self.sign_in),
            web.post("/sign-out", self.sign_out),
        ]

    async def wallboard(self, request: web.Request) -> web.Response:
        """The wallboard, or the sign-in page."""
        token, is_new = self._token(request)
        if token is None:
            return self._html("sign_in.html")
        try:
            principal = await self._authenticator.of_token(token, request)
        except (UnauthorizedError, RateLimitedError) as error:
            response = self._html("sign_in.html", problem=str(error), status=error.status)
            response.del_cookie(COOKIE, path="/")
            return response
        response = await self._board(principal)
        if is_new:
            self._authenticator.set_cookie(response, request, token)
        return response

    async def sign_in(self, request: web.Request) -> web.Response:
        """Take the token of the form; 303 to the wallboard, or the form again with what is wrong."""
        self._authenticator.require_same_origin(request)
        try:
            form = await request.post()
        except (ValueError, LookupError):  # broken multipart, not UTF-8, a character set nobody knows
            raise RequestError("the form cannot be read") from None
        token = form.get("token")
        if not isinstance(token, str):
            raise RequestError("the form has no token", "token")
        try:
            await self._authenticator.of_token(token.strip(), request)
        except (UnauthorizedError, RateLimitedError) as error:
            return self._html("sign_in.html", problem=str(error), status=error.status)
        response = web.Response(status=303, headers={"Location": "/"})
        self._authenticator.set_cookie(response, request, token.strip())
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        """Forget the token."""
        self._authenticator.require_same_origin(request)
        response = web.Response(status=303, headers={"Location": "/"})
        response.del_cookie(COOKIE, path="/")
        return response

    def _token(self, request: web.Request) -> tuple[str | None, bool]:
        """The token to use, and whether the browser has still to be given it."""
        token = request.cookies.get(COOKIE)
        if self._demo_token is not None and is_own_machine(request):
            return self._demo_token, token != self._demo_token
        return token or None, False

    async def _board(self, principal: Principal) -> web.Response:
        interest = Interest(frozenset({Topic.STATE}), principal)
        standing = interest.view(await self._feed.standing())
        return self._html(
            "wallboard.html",
            user=principal.user,
            role=principal.role.value,
            demo=self._demo_token is not None,
            service_level_s=self._service_level_s,
            now=standing.now.isoformat(),
            groups=_groups(standing),
            state=_first_view(standing),
        )

    def _html(self, name: str, status: int = 200, **values: Any) -> web.Response:
        text = self._templates.get_template(name).render(values)
        return web.Response(text=text, content_type="text/html", status=status)


def _groups(standing: Standing) -> list[dict[str, Any]]:
    groups = []
    for state, title in GROUPS.items():
        agents = [_with_text_times(row) for row in standing.agents if row["state"] == state]
        if agents:
            groups.append({"state": state, "title": title, "agents": agents})
    return groups


def _first_view(standing: Standing) -> dict[str, Any]:
    names = {row["id"]: row["name"] for row in standing.agents}
    document = state_document(standing)
    return {
        "queues": [_queue(row) for row in document["queues"]],
        "calls": [_call(row, names) for row in document["calls"][:MAX_CARDS]],
        "ended": [_ended(row, names) for row in document["ended"]],
    }


def _queue(row: Mapping[str, Any]) -> dict[str, Any]:
    today, agents, level = row["today"], row["agents"], row["today"]["service_level"]["value"]
    wait = row["estimated_wait"]
    return _with_text_times(row) | {
        "wait_text": f"{_clock(wait['p50_s'])} to {_clock(wait['p90_s'])}" if wait else "–",
        "level_text": "–" if level is None else f"{100 * level:.0f} %",
        "answered_text": f"{today['answered']} of {today['offered']}",
        "agents_text": f"{agents['available']} free of {agents['signed_in']}",
    }


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _call(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    parts = [PHASES[row["phase"]]]
    if row["phase"] == "talking":
        parts.append(f"with {names.get(row['agent_id'], row['agent_id'])}")
    if row["queue"] and row["phase"] != "ivr":
        parts.append(f"· {row['queue']}")
    return _with_text_times(row) | {"phase_text": " ".join(parts), "from": row["from"] or "unknown"}


def _ended(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    agent = names.get(row["agent_id"], row["agent_id"])
    seconds = int((row["ended_at"] - row["started_at"]).total_seconds())
    return _with_text_times(row) | {
        "from": row["from"] or "unknown",
        "where": " ".join(f"· {part}" for part in (row["queue"], agent) if part),
        "length": f"{seconds // 60}:{seconds % 60:02}",
        "outcome_text": (row["outcome"] or "").replace("_", " "),
    }


def _with_text_times(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in row.items()}
