from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from callcenter.acd.presence import AgentEvent
from callcenter.acd.roster import Roster
from callcenter.storage.transcripts import TimedWord

CALLS = "/api/v1/calls"


async def test_a_call_with_its_figures(site: Any) -> None:
    call_id = await site.floor.answered_call()
    status, call = await site.get(f"{CALLS}/{call_id}")
    assert status == 200
    assert (call["from"], call["queue"], call["agent_id"], call["outcome"]) == (
        "+15125550142",
        "sales",
        "ann",
        "answered",
    )
    (contact,) = call["timeline"]["contacts"]
    assert (contact["queue"], contact["ended"], contact["agent_id"]) == ("sales", "answered", "ann")
    assert call["timeline"]["total_s"] >= contact["wait_s"] > 0
    assert call["started_at"].endswith("Z")


async def test_a_call_without_events_has_no_figures(site: Any, database: Any) -> None:
    call_id = uuid4()
    await database.execute(
        "INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref, from_number, "
        "to_number, started_at) VALUES ($1, $1, $1, 'inbound', 'twilio', 'x', '', '', now())",
        call_id,
    )
    status, call = await site.get(f"{CALLS}/{call_id}")
    assert (status, call["timeline"]) == (200, None)


async def test_pages_follow_each_other_without_gap_or_repeat(site: Any) -> None:
    made = [str(await site.floor.start()) for _ in range(5)]
    seen, cursor = [], ""
    for _ in range(3):
        _, page = await site.get(CALLS, limit="2", cursor=cursor)
        seen += [call["call_id"] for call in page["calls"]]
        await site.floor.start()  # a new call must not shift the pages
        cursor = page["next_cursor"] or ""
    assert seen == made[::-1]
    assert not cursor


async def test_filters(site: Any) -> None:
    sold = str(await site.floor.answered_call("ann", "sales"))
    helped = str(await site.floor.answered_call("bob", "support"))
    other = str(await site.floor.start("+15125550177"))

    async def found(**params: str) -> list[str]:
        status, page = await site.get(CALLS, **params)
        assert status == 200, page
        return [call["call_id"] for call in page["calls"]]

    assert await found(queue="support") == [helped]
    assert await found(agent="ann") == [sold]
    assert await found(outcome="answered") == [helped, sold]
    assert await found(number="+15125550177") == [other]
    assert await found(**{"to": "2020-01-01T00:00:00Z"}) == []
    assert await found(**{"from": "2020-01-01T00:00:00Z"}) == [other, helped, sold]


async def test_an_unescaped_plus_is_understood(site: Any) -> None:
    await site.floor.start()
    url = f"{site.url}{CALLS}?number=+15125550142"
    async with site.client.get(url, headers=site.auth()) as response:
        assert len((await response.json())["calls"]) == 1


async def test_events_and_words(site: Any) -> None:
    call_id = await site.floor.answered_call()
    _, events = await site.get(f"{CALLS}/{call_id}/events")
    assert [event["seq"] for event in events["events"]] == [1, 2, 3, 4, 5]
    assert events["events"][0]["type"] == "call.started"
    _, transcript = await site.get(f"{CALLS}/{call_id}/transcript")
    assert [segment["text"] for segment in transcript["segments"]] == ["I would like a blue one"]


async def test_words_have_times_and_say_when_they_came_late(site: Any) -> None:
    call_id = await site.floor.start()
    word = TimedWord("hello", 1000, 1400, 0.5)
    await site.floor.say(call_id, "hello", number=2, words=(word,), degraded=True)
    await site.floor.say(call_id, "yes", start_ms=3000)
    _, transcript = await site.get(f"{CALLS}/{call_id}/transcript")
    late, plain = transcript["segments"]
    assert late["words"] == [{"text": "hello", "start_ms": 1000, "end_ms": 1400, "probability": 0.5}]
    assert (late["number"], late["degraded"]) == (2, True)
    assert (plain["number"], plain["words"], plain["degraded"]) == (None, [], False)


