"""The report of callbacks over the API."""

from typing import Any

import pytest

from callcenter.events import EventType


async def test_supervisors_see_offers_and_who_was_served(site: Any) -> None:
    call_id = await site.floor.start()
    await site.floor.queued(call_id)
    await site.floor.event(call_id, EventType.CALLBACK_OFFERED, queue="sales", by="threshold")
    status, report = await site.get("/api/v1/reports/callbacks", interval="60")
    assert status == 200
    assert report["total"]["offer_rate"] == {"value": 1.0, "numerator": 1, "denominator": 1}
    assert report["by_queue"]["sales"]["offered"] == 1
    assert len(report["by_interval"]) == 24
    assert report["chains"]["list"] == []
    _, other = await site.get("/api/v1/reports/callbacks", queue="support")
    assert (other["queue"], other["total"]["offered"]) == ("support", 0)


@pytest.mark.parametrize(
    ("role", "params", "status"),
    [
        ("agent", {}, 403),
        ("supervisor", {"interval": "7"}, 422),
        ("supervisor", {"calls": "-1"}, 422),
        ("supervisor", {"calls": "1001"}, 422),
        ("supervisor", {"unserved": "perhaps"}, 422),
        ("supervisor", {"from": "2020-01-01", "to": "2025-01-01"}, 422),
        ("supervisor", {"from": "never"}, 422),
        ("supervisor", {"nonsense": "1"}, 422),
    ],
)
async def test_wrong_questions_are_refused(site: Any, role: str, params: dict[str, str], status: int) -> None:
    assert (await site.get("/api/v1/reports/callbacks", role, **params))[0] == status
