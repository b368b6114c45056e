"""What callers hear: recorded files where there are any, else a synthesised voice; music and a beep.

All sounds are mono PCM16 of 8 kHz. A spoken text is made once and kept as a WAV file in the cache folder,
so that a restart, or another process with the same folder, finds it; a text about one caller is not kept.
"""

import asyncio
import hashlib
import logging
import os
import tempfile
import unicodedata
import wave
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from callcenter import config
from callcenter.errors import ConfigError, UsageError
from callcenter.media.espeak import Espeak
from callcenter.media.hold_music import beep, music_on_hold
from callcenter.media.resample import TELEPHONE_HZ, read_8khz, to_8khz

logger = logging.getLogger(__name__)

_SPEECH_DBFS = -20.0
_PEAK_DBFS = -1.0
_ACTIVE_DBFS = -45.0
_TAIL_S = 0.05
_CACHE_FORMAT = "1"
_MEMORY_BYTES = 32 * 1024 * 1024
_FILE_NAME_BYTES = 120


def file_name(text: str) -> str:
    """The name, without ``.wav``, of the file that overrides the voice for ``text``.

    Letters and digits in lower case with ``-`` between them; a long text is cut and given a hash.
    """
    words = "".join(c if c.isalnum() else " " for c in unicodedata.normalize("NFKC", text).casefold())
    name = "-".join(words.split())
    encoded = name.encode()
    if len(encoded) <= _FILE_NAME_BYTES:
        return name
    return f"{encoded[:_FILE_NAME_BYTES].decode(errors='ignore')}-{_hash(text)[:8]}"


