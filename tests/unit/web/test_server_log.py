"""One line, and nothing of what strangers sent, for requests that are not HTTP."""

import logging

import pytest
from aiohttp.http_exceptions import BadHttpMessage

from callcenter.web.server_log import server_logger


@pytest.mark.parametrize("kind", [BadHttpMessage, ConnectionResetError])
def test_a_broken_request_is_one_line(caplog: pytest.LogCaptureFixture, kind: type[Exception]) -> None:
    logger = server_logger()
    assert server_logger() is logger
    assert len(logger.filters) == 1
    try:
        raise kind("secret words of a stranger")
    except kind:
        logger.exception("Error handling request from %s", "192.0.2.1")
    (record,) = caplog.records
    assert record.getMessage() == "a request from 192.0.2.1 was not HTTP or broke off"
    assert (record.levelno, record.exc_info) == (logging.WARNING, None)


def test_other_errors_keep_their_traceback(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise RuntimeError("a bug")
    except RuntimeError:
        server_logger().exception("Error handling request from %s", "192.0.2.1")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
