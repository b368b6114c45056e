"""What differs from language to language: where a sentence ends, what a word is, what models invent. Pure.

English and Japanese are handled; every other language passes through as one with blanks between words, or
without where its script has none.
"""

import re
import unicodedata
from collections.abc import Sequence

WITHOUT_BLANKS = frozenset({"ja", "zh", "yue", "th", "lo", "my", "km"})
"""Languages whose words are not parted by blanks: what is compared there are characters."""

_ENDS = re.compile(r"[.?!。｡？！…][\"'”’»」』)）]*$")
_EDGE_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_TITLES = {"mr": "mister", "mrs": "missus", "dr": "doctor"}
_DIGITS = {
    digit: value for digits in ("〇一二三四五六七八九", "0123456789") for value, digit in enumerate(digits)
}
_SMALL_UNITS = {"十": 10, "百": 100, "千": 1000}
_LARGE_UNITS = {"万": 10**4, "億": 10**8}
_JA_NUMBER = re.compile(r"[0-9〇一二三四五六七八九十百千万億]{2,}")
_STOCK_PHRASES = frozenset(
    phrase.replace(" ", "")
    for phrase in (
        "you",
        "thank you for watching",
        "thanks for watching",
        "thank you so much for watching",
        "thank you very much for watching",
        "thanks for watching and please subscribe",
        "thanks for watching and dont forget to subscribe",
        "please subscribe",
        "please subscribe to my channel",
        "please like and subscribe",
        "like and subscribe",
        "ill see you in the next video",
        "see you in the next video",
        "subtitles by the amara org community",
        "subtitles by",
        "ご視聴ありがとうございました",
        "ご視聴ありがとうございます",
        "ご清聴ありがとうございました",
        "最後までご視聴いただきありがとうございました",
        "最後までご視聴いただきありがとうございます",
        "最後までご視聴ありがとうございました",
        "字幕視聴ありがとうございました",
        "チャンネル登録をお願いします",
        "チャンネル登録お願いします",
        "チャンネル登録よろしくお願いします",
        "チャンネル登録をよろしくお願いします",
        "高評価とチャンネル登録をお願いします",
        "チャンネル登録と高評価をお願いします",
        "次の動画でお会いしましょう",
    )
)
"""What Whisper writes where nobody speaks, from the subtitles that it learned from, without blanks and
apostrophes. Nothing that a caller would say: no "thank you", no "bye"."""


def ends_sentence(text: str, language: str) -> bool:
    """Whether ``text`` ends with the end of a sentence, as the model heard it; the same in all languages."""
    return bool(_ENDS.search(text.rstrip()))


def units(text: str, language: str) -> list[str]:
    """What two transcripts are compared by: words, or characters where words are not parted by blanks.

    A character has its vowel signs and tone marks with it. Marks are units or parts of them.
    """
    if language not in WITHOUT_BLANKS:
        return text.split()
    parts: list[str] = []
    for character in "".join(text.split()):
        if parts and unicodedata.category(character).startswith("M"):
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def joined(parts: Sequence[str], language: str) -> str:
    """The text of ``units``."""
    return ("" if language in WITHOUT_BLANKS else " ").join(parts)


def folded(text: str, language: str) -> str:
    """For comparison: one width, small letters, no punctuation but the apostrophe within a word."""
    small = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    if language in WITHOUT_BLANKS:
        said = "".join(character for character in small if _is_said(character))
    else:
        spaced = "".join(_or_blank(character) for character in small)
        said = " ".join(_EDGE_APOSTROPHE.sub(" ", spaced).split())
    return unicodedata.normalize("NFKC", said)


def _is_said(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _or_blank(character: str) -> str:
    if _is_said(character) or character == "'":
        return character
    return "" if unicodedata.category(character) == "Cf" else " "


def normalised(text: str, language: str) -> str:
    """For scoring: ``folded``, no commas in numbers, titles in full, Japanese numbers in digits."""
    plain = folded(_THOUSANDS.sub("", unicodedata.normalize("NFKC", text)), language)
    if language == "ja":
        return _JA_NUMBER.sub(lambda found: _in_digits(found.group()), plain)
    return " ".join(_TITLES.get(word, word) for word in plain.split()) if language == "en" else plain


def _in_digits(number: str) -> str:
    """三万五千, 3万5000 and 35000 are one; without units, as in 〇九〇, it is digit by digit."""
    if all(character in _DIGITS for character in number):
        return "".join(str(_DIGITS[character]) for character in number)
    total = small = digits = 0
    for character in number:
        if character in _DIGITS:
            digits = digits * 10 + _DIGITS[character]
        elif character in _SMALL_UNITS:
            small += (digits or 1) * _SMALL_UNITS[character]
            digits = 0
        else:
            total += (small + digits or 1) * _LARGE_UNITS[character]
            small = digits = 0
    return str(total + small + digits)


def is_stock_phrase(text: str, language: str) -> bool:
    """Whether ``text`` as a whole is a phrase that models invent, in whatever language."""
    return folded(text, language).replace(" ", "").replace("'", "") in _STOCK_PHRASES
