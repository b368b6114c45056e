"""Recordings on a real disk: a kill in the middle, a full disk, a slow one."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from callcenter.media.recorder import AGENT, CALLER, MAX_WAITING_BYTES, Job, RecordingWriter, recover
from callcenter.media.recording_file import Piece

FRAME = np.full(160, 1000, "<i2").tobytes()


def read(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return frames.reshape(-1, file.getnchannels())


def unexpected(reason: str) -> None:
    raise AssertionError(reason)


@pytest.fixture
async def writer() -> AsyncIterator[RecordingWriter]:
    async with RecordingWriter(flush_every_s=0.02) as running:
        yield running


async def test_two_parties(writer: RecordingWriter, tmp_path: Path) -> None:
    path = tmp_path / "2030" / "01" / "talk.wav"
    recording = writer.open(path, 2, unexpected)
    for number in range(100):
        recording.write(CALLER, FRAME, 160 * number)
        recording.write(AGENT, bytes(320), 160 * number)
        await asyncio.sleep(0)
    assert await recording.close() == 2.0
    assert await recording.close() == 2.0
    recording.write(CALLER, FRAME, 0)
    assert read(path).tolist() == [[1000, 0]] * 16_000


async def test_it_is_on_disk_while_the_call_goes_on(writer: RecordingWriter, tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    recording = writer.open(path, 1, unexpected)
    recording.write(0, FRAME, 0)
    for _ in range(500):
        await asyncio.sleep(0.01)
        if path.exists() and path.stat().st_size > 44:
            break
    assert recover(path) == 0.02
    assert await recording.close() == 0.02


async def test_a_recording_of_nothing(writer: RecordingWriter, tmp_path: Path) -> None:
    assert await writer.open(tmp_path / "r.wav", 2, unexpected).close() == 0.0
    assert len(read(tmp_path / "r.wav")) == 0


async def test_leaving_the_writer_closes_what_is_open(tmp_path: Path) -> None:
    async with RecordingWriter() as writer:
        recordings = [writer.open(tmp_path / f"{number}.wav", 1, unexpected) for number in range(20)]
        for recording in recordings:
            recording.write(0, FRAME, 0)
    assert [await recording.close() for recording in recordings] == [0.02] * 20
    assert all(len(read(tmp_path / f"{number}.wav")) == 160 for number in range(20))
    assert "recorder" not in {thread.name for thread in threading.enumerate()}


async def test_a_file_that_cannot_be_made(writer: RecordingWriter, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "taken.wav").write_bytes(b"keep")
    for path in (tmp_path / "file" / "r.wav", tmp_path / "taken.wav"):
        reasons: list[str] = []
        recording = writer.open(path, 1, reasons.append)
        recording.write(0, FRAME, 0)
        assert await recording.close() == 0.0
        assert reasons == ["File exists"]
    assert (tmp_path / "taken.wav").read_bytes() == b"keep"


async def test_bad_input(writer: RecordingWriter, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="3 channels"):
        writer.open(tmp_path / "r.wav", 3, unexpected)
    recording = writer.open(tmp_path / "r.wav", 1, unexpected)
    for channel, pcm16 in ((1, FRAME), (-1, FRAME), (0, FRAME[:-1])):
        with pytest.raises(ValueError, match="bytes for channel"):
            recording.write(channel, pcm16, 0)
    assert await recording.close() == 0.0


async def test_a_disk_that_hangs_holds_nobody_up_and_fails_in_bounds(tmp_path: Path) -> None:
    release = threading.Event()
    reasons: list[str] = []

    def hang() -> Iterator[Piece]:
        release.wait(5)
        yield 0, FRAME, 0

    async with RecordingWriter(flush_every_s=0.01, max_jobs=4) as writer:
        stuck = writer.open(tmp_path / "stuck.wav", 1, unexpected)
        writer.submit(Job(stuck, hang(), last=False))
        recording = writer.open(tmp_path / "r.wav", 2, reasons.append)
        began_s, written = time.perf_counter(), 0
        while not reasons:
            recording.write(CALLER, FRAME, written // 2)
            written += len(FRAME)
            assert written <= 2 * MAX_WAITING_BYTES
            if written % 32_000 == 0:
                await asyncio.sleep(0)
        assert time.perf_counter() - began_s < 1
        release.set()
        await recording.close()
    assert reasons == ["the disk does not keep up"]
    assert len(read(tmp_path / "stuck.wav")) == 160


RECORD = """
import asyncio, resource, signal, sys, time
from pathlib import Path
from callcenter.media.recorder import RecordingWriter

