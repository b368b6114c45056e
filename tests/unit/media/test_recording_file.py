"""The growing WAV file: interleaving, lag, overlap, damage."""

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from callcenter.errors import UsageError
from callcenter.media.recording_file import RecordingFile, recover

HEADER = 44


def sound(samples: int, value: int) -> bytes:
    return np.full(samples, value, "<i2").tobytes()


def read(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth()) == (8000, 2)
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return frames.reshape(-1, file.getnchannels())


def test_two_channels_are_interleaved(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path / "a" / "b.wav", 2)
    file.add([(0, sound(160, 1), 0), (1, sound(160, 2), 0), (0, sound(160, 3), 160), (1, sound(80, 4), 240)])
    file.close()
    stereo = read(tmp_path / "a" / "b.wav")
    assert stereo[:160].tolist() == [[1, 2]] * 160
    assert stereo[160:240].tolist() == [[3, 0]] * 80
    assert stereo[240:].tolist() == [[3, 4]] * 80
    assert file.duration_s == 0.04


def test_a_long_recording_in_many_flushes(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    expected = np.random.default_rng(1).integers(-32768, 32767, (80_000, 2)).astype("<i2")
    file = RecordingFile(path, 2)
    pieces = [(c, expected[at : at + 160, c].tobytes(), at) for at in range(0, 80_000, 160) for c in (0, 1)]
    for start in range(0, len(pieces), 37):
        file.add(pieces[start : start + 37])
    file.close()
    assert np.array_equal(read(path), expected)


def test_the_file_is_valid_after_every_flush(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    file = RecordingFile(path, 1)
    file.add([])
    assert len(read(path)) == 0
    for flush in range(1, 5):
        file.add([(0, sound(4000, flush), 4000 * (flush - 1))])
        assert len(read(path)) == 4000 * flush
        assert path.stat().st_size == HEADER + 8000 * flush
    file.close()


def test_a_lagging_channel_is_waited_for_one_second(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    file = RecordingFile(path, 2)
    file.add([(0, sound(8000, 1), 0)])
    file.add([(0, sound(4000, 1), 8000)])
    assert len(read(path)) == 12_000
    file.add([(1, sound(8000, 2), 0)])
    file.close()
    stereo = read(path)
    assert stereo[:, 0].tolist() == [1] * 12_000
    assert stereo[:, 1].tolist() == [0] * 4000 + [2] * 4000 + [0] * 4000


def test_a_hole_is_silent_and_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    file = RecordingFile(path, 2)
    file.add([(0, sound(160, 5), 0), (1, sound(160, 6), 10_000_000), (0, sound(160, 7), 10_000_160)])
    file.close()
    assert file.duration_s == 10_000_320 / 8000
    with wave.open(str(path)) as wav:
        assert wav.readframes(160) == (sound(1, 5) + sound(1, 0)) * 160
        assert set(wav.readframes(100_000)) == {0}
        wav.setpos(10_000_000)
        tail = np.frombuffer(wav.readframes(1000), "<i2").reshape(-1, 2)
    assert tail.tolist() == [[0, 6]] * 160 + [[7, 0]] * 160


def test_newer_sound_replaces_older_and_what_is_before_the_start_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    file = RecordingFile(path, 1)
    file.add([(0, sound(160, 1), -80), (0, sound(160, 2), 40)])
    file.add([(0, sound(160, 3), 100)])
    file.close()
    assert read(path)[:, 0].tolist() == [1] * 40 + [2] * 60 + [3] * 160


def test_a_piece_longer_than_the_window(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    expected = np.arange(50_000).astype("<i2")
    file = RecordingFile(path, 1)
    file.add([(0, expected.tobytes(), 0)])
    file.close()
    assert np.array_equal(read(path)[:, 0], expected)


def test_more_than_a_wav_file_can_hold(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path / "r.wav", 2)
    file.add([(0, sound(160, 1), 0)])
    with pytest.raises(OSError, match="4 GiB"):
        file.add([(0, sound(160, 1), 2**31)])
    file.close()
    assert len(read(tmp_path / "r.wav")) == 160


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    path.write_bytes(b"keep")
    with pytest.raises(FileExistsError):
        RecordingFile(path, 1).add([])
    assert path.read_bytes() == b"keep"


def test_recovery_finds_what_the_header_does_not_tell(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    file = RecordingFile(path, 2)
    file.add([(0, sound(800, 1), 0)])
    file.close()
    assert recover(path) == 0.1
    with path.open("ab") as stream:
        stream.write(b"\1" * (4 * 400 + 3))
    assert recover(path) == 0.15
    assert len(read(path)) == 1200
    assert path.stat().st_size == HEADER + 4 * 1200
    os.truncate(path, HEADER + 4 * 10 + 1)
    assert recover(path) == 10 / 8000
    assert len(read(path)) == 10


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF" + bytes(40), b"x" * 100])
def test_recovery_refuses_other_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.wav"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"r\.wav: "):
        recover(path)
    assert path.read_bytes() == content


def test_recovery_of_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        recover(tmp_path / "none.wav")
