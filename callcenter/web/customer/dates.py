"""Dates and times as people write them, on the wall clock of a zone. Pure; instants are UTC."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from callcenter.web.customer.language import LANGUAGES

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WEEKDAYS_JA = "月火水木金土日"
ZONES_JA: Mapping[str, str] = {"Asia/Tokyo": "日本時間", "Japan": "日本時間"}
MAX_ZONE_CHARS = 64
NO_BREAK = "\N{NO-BREAK SPACE}"


def zone_of(name: str) -> ZoneInfo | None:
    """The zone of that IANA name, if there is one."""
    if not name or len(name) > MAX_ZONE_CHARS or not name.isascii():
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


class Calendar:
    """Writes instants in one language, as the clocks of one zone show them; ``now`` decides what is today."""

    def __init__(self, language: str, zone: ZoneInfo, now: datetime) -> None:
        self.language = language
        self.zone = zone
        self._words = LANGUAGES[language]
        self._today = now.astimezone(zone).date()
        self._now = now

    def date_of(self, at: datetime) -> date:
        """The local date."""
        return at.astimezone(self.zone).date()

    def day(self, day: date) -> str:
        """``Thursday 26 November``, ``11月26日（木）``, with the year where it is not this one."""
        year = day.year != self._today.year
        if self.language == "ja":
            text = f"{day.month}月{day.day}日（{WEEKDAYS_JA[day.weekday()]}）"
            return f"{day.year}年{text}" if year else text
        text = f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]}"
        return f"{text} {day.year}" if year else text

    def near_day(self, day: date, *, inside: bool = False) -> str:
        """``Today``, ``Tomorrow``, or nothing; ``inside`` a sentence ``today``."""
        if day == self._today:
            return self._words["today_inside" if inside else "today"]
        if day == self._today + timedelta(days=1):
            return self._words["tomorrow_inside" if inside else "tomorrow"]
        return ""

    def clock(self, at: datetime) -> str:
        """``2:15 pm``, ``14:15``."""
        local = at.astimezone(self.zone)
        if self.language == "ja":
            return f"{local.hour}:{local.minute:02}"
        return f"{local.hour % 12 or 12}:{local.minute:02}{NO_BREAK}{_half(local)}"

    def moment(self, at: datetime, *, inside: bool = False) -> str:
        """Day and time of day: ``Today, 2:15 pm``; ``inside`` a sentence ``today, 2:15 pm``."""
        return self._on_day(self.date_of(at), self.clock(at), inside=inside)

    def span(self, start: datetime, end: datetime, *, inside: bool = False) -> str:
        """From when until when: ``Today, 2:15–2:30 pm``, ``11月26日（木） 14:15〜14:30``."""
        first, last = self.date_of(start), self.date_of(end)
        if first != last and end - start > timedelta(hours=12):
            return f"{self.moment(start, inside=inside)} – {self.moment(end, inside=True)}"
        return self._on_day(first, self.clocks(start, end), inside=inside)

    def clocks(self, start: datetime, end: datetime) -> str:
        """``2:15–2:30 pm``, ``11:45 am–12:00 pm``, ``14:15〜14:30``."""
        first, last = self.clock(start), self.clock(end)
        if first == last:
            return first
        if self.language != "ja" and _half(start.astimezone(self.zone)) == _half(end.astimezone(self.zone)):
            first = first.partition(NO_BREAK)[0]
        return f"{first}{self._dash}{last}"

    def zone_name(self, at: datetime | None = None) -> str:
        """The zone with its distance from UTC then: ``Berlin time (UTC+1)``, ``日本時間（UTC+9）``."""
        name = self.zone.key
        offset = self.offset(at or self._now)
        if name.startswith("Etc/") or "/" not in name:
            text = ZONES_JA.get(name, "") if self.language == "ja" else ""
            return f"{text}（{offset}）" if text else offset
        if self.language == "ja":
            return f"{ZONES_JA.get(name, name)}（{offset}）"
        return f"{name.rpartition('/')[2].replace('_', ' ')} time ({offset})"

    def offset(self, at: datetime) -> str:
        """``UTC+5:30``."""
        minutes = round((at.astimezone(self.zone).utcoffset() or timedelta()).total_seconds() / 60)
        if minutes == 0:
            return "UTC"
        hours, rest = divmod(abs(minutes), 60)
        sign = "+" if minutes > 0 else "−"
        return f"UTC{sign}{hours}:{rest:02}" if rest else f"UTC{sign}{hours}"

    @property
    def _dash(self) -> str:
        return "〜" if self.language == "ja" else "–"

    def _on_day(self, day: date, text: str, *, inside: bool) -> str:
        near = self.near_day(day, inside=inside) or self.day(day)
        return self._words["between"].format(day=near, span=text)


def _half(local: datetime) -> str:
    return "am" if local.hour < 12 else "pm"
