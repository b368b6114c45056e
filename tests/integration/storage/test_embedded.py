import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

import asyncpg
import pytest

from callcenter.config import Settings
from callcenter.errors import StorageError, UsageError
from callcenter.storage.embedded import EmbeddedPostgres, PostgresServer
from callcenter.storage.pool import Database


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="callcenter-test-") as name:
        yield Path(name)


async def answer(url: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT 1")
    finally:
        await connection.close()


async def test_it_runs_while_somebody_uses_it(folder: Path) -> None:
    settings = Settings(data_dir=folder / "sub" / "data's, folder")
    async with Database.open(settings) as first:
        await first.execute("CREATE TABLE kept (x int)")
        async with EmbeddedPostgres(settings.data_dir) as url:
            assert await answer(url) == 1
        assert await first.fetchval("SELECT count(*) FROM kept") == 0
        assert await first.fetchval("SHOW synchronous_commit") == "on"
        assert await first.fetchval("SHOW fsync") == "on"
        assert await first.fetchval("SHOW listen_addresses") == ""
        assert int(await first.fetchval("SHOW max_connections")) >= 100
    assert not PostgresServer(settings.data_dir).is_running()
    async with Database.open(settings) as again:
        assert await again.fetchval("SELECT count(*) FROM kept") == 0


async def test_the_server_does_not_inherit_our_secrets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLCENTER_GATEWAYS__TWILIO__AUTH_TOKEN", "secret")
    async with EmbeddedPostgres(folder):
        pid = (folder / "postgres" / "postmaster.pid").read_text().splitlines()[0]
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"LC_ALL=C" in environ
    assert b"CALLCENTER_" not in environ


async def test_a_long_path_gets_its_socket_elsewhere(folder: Path) -> None:
    async with EmbeddedPostgres(folder / ("long" * 30)) as url:
        assert await answer(url) == 1
        elsewhere = Path(unquote(url.partition("host=")[2].partition("&")[0]))
        assert not elsewhere.is_relative_to(folder)
        assert elsewhere.stat().st_mode & 0o077 == 0
    assert not elsewhere.exists()


USER = """
import asyncio, sys
from pathlib import Path
from callcenter.storage.embedded import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1])) as url:
        print(url, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_killed_program_leaves_nothing_that_hinders_the_next(folder: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(folder)], stdout=subprocess.PIPE, text=True, env=environ
    ) as program:
        assert program.stdout is not None
        url = program.stdout.readline().strip()
        program.send_signal(signal.SIGKILL)
    server = PostgresServer(folder)
    assert server.is_running()
    server.start()
    assert asyncio.run(answer(url)) == 1
    server.stop()
    assert not server.is_running()


def postmaster(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])


@pytest.mark.parametrize("inherited_by", ["nobody", "a stranger"])
def test_a_killed_server_is_started_again(folder: Path, inherited_by: str) -> None:
    server = PostgresServer(folder)
    server.start()
    pid = postmaster(folder)
    os.kill(pid, signal.SIGKILL)
    while server.is_running():
        pass
    if inherited_by == "a stranger":
        path = folder / "postgres" / "postmaster.pid"
        path.write_text(path.read_text().replace(str(pid), str(os.getpid()), 1))
    server.start()
    assert asyncio.run(answer(server.url)) == 1
    server.stop()
    assert not server.is_running()


def test_a_half_made_folder_is_made_anew(folder: Path) -> None:
    (folder / "postgres.new").mkdir()
    (folder / "postgres.new" / "PG_VERSION").write_text("18\n")
    server = PostgresServer(folder)
    server.start()
    assert asyncio.run(answer(server.url)) == 1
    server.stop()


def test_a_file_in_the_way_is_one_clear_line(folder: Path) -> None:
    (folder / "data").write_text("")
    with pytest.raises(
        UsageError, match=r"^cannot keep a database in .*data: (File exists|Not a directory)$"
    ):
        PostgresServer(folder / "data").start()


def test_a_folder_of_another_version_is_one_clear_line(folder: Path) -> None:
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(StorageError, match=r"was made by PostgreSQL 9, which is not installed$"):
        PostgresServer(folder).start()


def test_a_damaged_folder_is_one_clear_line(folder: Path) -> None:
    server = PostgresServer(folder)
    server.start()
    server.stop()
    (folder / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(StorageError, match=r"^the embedded database does not start: .*pg_control") as caught:
        server.start()
    assert "\n" not in str(caught.value)
    server.stop()
