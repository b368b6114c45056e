"""Keyset paging: a cursor is the place of the last row given, so no row is shown twice or skipped."""

import base64
import binascii
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from callcenter.web.errors import RequestError


class Place(NamedTuple):
    """The sort key of a call in the list, newest first."""

    started_at: datetime
    call_id: UUID


def encode(place: Place) -> str:
    """The cursor that continues after ``place``: URL-safe, opaque to the client."""
    text = f"{place.started_at.isoformat()}|{place.call_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> Place:
    """The place a cursor stands for; raises ``RequestError`` for one that we did not make."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        at, _, call_id = text.partition("|")
        started_at = datetime.fromisoformat(at)
        if started_at.tzinfo is None:
            raise ValueError("a time without a zone")
        return Place(started_at.astimezone(UTC), UUID(call_id))
    except (ValueError, OverflowError, binascii.Error):
        raise RequestError("cursor: not one of ours", "cursor") from None
