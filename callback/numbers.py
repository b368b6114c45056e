"""Telephone numbers: what customers write or key in, made E.164, or refused. Pure.

Source: ITU-T E.164, and the metadata of libphonenumber.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType, timezone

from callback.errors import RefusedError
from callback.refusal import Refusal

LONGEST = 40
_PREMIUM = {PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST}


@dataclass(frozen=True, slots=True)
class NumberRules:
    """Which numbers are called: national ones are of ``region``; ``regions`` empty is any region.

    ``own`` numbers would call ourselves, ``refused`` are prefixes that are never called.
    """

    region: str = "US"
    regions: Collection[str] = ()
    own: Collection[str] = ()
    refused: Sequence[str] = ()


def e164(text: str, rules: NumberRules) -> str:
    """The number to dial; raises ``RefusedError`` with why it is not dialled."""
    if len(text) > LONGEST or not text.isascii():
        raise _invalid()
    try:
        parsed = phonenumbers.parse(text, rules.region)
    except NumberParseException:
        raise _invalid() from None
    region = phonenumbers.region_code_for_number(parsed) or rules.region
    national = str(parsed.national_number)
    if phonenumbers.is_emergency_number(national, region) or phonenumbers.is_emergency_number(
        text.lstrip("+"), rules.region
    ):
        raise RefusedError(Refusal.NUMBER_EMERGENCY, "emergency numbers are not called", "number")
    if not phonenumbers.is_possible_number(parsed):
        raise _invalid()
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if number in rules.own:
        raise RefusedError(Refusal.NUMBER_OWN, "this is a number of ours", "number")
    if phonenumbers.number_type(parsed) in _PREMIUM or number.startswith(tuple(rules.refused)):
        raise RefusedError(Refusal.NUMBER_PREMIUM, "numbers of this kind are not called", "number")
    if rules.regions and region not in rules.regions:
        raise RefusedError(Refusal.NUMBER_FOREIGN, "numbers of this country are not called", "number")
    return number


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


def _invalid() -> RefusedError:
    return RefusedError(Refusal.NUMBER_INVALID, "this is not a telephone number", "number")
