import pytest

from callcenter import errors
from callcenter.web import errors as web_errors
from callcenter.web.errors import problem_of, problem_of_status


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.UsageError("no"), 422, "invalid"),
        (errors.NotFoundError("no"), 404, "not_found"),
        (errors.TransitionError("no"), 409, "conflict"),
        (errors.OverloadedError("no"), 503, "overloaded"),
        (errors.StorageError("no"), 503, "unavailable"),
        (errors.MigrationError("no"), 503, "unavailable"),
        (errors.GatewayError("no"), 502, "gateway_failed"),
        (web_errors.RequestError("no"), 400, "bad_request"),
        (web_errors.UnauthorizedError("no"), 401, "unauthorized"),
        (web_errors.ForbiddenError("no"), 403, "forbidden"),
        (web_errors.MediaTypeError("no"), 415, "unsupported_media_type"),
        (web_errors.RateLimitedError("no"), 429, "too_many_requests"),
        (ZeroDivisionError("no"), 500, "internal"),
    ],
)
def test_every_error_has_its_answer(error: Exception, status: int, code: str) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.code) == (status, code)


def test_what_is_inside_stays_inside() -> None:
    secret = "password=hunter2"
    for error in (RuntimeError(secret), errors.StorageError(secret), errors.GatewayError(secret)):
        assert secret not in str(problem_of(error).as_json())


def test_retry_after_is_given_where_trying_again_helps() -> None:
    assert problem_of(errors.StorageError("gone")).retry_after_s
    assert problem_of(web_errors.RateLimitedError("slow down")).retry_after_s
    assert problem_of(errors.TransitionError("no")).retry_after_s is None


def test_the_field_is_named_only_where_there_is_one() -> None:
    with_field = problem_of(web_errors.InvalidError("limit: too large", "limit")).as_json()
    assert with_field == {"error": {"code": "invalid", "message": "limit: too large", "field": "limit"}}
    assert "field" not in problem_of_status(404, "Not Found").as_json()["error"]
    assert problem_of_status(418, "Teapot").code == "bad_request"