@pytest.mark.parametrize("path", ["", "/events", "/transcript", "/recordings"])
@pytest.mark.parametrize(
    "call_id", ["7b0c2f0e-0000-4000-8000-000000000000", "1", "%00", "..%2f..%2fetc", "'"]
)
async def test_a_call_that_is_not_there(site: Any, call_id: str, path: str) -> None:
    from yarl import URL

    url = URL(f"{site.url}{CALLS}/{call_id}{path}", encoded=True)
    async with site.client.get(url, headers=site.auth()) as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("hold", None),
        ("resume", None),
        ("hangup", None),
        ("transfer", {"to": "+15125550111"}),
    ],
)
async def test_commands_reach_the_call(site: Any, command: str, body: Any) -> None:
    call_id = await site.floor.start()
    status, _ = await site.send("POST", f"{CALLS}/{call_id}/{command}", body)
    assert status == 204
    assert site.control.asked == [(call_id, command, {"number": "+15125550111"} if body else {})]


@pytest.mark.parametrize(
    ("body", "arguments"),
    [
        ({"number": "+15125550111"}, {"number": "+15125550111"}),
        ({"queue": "billing"}, {"queue": "billing", "mode": "blind"}),
        ({"queue": "billing", "mode": "warm"}, {"queue": "billing", "mode": "warm"}),
        ({"agent": "bob", "mode": "warm"}, {"agent": "bob", "queue": "sales", "mode": "warm"}),
    ],
)
async def test_a_transfer_goes_to_one_place(site: Any, body: Any, arguments: Any) -> None:
    call_id = await site.floor.answered_call("ann")
    await Roster(site.services.agents).signal("bob", AgentEvent.SIGN_IN)
    answer = await site.send("POST", f"{CALLS}/{call_id}/transfer", body, "agent")
    assert answer == (204, None)
    assert site.control.asked == [(call_id, "transfer", arguments)]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"number": "+15125550111", "queue": "billing"}, 422),
        ({"number": "+15125550111", "mode": "warm"}, 422),
        ({"queue": "billing", "mode": "cold"}, 422),
        ({"queue": "no such"}, 422),
        ({"agent": "nobody"}, 404),
        ({"agent": "bob"}, 409),
    ],
)
async def test_a_transfer_that_cannot_be(site: Any, body: Any, status: int) -> None:
    call_id = await site.floor.answered_call("ann")
    answer, problem = await site.send("POST", f"{CALLS}/{call_id}/transfer", body, "agent")
    assert (answer, list(problem)) == (status, ["error"])
    assert not site.control.asked


async def test_a_consult_ends_one_way_or_the_other(site: Any) -> None:
    call_id = await site.floor.answered_call("ann")
    for step in ("complete", "cancel"):
        assert (await site.send("POST", f"{CALLS}/{call_id}/transfer/{step}", role="agent"))[0] == 204
    assert [asked[1] for asked in site.control.asked] == ["complete_transfer", "cancel_transfer"]


async def test_a_supervisor_is_rung_at_the_telephone_of_the_own_agent(site: Any) -> None:
    call_id = await site.floor.answered_call("ann")
    monitor = f"{CALLS}/{call_id}/monitor"
    status, problem = await site.send("POST", monitor, {"mode": "listen"}, "supervisor")
    assert (status, problem["error"]["code"]) == (409, "conflict")
    assert "--agent" in problem["error"]["message"]
    await site.services.users.add("lead", role="supervisor", agent_id="bob")
    site.tokens["lead"] = await site.services.users.issue_token("lead")
    assert (await site.send("POST", monitor, {"mode": "whisper"}, "lead"))[0] == 204
    assert (await site.send("DELETE", monitor, role="lead"))[0] == 204
    (_, name, given), (_, end, ender) = site.control.asked
    assert (name, given["mode"], given["agent"], given["gateway"]) == ("monitor", "whisper", "bob", "twilio")
    assert given["address"] == (await site.services.agents.get("bob")).address
    assert (end, ender) == ("unmonitor", {"user": "lead"})


@pytest.mark.parametrize(
    ("role", "body", "status"),
    [("agent", {"mode": "listen"}, 403), ("supervisor", {"mode": "spy"}, 422), ("supervisor", {}, 422)],
)
async def test_a_monitor_that_cannot_be(site: Any, role: str, body: Any, status: int) -> None:
    call_id = await site.floor.answered_call("ann")
    assert (await site.send("POST", f"{CALLS}/{call_id}/monitor", body, role))[0] == status
    assert not site.control.asked


