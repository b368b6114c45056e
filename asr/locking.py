"""Which language a leg speaks, where nobody said so: after enough speech it is settled. Pure."""

from collections import defaultdict

from asr.recognizer import AUTO, Recognition

ENOUGH_S = 6.0
"""Of voice. Whisper takes less for anything it likes."""


class LanguageLock:
    """``code`` is the language to ask for: the one that was given, or ``auto`` until one has won."""

    def __init__(self, language: str) -> None:
        self.code = language
        self._voiced_s = 0.0
        self._votes: defaultdict[str, float] = defaultdict(float)

    def heard(self, recognition: Recognition, voiced_s: float) -> None:
        """Let an utterance vote, by its length and by how sure its language was."""
        if self.code != AUTO or not recognition.text:
            return
        self._votes[recognition.language] += voiced_s * recognition.language_probability
        self._voiced_s += voiced_s
        if self._voiced_s >= ENOUGH_S:
            self.code = max(self._votes, key=lambda code: self._votes[code])
