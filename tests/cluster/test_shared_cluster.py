"""Several processes and one Ray cluster that was there before them."""

import asyncio
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from support.asker import asking
from support.marked_engine import marks
from support.utterances import Utterance


@pytest.fixture
def environment() -> dict[str, str]:
    """A cluster on the loopback address alone, with a token of its own."""
    return os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
    }


@pytest.fixture
async def address(environment: dict[str, str]) -> AsyncIterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="cc-head-", ignore_cleanup_errors=True) as folder:
        head = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("ray")),
            *("start", "--head", "--block", f"--port={port}", "--num-cpus=2", "--include-dashboard=false"),
            *("--object-store-memory=100000000", f"--temp-dir={folder}", "--disable-usage-stats"),
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(60):
            while not list(Path(folder).glob("session_*/sockets/raylet*")):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        yield f"127.0.0.1:{port}"
        started = psutil.Process(head.pid).children(recursive=True)
        for process in started:
            process.kill()
        head.kill()
        await head.wait()
        psutil.wait_procs(started, timeout=10)


async def test_processes_share_replicas_and_the_last_one_ends_them(
    tmp_path: Path, address: str, environment: dict[str, str], utterances: list[Utterance]
) -> None:
    said = utterances[1]
    sound = tmp_path / "sound"
    sound.write_bytes(said.pcm16)
    mine = (address, tmp_path, sound)
    async with asking(*mine, "demo-en", environment=environment) as first:
        assert said.is_heard_as(await first.line())
        async with asking(*mine, tmp_path / "missing", environment=environment) as wrong:
            assert await wrong.line() == f"ModelError: asr.model: {tmp_path / 'missing'}: no such folder"
        async with asking(*mine, "demo-en", environment=environment) as second:
            assert said.is_heard_as(await second.line())
            ((replica, count),) = marks(tmp_path).items()
            assert count == 2
            await first.let_go()
            assert psutil.pid_exists(replica)
            await second.let_go()
        async with asyncio.timeout(30):
            while psutil.pid_exists(replica):  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def test_what_a_killed_process_left_is_ended_by_the_next_one(
    tmp_path: Path, address: str, environment: dict[str, str], utterances: list[Utterance]
) -> None:
    sound, other = tmp_path / "sound", tmp_path / "other"
    sound.write_bytes(utterances[1].pcm16)
    other.mkdir()
    async with asking(address, tmp_path, sound, "demo-en", environment=environment) as first:
        await first.line()
        (left,) = marks(tmp_path)
        first.process.kill()
        await first.process.wait()
    await asyncio.sleep(2)
    async with asking(address, other, sound, "demo-en", environment=environment) as second:
        assert utterances[1].is_heard_as(await second.line())
        async with asyncio.timeout(30):
            while psutil.pid_exists(left):  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def test_an_address_where_nothing_is_gives_one_clear_line(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    async with asking("127.0.0.1:1025", tmp_path, tmp_path, "demo-en", environment=environment) as lost:
        line = await lost.line()
    assert line.startswith("ModelError: asr.cluster.address: 127.0.0.1:1025: cannot be reached: ")
