"""One request to the customers' page: in which language, by which clock, and what its links carry on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from callcenter.web.customer.dates import Calendar, zone_of
from callcenter.web.customer.language import LANGUAGES, chosen
from callcenter.web.customer.words import Words

CARRIED = ("lang", "zone")
MAX_VALUE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Visit:
    """``asked`` is what the address says; ``zone`` is the browser's, if it has told."""

    path: str
    asked: Mapping[str, str]
    language: str
    zone: ZoneInfo | None
    now: datetime
    words: Words = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", LANGUAGES[self.language])

    @classmethod
    def of(cls, path: str, query: Mapping[str, str], accepted: str, now: datetime) -> Self:
        """Of the parameters only short ones count."""
        asked = {name: value for name, value in query.items() if len(value) <= MAX_VALUE_CHARS}
        language = chosen(asked.get("lang", ""), accepted)
        return cls(path, asked, language, zone_of(asked.get("zone", "")), now)

    def prefer(self, language: str) -> "Visit":
        """In that language, unless the address asks for another."""
        wanted = chosen(self.asked.get("lang", ""), "", language) if language else self.language
        return replace(self, language=wanted)

    def on(self, path: str, **asked: str) -> "Visit":
        """The same visitor on another page."""
        return replace(self, path=path, asked=self._carried() | {k: v for k, v in asked.items() if v})

    def url(self, path: str, **asked: str) -> str:
        """An address of this service, in the same language and zone."""
        return _address(path, self._carried() | {name: value for name, value in asked.items() if value})

    @property
    def address(self) -> str:
        """Of this very page."""
        return _address(self.path, self.asked)

    def here(self, language: str) -> str:
        """This page in another language."""
        return _address(self.path, {**self.asked, "lang": language})

    def calendar(self, zone: str = "") -> Calendar:
        """How times are written: in ``zone`` if it is given, else in the browser's, else in UTC."""
        return Calendar(self.language, zone_of(zone) or self.zone or ZoneInfo("UTC"), self.now)

    def _carried(self) -> dict[str, str]:
        return {name: self.asked[name] for name in CARRIED if name in self.asked}


def _address(path: str, asked: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(asked)}" if asked else path
