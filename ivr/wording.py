"""What the program itself says and understands in each language that callers may speak: confirmations,
yes and no, numbers, and the sounds people make while they think.
"""

from collections.abc import Mapping
from dataclasses import dataclass

WITHOUT_BLANKS = frozenset({"ja"})
"""Languages whose words are not parted by blanks: there characters are compared."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of one language. ``{choice}`` and ``{digits}`` are filled in.

    ``numbers`` gives the digits of number words; ``carriers`` are words that may stand around a number that
    is read out ("my number is ..."); ``fillers`` say nothing at all.
    """

    confirm: str
    confirm_digits: str
    confirm_question: str
    anything_else: str
    yes: tuple[str, ...]
    no: tuple[str, ...]
    done: tuple[str, ...]
    fillers: frozenset[str]
    numbers: Mapping[str, str]
    carriers: frozenset[str]


_UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_EN_NUMBERS = {
    **{word: str(value) for value, word in enumerate((*_UNITS, *_TEENS))},
    **{word: str(10 * value) for value, word in enumerate(_TENS, start=2)},
}

ENGLISH = Wording(
    confirm="Did you say {choice}? Say yes or press 1, say no or press 2.",
    confirm_digits="I heard {digits}. Is that right? Say yes or press 1, say no or press 2.",
    confirm_question="Did you ask: {choice} Say yes or press 1, say no or press 2.",
    anything_else="Is there anything else?",
    yes=("yes", "yeah", "yep", "yes please", "sure", "okay", "correct", "that is correct", "that's right"),
    no=("no", "nope", "no thank you", "wrong", "that is wrong", "not right", "not correct", "incorrect"),
    done=("no", "no thanks", "no thank you", "that is all", "that's all", "nothing else", "goodbye", "bye"),
    fillers=frozenset({"um", "uh", "er", "erm", "ah", "hm", "hmm", "mhm", "well", "please"}),
    numbers=_EN_NUMBERS,
    carriers=frozenset(
        {
            *(
                "my",
                "the",
                "a",
                "it",
                "its",
                "it's",
                "is",
                "number",
                "account",
                "order",
                "code",
                "pin",
                "yes",
            ),
            *("sure", "okay", "and", "so", "that", "this"),
        }
    ),
)

JAPANESE = Wording(
    confirm="{choice}、でよろしいですか。はい、または1を、いいえ、または2を押してください。",
    confirm_digits="{digits}、でよろしいですか。はい、または1を、いいえ、または2を押してください。",
    confirm_question="ご質問は、{choice}、でよろしいですか。はい、または1を、いいえ、または2を押してください。",
    anything_else="ほかにご質問はありますか。",
    yes=("はい", "ええ", "うん", "そうです", "お願いします"),
    no=("いいえ", "いや", "違います", "ちがいます", "違う"),
    done=("いいえ", "ありません", "ないです", "大丈夫です", "以上です", "結構です"),
    fillers=frozenset({"えーと", "ええと", "えっと", "あのー", "えー", "うーんと"}),
    numbers={digit: str(value) for value, digit in enumerate("〇一二三四五六七八九")},
    carriers=frozenset({"番号は", "番号", "です", "は", "の", "はい"}),
)

JAPANESE_DIGITS = {
    **dict.fromkeys(("ぜろ", "れい", "零", "まる"), "0"),
    **{"いち": "1", "に": "2", "さん": "3", "よん": "4", "し": "4", "ご": "5", "ろく": "6"},
    **{"なな": "7", "しち": "7", "はち": "8", "きゅう": "9", "く": "9"},
    **JAPANESE.numbers,
}
"""How digits are read out in Japanese, in hiragana or kanji."""

_WORDINGS = {"en": ENGLISH, "ja": JAPANESE}
SPOKEN = tuple(_WORDINGS)
"""The languages in which questions can be answered by voice."""


def base(language: str) -> str:
    """The language without its region."""
    return language.replace("_", "-").partition("-")[0].lower()


def wording(language: str) -> Wording:
    """The words of a language; English for one that is not known."""
    return _WORDINGS.get(base(language), ENGLISH)
