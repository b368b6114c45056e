"""``callcenter transcribe``: recordings in, text files beside them.

Outputs are written under another name and renamed when they are whole, so a run that was killed or
interrupted goes on where it stopped when it is started again.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from asr import LanguageError, ModelError, Speech, Urgency
from asr.errors import SoundError
from asr.files import FileTranscriber, Heard, Reading
from asr.formats import FORMATS, Transcript, clock
from asr.silero import SpeechConfirmer
from asr.sound import duration_of
from asr.whisper import WhisperSettings, open_engine
from callcenter import config
from callcenter.errors import UsageError

_KINDS = """
3gp aac ac3 aif aiff al amr asf au avi caf flac flv gsm m4a m4b m4v mka mkv mov mp2 mp3 mp4 mpeg mpg oga ogg
ogv opus ra rm snd spx ul voc w64 wav webm wma wmv wv
"""
SUFFIXES = frozenset(f".{kind}" for kind in _KINDS.split())
"""What is taken for a recording in a folder; a file that is named may have any."""

_IN_FLIGHT_PER_WORKER = 4
_SILENCE = bytes(3200)


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """What the command line says. ``None`` is the settings file's value, or for ``jobs`` all cores."""

    files: tuple[Path, ...]
    formats: str = "txt"
    language: str | None = None
    model: str | None = None
    jobs: int | None = None
    beam_size: int | None = None
    output: Path | None = None
    speakers: str = "left,right"
    mono: bool = False
    force: bool = False
    json: bool = False


@dataclass(slots=True)
class Recording:
    """One file: where its texts go by format, and what came of it.

    ``status`` is ``waiting``, ``done``, ``skipped``, ``incomplete`` or ``failed``.
    """

    path: Path
    outputs: dict[str, Path]
    status: str = "waiting"
    duration_s: float = 0.0
    segments: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        """Whether an earlier run wrote all that is asked for, from the file as it is now."""
        try:
            written_ns = min(output.stat().st_mtime_ns for output in self.outputs.values())
            return written_ns >= self.path.stat().st_mtime_ns
        except OSError:
            return False


def run_transcribe(settings: config.Asr, options: TranscribeOptions) -> int:
    """Transcribe all files; 0 when all of them are whole, 2 when something was wrong with one.

    Raises ``UsageError`` before any work for what cannot be right.
    """
    formats = _formats(options.formats)
    reading = _reading(settings, options, with_words=formats != ["txt"])
    model = _model(settings, options)
    recordings = find_recordings(options.files, formats, options.output)
    began_s = time.monotonic()
    try:
        with Screen(recordings) as screen:
            asyncio.run(_run(model, reading, recordings, screen, force=options.force))
            elapsed_s = time.monotonic() - began_s
            screen.say(_summary(recordings, elapsed_s))
    except KeyboardInterrupt:
        print("callcenter: interrupted; run it again to go on with what is left", file=sys.stderr)  # noqa: T201
        raise
    if options.json:
        print(json.dumps(_as_json(recordings, model.model, elapsed_s), indent=2))  # noqa: T201
    return 2 if any(recording.problems for recording in recordings) else 0


# What is asked for.


def _formats(names: str) -> list[str]:
    formats = list(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"--format: {name!r} is none of {', '.join(FORMATS)}")
    return formats


def _reading(settings: config.Asr, options: TranscribeOptions, *, with_words: bool) -> Reading:
    speakers = tuple(name.strip() for name in options.speakers.split(","))
    if len(speakers) != 2 or not all(name.isprintable() and 0 < len(name) <= 30 for name in speakers):
        raise UsageError("--speakers needs two names of up to 30 characters, as in --speakers caller,agent")
    return Reading(
        language=options.language or settings.language or "en",
        languages=tuple(code for code in settings.languages if code),
        with_words=with_words,
        speakers=(speakers[0], speakers[1]),
        mix=options.mono,
    )


def _model(settings: config.Asr, options: TranscribeOptions) -> WhisperSettings:
    for name, most in (("jobs", 256), ("beam_size", 10)):
        value = getattr(options, name)
        if value is not None and not 1 <= value <= most:
            raise UsageError(f"--{name.replace('_', '-')} must be between 1 and {most}")
    model = options.model or settings.model
    return WhisperSettings(
        model=model,
        device=settings.device,
        compute_type=settings.compute_type,
        beam_size=options.beam_size or settings.beam_size,
        workers=options.jobs or os.cpu_count() or 1,
        context=settings.context if model == settings.model else None,
    )


