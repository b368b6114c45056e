"""Free times as a customer chooses from them, by day. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from callback.request import Slot
from callcenter.web.customer.dates import Calendar
from callcenter.web.customer.forms import instant
from callcenter.web.customer.language import LANGUAGES

SOONEST = "soonest"


@dataclass(frozen=True, slots=True)
class Time:
    """``at`` is what a form says, ``href`` where a link leads."""

    text: str
    at: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """``near`` is ``Today`` or the like, or empty."""

    near: str
    title: str
    free: str
    times: Sequence[Time]


def days(slots: Sequence[Slot], calendar: Calendar, href: Callable[[str], str] | None = None) -> list[Day]:
    """The free ones of ``slots``, as the clocks of the calendar's zone show them."""
    free = sorted((slot for slot in slots if slot.free > 0), key=lambda slot: slot.start)
    words = LANGUAGES[calendar.language]
    found = []
    for day, group in groupby(free, key=lambda slot: calendar.date_of(slot.start)):
        times = _times(list(group), calendar, href)
        count = words["free_one"] if len(times) == 1 else words["free_many"].format(count=len(times))
        found.append(Day(calendar.near_day(day), calendar.day(day), count, times))
    return found


def written(at: datetime | None) -> str:
    """An instant as forms and addresses have it; ``None`` is as soon as possible."""
    return SOONEST if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def start_of(at: str) -> datetime | None:
    """The instant of a choice as forms and addresses have it; ``None`` for as soon as possible."""
    return None if at == SOONEST else instant(at)


def is_choice(at: str) -> bool:
    """Whether it is a choice at all."""
    return at == SOONEST or instant(at) is not None


def _times(slots: Sequence[Slot], calendar: Calendar, href: Callable[[str], str] | None) -> list[Time]:
    texts = [calendar.clocks(slot.start, slot.end) for slot in slots]
    often = Counter(texts)
    found = []
    for slot, text in zip(slots, texts, strict=True):
        # The hour that a clock change repeats.
        unique = text if often[text] == 1 else f"{text} ({calendar.offset(slot.start)})"
        at = written(slot.start)
        found.append(Time(unique, at, href(at) if href else ""))
    return found
