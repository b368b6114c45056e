"""The service is killed in the middle of calls and started again on the same data."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from aiohttp import ClientSession, WSMsgType

from callcenter.storage.embedded import PostgresServer
from support.crowd import Call, Crowd
from support.floor import Floor, check_agents_are_never_shared, check_numbering, eventually
from support.program import ACCOUNT_SID, AUTH_TOKEN, Program

Make = Callable[..., Program]


class Watcher:
    """A live page: keeps every event that the service has told it of."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.events: list[dict[str, Any]] = []

    async def watch(self) -> None:
        url = f"{self._program.url}/api/v1/live"
        async with ClientSession() as session, session.ws_connect(url) as socket:
            await socket.send_json({"subscribe": ["events"], "token": self._program.token})
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    told = json.loads(message.data)
                    self.events += [told["event"]] if told["type"] == "event" else []

    def has(self, type_: str, count: int) -> bool:
        return sum(event["type"] == type_ for event in self.events) >= count


def decoded_s(path: Path) -> float:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return sum(frame.samples for frame in container.decode(stream)) / stream.rate


@pytest.mark.parametrize(("format_", "database_too"), [("flac", False), ("wav", True)])
async def test_a_kill_in_the_middle_of_calls(make_program: Make, format_: str, database_too: bool) -> None:
    program = make_program(recording={"format": format_})
    program.settings["queues"][0]["wrap_up_s"] = 30
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(program, crowd)
        floor.staff(3, every_ms=20)
        await floor.start()
        watcher = Watcher(program)
        watching = asyncio.create_task(watcher.watch(), name="watcher")
        over = await floor.call(9)
        await asyncio.wait_for(crowd.joined(over.number).wait(), 10)
        await over.phone.hang_up()
        await eventually(lambda: watcher.has("acw.started", 1), 10, "an agent wraps up")
        began = time.monotonic()
        talking = [await floor.call(number, every_ms=20) for number in range(2)]
        await eventually(lambda: watcher.has("recording.started", 3), 10, "two talk and are recorded")
        started_within_s = time.monotonic() - began
        held = next(event for event in reversed(watcher.events) if event["type"] == "recording.started")
        await floor.api("POST", f"/calls/{held['call_id']}/hold")
        waiting = [await floor.call(number) for number in range(2, 4)]
        in_menu = [await floor.call(number, press="") for number in range(4, 6)]
        await eventually(lambda: watcher.has("queue.entered", 5), 10, "two wait")
        await eventually(lambda: watcher.has("call.started", 7), 10, "two are in the menu")
        await asyncio.sleep(began + 3 - time.monotonic())
        program.kill()
        talked_s = time.monotonic() - began
        if database_too:
            await asyncio.to_thread(PostgresServer(program.folder / "data").halt, "immediate")
        await asyncio.wait_for(asyncio.gather(watching, return_exceptions=True), 5)
        ends = [call.phone.over.wait() for call in talking + waiting + in_menu]
        await asyncio.wait_for(asyncio.gather(*ends), 10)

        await asyncio.to_thread(program.start)
        assert await eventually(floor.all_available, 10, "the agents are available") < 5
        await check_everything_told_is_kept(floor, watcher)
        await check_the_calls_were_closed(floor, over)
        await check_recordings(floor, talked_s - started_within_s - 1, talked_s, format_)
        again = await floor.call(7)
        await asyncio.wait_for(crowd.joined(again.number).wait(), 10)
        await again.phone.hang_up()
        await eventually(lambda: again_answered(floor, again), 10, "a new call is answered")
        assert await asyncio.to_thread(program.stop) == 0
    assert "Traceback" not in program.log


async def check_everything_told_is_kept(floor: Floor, watcher: Watcher) -> None:
    stored = await floor.rows("SELECT event_id, type, call_id::text, seq FROM callcenter.event")
    known = {(row["event_id"], row["type"], row["call_id"], row["seq"]) for row in stored}
    told = {(event["event_id"], event["type"], event["call_id"], event["seq"]) for event in watcher.events}
    assert len(told) > 50
    assert told <= known
    events = await floor.events()
    check_numbering(events)
    check_agents_are_never_shared(events)


async def check_the_calls_were_closed(floor: Floor, over: Call) -> None:
    calls = (await floor.api("GET", "/calls"))["calls"]
    assert {call["from"]: call["outcome"] for call in calls} == {
        over.number: "answered",
        **{f"+1555013{number:04d}": "failed" for number in range(6)},
    }
    assert {call["end_cause"] for call in calls} == {"failed", "caller_hangup"}
    assert await floor.rows("SELECT * FROM callcenter.queue_entry") == []
    for type_, count in {"call.ended": 7, "conversation.ended": 3, "hold.ended": 1, "acw.ended": 1}.items():
        found = await floor.rows("SELECT FROM callcenter.event WHERE type = $1", type_)
        assert len(found) == count, type_


async def check_recordings(floor: Floor, least_s: float, most_s: float, format_: str) -> None:
    async def none_is_open() -> bool:
        return not await floor.rows("SELECT FROM callcenter.recording WHERE state = 'writing'")

    await eventually(none_is_open, 10, "the recordings are repaired")
    rows = await floor.rows(
        "SELECT r.* FROM callcenter.recording AS r JOIN callcenter.call USING (call_id)"
        " WHERE outcome = 'failed' ORDER BY duration_ms"
    )
    assert [row["state"] for row in rows] == ["done", "done"]
    for row in rows:
        path = floor.program.folder / "data" / "recordings" / row["path"]
        assert path.suffix == f".{format_}"
        assert row["duration_ms"] / 1000 == pytest.approx(decoded_s(path), abs=0.01)
    assert least_s <= rows[-1]["duration_ms"] / 1000 <= most_s
    # The other call was put on hold at once, which is not recorded.
    assert rows[0]["duration_ms"] > 0


async def again_answered(floor: Floor, call: Call) -> bool:
    found = await floor.rows(
        "SELECT FROM callcenter.call WHERE from_number = $1 AND outcome = 'answered'", call.number
    )
    return len(found) == 1