@pytest.mark.parametrize(("refuse", "status"), [("state", 409), ("gone", 404)])
async def test_a_command_that_the_call_refuses(site: Any, refuse: str, status: int) -> None:
    site.control.refuse = refuse
    answer = await site.send("POST", f"{CALLS}/{await site.floor.start()}/hold")
    assert answer[0] == status


async def test_an_agent_sees_and_controls_the_own_calls_only(site: Any) -> None:
    own = await site.floor.answered_call("ann")
    others = await site.floor.answered_call("bob")
    waiting = await site.floor.start()
    _, page = await site.get(CALLS, "agent")
    assert [call["call_id"] for call in page["calls"]] == [str(own)]
    assert (await site.get(CALLS, "agent", agent="bob"))[0] == 403
    for call_id, status in ((own, 200), (others, 403), (waiting, 403)):
        assert (await site.get(f"{CALLS}/{call_id}/transcript", "agent"))[0] == status
        assert (await site.get(f"{CALLS}/{call_id}/recordings", "agent"))[0] == status
    assert (await site.send("POST", f"{CALLS}/{others}/hangup", role="agent"))[0] == 403
    assert (await site.send("POST", f"{CALLS}/{own}/hangup", role="agent"))[0] == 204
    assert [asked[0] for asked in site.control.asked] == [own]


async def recording(site: Any, path: str, *, state: str = "done") -> tuple[str, Path]:
    recording_id, call_id = uuid4(), await site.floor.answered_call("bob")
    recordings = site.services.recordings
    await recordings.open(
        recording_id=recording_id,
        call_id=call_id,
        node_id=uuid4(),
        kind="conversation",
        path=path,
        channels=2,
        offset_ms=0,
    )
    if state == "done":
        await recordings.finish(recording_id, duration_ms=1000)
    folder = site.services.recordings_dir
    folder.mkdir(exist_ok=True)
    return f"/api/v1/recordings/{recording_id}", folder


async def test_a_recording_in_whole_and_in_parts(site: Any) -> None:
    url, folder = await recording(site, "day/one.flac")
    (folder / "day").mkdir()
    (folder / "day" / "one.flac").write_bytes(bytes(range(200)))
    async with site.client.get(site.url + url, headers=site.auth()) as response:
        assert (response.status, response.content_type) == (200, "audio/flac")
        assert await response.read() == bytes(range(200))
    ranged = site.auth() | {"Range": "bytes=10-19"}
    async with site.client.get(site.url + url, headers=ranged) as response:
        assert (response.status, response.headers["Content-Range"]) == (206, "bytes 10-19/200")
        assert await response.read() == bytes(range(10, 20))
    beyond = site.auth() | {"Range": "bytes=900-"}
    async with site.client.get(site.url + url, headers=beyond) as response:
        assert response.status == 416


async def test_a_recording_that_grows_is_a_conflict(site: Any) -> None:
    url, _ = await recording(site, "one.flac", state="writing")
    assert (await site.get(url))[0] == 409


@pytest.mark.parametrize("path", ["../secret.flac", "/etc/passwd", "notes.txt", "gone.flac", "."])
async def test_no_other_file_is_ever_served(site: Any, path: str, tmp_path: Path) -> None:
    (tmp_path / "secret.flac").write_bytes(b"secret")
    url, folder = await recording(site, path)
    (folder / "notes.txt").write_text("secret")
    assert (await site.get(url))[0] == 404


async def test_a_link_out_of_the_folder_is_not_followed(site: Any, tmp_path: Path) -> None:
    (tmp_path / "secret.flac").write_bytes(b"secret")
    url, folder = await recording(site, "link.flac")
    (folder / "link.flac").symlink_to(tmp_path / "secret.flac")
    assert (await site.get(url))[0] == 404


async def test_an_agent_does_not_hear_others(site: Any) -> None:
    url, folder = await recording(site, "one.flac")
    (folder / "one.flac").write_bytes(b"x")
    assert (await site.get(url, "agent"))[0] == 403
