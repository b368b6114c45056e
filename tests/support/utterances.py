"""Something that is said, and whether it was understood."""

import re
from dataclasses import dataclass

import jiwer


@dataclass(frozen=True)
class Utterance:
    text: str
    pcm16: bytes

    def is_heard_as(self, text: str) -> bool:
        """Whether ``text`` is this utterance, give or take a word."""
        return jiwer.wer(_words(self.text), _words(text)) <= 0.35


def _words(text: str) -> str:
    return re.sub(r"[^a-z' ]", "", text.lower()).strip() or "nothing"
