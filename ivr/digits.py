"""Numbers that are read out: "four two seven", "double three", "forty two", "4 2 7". Pure."""

import re
import unicodedata
from dataclasses import dataclass

from ivr.wording import JAPANESE, JAPANESE_DIGITS, base, wording

_REPEATS = {"double": 2, "triple": 3}
_ZERO = frozenset({"oh", "o"})
_JAPANESE = re.compile(
    "|".join(
        re.escape(word)
        for word in sorted((*JAPANESE_DIGITS, *JAPANESE.carriers, *JAPANESE.fillers), key=len, reverse=True)
    )
    + r"|[0-9]|."
)


@dataclass(frozen=True, slots=True)
class SpokenDigits:
    """The digits in what was said. ``clear`` is the share of its words that could be understood, 0 to 1."""

    digits: str
    clear: float


def spoken_digits(text: str, language: str) -> SpokenDigits:
    """Find the digits in a transcript; words that may stand around a number do not count."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _japanese(plain) if base(language) == "ja" else _with_blanks(plain, language)


def _with_blanks(plain: str, language: str) -> SpokenDigits:
    known = wording(language)
    digits, understood, strange, times = "", 0, 0, 1
    tens = False  # whether the word before was "forty": a unit after it stands in its zero's place
    for word in re.findall(r"[^\W_']+(?:'[^\W_]+)*", plain):
        value = word if word.isdecimal() else "0" if word in _ZERO else known.numbers.get(word)
        if value is None:
            if word in _REPEATS:
                times = _REPEATS[word]
            elif word not in known.carriers | known.fillers:
                strange += 1
            tens = False
            continue
        if tens and len(value) == 1 and value != "0":
            digits = digits[:-1]
        digits += value * times
        tens = not word.isdecimal() and len(value) == 2 and value[1] == "0" and value != "10"
        understood, times = understood + 1, 1
    return SpokenDigits(digits, _share(understood, strange))


def _japanese(plain: str) -> SpokenDigits:
    hiragana = "".join(chr(ord(c) - 0x60) if 0x30A1 <= ord(c) <= 0x30F6 else c for c in plain)
    digits, strange = "", 0
    for piece in _JAPANESE.findall("".join(c for c in hiragana if c.isalnum())):
        value = piece if piece in "0123456789" else JAPANESE_DIGITS.get(piece)
        if value is not None:
            digits += value
        elif piece != "ー" and piece not in JAPANESE.carriers | JAPANESE.fillers:
            strange += 1
    return SpokenDigits(digits, _share(len(digits), strange))


def _share(understood: int, strange: int) -> float:
    return understood / (understood + strange) if understood else 0.0
