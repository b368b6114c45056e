"""What is said when customers are called back, in English and Japanese. Pure.

A file in the prompt folder that is named after a text (``callcenter.media.prompts.file_name``) overrides it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from callback.hours import zone_named
from callback.request import Result
from callback.wording import Wording

TO_AGENT: Final = "A callback for {queue}. The customer is being called now."
AGENT_TOLD: Final[Mapping[str, str]] = {
    Result.BUSY: "The customer's line is busy.",
    Result.NO_ANSWER: "The customer does not answer.",
    Result.INVALID: "The customer's number does not exist.",
    Result.MACHINE: "A machine has answered.",
    Result.MERGED: "The customer has called in meanwhile.",
}
AGENT_TOLD_ELSE: Final = "The customer could not be reached."
WITHDRAWN: Final = "The callback is no longer wanted."
NOT_NOW: Final = "The customer may not be called now."

_ENGLISH: Final[Mapping[str, str]] = {
    "greeting": "Hello. You asked us to call you back.",
    "apology": "We are sorry that it did not work out before.",
    "connect": "Thank you. We are connecting you now.",
    "agent_lost": "We are sorry, your agent was cut off. Please stay on the line, you are next.",
    "nobody": "We are sorry, nobody is free to talk to you. We will call you again soon. Goodbye.",
    "confirm": "To talk to us now, press {key}.",
    "snooze": "To be called in {minutes} minutes, press {key}.",
    "other": "To choose another time, press {key}.",
    "cancel": "If you do not need us any more, press {key}.",
    "choose": "For {time}, press {key}.",
    "no_times": "There is no other time.",
    "postponed": "Thank you. We will call you then. Goodbye.",
    "cancelled": "Your callback is cancelled. Goodbye.",
    "goodbye": "We will try again later. Goodbye.",
}
_JAPANESE: Final[Mapping[str, str]] = {
    "greeting": "ご依頼の折り返しのお電話です。",
    "apology": "先ほどは失礼いたしました。",
    "connect": "ありがとうございます。担当者におつなぎします。",
    "agent_lost": "担当者との接続が切れました。申し訳ございません。そのままお待ちください。",
    "nobody": "申し訳ございません。ただいま担当者が応対できません。改めてお電話いたします。失礼いたします。",
    "confirm": "今すぐお話しになる場合は、{key}を押してください。",
    "snooze": "{minutes}分後にお電話をご希望の場合は、{key}を押してください。",
    "other": "別の時間をお選びになる場合は、{key}を押してください。",
    "cancel": "お電話が不要になった場合は、{key}を押してください。",
    "choose": "{time}をご希望の場合は、{key}を押してください。",
    "no_times": "ほかにお選びいただける時間がございません。",
    "postponed": "ありがとうございます。その時間にお電話いたします。失礼いたします。",
    "cancelled": "折り返しのお電話を取り消しました。失礼いたします。",
    "goodbye": "改めてお電話いたします。失礼いたします。",
}
_TEXTS: Final[Mapping[str, Mapping[str, str]]] = {"en": _ENGLISH, "ja": _JAPANESE}
_OTHER_KEYS = "23456789"


def say(name: str, language: str, **values: object) -> str:
    """The text of that name; English where there is no other."""
    base = language.replace("_", "-").partition("-")[0].lower()
    return _TEXTS.get(base, _ENGLISH)[name].format(**values)


def keys_beside(confirm_key: str, count: int) -> list[str]:
    """``count`` keys that are not the one that confirms."""
    return [key for key in _OTHER_KEYS if key != confirm_key][:count]


def spoken_time(at: datetime, zone: str, now: datetime, language: str) -> str:
    """A time as it is said on the clock of ``zone``."""
    clock = zone_named(zone)
    return Wording(language).when(at.astimezone(clock), now.astimezone(clock).date())
