"""``callcenter transcribe`` as those who come with recordings meet it."""

import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.encoded import encode, shorten, silence, spoken
from support.program import CALLCENTER

AGENT, CALLER = "Hello, how can I help you today?", "I would like to change my address please."
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def legs() -> tuple[bytes, bytes]:
    agent, caller = spoken(AGENT), spoken(CALLER)
    return (
        silence(1) + agent + silence(2 + len(caller) / 16000),
        silence(2 + len(agent) / 16000) + caller + silence(1),
    )


@pytest.fixture
def calls(tmp_path: Path, legs: tuple[bytes, bytes]) -> Path:
    """A folder as people have them."""
    folder = tmp_path / "calls"
    (folder / "sub").mkdir(parents=True)
    encode(folder / "one.wav", *legs)
    encode(folder / "two.ogg", *legs)
    encode(folder / "sub" / "one.mp3", legs[1])
    (folder / "notes.txt").write_text("not a recording")
    (folder / "._one.wav").write_text("what a Mac leaves behind")
    return folder


def start(folder: Path, *arguments: str, **how: object) -> "subprocess.Popen[str]":
    command = [str(CALLCENTER), "transcribe", *arguments]
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how
    )


def run(folder: Path, *arguments: str, **how: object) -> "subprocess.CompletedProcess[str]":
    with start(folder, *arguments, **how) as process:
        out, errors = process.communicate(timeout=TIMEOUT_S)
    return subprocess.CompletedProcess(arguments, process.returncode, out, errors)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_becomes_texts_beside_its_recordings(calls: Path) -> None:
    before = files(calls)
    result = run(calls.parent, "calls", "--format", "txt,json,srt,vtt", "--speakers", "agent,caller")
    assert result.returncode == 0, result.stderr
    made = [
        f"{name}.{suffix}" for name in ("one", "two", "sub/one") for suffix in ("txt", "json", "srt", "vtt")
    ]
    assert files(calls) == sorted(before + made)
    agent, caller = (calls / "two.txt").read_text().splitlines()
    assert agent.startswith("[0:00:01] agent: ")
    assert "today" in agent
    assert caller.startswith("[0:00:04] caller: ")
    assert "<v caller>" in (calls / "two.vtt").read_text()
    assert "-->" in (calls / "sub" / "one.srt").read_text()
    whole = json.loads((calls / "one.json").read_text())
    assert (whole["file"], whole["complete"], whole["model"]) == ("calls/one.wav", True, "demo-en")
    assert [segment["speaker"] for segment in whole["segments"]] == ["agent", "caller"]
    assert whole["segments"][0]["words"]


def test_words_are_in_the_texts_and_nowhere_else(calls: Path) -> None:
    result = run(calls, ".", "--json")
    assert "today" in (calls / "one.txt").read_text()
    assert "today" not in result.stdout + result.stderr
    summary = json.loads(result.stdout)
    assert [file["file"] for file in summary["files"]] == ["one.wav", "two.ogg", "sub/one.mp3"]
    assert {file["status"] for file in summary["files"]} == {"done"}
    assert summary["files"][0]["segments"] == 2
    assert summary["audio_s"] == pytest.approx(sum(file["duration_s"] for file in summary["files"]), abs=0.01)


def test_what_is_wrong_with_a_file_is_one_line_and_the_others_go_on(calls: Path) -> None:
    shorten(calls / "one.wav")
    (calls / "empty.mp3").touch()
    (calls / "list.wav").write_text("This is a list of things to buy.\n" * 20)
    result = run(calls, ".", "gone.wav", "--format", "json")
    assert result.returncode == 2
    lines = [line for line in result.stderr.splitlines() if line.startswith("callcenter: ")]
    assert sorted(lines) == [
        "callcenter: empty.mp3: is empty",
        "callcenter: gone.wav: there is no such file",
        "callcenter: list.wav: cannot be read as sound: Invalid data found when processing input",
        next(line for line in lines if line.startswith("callcenter: one.wav: is damaged or cut short: ")),
    ]
    assert not json.loads((calls / "one.json").read_text())["complete"]
    assert json.loads((calls / "two.json").read_text())["complete"]
    assert not (calls / "empty.json").exists()
    assert "2 done, 1 incomplete, 3 failed" in result.stderr
    again = run(calls, "one.wav", "two.ogg", "--format", "json")
    assert again.returncode == 2
    assert "one.wav: is damaged or cut short" in again.stderr
    assert "two.ogg: is transcribed already" in again.stderr


