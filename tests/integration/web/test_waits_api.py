"""What a new caller would wait, and how right estimates were, through the API."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from callcenter.storage.wait_estimates import MadeEstimate


async def wait_of(site: Any, estimated_s: float, waited_s: float) -> None:
    now = site.services.now()
    made_at = now - timedelta(seconds=waited_s)
    made = [MadeEstimate(made_at, True, 0, 1, "formula", estimated_s, 2 * estimated_s)]
    await site.services.wait_estimates.add(uuid4(), "sales", made, "answered", now)


async def test_the_wait_of_a_new_caller(site: Any) -> None:
    _, answer = await site.get("/api/v1/queues")
    assert {queue["estimated_wait"] for queue in answer["queues"]} == {None}
    await wait_of(site, 30, 40)
    await site.send("POST", "/api/v1/agents/ann/state", {"event": "sign_in"})
    site.services.waits._forget()
    site.services.waits._past = None
    _, queue = await site.get("/api/v1/queues/sales")
    assert queue["estimated_wait"]["method"] == "last_served"
    assert 35 < queue["estimated_wait"]["p50_s"] < 40 < queue["estimated_wait"]["p90_s"] < 70


async def test_how_right_they_were(site: Any) -> None:
    await wait_of(site, 30, 40)
    await wait_of(site, 30, 70)
    status, report = await site.get("/api/v1/reports/ewt?from=yesterday&queue=sales", "supervisor")
    assert status == 200
    for part in (report["total"], report["by_queue"]["sales"], report["by_method"]["formula"]):
        assert (part["estimates"], part["served"]) == (2, 2)
        assert abs(part["bias_s"] + 25) < 0.1
        assert part["p90_coverage"] == 0.5


async def test_it_is_for_supervisors_and_wants_a_range(site: Any) -> None:
    assert (await site.get("/api/v1/reports/ewt", "agent"))[0] == 403
    status, answer = await site.get("/api/v1/reports/ewt?from=2025-03-02&to=2025-03-01", "supervisor")
    assert (status, answer["error"]["code"]) == (422, "invalid")
    assert (await site.get("/api/v1/reports/ewt?from=soon", "supervisor"))[0] == 422
