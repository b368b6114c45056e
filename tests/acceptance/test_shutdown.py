"""The service is asked to end while calls are in progress, and processes of it die."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession

from support.crowd import Crowd
from support.floor import Floor, check_numbering, eventually
from support.program import ACCOUNT_SID, AUTH_TOKEN, CALLCENTER, Program

Make = Callable[..., Program]


def ask_to_end(program: Program) -> "asyncio.Task[int]":
    """Send SIGTERM; the task gives the exit status."""
    assert program.process is not None
    program.process.send_signal(signal.SIGTERM)
    return asyncio.create_task(asyncio.to_thread(program.process.wait, 60), name="exit")


async def refuses(program: Program) -> bool:
    async with ClientSession() as session, session.get(f"{program.url}/readyz") as answer:
        return answer.status == 503


async def outcomes(floor: Floor) -> dict[str, tuple[str, str]]:
    """Outcome and cause by the caller's number."""
    rows = await floor.rows("SELECT * FROM callcenter.call")
    return {row["from_number"]: (row["outcome"], row["end_cause"]) for row in rows}


async def test_calls_in_progress_finish(make_program: Make) -> None:
    program = make_program()
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(program, crowd)
        floor.staff(1)
        await floor.start()
        async with floor.database_kept():
            talking = await floor.call(0)
            await asyncio.wait_for(crowd.joined(talking.number).wait(), 10)
            queued = await floor.call(1)
            await eventually(lambda: has_queue(floor, 1), 5, "the second caller waits")
            announced = await crowd.announce(program.url, "+15550130003")
            exited = ask_to_end(program)
            await eventually(lambda: refuses(program), 5, "the service is not ready any more")
            assert (await crowd.call(program.url, "+15550130002")).status == 503
            ask_to_end(program)
            await asyncio.sleep(0.5)
            assert not talking.phone.over.is_set()
            await crowd.connect(announced)
            await announced.phone.press("1")
            await talking.phone.hang_up()
            await asyncio.wait_for(crowd.joined(queued.number).wait(), 10)
            assert not exited.done()
            await queued.phone.hang_up()
            await asyncio.wait_for(crowd.joined(announced.number).wait(), 10)
            await announced.phone.hang_up()
            assert await asyncio.wait_for(exited, 10) == 0
            program.process = None
            check_numbering(await floor.events())
            assert set((await outcomes(floor)).values()) == {("answered", "caller_hangup")}
            assert await floor.all_available()
            await check_recordings(floor, 3)
            assert await floor.rows("SELECT * FROM callcenter.node") == []
    assert "Traceback" not in program.log


async def test_calls_longer_than_the_drain_are_ended(make_program: Make) -> None:
    program = make_program()
    program.settings["server"]["drain_timeout_s"] = 2
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(program, crowd)
        floor.staff(2, ring_s=0.1)
        floor.desks[1].ring_s = 60
        await floor.start()
        async with floor.database_kept():
            talking = await floor.call(0)
            await asyncio.wait_for(crowd.joined(talking.number).wait(), 10)
            ringing, queued = await floor.call(1), await floor.call(2)
            in_menu = await floor.call(3, press="")
            await eventually(lambda: has_queue(floor, 2), 5, "two callers wait")
            await eventually(lambda: floor.desks[1].rings == 1, 5, "the second agent is called")
            began = time.monotonic()
            assert await asyncio.wait_for(ask_to_end(program), 15) == 0
            program.process = None
            assert 2 <= time.monotonic() - began < 7
            for call in (talking, ringing, queued, in_menu):
                await asyncio.wait_for(call.phone.over.wait(), 5)
            check_numbering(await floor.events())
            found = await outcomes(floor)
            assert len(found) == 4
            assert set(found.values()) == {("failed", "failed")}
            assert await floor.all_available()
            assert not await has_queue(floor, 1)
            await check_recordings(floor, 1)
            await eventually(lambda: not floor.desks[1].in_use_by, 5, "nobody's telephone rings on")
    assert "Traceback" not in program.log


