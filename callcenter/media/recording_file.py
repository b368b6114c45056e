"""A recording on disk: 16-bit WAV that is valid at every moment while it grows.

Sound arrives per channel at positions; the file needs the channels interleaved. The last second is kept in
a window: it is written at every flush, so that the file is never far behind, and written again while a
channel that lags still adds to it. The sizes in the header follow the data at each flush; a process that is
killed leaves a file that plays up to its last flush. All calls are blocking and belong on one thread.
Source of the layout: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft 1991).
"""

import errno
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from callcenter.errors import UsageError

HEADER_BYTES: Final = 44
LAG_S: Final = 1.0
"""How long a channel that brings nothing is waited for."""
OVERLAP_S: Final = 0.1
"""How far sound may go back on its own channel and still replace what was there."""

_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_MAX_FILE_BYTES: Final = 2**32 - 8

Piece = tuple[int, bytes, int]
"""(channel, PCM16, position in samples)"""


class RecordingFile:
    """One growing WAV file of one or two channels; raises ``OSError`` and stays valid when the disk fails."""

    def __init__(self, path: Path, channels: int, rate_hz: int = 8000) -> None:
        self.path = path
        self._channels = channels
        self._rate_hz = rate_hz
        self._block = 2 * channels
        self._lag = round(LAG_S * rate_hz)
        self._overlap = round(OVERLAP_S * rate_hz)
        self._window = np.zeros((2 * self._lag, channels), "<i2")
        self._base = 0
        self._ends = [0] * channels
        self._saved = 0
        self._dirty = False
        self._ended = False
        self._fd: int | None = None

    @property
    def duration_s(self) -> float:
        """What a player sees now."""
        return self._saved / self._rate_hz

    def add(self, pieces: Iterable[Piece]) -> None:
        """Take pieces and bring the file up to date; the first call makes the file, which must be new."""
        if self._ended:
            return
        if self._fd is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
            self._save_header(0)
        for channel, pcm16, position in pieces:
            self._paint(channel, pcm16, position)
        if self._dirty:
            self._save()
            self._move(max(min(self._ends) - self._overlap, max(self._ends) - self._lag))

    def close(self) -> None:
        """End the file; what was saved stays. May be called twice; raises ``OSError`` once at most."""
        self._ended = True
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        try:
            with suppress(OSError):
                os.ftruncate(fd, HEADER_BYTES + self._saved * self._block)
        finally:
            os.close(fd)

    def _paint(self, channel: int, pcm16: bytes, position: int) -> None:
        samples = np.frombuffer(pcm16, "<i2")
        late = min(max(0, self._base - position), samples.size)
        samples, position = samples[late:], position + late
        while samples.size:
            room = self._base + len(self._window) - position
            if room <= 0:
                self._save()
                self._move(position - self._lag)
                continue
            at = position - self._base
            taken = min(room, samples.size)
            self._window[at : at + taken, channel] = samples[:taken]
            samples, position = samples[taken:], position + taken
            self._ends[channel] = max(self._ends[channel], position)
            self._dirty = True

    def _move(self, base: int) -> None:
        step = base - self._base
        if step <= 0:
            return
        kept = max(0, max(self._ends) - base)
        self._window[:kept] = self._window[step : step + kept]
        self._window[kept:] = 0
        self._base = base

    def _save(self) -> None:
        end = max(self._ends)
        if HEADER_BYTES + end * self._block > _MAX_FILE_BYTES:
            raise OSError(errno.EFBIG, "a WAV file holds no more than 4 GiB")
        if end > self._base:
            data = self._window[: end - self._base].tobytes()
            self._write(data, HEADER_BYTES + self._base * self._block)
        self._save_header(end)
        self._dirty = False

    def _save_header(self, samples: int) -> None:
        self._write(_header(self._channels, self._rate_hz, samples * self._block), 0)
        self._saved = samples

    def _write(self, data: bytes, at: int) -> None:
        assert self._fd is not None
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, at)
            view, at = view[written:], at + written


def recover(path: Path) -> float:
    """Set the header of a recording right after a crash and return its duration in seconds.

    Takes only files of this module's layout; a recording that is whole is left as it is. Raises
    ``UsageError`` for any other file.
    """
    try:
        with path.open("r+b") as file:
            channels, rate_hz, data_bytes = _read_header(file.read(HEADER_BYTES))
            there = file.seek(0, os.SEEK_END) - HEADER_BYTES
            whole = there - there % (2 * channels)
            if whole != data_bytes or whole != there:
                file.truncate(HEADER_BYTES + whole)
                file.seek(0)
                file.write(_header(channels, rate_hz, whole))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{path}: {reason}") from None
    return whole / (2 * channels * rate_hz)


def _header(channels: int, rate_hz: int, data_bytes: int) -> bytes:
    riff = HEADER_BYTES - 8 + data_bytes
    block = 2 * channels
    sound = (16, 1, channels, rate_hz, rate_hz * block, block, 16)
    return _HEADER.pack(b"RIFF", riff, b"WAVE", b"fmt ", *sound, b"data", data_bytes)


def _read_header(header: bytes) -> tuple[int, int, int]:
    if len(header) < HEADER_BYTES:
        raise ValueError("too short to be a recording")
    riff, _, wave, fmt, size, coding, channels, rate_hz, _, _, bits, data, data_bytes = _HEADER.unpack(header)
    known = (riff, wave, fmt, size, coding, bits, data) == (b"RIFF", b"WAVE", b"fmt ", 16, 1, 16, b"data")
    if not known or channels not in (1, 2) or not rate_hz:
        raise ValueError("not a recording of this service")
    return channels, rate_hz, data_bytes