def test_what_is_done_is_not_done_again_unless_it_is_older_or_asked_for(calls: Path) -> None:
    run(calls, ".")
    made = {name: (calls / name).stat().st_mtime_ns for name in ("one.txt", "two.txt")}
    later_ns = time.time_ns() + 1_000_000_000
    os.utime(calls / "two.ogg", ns=(later_ns, later_ns))
    result = run(calls, ".")
    assert "one.wav: is transcribed already" in result.stderr
    assert "1 done, 2 skipped" in result.stderr
    assert (calls / "one.txt").stat().st_mtime_ns == made["one.txt"]
    assert (calls / "two.txt").stat().st_mtime_ns > made["two.txt"]
    assert "3 done" in run(calls, ".", "--force").stderr
    assert "3 done" in run(calls, ".", "--format", "vtt").stderr


def test_texts_go_to_another_folder_with_folders_of_their_own(calls: Path, tmp_path: Path) -> None:
    assert run(tmp_path, "calls", "--output", "texts/new").returncode == 0
    assert files(tmp_path / "texts") == ["new/one.txt", "new/sub/one.txt", "new/two.txt"]
    assert not (calls / "one.txt").exists()


def test_names_that_would_meet_keep_their_suffix(calls: Path, legs: tuple[bytes, bytes]) -> None:
    encode(calls / "one.flac", *legs)
    (calls / "two.ogg").rename(calls / "two.txt")
    assert run(calls, "one.wav", "one.flac", "two.txt").returncode == 0
    assert {"one.wav.txt", "one.flac.txt", "two.txt.txt"} <= set(files(calls))
    assert (calls / "two.txt").read_bytes().startswith(b"OggS")
    result = run(calls, "one.wav", "sub/../one.wav", "sub/one.mp3", "--output", "all")
    assert result.returncode == 0
    assert files(calls / "all") == ["one.mp3.txt", "one.wav.txt"]
    (calls / "sub" / "one.mp3").rename(calls / "sub" / "one.wav")
    result = run(calls, "one.wav", "sub/one.wav", "--output", "all2")
    assert result.returncode == 2
    assert result.stderr == "callcenter: one.wav and sub/one.wav would both become all2/one.wav.txt\n"


MISTAKES = [
    ((), "the following arguments are required: FILE (see callcenter transcribe --help)"),
    (("one.wav", "--format", "txt,doc"), "--format: 'doc' is none of txt, json, srt, vtt"),
    (("one.wav", "--model", "huge"), "asr.model: 'huge' is neither a folder nor one of demo-en, "),
    (("one.wav", "--language", "xx"), "the model demo-en does not know 'xx'"),
    (("one.wav", "--speakers", "agent"), "--speakers needs two names"),
    (("one.wav", "--jobs", "0"), "--jobs must be between 1 and 256"),
    (("one.wav", "--beam-size", "99"), "--beam-size must be between 1 and 10"),
    (("one.wav", "--output", "notes.txt"), "--output: notes.txt is not a folder"),
    (("one.wav", "--config", "gone.yaml"), "gone.yaml"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_is_one_line_before_any_work(calls: Path, arguments: tuple[str, ...], message: str) -> None:
    before = files(calls)
    result = run(calls, *arguments)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr
    assert files(calls) == before


def test_a_folder_without_recordings_is_said(calls: Path) -> None:
    (calls / "nothing").mkdir()
    result = run(calls, "nothing", "two.ogg")
    assert result.returncode == 2
    assert "callcenter: nothing: there are no recordings in this folder" in result.stderr
    assert (calls / "two.txt").exists()


def test_a_full_disk_leaves_no_half_file(calls: Path) -> None:
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))  # noqa: E731
    result = run(calls, "one.wav", "sub/one.mp3", preexec_fn=limit)
    assert result.returncode == 2
    assert "callcenter: one.wav: cannot write its text: File too large" in result.stderr
    assert [name for name in files(calls) if name.endswith((".txt", ".part"))] == ["notes.txt", "sub/one.txt"]


# Runs that are not finished.


@pytest.fixture
def long_call(calls: Path, legs: tuple[bytes, bytes]) -> Path:
    return encode(calls / "zz-long.flac", *(leg * 120 for leg in legs))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_goes_on_with_what_is_left(
    how: signal.Signals, calls: Path, long_call: Path, legs: tuple[bytes, bytes]
) -> None:
    with start(calls, ".", "--jobs", "1") as process:
        wait_for((calls / "one.txt").exists)
        process.send_signal(how)
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert not long_call.with_suffix(".txt").exists()
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert errors.endswith("callcenter: interrupted; run it again to go on with what is left\n")
        assert "Traceback" not in errors
        assert not [name for name in files(calls) if name.endswith(".part")]
    made_ns = (calls / "one.txt").stat().st_mtime_ns
    encode(long_call, *legs)
    os.utime(long_call, ns=(made_ns, made_ns))
    result = run(calls, ".")
    assert result.returncode == 0
    assert "one.wav: is transcribed already" in result.stderr
    assert long_call.with_suffix(".txt").exists()
    assert (calls / "one.txt").stat().st_mtime_ns == made_ns
