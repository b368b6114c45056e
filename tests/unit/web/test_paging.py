import base64
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from callcenter.web.errors import RequestError
from callcenter.web.paging import Place, decode, encode


@pytest.mark.parametrize(
    "at",
    [
        datetime(2025, 3, 1, 9, 30, 0, 123456, tzinfo=UTC),
        datetime(2025, 3, 1, tzinfo=timezone(timedelta(hours=9))),
    ],
)
def test_a_cursor_keeps_its_place_to_the_microsecond(at: datetime) -> None:
    place = Place(at, UUID(int=7))
    assert decode(encode(place)) == place


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "====",
        "ä",
        "%%%%",
        base64.urlsafe_b64encode(b"2025-03-01T00:00:00|" + str(UUID(int=7)).encode()).decode(),
        base64.urlsafe_b64encode(b"2025-03-01T00:00:00+00:00|nobody").decode(),
        base64.urlsafe_b64encode(b"0001-01-01T00:00:00+14:00|" + str(UUID(int=7)).encode()).decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(RequestError):
        decode(cursor)