async def test_a_dead_process_is_replaced_and_its_calls_are_closed(make_program: Make) -> None:
    program = make_program()
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(program, crowd)
        floor.staff(4)
        await floor.start("--processes", "2")
        async with floor.database_kept():
            pids = await processes(floor, 2)
            calls = {}
            for number in range(4):
                call = await floor.call(number)
                await asyncio.wait_for(crowd.joined(call.number).wait(), 10)
                calls[call.number] = call
            carried = await carriers(floor)
            victim = next(iter(carried.values()))
            os.kill(victim, signal.SIGKILL)
            lost = {number for number, pid in carried.items() if pid == victim}
            for number in lost:
                await asyncio.wait_for(calls[number].phone.over.wait(), 5)

            async def closed() -> bool:
                found = await outcomes(floor)
                return {number for number in found if found[number] == ("failed", "failed")} == lost

            await eventually(closed, 10, "the calls of the dead process are closed")
            assert all(not calls[number].phone.over.is_set() for number in carried.keys() - lost)
            assert set(await processes(floor, 2)) != set(pids)
            for number in carried.keys() - lost:
                await calls[number].phone.hang_up()
            await eventually(floor.all_available, 10, "all agents are available")
            again = [await floor.call(number) for number in range(10, 14)]
            for call in again:
                await asyncio.wait_for(crowd.joined(call.number).wait(), 10)
                await call.phone.hang_up()
            await eventually(floor.all_available, 10, "all agents are available again")
            check_numbering(await floor.events())
            pids = await processes(floor, 2)
            assert await asyncio.wait_for(ask_to_end(program), 20) == 0
            program.process = None
            assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert "Traceback" not in program.log


async def test_processes_end_when_their_parent_is_killed(make_program: Make) -> None:
    program = make_program()
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(program, crowd)
        floor.staff(0)
        await floor.start("--processes", "2")
        pids = await processes(floor, 2)
        assert program.process is not None
        os.kill(program.process.pid, signal.SIGKILL)
        program.process.wait()
        program.process = None
        await eventually(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids),
            10,
            "the children end by themselves",
        )


@pytest.mark.parametrize("after_s", [0.05, 0.4, 0.8])
async def test_a_stop_in_the_middle_of_the_start(make_program: Make, after_s: float) -> None:
    program = make_program()
    program.save()
    process = await asyncio.create_subprocess_exec(
        *[str(part) for part in [CALLCENTER, "serve", "--config", program.config, "--processes", "2"]],
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    await asyncio.sleep(after_s)
    process.terminate()
    status = await asyncio.wait_for(process.wait(), 20)
    assert status in (0, -signal.SIGTERM)


async def has_queue(floor: Floor, count: int) -> bool:
    return len(await floor.rows("SELECT * FROM callcenter.queue_entry")) == count


async def processes(floor: Floor, count: int) -> list[int]:
    """The living processes, once there are ``count`` of them."""

    async def living() -> list[int]:
        rows = await floor.rows("SELECT pid FROM callcenter.node")
        return [row["pid"] for row in rows if Path(f"/proc/{row['pid']}/exe").exists()]

    async def complete() -> bool:
        return len(await living()) == count

    await eventually(complete, 15, f"{count} processes run")
    return await living()


async def carriers(floor: Floor) -> dict[str, int]:
    """Which process carries each open call."""
    rows = await floor.rows(
        "SELECT from_number, pid FROM callcenter.call JOIN callcenter.node USING (node_id)"
    )
    return {row["from_number"]: row["pid"] for row in rows}


async def check_recordings(floor: Floor, count: int) -> None:
    rows = await floor.rows("SELECT * FROM callcenter.recording")
    assert [row["state"] for row in rows] == ["done"] * count
    for row in rows:
        assert row["duration_ms"] > 0
        assert (floor.program.folder / "data" / "recordings" / row["path"]).exists()
