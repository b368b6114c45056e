"""FLAC against the WAV it was made from."""

import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from callcenter.errors import StorageError, UsageError
from callcenter.media import flac


def write_wav(path: Path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.astype("<i2").tobytes())


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        channels = container.streams.audio[0].channels
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate([frame.reshape(-1, channels) for frame in frames])


@pytest.mark.parametrize("channels", [1, 2])
def test_every_sample_survives(tmp_path: Path, channels: int) -> None:
    wav, compressed = tmp_path / "r.wav", tmp_path / "r.flac"
    time_s = np.arange(20_123)[:, None] / 8000
    samples = (9000 * np.sin(2 * np.pi * time_s * np.array([[440.0, 700.0]])[:, :channels])).astype("<i2")
    write_wav(wav, samples)
    flac.encode(wav, compressed)
    assert np.array_equal(decode(compressed), samples)
    assert flac.duration_s(compressed) == flac.duration_s(wav) == 20_123 / 8000
    assert compressed.stat().st_size < 0.8 * wav.stat().st_size
    assert wav.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"r.wav", "r.flac"}


def test_a_recording_of_nothing(tmp_path: Path) -> None:
    write_wav(tmp_path / "r.wav", np.zeros((0, 2)))
    flac.encode(tmp_path / "r.wav", tmp_path / "r.flac")
    assert flac.duration_s(tmp_path / "r.flac") == 0


@pytest.mark.parametrize("content", [None, b"", b"no sound at all" * 100])
def test_files_that_are_not_sound(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "r.wav"
    if content is not None:
        path.write_bytes(content)
    for attempt in (lambda: flac.encode(path, tmp_path / "r.flac"), lambda: flac.duration_s(path)):
        with pytest.raises(UsageError) as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert {found.name for found in tmp_path.iterdir()} <= {"r.wav"}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    write_wav(tmp_path / "r.wav", np.ones((800, 1)))
    with pytest.raises(StorageError, match="none: No such file"):
        flac.encode(tmp_path / "r.wav", tmp_path / "none" / "r.flac")


ENCODE_ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from callcenter.errors import StorageError
from callcenter.media import flac
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    flac.encode(Path(sys.argv[1]), Path(sys.argv[2]))
except StorageError as error:
    print(error)
"""


def test_a_full_disk_leaves_nothing_half_done(tmp_path: Path) -> None:
    noise = np.random.default_rng(5).integers(-20_000, 20_000, (80_000, 2))
    write_wav(tmp_path / "r.wav", noise)
    (tmp_path / "r.flac").write_bytes(b"the one before")
    command = [sys.executable, "-c", ENCODE_ON_A_FULL_DISK, str(tmp_path / "r.wav"), str(tmp_path / "r.flac")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip()
    assert (tmp_path / "r.flac").read_bytes() == b"the one before"
    assert {path.name for path in tmp_path.iterdir()} == {"r.wav", "r.flac"}
