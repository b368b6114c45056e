"""Queues through the API: made, changed and removed while the service runs."""

from typing import Any

import pytest

from callcenter.queueing import Queue

QUEUES = "/api/v1/queues"


async def test_a_queue_is_made_changed_and_removed(site: Any) -> None:
    body = {"strategy": "skill_match", "needs": {"refunds": 2}, "wrap_up_s": 12}
    status, made = await site.send("PUT", f"{QUEUES}/returns", body, "admin")
    assert (status, made["version"], made["in_file"], made["waiting"]) == (201, 1, False, 0)
    assert made["settings"]["needs"] == {"refunds": 2}
    assert made["settings"]["ring_timeout_s"] == 20
    status, changed = await site.send("PUT", f"{QUEUES}/returns", {"version": 1, "weight": 2}, "admin")
    assert (status, changed["version"]) == (200, 2)
    assert changed["settings"]["strategy"] == "longest_idle"
    assert (await site.get(f"{QUEUES}/returns"))[1]["settings"]["weight"] == 2
    assert [queue["name"] for queue in (await site.get(QUEUES))[1]["queues"]] == [
        "returns",
        "sales",
        "support",
    ]
    assert (await site.send("DELETE", f"{QUEUES}/returns", role="admin"))[0] == 204
    assert (await site.get(f"{QUEUES}/returns"))[0] == 404


async def test_who_changed_in_between_is_not_overwritten(site: Any) -> None:
    for version, status in ((0, 409), (1, 200), (1, 409), (2, 200), (None, 200)):
        body = {"priority": 1, "version": version}
        assert (await site.send("PUT", f"{QUEUES}/sales", body, "admin"))[0] == status
    assert (await site.send("PUT", f"{QUEUES}/new", {"version": 3}, "admin"))[0] == 409
    assert (await site.send("PUT", f"{QUEUES}/new", {"version": 0}, "admin"))[0] == 201


@pytest.mark.parametrize("role", ["agent", "supervisor"])
async def test_only_an_admin_changes_queues(site: Any, role: str) -> None:
    assert (await site.send("PUT", f"{QUEUES}/sales", {}, role))[0] == 403
    assert (await site.send("DELETE", f"{QUEUES}/sales", role=role))[0] == 403


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"needs": {"dancing": 1}}, 422, "needs"),
        ({"needs": {"refunds": 11}}, 422, "needs.refunds"),
        ({"wrap_up_s": -1}, 422, "wrap_up_s"),
        ({"wrap_up_s": "30"}, 422, "wrap_up_s"),
        ({"strategy": "by_mood"}, 422, "strategy"),
        ({"agents": ["ann"]}, 422, "agents"),
        ({"name": "other"}, 422, "name"),
        ({"overflow": [{"to": "support"}]}, 422, "overflow.0"),
        ({"relax": [{"after_s": 5, "needs": {"refunds": 1}}]}, 422, None),
        ({"unknown": 1}, 422, "unknown"),
        ({"overflow": [{"to": "nowhere", "after_s": 5}]}, 409, None),
        ({"overflow": [{"to": "sales", "after_s": 5}]}, 409, None),
    ],
)
async def test_what_cannot_be_is_refused(
    site: Any, body: dict[str, Any], status: int, field: str | None
) -> None:
    found, answer = await site.send("PUT", f"{QUEUES}/sales", body, "admin")
    assert (found, answer["error"].get("field")) == (status, field)
    assert (await site.get(f"{QUEUES}/sales"))[1]["version"] == 1


async def test_a_queue_in_use_stays(site: Any) -> None:
    status, answer = await site.send("DELETE", f"{QUEUES}/sales", role="admin")
    assert (status, answer["error"]["message"]) == (
        409,
        "queue sales cannot be removed: the settings file names it",
    )
    await site.send("PUT", f"{QUEUES}/returns", {}, "admin")
    call_id = await site.floor.start()
    await site.floor.queued(call_id, "returns")
    assert (await site.send("DELETE", f"{QUEUES}/returns", role="admin"))[0] == 409
    await site.floor.line.leave(call_id)
    agent = {"name": "Cho", "gateway": "twilio", "address": "+15125550103", "queues": ["returns"]}
    assert (await site.send("PUT", "/api/v1/agents/cho", agent, "admin"))[0] == 201
    assert (await site.send("DELETE", f"{QUEUES}/returns", role="admin"))[0] == 409
    await site.send("DELETE", "/api/v1/agents/cho", role="admin")
    await site.send("PUT", f"{QUEUES}/sales", {"overflow": [{"to": "returns", "after_s": 9}]}, "admin")
    assert (await site.send("DELETE", f"{QUEUES}/returns", role="admin"))[0] == 409
    await site.send("PUT", f"{QUEUES}/sales", {}, "admin")
    assert (await site.send("DELETE", f"{QUEUES}/returns", role="admin"))[0] == 204
    assert (await site.send("DELETE", f"{QUEUES}/returns", role="admin"))[0] == 404


async def test_an_agent_has_skills_that_exist(site: Any) -> None:
    body = {
        "name": "Ann",
        "gateway": "twilio",
        "address": "+15125550101",
        "queues": ["sales"],
        "skills": {"japanese": 2},
    }
    _, agent = await site.send("PUT", "/api/v1/agents/ann", body, "admin")
    assert agent["skills"] == {"japanese": 2}
    for skills, field in (({"dancing": 1}, "skills"), ({"japanese": 0}, "skills.japanese")):
        status, answer = await site.send("PUT", "/api/v1/agents/ann", body | {"skills": skills}, "admin")
        assert (status, answer["error"]["field"]) == (422, field)


async def test_the_file_is_believed_when_it_says_something_new(site: Any) -> None:
    rows, queues = site.services.queue_rows, site.services.queues

    async def restart(*file: Queue) -> None:
        await rows.sync(file)
        await queues.renew()

    support = Queue(name="support")
    await site.send("PUT", f"{QUEUES}/sales", {"priority": 7}, "admin")
    await restart(Queue(name="sales"), support)  # the file says what it said before
    assert queues.get("sales").priority == 7
    await restart(Queue(name="sales", priority=3), support)
    assert queues.get("sales").priority == 3
    await restart(support)  # agents still serve it, so it stays, but may be removed now
    assert not queues.record("sales").in_file
    await restart(support, Queue(name="brief"))
    await restart(support)
    assert queues.find("brief") is None
