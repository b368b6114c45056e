"""What the HTTP server itself complains about."""

import logging

from aiohttp.http_exceptions import HttpProcessingError

SERVER_LOGGER = "callcenter.web.server"


class NotHttpFilter(logging.Filter):
    """Makes one line of a request that is not HTTP or breaks off.

    Strangers send such things all day: the server's traceback for each says nothing, and what they sent
    does not belong in a log.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, those of broken requests without a traceback."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | ConnectionResetError):
            record.exc_info = None
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
            record.msg = "a request from %s was not HTTP or broke off"
        return True


def server_logger() -> logging.Logger:
    """The logger to give to ``web.AppRunner(logger=...)``."""
    logger = logging.getLogger(SERVER_LOGGER)
    if not any(isinstance(one, NotHttpFilter) for one in logger.filters):
        logger.addFilter(NotHttpFilter())
    return logger
