"""Callbacks as a table for spreadsheets."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from callback.request import Callback as CallbackRecord
from callcenter.web.callback_models import Callback

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_TEXTS = frozenset({"name", "topic", "note", "cause"})


async def rows_of(pages: AsyncIterator[Sequence[CallbackRecord]]) -> AsyncIterator[str]:
    """The header, then the rows page by page."""
    yield _lines([list(Callback.model_fields)])
    async for page in pages:
        yield _lines([_cells(Callback.of(one)) for one in page])


def _cells(callback: Callback) -> list[str]:
    return [_cell(name, getattr(callback, name)) for name in Callback.model_fields]


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    # Spreadsheets would run what customers wrote (OWASP: CSV injection).
    return f"'{text}" if name in _TEXTS and text.startswith(_FORMULA) else text


def _lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
