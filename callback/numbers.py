"""Telephone numbers: what customers write or key in, made E.164, or refused. Pure.

Source: ITU-T E.164, and the metadata of libphonenumber. Numbers set aside for fiction pass, so that a whole
installation can be tried without ringing anybody.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType, timezone

from callback.errors import RefusedError
from callback.refusal import Refusal

LONGEST = 40
REMEMBERED = 20_000

_LONGEST_SHORT = 6
"""Digits of the longest number that no country code goes before."""

_LONGEST_CODE = 3
_LONGEST_PREFIX = 4
"""Digits of a country code, and of what is dialled before it, such as 0011."""

_LEAST_FOREIGN = 11
"""So many digits without ``+`` may be a number of another country; fewer are rather a slip of the finger."""

_NOT_CALLED = {
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.PAGER,
    PhoneNumberType.VOICEMAIL,
}
_OF_NO_COUNTRY = "001"
"""Satellites and networks that span the world, at prices of their own."""

# NANPA: 555-0100 to 555-0199 in every area; Ofcom: numbers for drama that its own plan has not otherwise.
_FICTION = re.compile(r"\+1[2-9][0-9]{2}55501[0-9]{2}|\+44(1632960|7700900)[0-9]{3}")
_WRITTEN = re.compile(r"\+?[0-9 ()./-]*")
_SEPARATORS = re.compile(r"[ ()./-]")


@dataclass(frozen=True, slots=True)
class NumberRules:
    """Which numbers are called: national ones are of ``region``; ``regions`` empty is any region.

    ``own`` numbers would call ourselves, ``refused`` are prefixes that are never called.
    """

    region: str = "US"
    regions: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    refused: tuple[str, ...] = ()


def e164(text: str, rules: NumberRules) -> str:
    """The number to dial; raises ``RefusedError`` with why it is not dialled."""
    written = _tidied(text)
    if _is_emergency(written, rules.region):
        raise RefusedError(Refusal.NUMBER_EMERGENCY, "emergency numbers are not called", "number")
    parsed = next(filter(_exists, _readings(written, rules.region)), None)
    if parsed is None:
        raise _invalid()
    number = _formatted(parsed)
    region = phonenumbers.region_code_for_number(parsed)
    if number in rules.own:
        raise RefusedError(Refusal.NUMBER_OWN, "this is a number of ours", "number")
    if (
        phonenumbers.number_type(parsed) in _NOT_CALLED
        or region == _OF_NO_COUNTRY
        or number.startswith(rules.refused)
    ):
        raise RefusedError(Refusal.NUMBER_PREMIUM, "numbers of this kind are not called", "number")
    regions = {region}
    if _FICTION.fullmatch(number):
        # One of no known area has no region, and nobody is rung by any of them.
        regions.add(_main_region(parsed))
    if rules.regions and not regions & rules.regions:
        raise RefusedError(Refusal.NUMBER_FOREIGN, "numbers of this country are not called", "number")
    return number


@lru_cache(REMEMBERED)
def refusal_of(number: str, rules: NumberRules) -> Refusal | None:
    """Why a number in E.164 is not dialled; ``None`` for one that is. Asked often, so it is remembered."""
    try:
        e164(number, rules)
    except RefusedError as error:
        return error.refusal
    return None


def plain(text: str, region: str = "US") -> str:
    """E.164 of any number, whether it would be called or not; raises ``RefusedError`` for what is none."""
    parsed = next(iter(_readings(_tidied(text), region)), None)
    if parsed is None or not phonenumbers.is_possible_number(parsed):
        raise _invalid()
    return _formatted(parsed)


def zone_of(number: str) -> str | None:
    """The time zone of a number in E.164; ``None`` where its numbers are of several zones."""
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return None
    zones = timezone.time_zones_for_number(parsed)
    return zones[0] if len(zones) == 1 and zones[0] != timezone.UNKNOWN_TIMEZONE else None


def masked(number: str) -> str:
    """A number that may be shown: its last two digits."""
    return "•" * max(len(number) - 2, 0) + number[-2:] if number else ""


def _tidied(text: str) -> str:
    """Plain digits and separators of what web forms, contact lists and keypads give."""
    if len(text) > LONGEST:
        raise _invalid()
    written = "".join(map(_plain_character, unicodedata.normalize("NFKC", text))).strip()
    written = written.removeprefix("tel:").removesuffix("#")  # keypads end with it
    if not _WRITTEN.fullmatch(written):
        raise _invalid()
    return written


def _plain_character(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    match unicodedata.category(character):
        case "Pd":
            return "-"
        case "Zs":
            return " "
        case "Cf":  # marks of direction, which come along when numbers are copied
            return ""
        case _:
            return character


def _readings(written: str, region: str) -> Iterator[PhoneNumber]:
    """What the number may be, likeliest first."""
    digits = _SEPARATORS.sub("", written)
    candidates = [written]
    if digits.startswith("00"):
        candidates.append("+" + digits[2:])
    elif digits.isdigit() and len(digits) >= _LEAST_FOREIGN:
        candidates.append("+" + digits)
    for candidate in candidates:
        try:
            yield phonenumbers.parse(candidate, region)
        except NumberParseException:
            continue


def _exists(parsed: PhoneNumber) -> bool:
    return phonenumbers.is_valid_number(parsed) or bool(_FICTION.fullmatch(_formatted(parsed)))


def _formatted(parsed: PhoneNumber) -> str:
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _main_region(parsed: PhoneNumber) -> str:
    return phonenumbers.region_code_for_country_code(parsed.country_code or 0)


def _is_emergency(written: str, region: str) -> bool:
    """Whether it is an emergency number anywhere, with a country code before it or without."""
    international = written.startswith("+")
    digits = _SEPARATORS.sub("", written).removeprefix("+")
    if len(digits) > _LONGEST_SHORT + _LONGEST_CODE + (0 if international else _LONGEST_PREFIX):
        return False
    shortened = {digits}
    for parsed in _readings(written, region):
        shortened.add(str(parsed.national_number))
    for code in range(1, 4):
        if int(digits[:code] or 0) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            shortened.add(digits[code:])
    return any(
        0 < len(one) <= _LONGEST_SHORT
        and any(phonenumbers.is_emergency_number(one, place) for place in phonenumbers.SUPPORTED_REGIONS)
        for one in shortened
    )


def _invalid() -> RefusedError:
    return RefusedError(Refusal.NUMBER_INVALID, "this is not a telephone number", "number")
