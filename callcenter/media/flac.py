"""Recordings as FLAC: the same sound in about half the space. The only file that knows PyAV."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
import av.error

from callcenter.errors import StorageError, UsageError


def encode(wav: Path, flac: Path) -> None:
    """Compress a WAV file; ``flac`` appears only when it is complete and as long as ``wav``.

    Blocking and busy: about 3 s per hour of stereo, so call it on a thread or in a job. ``wav`` stays.
    Raises ``UsageError`` when ``wav`` cannot be read and ``StorageError`` when ``flac`` cannot be written.
    """
    unfinished = flac.with_name(f".{flac.name}.{os.getpid()}.part")
    try:
        expected = _samples(wav)
        _transcode(wav, unfinished)
        written = _samples(unfinished)
        if written != expected:
            raise StorageError(f"{flac}: {written} samples were written of {expected}")
        _settle(unfinished, flac)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def replace(wav: Path) -> Path:
    """Compress a WAV file and remove it; returns the FLAC file beside it. Blocks and raises as ``encode``."""
    flac = wav.with_suffix(".flac")
    encode(wav, flac)
    wav.unlink()
    return flac


def duration_s(path: Path) -> float:
    """Give the length of a WAV or FLAC file; raises ``UsageError`` for anything else.

    A file whose header holds no length, as that of an empty FLAC file, is decoded to find it.
    """
    with _opened(path) as container:
        stream = container.streams.audio[0]
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return sum(frame.samples for frame in container.decode(stream)) / stream.rate


def _transcode(wav: Path, flac: Path) -> None:
    with _opened(wav) as source:
        sound = source.streams.audio[0]
        try:
            with av.open(str(flac), "w", format="flac") as target:
                stream = target.add_stream("flac", rate=sound.rate)
                stream.layout = sound.layout
                stream.format = "s16"
                for frame in source.decode(sound):
                    target.mux(stream.encode(frame))
                target.mux(stream.encode(None))
        except (av.error.FFmpegError, OSError) as error:
            raise StorageError(f"{flac.parent}: {_reason(error)}") from error


def _settle(unfinished: Path, flac: Path) -> None:
    """Put the file in its place once it is on the disk, so that ``wav`` may then be deleted."""
    try:
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(flac)
    except OSError as error:
        raise StorageError(f"{flac.parent}: {_reason(error)}") from error


def _samples(path: Path) -> int:
    with _opened(path) as container:
        return sum(frame.samples for frame in container.decode(container.streams.audio[0]))


@contextmanager
def _opened(path: Path) -> Iterator[av.container.InputContainer]:
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise UsageError(f"{path}: holds no sound")
            yield container
    except (av.error.FFmpegError, OSError) as error:
        raise UsageError(f"{path}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
