"""Recordings of any format that FFmpeg reads, as a stream of telephone sound.

A file is decoded as it is needed and never held as a whole. What cannot be decoded is left out, the clock
goes on, and at the end it is told what was missing.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from asr.errors import SoundError
from asr.recognizer import SAMPLE_RATE_HZ

_BLOCK_S = 2
_MISSING_S = 0.25
"""Less than this may be missing: encoders pad, containers round."""

_GAP_S = 0.1
_WITH_LENGTH = {"flac", "wav", "w64", "aiff", "caf", "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf", "avi"}
_WITHOUT_GAPS = {"flac", "wav", "w64", "aiff", "mp3", "ogg"}
"""Formats whose sound is one stretch; others have times of their own, and may have pauses between them."""

_STREAMED_BYTES = 0x7FFF0000
"""A WAV header that tells of more than this was written before anybody knew how much would come."""

_OGG_PAGE_MAX_BYTES = 65_307
_AUDIBLE = (32768 * 10 ** (-50 / 20)) ** 2
_SAME_SHARE = 0.02
_SAME_FOR_S = 60

Channels = NDArray[np.int16]
"""Sound as (channels, samples)."""


@dataclass(frozen=True, slots=True)
class Block:
    """Up to a few seconds of each leg, mono PCM16 of 8 kHz; ``position`` is that of the first sample."""

    position: int
    legs: tuple[bytes, ...]

    @property
    def end(self) -> int:
        """The position after the last sample."""
        return self.position + len(self.legs[0]) // 2


class SoundFile:
    """A recording that is open. Blocking, and not to be used by two threads at once.

    Two channels are two legs, unless they are the same, or are to be mixed (``mix``). ``duration_s`` is what
    the file says, if it does. ``notes`` tell how it is taken, where that is not obvious. ``problem`` is known
    after the last block. Raises ``SoundError`` for a file that cannot be read at all.
    """

    def __init__(self, path: Path, mix: bool = False) -> None:
        self._source = _Source(path)
        self.duration_s = self._source.duration_s
        self.problem = ""
        self._mix = mix
        notes = []
        if self._source.tracks > 1:
            notes.append(f"has {self._source.tracks} audio tracks; only one of them is heard")
        self.legs = 1 if mix or self._source.channels < 2 else 2
        if self.legs == 2 and _is_dual_mono(path):
            self.legs = 1
            notes.append("has the same sound on both channels and is taken as mono")
        elif self.legs == 2 and self._source.channels > 2:
            notes.append(f"has {self._source.channels} channels; only the first two are heard")
        self.notes = tuple(notes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def blocks(self) -> Iterator[Block]:
        """All of the sound, from its start. Raises ``SoundError`` where there is none at all."""
        position = None
        for position, sound in self._source.sound():
            yield Block(position, self._legs(sound))
        if position is None:
            raise SoundError(
                "none of its sound can be decoded" if self._source.failed else "there is no sound in it"
            )
        self.problem = self._source.problem()

    def _legs(self, sound: Channels) -> tuple[bytes, ...]:
        if self.legs == 1:
            mixed = sound.mean(axis=0).astype("<i2") if self._mix and len(sound) > 1 else sound[0]
            return (mixed.astype("<i2").tobytes(),)
        return tuple(sound[min(leg, len(sound) - 1)].astype("<i2").tobytes() for leg in range(2))


def duration_of(path: Path) -> float:
    """How long a file says it is, in seconds; 0 where it does not say or cannot be read."""
    try:
        source = _Source(path)
    except SoundError:
        return 0.0
    source.close()
    return source.duration_s or 0.0


class _Source:
    """FFmpeg at one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size_bytes, self._told_bytes, self._has_whole_end = _inspect(path)
        self._container = _open(path)
        try:
            self._stream = self._container.streams.audio[0]
            best = self._container.streams.best("audio")
            if isinstance(best, av.AudioStream):
                self._stream = best
            self.channels = int(self._stream.channels)
        except (IndexError, AttributeError):
            has_audio = bool(self._container.streams.audio)
            self._container.close()
            raise SoundError(
                "its kind of audio cannot be decoded" if has_audio else "there is no audio in it"
            ) from None
        self.tracks = len(self._container.streams.audio)
        start, length = self._container.start_time, self._container.duration
        self._start_s = (start or 0) / av.time_base
        self.duration_s = length / av.time_base if length and length > 0 else None
        self.failed = False
        self._decoded_s = self._lost_s = self._reached_s = 0.0

    def close(self) -> None:
        self._container.close()

    def sound(self) -> Iterator[tuple[int, Channels]]:
        """Positions and sound of 8 kHz. A pause in the file's times is a pause between positions."""
        stretch: _Stretch | None = None
        for frame in self._frames():
            at_s = max(frame.time - self._start_s, 0.0) if frame.time is not None else None
            if stretch is None or not stretch.continues(frame, at_s, self.duration_s):
                if stretch is not None:
                    yield from stretch.end()
                stretch = _Stretch(frame, _begin_s(stretch, at_s, self.duration_s))
            self._decoded_s += frame.samples / frame.sample_rate
            yield from stretch.push(frame)
        if stretch is not None:
            yield from stretch.end()

    def _frames(self) -> Iterator[av.AudioFrame]:
        try:
            for packet in self._container.demux():
                length_s = float((packet.duration or 0) * packet.time_base)
                if packet.pts is not None:
                    reached_s = float(packet.pts * packet.time_base) + length_s - self._start_s
                    self._reached_s = max(self._reached_s, reached_s)
                if packet.stream.index != self._stream.index:
                    continue
                try:
                    frames = packet.decode()
                except av.error.FFmpegError:
                    self.failed = True
                    self._lost_s += length_s
                    continue
                yield from (frame for frame in frames if isinstance(frame, av.AudioFrame) and frame.samples)
        except av.error.FFmpegError:
            self.failed = True

    def problem(self) -> str:
        """What was missing, when all that can be decoded was."""
        is_one_stretch = self._container.format.name in _WITHOUT_GAPS
        heard_s = self._decoded_s if is_one_stretch else self._reached_s - self._lost_s
        expected_s = self._expected_s()
        if expected_s - heard_s > _MISSING_S:
            return f"is damaged or cut short: {heard_s:.1f} s of {expected_s:.1f} s could be read"
        if self._lost_s > _MISSING_S:
            return f"is damaged: {self._lost_s:.1f} s of its sound cannot be decoded"
        if not self._has_whole_end:
            return f"is cut short after {heard_s:.1f} s"
        return ""

    def _expected_s(self) -> float:
        """How long the sound should be; 0 where the file's own word is only an estimate."""
        if self._told_bytes > self._size_bytes:
            return self._decoded_s * self._told_bytes / self._size_bytes
        name, told_s = self._container.format.name, self.duration_s or 0.0
        if name == "mp3":  # only a Xing header tells a length that is not the file's size by its bit rate
            told_bytes = told_s * (self._stream.bit_rate or 0) / 8
            return told_s if told_bytes > 1.01 * self._size_bytes else 0.0
        return told_s if name in _WITH_LENGTH or name == "ogg" else 0.0


