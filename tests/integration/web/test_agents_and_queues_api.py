from typing import Any
from uuid import uuid4

import pytest

from callcenter.acd.presence import AgentEvent
from callcenter.acd.roster import Roster
from callcenter.storage.pool import Database
from callcenter.web.feed import LiveFeed

AGENTS = "/api/v1/agents"
ANN = {"name": "Ann Other", "gateway": "twilio", "address": "+15125550101", "queues": ["support"]}


async def test_agents_are_listed_with_what_they_do(site: Any) -> None:
    _, answer = await site.get(AGENTS)
    assert [(agent["id"], agent["state"], agent["queues"]) for agent in answer["agents"]] == [
        ("ann", "offline", ["sales"]),
        ("bob", "offline", ["sales", "support"]),
    ]


async def test_an_agent_does_not_see_where_colleagues_are_dialled(site: Any) -> None:
    for role, hidden in (("agent", {"bob"}), ("supervisor", set())):
        _, answer = await site.get(AGENTS, role)
        assert {agent["id"] for agent in answer["agents"] if not agent["address"]} == hidden
    assert (await site.get(f"{AGENTS}/ann", "agent"))[1]["address"]
    assert not (await site.get(f"{AGENTS}/bob", "agent"))[1]["address"]


async def test_a_working_day(site: Any) -> None:
    for body, state, reason in (
        ({"event": "sign_in"}, "available", ""),
        ({"event": "break", "reason": "lunch"}, "break", "lunch"),
        ({"event": "ready"}, "available", ""),
        ({"event": "sign_out"}, "offline", ""),
    ):
        status, agent = await site.send("POST", f"{AGENTS}/ann/state", body, "agent")
        assert (status, agent["state"], agent["reason"]) == (200, state, reason)


async def test_an_event_that_does_not_fit_is_a_conflict(site: Any) -> None:
    status, answer = await site.send("POST", f"{AGENTS}/ann/state", {"event": "break"})
    assert (status, answer["error"]["code"]) == (409, "conflict")


async def wrapping_up(site: Any, agent: str = "ann") -> Any:
    call_id = await site.floor.start()
    await site.send("POST", f"{AGENTS}/{agent}/state", {"event": "sign_in"})
    await site.floor.queued(call_id)
    (offer,) = await site.floor.matcher.match()
    assert await site.floor.line.ring(offer)
    assert await site.floor.line.accept(offer)
    await Roster(site.services.agents).signal(agent, AgentEvent.FINISH_CONVERSATION)
    return call_id


async def test_ready_ends_the_wrap_up_with_a_disposition(site: Any) -> None:
    call_id = await wrapping_up(site)
    _, agent = await site.get(f"{AGENTS}/ann")
    assert (agent["state"], agent["call_id"]) == ("wrap_up", str(call_id))
    body = {"event": "ready", "disposition": "sold"}
    status, agent = await site.send("POST", f"{AGENTS}/ann/state", body, "agent")
    assert (status, agent["state"], agent["call_id"]) == (200, "available", None)
    assert site.control.asked == [(call_id, "disposition", {"agent": "ann", "disposition": "sold"})]


@pytest.mark.parametrize("resolved", [True, False])
async def test_ready_says_whether_the_matter_is_resolved(site: Any, resolved: bool) -> None:
    call_id = await wrapping_up(site)
    body = {"event": "ready", "resolved": resolved}
    assert (await site.send("POST", f"{AGENTS}/ann/state", body, "agent"))[0] == 200
    said = {"agent": "ann", "disposition": "", "resolved": "true" if resolved else "false"}
    assert site.control.asked == [(call_id, "disposition", said)]


async def test_a_disposition_without_a_wrap_up_is_a_conflict(site: Any) -> None:
    body = {"event": "ready", "disposition": "sold"}
    assert (await site.send("POST", f"{AGENTS}/ann/state", body))[0] == 409
    assert not site.control.asked


async def test_an_agent_changes_the_own_state_only(site: Any) -> None:
    assert (await site.send("POST", f"{AGENTS}/bob/state", {"event": "sign_in"}, "agent"))[0] == 403
    assert (await site.send("POST", f"{AGENTS}/bob/state", {"event": "sign_in"}, "supervisor"))[0] == 200


async def test_agents_are_made_replaced_and_removed_by_an_admin(site: Any) -> None:
    made = await site.send("PUT", f"{AGENTS}/cleo", ANN, "admin")
    assert (made[0], made[1]["name"], made[1]["state"]) == (201, "Ann Other", "offline")
    again = await site.send("PUT", f"{AGENTS}/cleo", ANN | {"queues": ["sales"]}, "admin")
    assert (again[0], again[1]["queues"]) == (200, ["sales"])
    assert (await site.send("DELETE", f"{AGENTS}/cleo", role="admin"))[0] == 204
    assert (await site.send("DELETE", f"{AGENTS}/cleo", role="admin"))[0] == 404


