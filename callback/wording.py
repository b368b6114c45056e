"""What callers in line are told of callbacks, in English and Japanese. Pure.

Numbers are spelt digit by digit. What is ``personal`` is about one caller and not to be kept as a sound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType

from callback.refusal import Refusal

SHOWN_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence; ``personal`` ones were made for one caller."""

    text: str
    personal: bool = False


_ENGLISH = MappingProxyType(
    {
        "offer": "You need not wait on the line. To keep your place and be called back, press {key}."
        " Or just stay on the line.",
        "how": "To be called back as soon as it is your turn, press 1. To choose a time, press 2."
        " To go on waiting, press 0.",
        "times": "To go on waiting, press 0.",
        "later": "For later times, press star.",
        "time": "For {when}, press {key}.",
        "no_times": "There are no free times at present. We can call you as soon as it is your turn.",
        "turn": "We will call you as soon as it is your turn.",
        "at": "We will call you {when}.",
        "ending": "The number we will call ends in {digits}.",
        "keyed": "The number you have entered is {digits}.",
        "right": "If that is right, press 1. To enter another number, press 2. To go on waiting, press 0.",
        "key_in": "Please enter the telephone number on which we can reach you, then press the hash key."
        " To begin again, press star.",
        "wrong_key": "Sorry, I did not get that.",
        "placed": "Thank you. You keep your place, and we will call you back as soon as it is your turn.",
        "minutes": "That will probably be within {minutes} minutes.",
        "timed": "Thank you. We will call you {when}.",
        "stood": "You have asked us to call this number before. We will call as agreed then.",
        "goodbye": "Goodbye.",
        "stay": "You keep your place in line. Please stay on the line.",
        "taken": "This time has just been taken by somebody else.",
        "known": "You have asked us to call you back.",
        "known_elsewhere": "You have asked us to call you back in another matter.",
        "place": "You are number {place} in line.",
        "window": "We have promised to call you {when}.",
        "choose": "To wait on the line at that place instead, press 1. To cancel the callback, press 2."
        " To have us call you as agreed, press 3 or hang up.",
        "choose_elsewhere": "To cancel that callback, press 2. To have us call you as agreed and wait on the"
        " line now, press 3.",
        "merged": "You keep your place in line. Please stay on the line.",
        "cancelled": "Your callback is cancelled. Please stay on the line.",
        "kept": "We will call you as agreed. Goodbye.",
        "kept_waiting": "We will call you as agreed. Please stay on the line.",
        "ringing": "We were just calling you. You are next in line.",
    }
)
_JAPANESE = MappingProxyType(
    {
        "offer": "このままお待ちいただかなくても、順番を保ったまま、"
        "こちらから折り返しお電話することができます。"
        "ご希望の場合は{key}を押してください。そのままお待ちいただくこともできます。",
        "how": "順番が来たらすぐの折り返しをご希望の場合は1を、時間を指定される場合は2を、"
        "このままお待ちになる場合は0を押してください。",
        "times": "このままお待ちになる場合は0を押してください。",
        "later": "もっと遅い時間は、アスタリスクを押してください。",
        "time": "{when}は{key}を押してください。",
        "no_times": "ただいまご指定いただける時間がございません。順番が来ましたらお電話いたします。",
        "turn": "順番が来ましたら、すぐにお電話いたします。",
        "at": "{when}にお電話いたします。",
        "ending": "お電話する番号の末尾は{digits}です。",
        "keyed": "入力された番号は{digits}です。",
        "right": "よろしければ1を、ほかの番号を入力される場合は2を、"
        "このままお待ちになる場合は0を押してください。",
        "key_in": "ご連絡先の電話番号を入力し、最後にシャープを押してください。"
        "やり直す場合はアスタリスクを押してください。",
        "wrong_key": "恐れ入りますが、確認できませんでした。",
        "placed": "ありがとうございます。順番はそのままです。順番が来ましたら、すぐにお電話いたします。",
        "minutes": "{minutes}分以内の見込みです。",
        "timed": "ありがとうございます。{when}にお電話いたします。",
        "stood": "この番号への折り返しはすでに承っております。そのお約束どおりにお電話いたします。",
        "goodbye": "失礼いたします。",
        "stay": "順番はそのままです。このままお待ちください。",
        "taken": "その時間はちょうど埋まってしまいました。",
        "known": "折り返しのお電話を承っております。",
        "known_elsewhere": "別の件で折り返しのお電話を承っております。",
        "place": "ただいま{place}番目です。",
        "window": "{when}にお電話するお約束です。",
        "choose": "その順番のままこのままお待ちになる場合は1を、折り返しを取り消す場合は2を、"
        "お約束どおりの折り返しをご希望の場合は3を押すか、お切りください。",
        "choose_elsewhere": "その折り返しを取り消す場合は2を、お約束どおりの折り返しをご希望で、"
        "このままお待ちになる場合は3を押してください。",
        "merged": "順番はそのままです。このままお待ちください。",
        "cancelled": "折り返しのお電話を取り消しました。このままお待ちください。",
        "kept": "お約束どおりお電話いたします。失礼いたします。",
        "kept_waiting": "お約束どおりお電話いたします。このままお待ちください。",
        "ringing": "ちょうどお電話しておりました。次におつなぎします。",
    }
)
_REFUSED_ENGLISH: Mapping[Refusal | None, str] = MappingProxyType(
    {
        Refusal.NUMBER_INVALID: "This is not a telephone number.",
        Refusal.NUMBER_EMERGENCY: "We cannot call emergency numbers.",
        Refusal.NUMBER_PREMIUM: "We cannot call numbers of this kind.",
        Refusal.NUMBER_OWN: "This is a number of ours.",
        Refusal.NUMBER_FOREIGN: "We cannot call numbers of this country.",
        Refusal.DO_NOT_CALL: "This number has asked us not to call.",
        Refusal.TOO_MANY: "We cannot take any more callbacks at present.",
        Refusal.CLOSED: "It is too late today for a callback.",
        None: "We cannot offer a callback at present.",
    }
)
_REFUSED_JAPANESE: Mapping[Refusal | None, str] = MappingProxyType(
    {
        Refusal.NUMBER_INVALID: "この番号は電話番号として確認できません。",
        Refusal.NUMBER_EMERGENCY: "緊急通報の番号にはお電話できません。",
        Refusal.NUMBER_PREMIUM: "この種類の番号にはお電話できません。",
        Refusal.NUMBER_OWN: "これは当方の番号です。",
        Refusal.NUMBER_FOREIGN: "この国の番号にはお電話できません。",
        Refusal.DO_NOT_CALL: "この番号にはお電話しないよう承っております。",
        Refusal.TOO_MANY: "ただいま折り返しのお電話をこれ以上承ることができません。",
        Refusal.CLOSED: "本日の折り返しの受付は終了いたしました。",
        None: "ただいま折り返しのお電話を承ることができません。",
    }
)
_WEEKDAYS = "月火水木金土日"


