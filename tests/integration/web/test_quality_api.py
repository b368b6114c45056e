"""The quality of service over HTTP."""

from typing import Any

from callcenter.events import EventType


async def test_quality_of_today(site: Any) -> None:
    call_id = await site.floor.answered_call()
    await site.floor.event(call_id, EventType.SURVEY_OFFERED, queue="sales", agent="ann", survey="after")
    said = {"survey": "after", "question": "how", "kind": "csat", "score": 4}
    await site.floor.event(call_id, EventType.SURVEY_ANSWERED, queue="sales", agent="ann", **said)
    await site.floor.event(call_id, EventType.ACW_ENDED, queue="sales", agent="ann", resolved=True)
    status, report = await site.get("/api/v1/reports/quality")
    assert status == 200
    assert report["total"]["resolution"]["immature"] == 1
    assert report["total"]["resolution"]["agents_say"]["value"] == 1
    assert report["by_survey"]["after"]["satisfaction"]["csat"]["value"] == 1
    assert list(report["by_agent"]) == ["ann"]
    status, report = await site.get("/api/v1/reports/quality", queue="support")
    assert (status, report["total"]["resolution"]["immature"], report["by_queue"]) == (200, 0, {})


async def test_what_is_refused(site: Any) -> None:
    async def problem(role: str = "supervisor", **params: str) -> tuple[int, str]:
        status, answer = await site.get("/api/v1/reports/quality", role, **params)
        return status, answer["error"]["message"]

    assert (await problem("agent"))[0] == 403
    assert (await problem(queue="../x"))[0] == 422
    assert (await problem(sort="x"))[0] == 422
    many = {"from": "2024-01-01", "to": "2025-06-01"}
    assert await problem(**many) == (422, "the range is longer than 366 days")
    turned = {"from": "2025-06-02", "to": "2025-06-01"}
    assert await problem(**turned) == (422, "the range is empty: from 2025-06-02 to 2025-06-01")
    assert (await problem(interval="week"))[0] == 422
