"""Everything this package raises on purpose.

::

    SpeechError
    ├── ModelError              a model cannot be loaded; one clear line
    ├── SoundError              a file cannot be read as sound; one line, to follow the file's name
    ├── RecognitionError        one utterance could not be recognised; others are not affected
    │   ├── LanguageError       the model does not know the language
    │   ├── OverloadedSpeechError   too much waits for a partial to be worth its time
    │   └── ClosedSpeechError   the recognizer ended, or the wait for it did, before its turn came
"""


class SpeechError(Exception):
    """Base of all errors of this package."""


class ModelError(SpeechError):
    """A model cannot be loaded; the message is one line that begins with ``asr.``."""


class SoundError(SpeechError):
    """A file cannot be read as sound; the message is one line, to follow the file's name."""


class RecognitionError(SpeechError):
    """One utterance could not be recognised."""


class LanguageError(RecognitionError):
    """The model does not know the language asked for."""


class OverloadedSpeechError(RecognitionError):
    """Too much waits for a partial to be worth its time."""


class ClosedSpeechError(RecognitionError):
    """The recognizer was closed, or its time was up, before the utterance had its turn."""
