"""The disk is full while a call is recorded: the call goes on, what was written so far is kept."""

import asyncio
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from support.crowd import Call, Crowd
from support.floor import Floor, check_numbering, eventually
from support.program import ACCOUNT_SID, AUTH_TOKEN, Program

Make = Callable[..., Program]

DISK_BYTES = 96 * 1024
BYTES_PER_S = 2 * 2 * 8000
FITS_S = DISK_BYTES / BYTES_PER_S
"""How much of a conversation finds room: two channels of 16 bits at 8 kHz."""


@pytest.fixture
def small_disk(make_program: Make) -> Iterator[Program]:
    """A program whose recordings lie on a file system of their own that is soon full."""
    program = make_program()
    folder = program.folder / "data" / "recordings"
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        yield program
    finally:
        if program.process is not None:
            program.kill()
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk(small_disk: Program) -> None:
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(small_disk, crowd)
        floor.staff(1, every_ms=20)
        await floor.start()
        await talk(floor, await floor.call(0, every_ms=20))
        path = await check_failed(floor, 0)
        assert FITS_S - 1.5 <= decoded_s(path) <= FITS_S
        await talk(floor, await floor.call(1))
        await check_failed(floor, 1)
        path.unlink()
        await talk(floor, await floor.call(2, every_ms=20), until_failed=False)
        row = await recording_of(floor, 2)
        assert row["state"] == "done"
        check_numbering(await floor.events())
        assert await asyncio.to_thread(small_disk.stop) == 0
    assert "Traceback" not in small_disk.log


async def test_a_file_that_may_not_grow(make_program: Make) -> None:
    program = make_program(recording={"format": "wav"})
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(program, crowd)
        floor.staff(1, every_ms=20)
        await floor.start()
        assert program.process is not None
        # After the start, so that the database, which it has started, has no such limit.
        resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (DISK_BYTES, DISK_BYTES))
        await talk(floor, await floor.call(0, every_ms=20))
        path = await check_failed(floor, 0)
        assert FITS_S - 1.5 <= decoded_s(path) <= FITS_S
        check_numbering(await floor.events())
        assert await asyncio.to_thread(program.stop) == 0
    assert "Traceback" not in program.log


async def talk(floor: Floor, call: Call, until_failed: bool = True) -> None:
    """Talk, if so until the recording has failed and a second longer, and hang up."""
    await asyncio.wait_for(floor.crowd.joined(call.number).wait(), 10)

    async def failed() -> bool:
        return bool(await floor.rows(FAILED, call.number))

    if until_failed:
        await eventually(failed, 10, "the recording fails")
    desk = floor.desks[0]
    assert desk.phone is not None
    heard = call.phone.frames, desk.phone.frames
    await asyncio.sleep(1)
    assert not call.phone.over.is_set()
    assert call.phone.frames >= heard[0] + 40
    assert desk.phone.frames > heard[1]
    await call.phone.hang_up()
    await eventually(floor.all_available, 10, "the agent is available")


FAILED = """
SELECT FROM callcenter.event JOIN callcenter.call USING (call_id)
 WHERE type = 'recording.failed' AND from_number = $1
"""
RECORDING = """
SELECT r.*, c.outcome FROM callcenter.recording AS r JOIN callcenter.call AS c USING (call_id)
 WHERE from_number = $1 AND r.state <> 'writing' AND c.ended_at IS NOT NULL
"""


async def recording_of(floor: Floor, number: int) -> Any:
    async def closed() -> bool:
        return bool(await floor.rows(RECORDING, f"+1555013{number:04d}"))

    await eventually(closed, 10, "the recording is closed")
    return (await floor.rows(RECORDING, f"+1555013{number:04d}"))[0]


async def check_failed(floor: Floor, number: int) -> Path:
    """The recording is said to have failed, once, and its call was answered; gives its file."""
    row = await recording_of(floor, number)
    assert (row["state"], row["outcome"]) == ("failed", "answered")
    assert len(await floor.rows(FAILED, f"+1555013{number:04d}")) == 1
    return floor.program.folder / "data" / "recordings" / str(row["path"])


def decoded_s(path: Path) -> float:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return sum(frame.samples for frame in container.decode(stream)) / stream.rate
