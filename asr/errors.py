"""Everything this package raises on purpose.

::

    SpeechError
    ├── ModelError              a model cannot be loaded; one clear line
    ├── RecognitionError        one utterance could not be recognised; others are not affected
    │   ├── LanguageError       the model does not know the language
    │   ├── OverloadedSpeechError   the bounded queue is full
    │   └── ClosedSpeechError   the recognizer ended, or the wait for it did, before its turn came
"""


class SpeechError(Exception):
    """Base of all errors of this package."""


class ModelError(SpeechError):
    """A model cannot be loaded; the message is one line that begins with ``asr.``."""


class RecognitionError(SpeechError):
    """One utterance could not be recognised."""


class LanguageError(RecognitionError):
    """The model does not know the language asked for."""


class OverloadedSpeechError(RecognitionError):
    """The queue of utterances is full."""


class ClosedSpeechError(RecognitionError):
    """The recognizer was closed, or its time was up, before the utterance had its turn."""
