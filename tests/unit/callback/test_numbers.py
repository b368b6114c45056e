"""What customers write, key in or paste becomes E.164, or is refused with the right reason."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callback.errors import RefusedError
from callback.numbers import LONGEST, NumberRules, e164, masked, plain, refusal_of, zone_of
from callback.refusal import Refusal


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("+1 (202) 555-0143", "DE", "+12025550143"),
        ("202.555.0143", "US", "+12025550143"),
        ("12025550143", "US", "+12025550143"),
        ("１２０２５５５０１４３", "US", "+12025550143"),  # a full-width keyboard
        ("＋１－２０２－５５５－０１４３", "JP", "+12025550143"),
        ("٢٠٢٥٥٥٠١٤٣", "US", "+12025550143"),  # Arabic-Indic digits
        ("\u202a+1\u2011202\u2011555\u20110143\u202c", "US", "+12025550143"),  # out of a list of contacts
        ("tel:+12025550143", "US", "+12025550143"),
        ("2025550143#", "US", "+12025550143"),  # keyed in
        ("011442079460123", "US", "+442079460123"),
        ("00442079460123", "US", "+442079460123"),  # how the rest of the world dials it
        ("442079460123", "US", "+442079460123"),  # a keypad has no +
        ("020 7946 0123", "GB", "+442079460123"),
        ("030/123456", "DE", "+4930123456"),
        ("03-1234-5678", "JP", "+81312345678"),
        ("06 1234 5678", "IT", "+390612345678"),  # the zero stays
        ("(11) 91234-5678", "BR", "+5511912345678"),
        ("0491 570 156", "AU", "+61491570156"),
        ("+91 11 2345 6789", "IN", "+911123456789"),  # begins like 112 and is none
        ("01 99 00 12 34", "FR", "+33199001234"),
        ("+852 2345 6789", "US", "+85223456789"),
        ("+290 22158", "US", "+29022158"),  # five digits, and a whole number
        # Set aside for fiction.
        ("+1 555 555 0100", "US", "+15555550100"),
        ("+44 1632 960123", "US", "+441632960123"),
        ("+44 7700 900123", "US", "+447700900123"),
    ],
)
def test_written_in_many_ways(written: str, region: str, number: str) -> None:
    assert e164(written, NumberRules(region)) == number


def refused(written: str, rules: NumberRules | None = None) -> Refusal:
    with pytest.raises(RefusedError) as caught:
        e164(written, rules or NumberRules())
    assert caught.value.field == "number"
    assert written not in str(caught.value) or not written
    return caught.value.refusal


@pytest.mark.parametrize(
    "written",
    [
        "911",
        "112",
        "999",
        "000",
        "110",
        "119",
        "9-1-1",
        "+1911",
        "+911",
        "+49 110",
        "+44 999",
        "0044999",
        "１１２",
    ],
)
@pytest.mark.parametrize("region", ["US", "DE", "AU"])
def test_emergency_numbers_of_any_region(written: str, region: str) -> None:
    assert refused(written, NumberRules(region)) is Refusal.NUMBER_EMERGENCY


def test_emergency_numbers_behind_what_is_dialled_for_other_countries() -> None:
    assert refused("011 49 110", NumberRules("US")) is Refusal.NUMBER_EMERGENCY
    assert refused("0011 44 999", NumberRules("AU")) is Refusal.NUMBER_EMERGENCY


def test_whether_a_kept_number_is_still_called() -> None:
    assert refusal_of("+12025550143", NumberRules()) is None
    own = NumberRules(own=frozenset({"+12025550143"}))
    assert refusal_of("+12025550143", own) is Refusal.NUMBER_OWN
    assert refusal_of("", own) is Refusal.NUMBER_INVALID


@pytest.mark.parametrize(
    "written",
    [
        "+1 900 555 0100",
        "+44 909 879 0000",
        "+44 843 123 4567",
        "+49 137 1234567",
        "+49 900 1234567",
        "+979 123456789",
        "+882 165432101",
        "+881 612345678",
    ],
)
def test_numbers_that_cost_more(written: str) -> None:
    assert refused(written) is Refusal.NUMBER_PREMIUM


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "12",
        "411",
        "116117",
        "5550143",
        "+1 202 555 014",
        "+1 202 555 01433",
        "+1 111 555 0143",
        "+999 123456789",
        "2025550143 ext 5",
        "2025550143;ext=5",
        "1-800-FLOWERS",
        "call 2025550143",
        "2025550143\n9",
        "+1+2025550143",
        "2" * (LONGEST + 1),
        "\ud800",
        "\0",
        "anonymous",
        "4155550",
    ],
)
def test_what_is_no_number(written: str) -> None:
    assert refused(written) is Refusal.NUMBER_INVALID


def test_our_own_and_those_that_are_not_wanted() -> None:
    rules = NumberRules("US", regions=frozenset({"US"}), own=frozenset({"+12025550100"}), refused=("+1876",))
    assert refused("(202) 555-0100", rules) is Refusal.NUMBER_OWN
    assert refused("+1 876 555 0123", rules) is Refusal.NUMBER_PREMIUM
    assert refused("+44 20 7946 0123", rules) is Refusal.NUMBER_FOREIGN
    for neighbour in ("+1 416 555 1234", "+1 809 555 1234"):  # the same code, another country and price
        assert refused(neighbour, rules) is Refusal.NUMBER_FOREIGN
    for fictional in ("+1 555 555 0100", "+1 416 555 0123"):
        assert e164(fictional, rules) == "+" + "".join(filter(str.isdigit, fictional))


@given(st.text(max_size=60), st.sampled_from(["US", "DE", "JP", "ZZ", ""]))
@example("+", "US")
@example("00", "")
def test_any_text_is_a_number_or_refused(text: str, region: str) -> None:
    try:
        number = e164(text, NumberRules(region))
    except RefusedError:
        return
    assert number.startswith("+")
    assert number[1:].isdigit()
    assert 6 < len(number) <= 17


@given(st.text("0123456789+-() #０１２", max_size=20))
def test_what_is_a_number_stays_the_same(text: str) -> None:
    try:
        number = e164(text, NumberRules("US"))
    except RefusedError:
        return
    assert e164(number, NumberRules("JP")) == number
    assert plain(number) == number


def test_numbers_may_be_written_that_are_not_called() -> None:
    assert plain("+1 900 555 0100") == "+19005550100"
    with pytest.raises(RefusedError):
        plain("nobody")
    with pytest.raises(RefusedError):
        plain("911")


def test_the_zone_is_the_numbers_where_there_is_one_only() -> None:
    assert zone_of("+442079460123") == "Europe/London"
    assert zone_of("+12065550101") == "America/Los_Angeles"
    assert zone_of("+61491570156") is None  # a mobile telephone of any part of Australia
    assert zone_of("+15555550100") is None
    assert zone_of("") is None


def test_only_the_last_digits_are_shown() -> None:
    assert masked("+12025550143") == "••••••••••43"
    assert masked("") == ""
