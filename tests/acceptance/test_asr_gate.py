"""``callcenter asr gate`` on files, as a user runs it."""

import json
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from callcenter.media.espeak import Espeak
from callcenter.media.resample import to_8khz

SENTENCES = ("I would like to speak to an operator.", "Could you please confirm your date of birth?")
Gate = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        command = [str(Path(sys.executable).with_name("callcenter")), "asr", "gate", *map(str, arguments)]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=tmp_path)

    return run


def recording(path: Path, text: str) -> Path:
    speech = Espeak().synthesize(text, "en-us")
    silence = bytes(8000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(silence + to_8khz(speech.pcm16, speech.rate_hz) + silence * 2)
    return path


def test_it_tells_the_errors_by_floor_and_the_floor_to_set(gate: Gate, tmp_path: Path) -> None:
    files = []
    for number, text in enumerate(SENTENCES):
        files.append(recording(tmp_path / f"{number}.wav", text))
        files[-1].with_suffix(".reference.txt").write_text(text)
    done = gate("demo-en", *files, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["against"] == "what was said"
    assert [row["floor"] for row in told["floors"]] == [240, 400, 560, 800, 1000, 1500, 3000]
    assert {row["units"] for row in told["floors"]} == {16}
    assert all(row["errors"] <= 4 for row in told["floors"])
    assert told["context"] in {row["floor"] for row in told["floors"] if row["passes"]}
    table = gate("demo-en", files[0])
    assert table.stdout.splitlines()[-1].startswith("set asr.context: ")


def test_without_texts_it_compares_with_full_padding(gate: Gate, tmp_path: Path) -> None:
    told = json.loads(gate("demo-en", recording(tmp_path / "a.wav", SENTENCES[0]), "--json").stdout)
    assert told["against"] == "full padding"
    assert told["floors"][-1]["errors"] == 0


def test_what_will_not_do_is_one_line_and_status_2(gate: Gate, tmp_path: Path) -> None:
    good = recording(tmp_path / "good.wav", SENTENCES[0])
    text = tmp_path / "text.wav"
    text.write_text("not a sound")
    silence = tmp_path / "silence.wav"
    with wave.open(str(silence), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.zeros(16_000, "<i2").tobytes())
    for arguments, reason in (
        (("demo-en", text), "text.wav: cannot be read as sound"),
        (("demo-en", tmp_path / "none.wav"), "none.wav: there is no such file"),
        (("demo-en", silence), "there is no speech"),
        (("gigantic", good), "'gigantic' is neither a folder"),
        (("demo-en", good, "--language", "tlh"), "does not know 'tlh'"),
    ):
        done = gate(*arguments)
        assert done.returncode == 2
        assert reason in done.stderr
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""