class Wording:
    """The sentences of one language; English for one that is not known."""

    def __init__(self, language: str = "") -> None:
        self._is_japanese = language.replace("_", "-").partition("-")[0].lower() == "ja"
        self._texts = _JAPANESE if self._is_japanese else _ENGLISH

    def say(self, name: str, **values: str) -> Line:
        """The sentence of that name, with what is filled in."""
        return Line(self._texts[name].format(**values), personal=bool(values.keys() - {"key"}))

    def refused(self, refusal: Refusal) -> Line:
        """Why a wish is not granted."""
        texts = _REFUSED_JAPANESE if self._is_japanese else _REFUSED_ENGLISH
        return Line(texts.get(refusal, texts[None]))

    def digits(self, number: str) -> str:
        """A number as it is read out, digit by digit."""
        digits = [character for character in number if character in "0123456789"]
        return ("、" if self._is_japanese else ", ").join(digits)

    def ending(self, number: str) -> str:
        """The last digits of a number as they are read out."""
        return self.digits(number[-SHOWN_DIGITS:])

    def when(self, start: datetime, today: date) -> str:
        """A moment on the caller's own clock."""
        return self._japanese(start, today) if self._is_japanese else _english(start, today)

    def _japanese(self, start: datetime, today: date) -> str:
        days = (start.date() - today).days
        weekday = f"{_WEEKDAYS[start.weekday()]}曜日"
        day = {0: "今日", 1: "明日"}.get(days, f"{start.month}月{start.day}日{weekday}")
        clock = f"{start.hour}時{start.minute}分" if start.minute else f"{start.hour}時"
        return f"{day}の{clock}"


def _english(start: datetime, today: date) -> str:
    days = (start.date() - today).days
    if days in (0, 1):
        day = ("today", "tomorrow")[days]
    else:
        day = f"on {start:%A}" if 1 < days < 7 else f"on {start:%A}, {start:%B} {start.day}"
    minute = f" {start.minute:02d}" if start.minute else ""
    return f"{day} at {start.hour % 12 or 12}{minute} {'a.m.' if start.hour < 12 else 'p.m.'}"
