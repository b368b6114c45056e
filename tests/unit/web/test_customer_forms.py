"""What forms bring, and whom they come from."""

from datetime import UTC, datetime, timedelta

import pytest

from callcenter.web.customer.address import around, client, networks
from callcenter.web.customer.forms import (
    GOOD_FOR_S,
    KEY_CHARS,
    MAX_FIELDS,
    MAX_FORM_BYTES,
    NONCE_BYTES,
    BadFormError,
    OldFormError,
    check_key,
    digits,
    fields,
    form_key,
    number_text,
    plain,
)

NOW = datetime(2026, 11, 26, 13, 5, tzinfo=UTC)
SECRET = b"a secret of the tests that is long"
FORM = "application/x-www-form-urlencoded"


def a_key(purpose: str = "request", nonce: int = 0) -> str:
    return form_key(purpose, SECRET, NOW, bytes([nonce]) * NONCE_BYTES)


def test_a_key_is_good_for_its_purpose_and_time() -> None:
    key = a_key()
    assert len(key) == KEY_CHARS
    check_key(key, "request", SECRET, NOW)
    check_key(key, "request", SECRET, NOW + timedelta(seconds=GOOD_FOR_S))
    with pytest.raises(OldFormError):
        check_key(key, "request", SECRET, NOW + timedelta(seconds=GOOD_FOR_S + 1))
    with pytest.raises(OldFormError):
        check_key(key, "request", SECRET, NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        "x" * KEY_CHARS,
        "é" * KEY_CHARS,
        a_key()[:-1],
        a_key() + "=",
        a_key("cancel"),
        " " + a_key()[1:],
    ],
)
def test_other_keys_are_none(key: str) -> None:
    with pytest.raises(BadFormError):
        check_key(key, "request", SECRET, NOW)


@pytest.mark.parametrize("place", range(0, KEY_CHARS, 7))
def test_a_changed_key_is_none(place: int) -> None:
    key = a_key()
    changed = key[:place] + ("A" if key[place] != "A" else "B") + key[place + 1 :]
    with pytest.raises(BadFormError):
        check_key(changed, "request", SECRET, NOW)


def test_a_key_of_another_secret_is_none() -> None:
    with pytest.raises(BadFormError):
        check_key(a_key(), "request", SECRET[::-1], NOW)


def test_fields_are_read() -> None:
    assert fields(b"name=%E5%B1%B1+%E7%94%B0&consent=yes&at=", FORM) == {
        "name": "山 田",
        "consent": "yes",
        "at": "",
    }


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"a=1", "application/json"),
        (b"a=1", "multipart/form-data"),
        (b"a=%ff%fe", FORM),
        (b"a=\xff", FORM),
        (b"a=" + b"x" * MAX_FORM_BYTES, FORM),
        (b"&".join(b"a%d=1" % n for n in range(MAX_FIELDS + 1)), FORM),
    ],
)
def test_what_is_no_form(raw: bytes, kind: str) -> None:
    with pytest.raises(BadFormError):
        fields(raw, kind)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  Ann \t Example\r\n", "Ann Example"),
        ("A\0n\x1bn\u202eelpmaxE", "A n n elpmaxE"),
        ("Cafe\u0301", "Café"),
        ("<b>山田</b>", "<b>山田</b>"),
    ],
)
def test_names_are_one_plain_line(text: str, kept: str) -> None:
    assert plain(text) == kept


def test_codes_and_numbers_may_be_typed_in_full_width() -> None:
    assert digits(" １２３-４５６ ") == "123456"
    assert number_text("＋８１　９０") == "+81 90"


@pytest.mark.parametrize(
    ("remote", "forwarded_for", "trusted", "address"),
    [
        ("203.0.113.9", [], [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], ["203.0.113.0/24"], "198.51.100.1"),
        ("203.0.113.9", ["10.9.9.9, 198.51.100.1"], ["203.0.113.9"], "198.51.100.1"),
        ("203.0.113.9", ["192.0.2.7", "198.51.100.1, 203.0.113.8"], ["203.0.113.0/24"], "198.51.100.1"),
        ("203.0.113.9", ["unknown"], ["203.0.113.9"], "203.0.113.9"),
        ("203.0.113.9", ["192.0.2.1," * 1000 + "198.51.100.1"], ["203.0.113.9"], "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", [], [], "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", [], [], "203.0.113.9"),
        ("203.0.113.9", ["[2001:db8::7]"], ["203.0.113.9"], "2001:db8::/64"),
        ("", [], [], "unknown"),
    ],
)
def test_whom_a_request_comes_from(
    remote: str, forwarded_for: list[str], trusted: list[str], address: str
) -> None:
    assert client(remote, forwarded_for, networks(trusted)) == address


def test_neighbours_of_a_client_are_known() -> None:
    one, other = (client(address, [], []) for address in ("2001:db8:1:2::3", "2001:db8:1:ffff::4"))
    assert (one != other, around(one) == around(other) == "2001:db8:1::/48") == (True, True)
    assert around(client("2001:db8:2::1", [], [])) != around(one)
    assert around(client("192.0.2.1", [], [])) is None
    assert around("unknown") is None