def find_recordings(files: Sequence[Path], formats: Sequence[str], output: Path | None) -> list[Recording]:
    """All files named and all recordings in the folders named, and where their texts go.

    ``a.wav`` becomes ``a.txt``; where that is another's output too, or a recording, ``a.wav.txt``. Below
    ``output`` the folders are as below the folder that was named. Raises ``UsageError``.
    """
    if output is not None and output.exists() and not output.is_dir():
        raise UsageError(f"--output: {output} is not a folder")
    found: dict[str, tuple[Path, Path]] = {}
    recordings: list[Recording] = []
    for named in files:
        for path in _walk(named, recordings) if named.is_dir() else [named]:
            within = path.parent.relative_to(named) if named.is_dir() else Path()
            folder = output / within if output else path.parent
            found.setdefault(os.path.abspath(path), (path, folder / path.name))
    taken = Counter(os.path.abspath(target.with_suffix("")) for _, target in found.values())
    owners: dict[str, Path] = {}
    for path, target in found.values():
        plain = {name: target.with_suffix(f".{name}") for name in formats}
        is_own = taken[os.path.abspath(target.with_suffix(""))] == 1
        is_free = is_own and not any(os.path.abspath(one) in found for one in plain.values())
        outputs = plain if is_free else {name: Path(f"{target}.{name}") for name in formats}
        for one in outputs.values():
            other = owners.setdefault(os.path.abspath(one), path)
            if other != path:
                raise UsageError(f"{shown(other)} and {shown(path)} would both become {shown(one)}")
        recordings.append(Recording(path, outputs))
    return recordings


