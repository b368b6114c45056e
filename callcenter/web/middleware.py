"""What every request passes through: an id, errors as JSON, sign-in for the API, safe headers."""

import logging
import re
from uuid import uuid4

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from callcenter.web.auth import COOKIE, PRINCIPAL, Authenticator
from callcenter.web.errors import Problem, problem_of, problem_of_status

log = logging.getLogger(__name__)

REQUEST_ID = web.RequestKey("request_id", str)
LIVE_PATH = "/api/v1/live"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "callcenter",
}


def problem_response(problem: Problem) -> web.Response:
    """The error as a JSON answer."""
    response = web.json_response(problem.as_json(), status=problem.status)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


@web.middleware
async def request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name the request: by the client's ``X-Request-Id`` where it is harmless, by a new one otherwise."""
    given = request.headers.get("X-Request-Id", "")
    request[REQUEST_ID] = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
    return await handler(request)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into an answer; one that nobody foresaw is logged with its request's id."""
    try:
        return await handler(request)
    except web.HTTPRedirection:
        raise
    except web.HTTPException as error:
        said = error.text if error.text != f"{error.status}: {error.reason}" else None
        response = problem_response(problem_of_status(error.status, said or error.reason))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except ConnectionResetError:
        raise
    except Exception as error:
        problem = problem_of(error)
        if problem.status == 500:
            log.exception("request %s failed", request[REQUEST_ID])
        elif problem.status >= 502:
            log.warning("request %s: %s: %s", request[REQUEST_ID], type(error).__name__, error)
        return problem_response(problem)


def sign_in(authenticator: Authenticator) -> Middleware:
    """The API is for those who are signed in; the live socket may also say its token in its first message."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_api = request.path.startswith("/api/")
        anonymous = "Authorization" not in request.headers and COOKIE not in request.cookies
        if is_api and not (request.path == LIVE_PATH and anonymous):
            request[PRINCIPAL] = await authenticator.principal(request)
        return await handler(request)

    return middleware


async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers that every answer carries; registered for ``on_response_prepare``."""
    for name, value in SECURITY_HEADERS.items():
        response.headers[name] = value
    # Not no-referrer: with it browsers send "Origin: null" with our own sign-in form.
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers["X-Request-Id"] = request.get(REQUEST_ID, "-")
    if not request.path.startswith("/static/"):
        response.headers.setdefault("Cache-Control", "no-store")
