"""The demo as a user runs it: a whole day in another process, over real sockets."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from callcenter.demo import stage
from callcenter.demo.process import ServiceProcess
from callcenter.errors import CallCenterError

CALLCENTER = (sys.executable, "-c", "import sys; from callcenter.cli import main; sys.exit(main())")
DAY_TIMEOUT_S = 120
END_TIMEOUT_S = 30


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A running demo that makes its files in ``folder``; it is gone afterwards."""
    process = subprocess.Popen(
        [*CALLCENTER, "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """The first line of output that has ``text`` in it."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"the demo ended without saying {text!r}")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not pytest's folder: under root each run closes that one to the account of the embedded database.
    with TemporaryDirectory(prefix="callcenter-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def left_in(folder: Path) -> list[Path]:
    """The data of demos that did not clear up."""
    return list(folder.glob("callcenter-demo-*"))


@pytest.fixture(scope="module")
def day(folder: Path) -> tuple[dict[str, Any], str]:
    """The results of a short day, and what was printed."""
    json_file = folder / "demo.json"
    options = ["--plain", "--calls", "9", "--agents", "3", "--seed", "3", "--port", "0"]
    with demo(folder, *options, "--json", str(json_file)) as process:
        output, errors = process.communicate(timeout=DAY_TIMEOUT_S)
    assert process.returncode == 0, output + errors
    assert errors == ""
    assert left_in(folder) == []
    results: dict[str, Any] = json.loads(json_file.read_text())
    return results, output


def test_every_figure_equals_the_truth(day: tuple[dict[str, Any], str]) -> None:
    results, output = day
    comparison = results["comparison"]
    assert [one for one in comparison["figures"] if not one["equal"]] == []
    assert comparison["matched"] == comparison["total"] == len(comparison["figures"])
    scopes = {one["scope"].split()[0] for one in comparison["figures"]}
    assert scopes == {"day", "queue", "agent", "call", "callback"}
    assert f"{comparison['total']} of {comparison['total']} figures equal the truth" in output
    assert results["ok"] is True


def test_the_day_was_lived(day: tuple[dict[str, Any], str]) -> None:
    results, _ = day
    figures = {one["name"]: one for one in results["comparison"]["figures"] if one["scope"] == "day"}
    assert figures["calls"]["report"] == figures["calls"]["truth"] == 9
    assert figures["answered"]["report"] >= 3
    assert figures["talk time (ATT)"]["report"] > 3
    assert figures["hold"]["report"] > 0
    assert results["problems"] == []
    assert results["report"]["total"]["offered"] == figures["offered"]["truth"]


def test_who_asks_to_be_called_back_is_called_back(day: tuple[dict[str, Any], str]) -> None:
    results, output = day
    (wish,) = results["truth"]["callbacks"]
    assert (wish["ended_for"], wish["duplicates"], len(wish["rings"])) == ("served", [], 1)
    figures = {one["name"]: one for one in results["comparison"]["figures"] if one["scope"] == "day"}
    for name in ("callbacks accepted in a queue", "callbacks connected", "callback attempts"):
        assert figures[name]["report"] == figures[name]["truth"] == 1
    assert f"{wish['number']} back" in output


def test_those_who_speak_are_understood(day: tuple[dict[str, Any], str]) -> None:
    results, output = day
    understood, said = results["spoken"]["understood"], results["spoken"]["said"]
    assert said >= 2
    assert understood >= 0.9 * said
    assert f"{understood} of {said} choices said to the IVR were understood" in output


def test_the_words_are_good(day: tuple[dict[str, Any], str]) -> None:
    results, output = day
    assert results["wer"]["median"] <= 0.10
    assert len(results["wer"]["calls"]) == results["report"]["total"]["answered"] + 1  # who was called back
    assert all(one["words"] >= 5 for one in results["wer"]["calls"])
    assert results["run"]["first_word_s"] < 30
    heard = [line["heard"] for line in results["transcripts"][0]["lines"] if line["heard"]]
    assert all(" ".join(text.split()[:2]) in output for text in heard)


def test_ctrl_c_ends_it_and_leaves_nothing(folder: Path) -> None:
    with demo(folder, "--plain", "--port", "0") as process:
        wait_for(process, "presses")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=END_TIMEOUT_S)
    assert process.returncode == 130
    assert errors == ""
    assert left_in(folder) == []


def test_keep_leaves_the_page_up_until_told(folder: Path) -> None:
    json_file = folder / "kept.json"
    options = ["--plain", "--keep", "--calls", "1", "--agents", "1", "--port", "0", "--json", str(json_file)]
    with demo(folder, *options) as process:
        address = wait_for(process, "the service stays up at").split(" at ")[1].split()[0]
        with urllib.request.urlopen(address, timeout=5) as page:
            assert page.status == 200
            assert "sales" in page.read().decode()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=END_TIMEOUT_S)
    assert process.returncode == (0 if json.loads(json_file.read_text())["ok"] else 1)
    assert left_in(folder) == []


def test_a_demo_that_is_killed_takes_its_service_along(folder: Path) -> None:
    with demo(folder, "--plain", "--port", "0") as process:
        address = wait_for(process, "calls may come at").split(" at ")[1].split()[0]
        process.kill()
        process.communicate(timeout=END_TIMEOUT_S)
    port = int(address.rpartition(":")[2])
    (database,) = folder.glob("callcenter-demo-*/data/postgres")
    until = time.monotonic() + END_TIMEOUT_S
    while time.monotonic() < until and (accepts(port) or (database / "postmaster.pid").exists()):
        time.sleep(0.1)
    assert not accepts(port)
    assert not (database / "postmaster.pid").exists()
    shutil.rmtree(database.parents[1])


def accepts(port: int) -> bool:
    with closing(socket.socket()) as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


async def test_a_service_that_cannot_start_says_why(folder: Path) -> None:
    process = ServiceProcess(stage.listen(0), folder / "service.log")
    with pytest.raises(CallCenterError, match=r"the service ended by itself: .*missing.yaml: No such file"):
        async with process:
            await process.start(folder / "missing.yaml", "cc_token")


async def test_a_service_without_orders_ends_with_its_demo(folder: Path) -> None:
    async with ServiceProcess(stage.listen(0), folder / "unused.log"):
        pass
    assert (folder / "unused.log").read_text() == ""


def test_bad_options_are_one_line(folder: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        for options, words in (
            (["--port", str(taken.getsockname()[1])], "cannot listen"),
            (["--port", "70000"], "--port must be between"),
            (["--agents", "101"], "--agents must be at most 100"),
            (["--calls", "0"], "--calls must be between"),
            (["--json", str(folder / "no" / "demo.json")], "there is no folder"),
        ):
            with demo(folder, *options) as process:
                output, errors = process.communicate(timeout=END_TIMEOUT_S)
            assert process.returncode == 2
            assert output == ""
            assert errors.startswith("callcenter: ")
            assert words in errors
            assert errors.count("\n") == 1
    assert left_in(folder) == []