class _Stretch:
    """Sound without a gap and of one kind, on its way to 8 kHz."""

    def __init__(self, frame: av.AudioFrame, begin_s: float) -> None:
        self._kind = _kind(frame)
        self._rate_hz = frame.sample_rate
        self._begin_s = begin_s
        self._samples = 0
        self._position = round(begin_s * SAMPLE_RATE_HZ)
        self._waiting = av.AudioFifo()
        self._resampler = av.AudioResampler(format="s16", rate=SAMPLE_RATE_HZ)

    @property
    def end_s(self) -> float:
        return self._begin_s + self._samples / self._rate_hz

    def continues(self, frame: av.AudioFrame, at_s: float | None, duration_s: float | None) -> bool:
        """Whether ``frame`` follows. Times that go back, or beyond the end, are not believed."""
        if _kind(frame) != self._kind:
            return False
        return at_s is None or at_s - self.end_s < _GAP_S or at_s > (duration_s or 0.0)

    def push(self, frame: av.AudioFrame) -> Iterator[tuple[int, Channels]]:
        self._samples += frame.samples
        frame.pts = None
        self._waiting.write(frame)
        if self._waiting.samples >= _BLOCK_S * self._rate_hz:
            yield from self._resampled(self._waiting.read())

    def end(self) -> Iterator[tuple[int, Channels]]:
        if self._waiting.samples:
            yield from self._resampled(self._waiting.read())
        yield from self._resampled(None)

    def _resampled(self, frame: av.AudioFrame | None) -> Iterator[tuple[int, Channels]]:
        for out in self._resampler.resample(frame):
            sound: Channels = np.asarray(out.to_ndarray(), np.int16).reshape(-1, len(out.layout.channels)).T
            if sound.shape[1]:
                yield self._position, sound
                self._position += sound.shape[1]


