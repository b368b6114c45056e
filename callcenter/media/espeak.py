"""A voice for prompts and simulated people: espeak-ng through ctypes.

The library and its data come with the wheel ``espeakng-loader``. It keeps its state in globals, so all
engines of a process share one lock. API: ``speak_lib.h`` of espeak-ng 1.52.
"""

import ctypes
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import espeakng_loader

from callcenter.errors import CallCenterError, UsageError

_RETRIEVE_SYNCHRONOUSLY = 2
_DO_NOT_EXIT_ON_ERROR = 0x8000
_TEXT_IS_UTF8 = 1
_POSITION_IN_CHARACTERS = 1
_EVENT_END_OF_LIST, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7
_PHONEME_EVENTS = 1
_RATE, _VOLUME, _PITCH, _PITCH_RANGE, _WORD_GAP = 1, 2, 3, 4, 7
_SOUND_BYTES_MAX = 64 * 1024 * 1024
_VOICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(\+[A-Za-z0-9][A-Za-z0-9 _-]*)?")


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class WordTime:
    """When a word begins (seconds from the start of the sound) and which characters of the text it is."""

    start_s: float
    char_start: int
    char_length: int


@dataclass(frozen=True, slots=True)
class PhonemeTime:
    """When a phoneme begins (seconds from the start) and espeak-ng's name of it; pauses begin with ``_``."""

    start_s: float
    name: str


@dataclass(frozen=True, slots=True)
class Speech:
    """A spoken text: mono PCM16 at ``rate_hz``, its words and its phonemes in order."""

    pcm16: bytes
    rate_hz: int
    words: tuple[WordTime, ...]
    phonemes: tuple[PhonemeTime, ...] = ()


class _Library:
    """The loaded library. Every method is called under ``_LOCK``."""

    def __init__(self) -> None:
        self._sound = bytearray()
        self._words: list[tuple[int, int, int]] = []
        self._phonemes: list[tuple[int, bytes]] = []
        self._failure: BaseException | None = None
        self._callback = _SynthCallback(self._on_sound)
        self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
        self._lib.espeak_Synth.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        self._lib.espeak_Info.restype = ctypes.c_char_p
        data = Path(espeakng_loader.get_data_path())
        options = _PHONEME_EVENTS | _DO_NOT_EXIT_ON_ERROR
        self.rate_hz = int(self._lib.espeak_Initialize(_RETRIEVE_SYNCHRONOUSLY, 0, bytes(data), options))
        if self.rate_hz <= 0:
            raise CallCenterError(f"espeak-ng cannot start: no usable data in {data}")
        self._variants = frozenset(path.name for path in (data / "voices" / "!v").iterdir())
        self._lib.espeak_SetSynthCallback(self._callback)
        self.version: str = self._lib.espeak_Info(None).decode()

    def _on_sound(self, samples: int | None, count: int, events: Any) -> int:
        try:
            if samples and count > 0:
                self._sound += ctypes.string_at(samples, 2 * count)
            index = 0
            while (event := events[index]).type != _EVENT_END_OF_LIST:
                if event.type == _EVENT_WORD:
                    self._words.append((event.sample, event.text_position - 1, event.length))
                elif event.type == _EVENT_PHONEME:
                    self._phonemes.append((event.sample, event.id.string))
                index += 1
            if len(self._sound) > _SOUND_BYTES_MAX:
                raise UsageError("the text is too long to be spoken")
        except BaseException as error:  # noqa: BLE001 - must not unwind through C; speak() raises it
            self._failure = error
            return 1
        return 0

    def select(self, voice: str) -> bool:
        """Choose the voice; false where there is no such voice.

        The library itself takes a variant that it does not know for none.
        """
        if not _VOICE_NAME.fullmatch(voice):
            return False
        _, plus, variant = voice.partition("+")
        if plus and variant not in self._variants:
            return False
        return bool(self._lib.espeak_SetVoiceByName(voice.encode()) == 0)

    def speak(self, text: str, parameters: dict[int, int]) -> Speech:
        """Speak with the chosen voice."""
        for number, value in parameters.items():
            self._lib.espeak_SetParameter(number, value, 0)
        self._sound, self._words, self._phonemes, self._failure = bytearray(), [], [], None
        spoken = text.replace("\0", " ").encode(errors="replace")
        status = self._lib.espeak_Synth(
            spoken, len(spoken) + 1, 0, _POSITION_IN_CHARACTERS, 0, _TEXT_IS_UTF8, None, None
        )
        if self._failure is not None:
            raise self._failure
        if status != 0:
            raise CallCenterError(f"espeak-ng could not speak the text: status {status}")
        words = tuple(WordTime(sample / self.rate_hz, at, length) for sample, at, length in self._words)
        phonemes = tuple(
            PhonemeTime(sample / self.rate_hz, name.decode(errors="replace"))
            for sample, name in self._phonemes
        )
        return Speech(bytes(self._sound), self.rate_hz, words, phonemes)


_LOCK = threading.Lock()
_loaded: _Library | None = None


def _library() -> _Library:
    global _loaded  # noqa: PLW0603 - the library's own state is global to the process
    if _loaded is None:
        _loaded = _Library()
    return _loaded


class Espeak:
    """Speaks texts. Blocking and safe to call from any thread; about 300 times faster than real time."""

    def version(self) -> str:
        """The version of the library, such as ``1.52.0``."""
        with _LOCK:
            return _library().version

    def synthesize(
        self,
        text: str,
        voice: str = "en-us",
        rate_wpm: int = 165,
        pitch: int = 50,
        pitch_range: int = 50,
        word_gap: int = 0,
    ) -> Speech:
        """Speak ``text``.

        ``voice`` is a language (``en-us``) or a language with a variant (``en-us+f2``); ``pitch`` and
        ``pitch_range`` are 0 to 100, ``word_gap`` is in units of 10 ms. Raises ``UsageError`` for a voice
        that does not exist or a text of more than about 25 minutes.
        """
        parameters = {
            _RATE: rate_wpm,
            _VOLUME: 100,
            _PITCH: pitch,
            _PITCH_RANGE: pitch_range,
            _WORD_GAP: word_gap,
        }
        with _LOCK:
            library = _library()
            if not library.select(voice):
                raise UsageError(f"no such voice: {voice!r}")
            return library.speak(text, parameters)
