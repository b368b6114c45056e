"""Which language a page is in. Pure."""

from collections.abc import Mapping

from callcenter.web.customer.english import ENGLISH
from callcenter.web.customer.japanese import JAPANESE
from callcenter.web.customer.words import Words

LANGUAGES: Mapping[str, Words] = {"en": ENGLISH, "ja": JAPANESE}
"""The first one is the default."""

DEFAULT = next(iter(LANGUAGES))
MAX_HEADER_CHARS = 500


def chosen(asked: str, accepted: str, before: str = "") -> str:
    """The language: what the page was ``asked`` for, else ``before``, else of those the browser accepts.

    ``accepted`` is the header ``Accept-Language`` (RFC 9110, section 12.5.4).
    """
    for wanted in (asked, before, *_in_order(accepted)):
        name = wanted.partition("-")[0].lower()
        if name in LANGUAGES:
            return name
    return DEFAULT


def _in_order(accepted: str) -> list[str]:
    weighed = []
    for part in accepted[:MAX_HEADER_CHARS].split(","):
        name, _, parameter = part.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if weight > 0:
            weighed.append((-weight, name.strip()))
    return [name for _, name in sorted(weighed, key=lambda pair: pair[0])]
