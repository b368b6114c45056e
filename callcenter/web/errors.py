"""What a request can be refused with, and how every error of the package looks on the wire.

::

    UsageError
    └── RequestError            400  bad_request
        ├── InvalidError        422  invalid
        ├── UnauthorizedError   401  unauthorized
        ├── ForbiddenError      403  forbidden
        ├── MediaTypeError      415  unsupported_media_type
        └── RateLimitedError    429  too_many_requests
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from callback import errors as callback_errors
from callback.refusal import Refusal
from callcenter.errors import (
    GatewayError,
    NotFoundError,
    OverloadedError,
    StorageError,
    TransitionError,
    UsageError,
)

RETRY_AFTER_S = 2


class RequestError(UsageError):
    """The request cannot be understood. ``field`` names the parameter or body field that is wrong."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class InvalidError(RequestError):
    """The request is well formed, but a value in it is not allowed."""

    status = 422
    code = "invalid"


class UnauthorizedError(RequestError):
    """No token, or one that is unknown or expired."""

    status = 401
    code = "unauthorized"


class ForbiddenError(RequestError):
    """The token is good, but its role may not do this."""

    status = 403
    code = "forbidden"


class MediaTypeError(RequestError):
    """A body that is not JSON."""

    status = 415
    code = "unsupported_media_type"


class RateLimitedError(RequestError):
    """Too many wrong tokens from one address."""

    status = 429
    code = "too_many_requests"


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as the client sees it. ``retry_after_s`` becomes the header ``Retry-After``.

    ``nearest`` are times that are free, where the one that was asked for is not.
    """

    status: int
    code: str
    message: str
    field: str | None = None
    retry_after_s: int | None = None
    nearest: Sequence[datetime] = ()

    def as_json(self) -> dict[str, dict[str, str | list[str]]]:
        """The body: ``{"error": {"code", "message", "field"?, "nearest"?}}``."""
        error: dict[str, str | list[str]] = {"code": self.code, "message": self.message}
        if self.field is not None:
            error["field"] = self.field
        if self.nearest:
            error["nearest"] = [at.isoformat() for at in self.nearest]
        return {"error": error}


STATUS_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "payload_too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    422: "invalid",
    429: "too_many_requests",
    503: "unavailable",
}


def problem_of(error: Exception) -> Problem:
    """What the client is told about ``error``; nothing of an unknown error's text leaves the process."""
    match error:
        case RateLimitedError():
            return Problem(error.status, error.code, str(error), retry_after_s=60)
        case RequestError():
            return Problem(error.status, error.code, str(error), error.field)
        case NotFoundError():
            return Problem(404, "not_found", str(error))
        case callback_errors.CallbackError():
            return _of_callback(error)
        case UsageError():
            return Problem(422, "invalid", str(error))
        case TransitionError():
            return Problem(409, "conflict", str(error))
        case OverloadedError():
            return Problem(503, "overloaded", str(error), retry_after_s=RETRY_AFTER_S)
        case StorageError():
            return Problem(503, "unavailable", "the database does not answer", retry_after_s=RETRY_AFTER_S)
        case GatewayError():
            return Problem(502, "gateway_failed", "the telephony gateway did not do it")
        case _:
            return Problem(500, "internal", "something went wrong on our side")


def problem_of_status(status: int, reason: str) -> Problem:
    """The same for an HTTP error that the server itself raised."""
    code = STATUS_CODES.get(status, "bad_request" if status < 500 else "internal")
    return Problem(status, code, reason)


REFUSED_FOR_NOW = frozenset({Refusal.SLOT_FULL, Refusal.TOO_LATE, Refusal.NOT_OFFERED, Refusal.TOO_MANY})
"""Nothing is wrong with the wish itself: 409 and not 422."""


def _of_callback(error: callback_errors.CallbackError) -> Problem:
    match error:
        case callback_errors.RefusedError():
            status = 409 if error.refusal in REFUSED_FOR_NOW else 422
            return Problem(status, error.refusal.value, str(error), error.field, nearest=error.nearest)
        case callback_errors.NotFoundError():
            return Problem(404, "not_found", str(error))
        case callback_errors.VersionError():
            return Problem(409, "stale", str(error))
        case _:
            return Problem(409, "conflict", str(error))
