"""The service is killed in the middle of calls and started again on the same data."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import pytest
from aiohttp import ClientSession, WSMsgType

from support.crowd import Crowd
from support.floor import Floor, check_numbering, eventually
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

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


def decoded_s(path: Path) -> float:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return sum(frame.samples for frame in container.decode(stream)) / stream.rate


@pytest.mark.parametrize("format_", ["flac", "wav"])
async def test_a_kill_in_the_middle_of_calls(make_program: Make, format_: str) -> None:
    program = make_program(recording={"format": format_})
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(program, crowd)
        floor.staff(2, every_ms=20)
        await floor.start()
        watcher = Watcher(program)
        watching = asyncio.create_task(watcher.watch(), name="watcher")
        talking = [await floor.call(number, every_ms=20) for number in range(2)]
        await eventually(
            lambda: watcher.types().count("recording.started") == 2, 10, "two conversations are recorded"
        )
        connected_at = time.monotonic()
        queued = [await floor.call(number) for number in range(2, 4)]
        in_menu = [await floor.call(number, press="") for number in range(4, 6)]
        await eventually(
            lambda: watcher.types().count("ivr.entered") >= 6 and watcher.types().count("queue.entered") == 4,
            10,
            "two wait, two are in the menu",
        )
        await asyncio.sleep(connected_at + 3 - time.monotonic())
        program.kill()
        talked_s = time.monotonic() - connected_at
        await asyncio.wait_for(asyncio.gather(watching, return_exceptions=True), 5)
        await asyncio.wait_for(
            asyncio.gather(*[call.phone.over.wait() for call in talking + queued + in_menu]), 10
        )
        await asyncio.to_thread(program.start)
        freed_s = await eventually(floor.all_available, 10, "the agents are available")
        await check_everything_told_is_kept(floor, watcher)
        await check_the_calls_were_closed(floor)
        await check_recordings(floor, talked_s, format_)
        assert freed_s < 5
        again = await floor.call(7)
        await eventually(
            lambda: crowd.desks[floor.desks[0].address].answered + floor.desks[1].answered == 3,
            10,
            "a new call reaches an agent",
        )
        await again.phone.hang_up()
        await eventually(floor.all_available, 10, "the agents are available again")
        assert program.stop() == 0


async def check_everything_told_is_kept(floor: Floor, watcher: Watcher) -> None:
    stored = await floor.rows("SELECT event_id, type, call_id::text, seq FROM callcenter.event")
    known = {(row["event_id"], row["type"], row["call_id"], row["seq"]) for row in stored}
    for event in watcher.events:
        assert (event["event_id"], event["type"], event["call_id"], event["seq"]) in known
    check_numbering(await floor.events())


async def check_the_calls_were_closed(floor: Floor) -> None:
    calls = (await floor.api("GET", "/calls"))["calls"]
    assert len(calls) == 6
    assert {(call["outcome"], call["end_cause"]) for call in calls} == {("failed", "failed")}
    assert await floor.rows("SELECT * FROM callcenter.queue_entry") == []
    ends = await floor.rows("SELECT call_id FROM callcenter.event WHERE type = 'call.ended'")
    assert len(ends) == 6
    talks = await floor.rows("SELECT at FROM callcenter.event WHERE type = 'conversation.ended'")
    assert len(talks) == 2


async def check_recordings(floor: Floor, talked_s: float, format_: str) -> None:
    async def none_is_open() -> bool:
        return not await floor.rows("SELECT * FROM callcenter.recording WHERE state = 'writing'")

    await eventually(none_is_open, 10, "the recordings are repaired")
    recordings = await floor.rows("SELECT * FROM callcenter.recording")
    assert [row["state"] for row in recordings] == ["done", "done"]
    for row in recordings:
        path = floor.program.folder / "data" / "recordings" / row["path"]
        assert path.suffix == f".{format_}"
        assert talked_s - 1 <= decoded_s(path) <= talked_s + 1
        assert timedelta(milliseconds=row["duration_ms"]).total_seconds() == pytest.approx(
            decoded_s(path), abs=0.01
        )