@pytest.mark.parametrize("role", ["agent", "supervisor"])
async def test_others_do_not_make_agents(site: Any, role: str) -> None:
    assert (await site.send("PUT", f"{AGENTS}/ann", ANN, role))[0] == 403
    assert (await site.send("DELETE", f"{AGENTS}/ann", role=role))[0] == 403


async def test_an_agent_on_a_call_is_not_removed(site: Any) -> None:
    await wrapping_up(site)
    assert (await site.send("DELETE", f"{AGENTS}/ann", role="admin"))[0] == 409


@pytest.mark.parametrize(
    "change", [{"queues": ["nowhere"]}, {"queues": []}, {"gateway": "pigeon"}, {"pay": 1}]
)
async def test_a_wrong_agent_is_refused(site: Any, change: dict[str, Any]) -> None:
    status, answer = await site.send("PUT", f"{AGENTS}/cleo", ANN | change, "admin")
    assert (status, answer["error"]["field"]) == (422, next(iter(change)))


async def test_an_impossible_id_is_not_found(site: Any) -> None:
    assert (await site.get(f"{AGENTS}/Ann%20O'Hara"))[0] == 404
    assert (await site.get(f"{AGENTS}/nobody"))[0] == 404


async def test_queues(site: Any) -> None:
    first, second = await site.floor.start(), await site.floor.start()
    await site.floor.queued(first)
    await site.floor.queued(second)
    _, answer = await site.get("/api/v1/queues")
    sales, support = answer["queues"]
    assert (sales["name"], sales["waiting"], support["waiting"]) == ("sales", 2, 0)
    assert (support["longest_wait_s"], support["oldest_at"]) == (0, None)
    _, queue = await site.get("/api/v1/queues/sales")
    assert [(entry["call_id"], entry["position"]) for entry in queue["entries"]] == [
        (str(first), 1),
        (str(second), 2),
    ]
    assert queue["longest_wait_s"] == queue["entries"][0]["wait_s"] > 0
    assert (await site.get("/api/v1/queues/nowhere"))[0] == 404


async def test_callbacks_in_line_are_no_callers_who_wait(site: Any, database: Database) -> None:
    callback_id = uuid4()
    await database.execute(
        "INSERT INTO callback.callback (callback_id, queue, number, source, mode, state, arrived_at,"
        " not_before, expires_at, promised_from, promised_until, zone, chain_id, attempts_max)"
        " VALUES ($1, 'sales', '+12025550142', 'ivr', 'agent_first', 'queued', now() - interval '1 hour',"
        " now(), now(), now(), now(), 'UTC', $1, 3)",
        callback_id,
    )
    first = await site.floor.start()
    await site.floor.queued(first)
    _, queue = await site.get("/api/v1/queues/sales")
    assert (queue["waiting"], queue["callbacks"]) == (1, 1)
    assert queue["longest_wait_s"] < 60
    assert [(entry["callback_id"], entry["position"]) for entry in queue["entries"]] == [
        (str(callback_id), 1),
        (None, 2),
    ]
    standing = await LiveFeed(database, lambda: ["sales"]).standing()
    (row,) = standing.queues
    assert (row["waiting"], row["callbacks"], row["oldest_at"]) == (1, 1, standing.totals["oldest_at"])


async def test_a_report(site: Any) -> None:
    await site.floor.answered_call()
    status, report = await site.get("/api/v1/reports/summary", interval="60")
    assert status == 200
    assert report["total"]["answered"] == report["by_queue"]["sales"]["answered"] == 1
    assert len(report["by_interval"]) == 24


@pytest.mark.parametrize(
    "params",
    [
        {"from": "2020-01-01", "to": "2022-01-02"},
        {"from": "2021-01-01", "to": "2020-01-01"},
        {"from": "2025-02-29"},
        {"service_level_s": "0"},
        {"service_level_s": "nan"},
        {"short_abandon_s": "-1"},
        {"target": "80"},
        {"by": "chance"},
        {"interval": "7"},
        {"from": "soon"},
        {"what": "ever"},
    ],
)
async def test_a_report_that_cannot_be(site: Any, params: dict[str, str]) -> None:
    assert (await site.get("/api/v1/reports/summary", **params))[0] == 422


async def test_reports_are_for_supervisors(site: Any) -> None:
    assert (await site.get("/api/v1/reports/summary", "agent"))[0] == 403
