"""Recognition by real replicas of a real Ray cluster on this machine: `make test-cluster`."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
import pytest
import pytest_asyncio

from asr import EngineSettings, LanguageError, Speech
from asr.cluster import ClusterSettings, RayRecognizer
from asr.whisper import WhisperSettings
from support.asker import asking
from support.marked_engine import marked_engine, marks, marks_of
from support.utterances import Utterance

pytestmark = pytest.mark.asyncio(loop_scope="module")

TWO = ClusterSettings(replicas_min=2, replicas_max=2, cores_per_replica=0.5, start_timeout_s=120)
LOOPBACK = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Cluster:
    """Two replicas, and what they leave behind."""

    recognizer: RayRecognizer
    folder: Path

    async def heard(self, utterances: list[Utterance]) -> list[str]:
        """What is recognised when all of it is said at once."""
        speeches = [Speech(one.pcm16, "en") for one in utterances]
        return [one.text for one in await asyncio.gather(*map(self.recognizer.recognize, speeches))]

    async def seen(self, processes: int, utterances: list[Utterance]) -> None:
        """Have something recognised, a little at a time, until so many processes have taken part."""
        async with asyncio.timeout(60):
            while len(marks(self.folder)) < processes:
                await self.heard(utterances[:4])

    def logs(self) -> list[str]:
        """All that Ray has written."""
        folder = max(ray_folders(), key=lambda folder: folder.stat().st_mtime)
        return [file.read_text(errors="replace") for file in folder.rglob("logs/**/*") if file.is_file()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    folder = tmp_path_factory.mktemp("marks")
    engine = EngineSettings(spool_folder=folder)
    async with RayRecognizer(TWO, WhisperSettings(), engine, marked_engine) as recognizer:
        yield Cluster(recognizer, folder)


def ray_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("cc-ray-*"))


def listening(processes: list[psutil.Process]) -> list[tuple[str, int]]:
    """The addresses and ports on which they wait for connections."""
    connections = [one for process in processes for one in process.net_connections(kind="tcp")]
    return [one.laddr for one in connections if one.status == psutil.CONN_LISTEN]


async def refused_by(port: int) -> grpc.StatusCode:
    """How a replica's own port answers somebody who does not know the token."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await channel.unary_unary("/ray.serve.ASGIService/HandleRequest")(b"", timeout=10)
    return error.value.code()


async def test_many_utterances_are_heard_right_and_by_both(
    cluster: Cluster, utterances: list[Utterance]
) -> None:
    await cluster.seen(2, utterances)
    before, done_before = marks(cluster.folder), cluster.recognizer.stats().done
    many = 2 * utterances
    heard = await cluster.heard(many)
    right = [said.is_heard_as(text) for said, text in zip(many, heard, strict=True)]
    assert sum(right) >= 0.95 * len(many)
    assert cluster.recognizer.stats().done - done_before == len(many)
    by_process = marks(cluster.folder) - before
    assert len(by_process) == 2
    assert min(by_process.values()) >= len(many) // 4


async def test_an_error_comes_as_itself_and_no_words_are_in_the_logs(
    cluster: Cluster, utterances: list[Utterance]
) -> None:
    with pytest.raises(LanguageError, match="tlh"):
        await cluster.recognizer.recognize(Speech(utterances[0].pcm16, "tlh"))
    assert any("operator" in text.lower() for text in await cluster.heard(utterances))
    logs = "".join(cluster.logs()).lower()
    assert len(logs) > 1000
    assert "operator" not in logs


async def test_nobody_else_can_ask(cluster: Cluster) -> None:
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    reachable = [port for ip, port in listening(processes) if not ip.endswith(LOOPBACK)]
    assert len(reachable) == 2
    assert {await refused_by(port) for port in reachable} == {grpc.StatusCode.UNAUTHENTICATED}


async def test_a_killed_replica_loses_nothing_and_is_replaced(
    cluster: Cluster, utterances: list[Utterance]
) -> None:
    await cluster.seen(2, utterances)
    before, figures_before = marks(cluster.folder), cluster.recognizer.stats()
    many = 8 * utterances
    hearing = asyncio.create_task(cluster.heard(many))
    busy = await marks_of(cluster.folder, processes=2, utterances=max(before.values()) + 2, within_s=60)
    assert busy.total() - before.total() < len(many) - 10
    victim = next(iter(busy))
    os.kill(victim, signal.SIGKILL)
    right = [said.is_heard_as(text) for said, text in zip(many, await hearing, strict=True)]
    assert sum(right) >= 0.95 * len(many)
    figures = cluster.recognizer.stats()
    assert (figures.done - figures_before.done, figures.failed - figures_before.failed) == (len(many), 0)
    assert figures.waiting == 0
    assert 0 < figures.retried < 5 * len(many)
    await cluster.seen(3, utterances)
    assert not psutil.pid_exists(victim)


async def test_nothing_is_left_of_a_cluster_that_was_started_here(
    tmp_path: Path, utterances: list[Utterance]
) -> None:
    sound, folders_before = tmp_path / "sound", ray_folders()
    sound.write_bytes(utterances[1].pcm16)
    async with asking("", tmp_path, sound, "demo-en") as asker:
        assert utterances[1].is_heard_as(await asker.line())
        started = psutil.Process(asker.process.pid).children(recursive=True)
        assert len(started) >= 5
        await asker.let_go()
        assert psutil.wait_procs(started, timeout=10)[1] == []
    assert ray_folders() == folders_before


async def test_no_replica_outlives_a_process_that_was_killed(
    tmp_path: Path, utterances: list[Utterance]
) -> None:
    sound, folders_before = tmp_path / "sound", ray_folders()
    sound.write_bytes(utterances[1].pcm16)
    async with asking("", tmp_path, sound, "demo-en") as asker:
        await asker.line()
        started = psutil.Process(asker.process.pid).children(recursive=True)
        heavy = [one for one in started if one.name().startswith(("raylet", "gcs_server", "ray::ServeRepl"))]
        assert len(heavy) >= 3
        asker.process.kill()
        assert psutil.wait_procs(heavy, timeout=20)[1] == []
    for folder in ray_folders() - folders_before:
        shutil.rmtree(folder, ignore_errors=True)


async def test_a_missing_model_is_one_clear_line(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    async with asking("", tmp_path, tmp_path, missing) as asker:
        assert await asker.line() == f"ModelError: asr.model: {missing}: no such folder"