async def main(path, limit_bytes, seconds):
    if limit_bytes:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    loop = asyncio.get_running_loop()
    async with RecordingWriter() as writer:
        recording = writer.open(Path(path), 2, lambda reason: print("failed:", reason, flush=True))
        start = loop.time()
        print("recording", flush=True)
        for number in range(int(seconds * 50)):
            await asyncio.sleep(max(0, start + 0.02 * (number + 1) - loop.time()))
            recording.write(0, b"\\x01\\x00" * 160, number * 160)
            if number % 2:
                recording.write(1, b"\\x02\\x00" * 320, (number - 1) * 160)
        print("closed:", await recording.close(), flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
"""


def record(path: Path, limit_bytes: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RECORD, str(path), str(limit_bytes), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_killed_process_leaves_a_file_that_plays_up_to_the_last_second(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    with record(path, 0, 60) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "recording\n"
        time.sleep(2.2)
        process.send_signal(signal.SIGKILL)
    before = read(path)
    assert 1.2 * 8000 <= len(before) <= 2.4 * 8000
    assert before[:9000].tolist() == [[1, 2]] * 9000
    duration_s = recover(path)
    assert duration_s >= len(before) / 8000
    assert len(read(path)) == round(duration_s * 8000)


def test_a_full_disk_ends_the_recording_once_and_keeps_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    with record(path, 44 + 4 * 6000, 1.7) as process:
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    lines = output.splitlines()
    assert lines[:2] == ["recording", "failed: File too large"]
    assert lines[2].startswith("closed: 0.")
    kept = read(path)
    assert len(kept) == round(float(lines[2].removeprefix("closed: ")) * 8000) > 0
    assert recover(path) == len(kept) / 8000
    assert path.stat().st_size == 44 + 4 * len(kept)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = os.geteuid() == 0 and (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
        ).returncode
        == 0
    )
    if not mounted:
        pytest.skip("a file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_no_space_left(tiny_disk: Path) -> None:
    reasons: list[str] = []
    async with RecordingWriter(flush_every_s=0.01) as writer:
        recording = writer.open(tiny_disk / "r.wav", 1, reasons.append)
        for number in range(500):
            recording.write(0, FRAME, 160 * number)
            await asyncio.sleep(0.001)
        duration_s = await recording.close()
    assert reasons == ["No space left on device"]
    assert 1 < duration_s < 4.1
    assert len(read(tiny_disk / "r.wav")) == round(duration_s * 8000)


async def test_writing_is_cheap_and_keeps_up_with_many_calls(writer: RecordingWriter, tmp_path: Path) -> None:
    recordings = [writer.open(tmp_path / f"{number}.wav", 2, unexpected) for number in range(50)]
    for number in range(50):
        for recording in recordings:
            recording.write(CALLER, FRAME, 160 * number)
            recording.write(AGENT, FRAME, 160 * number)
        await asyncio.sleep(0.005)
    assert {await recording.close() for recording in recordings} == {1.0}


async def test_a_file_that_cannot_be_closed_fails_alone(writer: RecordingWriter, tmp_path: Path) -> None:
    failures: list[str] = []
    recording = writer.open(tmp_path / "bad.wav", 1, failures.append)
    recording.write(0, FRAME, 0)
    while (fd := recording.file._fd) is None:  # noqa: ASYNC110  # a thread opens it and tells nobody
        await asyncio.sleep(0.01)
    os.close(fd)
    async with asyncio.timeout(2):
        await recording.close()
    assert failures == ["Bad file descriptor"]
    other = writer.open(tmp_path / "good.wav", 1, unexpected)
    other.write(0, FRAME, 0)
    assert await other.close() == 0.02
