"""One line per request: no body, no query string, no header, and telephone numbers masked."""

import re

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from callcenter.web.middleware import REQUEST_ID

_NUMBER = re.compile(r"(?<![0-9a-fA-F-])(?:\+|%2[bB])?\d{5,}(?=\d{2})(?![0-9a-fA-F]*-)")
_SECRET = re.compile(r"cc_[A-Za-z0-9_-]+")
_LINK = re.compile(r"(?<=/callback/)[^/]{20,}")
MAX_PATH_CHARS = 200


def masked(path: str) -> str:
    """The path with all but the last two digits of numbers, and all of tokens and links, taken out."""
    path = _LINK.sub("***", _SECRET.sub("cc_***", path[:MAX_PATH_CHARS]))
    return _NUMBER.sub("***", path)


class AccessLog(AbstractAccessLogger):
    """Give this to ``web.AppRunner(access_log_class=...)``."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line; ``time`` is how long the answer took, in seconds."""
        self.logger.info(
            "%s %s %s %d %d bytes %.1f ms %s",
            request.remote,
            request.method,
            masked(request.raw_path.partition("?")[0]),
            response.status,
            response.body_length,
            time * 1000,
            request.get(REQUEST_ID, "-"),
        )