def _walk(folder: Path, failed: list[Recording]) -> Iterator[Path]:
    """Recordings below ``folder``, in order, none that are hidden; where it may not look is in ``failed``."""

    def refused(error: OSError) -> None:
        problem = f"cannot be read: {error.strerror}"
        failed.append(Recording(Path(error.filename), {}, "failed", problems=[problem]))

    count = len(failed)
    for place, folders, names in os.walk(folder, onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                count = -1
                yield Path(place, name)
    if count == len(failed):
        failed.append(Recording(folder, {}, "failed", problems=["there are no recordings in this folder"]))


# The work.


async def _run(
    model: WhisperSettings,
    reading: Reading,
    recordings: Sequence[Recording],
    screen: "Screen",
    *,
    force: bool,
) -> None:
    for recording in recordings:
        if recording.status == "failed":
            screen.finished(recording)
        elif not force and recording.is_done:
            recording.status = "skipped"
            screen.skipped(recording)
    left = [recording for recording in recordings if recording.status == "waiting"]
    if not left:
        return
    async with AsyncExitStack() as stack:
        try:
            engine = await stack.enter_async_context(open_engine(model))
            await engine.recognize(Speech(_SILENCE, reading.language, Urgency.LATER))
        except (ModelError, LanguageError) as error:
            raise UsageError(str(error)) from None
        await screen.measure(left)
        confirmer = await stack.enter_async_context(SpeechConfirmer())
        in_flight = _IN_FLIGHT_PER_WORKER * model.workers
        transcriber = FileTranscriber(engine, reading, in_flight=in_flight, confirmer=confirmer)
        await _transcribe_all(left, transcriber, model.model, screen, in_flight)


async def _transcribe_all(
    recordings: Sequence[Recording], transcriber: FileTranscriber, model: str, screen: "Screen", at_once: int
) -> None:
    """Several files at once, so that short ones keep all workers busy too."""
    rest = iter(recordings)

    async def work() -> None:
        for recording in rest:
            await _transcribe(recording, transcriber, model, screen)

    async with asyncio.TaskGroup() as group:
        for number in range(min(at_once, len(recordings))):
            group.create_task(work(), name=f"files {number}")


async def _transcribe(
    recording: Recording, transcriber: FileTranscriber, model: str, screen: "Screen"
) -> None:
    try:
        heard = await transcriber.transcribe(recording.path, lambda at_s: screen.reach(recording, at_s))
        recording.problems += heard.problems
        recording.duration_s, recording.segments = heard.duration_s, len(heard.turns)
        for note in heard.notes:
            screen.say(f"{shown(recording.path)}: {note}")
        write(recording, heard, model)
        recording.status = "incomplete" if recording.problems else "done"
    except SoundError as error:
        recording.status = "failed"
        recording.problems.append(str(error))
    except OSError as error:
        recording.status = "failed"
        place = shown(Path(error.filename2 or error.filename or "its text"))
        recording.problems.append(f"cannot write {place}: {error.strerror}")
    screen.finished(recording)


def write(recording: Recording, heard: Heard, model: str) -> None:
    """Write all formats, whole or not at all. Raises ``OSError``.

    Where the recording is incomplete they are dated before it, so that the next run tries again.
    """
    transcript = Transcript(
        file=os.fsencode(recording.path).decode(errors="replace"),
        duration_s=heard.duration_s,
        language=heard.language,
        model=model,
        complete=not heard.problems,
        turns=heard.turns,
    )
    parts = {output: output.with_name(f".{output.name}.part") for output in recording.outputs.values()}
    try:
        for (name, output), part in zip(recording.outputs.items(), parts.values(), strict=True):
            output.parent.mkdir(parents=True, exist_ok=True)
            with part.open("w", encoding="utf-8", newline="") as file:
                file.write(FORMATS[name](transcript))
                file.flush()
                os.fsync(file.fileno())
            if heard.problems:
                before_ns = recording.path.stat().st_mtime_ns - 1_000_000_000
                os.utime(part, ns=(before_ns, before_ns))
        for output, part in parts.items():
            part.replace(output)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


# What is seen of it.


class Screen:
    """Lines on stderr, on a terminal above a bar with the time that is left."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("loading the model", total=None)
        self._told_s: dict[Path, float] = {}
        self._reached_s: dict[Path, float] = {}
        self._total_s = self._done_s = 0.0
        self._count, self._finished = len(recordings), 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    async def measure(self, recordings: Sequence[Recording]) -> None:
        """Ask the files for their lengths, where there is a bar to show them."""
        if self._bar.disable:
            return
        for recording in recordings:
            self._told_s[recording.path] = await asyncio.to_thread(duration_of, recording.path)
        self._total_s = sum(self._told_s.values())

    def reach(self, recording: Recording, at_s: float) -> None:
        """A file is done up to ``at_s``."""
        self._done_s += at_s - self._reached_s.get(recording.path, 0.0)
        self._reached_s[recording.path] = at_s
        self._bar.update(
            self._task,
            description=f"{self._finished} of {self._count} files, {clock(self._done_s)} of sound",
            total=max(self._total_s, self._done_s) or None,
            completed=self._done_s,
        )

    def skipped(self, recording: Recording) -> None:
        """A file was done by an earlier run."""
        self._finished += 1
        self.say(f"{shown(recording.path)}: is transcribed already")

    def finished(self, recording: Recording) -> None:
        """A file is done; says how it went."""
        self._finished += 1
        self._total_s += recording.duration_s - self._told_s.pop(recording.path, 0.0)
        self.reach(recording, recording.duration_s)
        for problem in recording.problems:
            self.say(f"callcenter: {shown(recording.path)}: {problem}")
        if recording.status != "failed":
            first, *others = recording.outputs.values()
            outputs = ", ".join([shown(first), *(output.suffix for output in others)])
            self.say(f"{shown(recording.path)}: {clock(recording.duration_s)} of sound -> {outputs}")


def shown(path: Path) -> str:
    """A path as one line, from where we are if it is below."""
    place = Path(os.path.abspath(path))
    here = Path.cwd()
    text = str(place.relative_to(here) if place.is_relative_to(here) else place)
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _summary(recordings: Sequence[Recording], elapsed_s: float) -> str:
    counts = Counter(recording.status for recording in recordings)
    parts = [f"{counts[status]} {status}" for status in ("done", "incomplete", "failed", "skipped")]
    sound_s = sum(recording.duration_s for recording in recordings)
    listed = ", ".join(part for part in parts if not part.startswith("0 "))
    return f"{listed}; {clock(sound_s)} of sound in {clock(elapsed_s)}"


def _as_json(recordings: Sequence[Recording], model: str, elapsed_s: float) -> dict[str, object]:
    return {
        "model": model,
        "elapsed_s": round(elapsed_s, 3),
        "audio_s": round(sum(recording.duration_s for recording in recordings), 3),
        "files": [
            {
                "file": str(recording.path),
                "status": recording.status,
                "duration_s": round(recording.duration_s, 3),
                "segments": recording.segments,
                "outputs": {name: str(output) for name, output in recording.outputs.items()},
                "problems": recording.problems,
            }
            for recording in recordings
        ],
    }