class Prompts:
    """The sounds of one process. Memory is bounded; what does not fit is read from the cache again."""

    def __init__(self, settings: config.Prompts, cache_dir: Path) -> None:
        self._settings = settings
        self._cache_dir = cache_dir
        self._espeak = Espeak()
        self._engine = ""
        self._known: dict[str, bool] = {}
        self._recorded: dict[str, Path] = {}
        self._music = b""
        self._beep = beep()
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._memory_bytes = 0
        self._making: dict[str, asyncio.Task[bytes]] = {}

    async def __aenter__(self) -> Self:
        """Check the voice and every file of the prompt folder; raises ``ConfigError``."""
        await asyncio.to_thread(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        making = list(self._making.values())
        for task in making:
            task.cancel()
        await asyncio.gather(*making, return_exceptions=True)

    async def pcm(self, text: str, name: str = "", language: str = "", *, keep: bool = True) -> bytes:
        """The sound of ``text``, by the voice of its ``language``.

        A file of the prompt folder called ``name.language``, ``name`` or ``file_name(text)`` wins over the
        voice; one called ``name`` alone is in the language of the settings' ``voice``. ``keep`` is
        false for what was filled in for one caller: it is personal, and callers could fill the disk. Raises
        ``ConfigError`` when the file has become unreadable.
        """
        path = self._recorded_for(text, name, language)
        if path is not None:
            return await self.wav(path)
        voice = self._voice_of(language)
        key = _hash("\0".join((_CACHE_FORMAT, self._engine, voice, str(self._settings.rate_wpm), text)))

        async def speak() -> bytes:
            if not keep:
                return await asyncio.to_thread(self._spoken, text, voice)
            return await asyncio.to_thread(self._cached_or_spoken, text, voice, key)

        return await self._once(key, speak)

    async def wav(self, path: Path) -> bytes:
        """The sound of a file of any rate and number of channels; raises ``ConfigError``."""

        async def read() -> bytes:
            return await asyncio.to_thread(_read, path)

        try:
            changed_ns = path.stat().st_mtime_ns
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from None
        return await self._once(f"{path}\0{changed_ns}", read)

    def music(self) -> bytes:
        """Music on hold, to be repeated without end."""
        return self._music

    def beep(self) -> bytes:
        """The tone that says: speak now."""
        return self._beep

    def _open(self) -> None:
        voices = {"voice": self._settings.voice}
        voices |= {f"voices.{language}": voice for language, voice in self._settings.voices.items()}
        for key, voice in voices.items():
            try:
                self._espeak.synthesize("", voice)
            except UsageError as error:
                raise ConfigError(f"prompts.{key}: {error}") from None
        self._engine = self._espeak.version()
        folder = self._settings.folder
        if folder is not None:
            if not folder.is_dir():
                raise ConfigError(f"prompts.folder: {folder}: no such folder")
            self._recorded = {path.stem: path for path in sorted(folder.glob("*.wav"))}
        for path in self._recorded.values():
            _read(path)
        music = self._settings.hold_music
        self._music = music_on_hold() if music is None else _read(music)

    def _recorded_for(self, text: str, name: str, language: str) -> Path | None:
        names = [f"{name}.{language}", f"{name}.{_base(language)}"] if name and language else []
        names += [name] if self._voice_of(language) == self._settings.voice else []
        names.append(file_name(text))
        return next((self._recorded[one] for one in names if one in self._recorded), None)

    def _voice_of(self, language: str) -> str:
        """The settings' voice where it speaks the language, or where there is no other that does."""
        own, voices = self._settings.voice, self._settings.voices
        for wanted in (language, _base(language)):
            if wanted in voices:
                return voices[wanted]
        if not language or _base(language) == _base(own):
            return own
        return next((voice for voice in (language.lower(), _base(language)) if self._speaks(voice)), own)

    def _speaks(self, voice: str) -> bool:
        if voice not in self._known:
            try:
                self._espeak.synthesize("", voice)
                self._known[voice] = True
            except UsageError:
                logger.warning(
                    "there is no voice for the language %r; %s speaks", voice, self._settings.voice
                )
                self._known[voice] = False
        return self._known[voice]

    async def _once(self, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        if (sound := self._memory.get(key)) is not None:
            self._memory.move_to_end(key)
            return sound
        task = self._making.get(key)
        if task is None:
            task = asyncio.create_task(self._make(key, make), name=f"prompt {key[:8]}")
            self._making[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    async def _make(self, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        sound = await make()
        self._memory[key] = sound
        self._memory_bytes += len(sound)
        while self._memory_bytes > _MEMORY_BYTES and len(self._memory) > 1:
            _, oldest = self._memory.popitem(last=False)
            self._memory_bytes -= len(oldest)
        return sound

    def _forget(self, key: str, done: asyncio.Task[bytes]) -> None:
        del self._making[key]
        if not done.cancelled():
            done.exception()  # everyone who waits gets it; nobody may be left to

    def _cached_or_spoken(self, text: str, voice: str, key: str) -> bytes:
        path = self._cache_dir / f"{file_name(text)[:40]}-{key[:32]}.wav"
        sound = _from_cache(path)
        if sound is not None:
            return sound
        sound = self._spoken(text, voice)
        try:
            _write(path, sound)
        except OSError as error:
            logger.warning("prompt cache %s: %s", self._cache_dir, error.strerror)
        return sound

    def _spoken(self, text: str, voice: str) -> bytes:
        speech = self._espeak.synthesize(text, voice, self._settings.rate_wpm)
        return _levelled(to_8khz(speech.pcm16, speech.rate_hz))


def _base(language: str) -> str:
    """The language of a voice or of a variety of it."""
    return language.replace("_", "-").partition("+")[0].partition("-")[0].lower()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _from_cache(path: Path) -> bytes | None:
    """A prompt that was made before; ``None``, so that it is made again, where it is missing or damaged."""
    try:
        with wave.open(str(path), "rb") as file:
            if (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (TELEPHONE_HZ, 1, 2):
                return file.readframes(file.getnframes())
    except FileNotFoundError:
        return None
    except (OSError, EOFError, wave.Error) as error:
        logger.warning("prompt cache %s: %s; it is made again", path, str(error) or "it is empty")
    return None


def _read(path: Path) -> bytes:
    try:
        return read_8khz(path)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _levelled(pcm16: bytes) -> bytes:
    """Speech at the usual level, measured where there is speech, and a little silence after it."""
    sound = np.frombuffer(pcm16, "<i2") / 32768
    active = np.abs(sound) > 10 ** (_ACTIVE_DBFS / 20)
    if active.any():
        rms = np.sqrt(np.mean(sound[active] ** 2))
        sound = sound * min(10 ** (_SPEECH_DBFS / 20) / rms, 10 ** (_PEAK_DBFS / 20) / np.abs(sound).max())
    tail = np.zeros(int(_TAIL_S * TELEPHONE_HZ))
    return np.round(np.concatenate([sound, tail]) * 32767).astype("<i2").tobytes()


def _write(path: Path, sound: bytes) -> None:
    """Write under another name and rename, so that no reader ever sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as raw, wave.open(raw, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(TELEPHONE_HZ)
            file.writeframes(sound)
        os.replace(unfinished, path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