def _kind(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _begin_s(before: _Stretch | None, at_s: float | None, duration_s: float | None) -> float:
    if before is None:
        return at_s or 0.0
    return max(before.end_s, at_s) if at_s is not None and at_s <= (duration_s or 0.0) else before.end_s


def _open(path: Path) -> av.container.InputContainer:
    """Only files are opened, also by a play list that names an address."""
    try:
        return av.open(
            os.path.abspath(path),
            metadata_errors="ignore",
            options={"protocol_whitelist": "file", "max_size": "65536", "sample_rate": "8000"},
        )
    except av.error.FFmpegError as error:
        raise SoundError(f"cannot be read as sound: {error.strerror}") from error


def _inspect(path: Path) -> tuple[int, int, bool]:
    """The size in bytes, the size that a WAV header tells, else 0, and whether Ogg's last page is whole.

    FFmpeg takes files that were cut short in these two ways for whole.
    """
    try:
        if not path.is_file():
            raise SoundError("is not a file" if path.exists() else "there is no such file")
        with path.open("rb") as file:
            size_bytes = file.seek(0, os.SEEK_END)
            if not size_bytes:
                raise SoundError("is empty")
            file.seek(0)
            head = file.read(12)
            told_bytes = 8 + int.from_bytes(head[4:8], "little")
            is_wav = head.startswith(b"RIFF") and head.endswith(b"WAVE") and 8 < told_bytes < _STREAMED_BYTES
            has_whole_end = not head.startswith(b"OggS") or _ends_with_whole_page(file, size_bytes)
            return size_bytes, told_bytes if is_wav else 0, has_whole_end
    except OSError as error:
        raise SoundError(f"cannot be read: {error.strerror}") from error


def _ends_with_whole_page(file: BinaryIO, size_bytes: int) -> bool:
    """RFC 3533, 6: a page is a header of 27 bytes, the lengths of its segments, and the segments."""
    file.seek(-min(size_bytes, _OGG_PAGE_MAX_BYTES), os.SEEK_END)
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if not page.startswith(b"OggS"):
        return True
    lengths = page[27 : 27 + page[26]] if len(page) > 26 else b""
    return len(page) > 26 and len(lengths) == page[26] and len(page) >= 27 + page[26] + sum(lengths)


def _is_dual_mono(path: Path) -> bool:
    """Whether both channels are the same for the first minute that can be heard, or to the end."""
    source = _Source(path)
    try:
        same_s = 0.0
        for _, sound in source.sound():
            if len(sound) != 2:
                return False
            both = sound.astype(np.float32)
            power = float((both * both).mean())
            if power < _AUDIBLE:
                continue
            apart = float(((both[0] - both[1]) ** 2).mean())
            if apart > _SAME_SHARE * power:
                return False
            same_s += sound.shape[1] / SAMPLE_RATE_HZ
            if same_s >= _SAME_FOR_S:
                break
        return same_s > 0
    finally:
        source.close()
