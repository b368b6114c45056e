"""Signatures against Twilio's own library."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from callcenter.telephony.twilio_signature import sign, valid

URL = "https://cc.example.com/gateway/twilio/voice"
TOKEN = "12345"
FORM = {"CallSid": "CA1", "From": "+15550100123", "To": "+15550100124", "Digits": ""}


def test_the_upgrade_of_a_websocket() -> None:
    signature = "lcuQsWfoBps2j1knrQjwzyMZMnY="
    assert sign("wss://cc.example.com/twilio/media", None, TOKEN) == signature
    assert valid(signature, "wss://cc.example.com/twilio/media", None, TOKEN)
    assert valid(signature, "wss://cc.example.com:443/twilio/media", None, TOKEN)
    assert not valid(signature, "https://cc.example.com/twilio/media", None, TOKEN)
    assert not valid(signature, "wss://cc.example.com/twilio/media/", None, TOKEN)


def test_the_example_of_the_vendor() -> None:
    """https://www.twilio.com/docs/usage/security#test-the-validity-of-your-webhook-signature"""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+12349013030",
        "Digits": "1234",
        "From": "+12349013030",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert sign(url, form, "12345") == RequestValidator("12345").compute_signature(url, form)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@given(st.lists(st.tuples(words, words), max_size=6), words.filter(bool))
def test_forms_are_signed_as_by_the_vendors_library(pairs: list[tuple[str, str]], token: str) -> None:
    expected = RequestValidator(token).compute_signature(URL, MultiDict(pairs))
    assert sign(URL, pairs, token) == expected
    assert valid(expected, URL, pairs, token)


@pytest.mark.parametrize(
    ("bare", "with_port"),
    [
        (URL, "https://cc.example.com:443/gateway/twilio/voice"),
        (URL + "?a=1&b=%20", "https://cc.example.com:443/gateway/twilio/voice?a=1&b=%20"),
        ("http://cc.example.com/", "http://cc.example.com:80/"),
        ("http://cc.example.com", "http://cc.example.com:80"),
        ("http://cc.example.com/", "http://cc.example.com:8080/"),
    ],
)
def test_with_and_without_the_port(bare: str, with_port: str) -> None:
    vendor = RequestValidator(TOKEN)
    for signed in (bare, with_port):
        signature = vendor.compute_signature(signed, FORM)
        assert valid(signature, with_port, FORM, TOKEN)
        assert vendor.validate(with_port, FORM, signature)
    assert valid(vendor.compute_signature(bare, FORM), bare, FORM, TOKEN)
    assert not valid(vendor.compute_signature("https://cc.example.com:8443/", FORM), bare, FORM, TOKEN)


def test_secure_websockets_have_port_443() -> None:
    signature = sign("wss://cc.example.com:443/twilio/media", None, TOKEN)
    assert valid(signature, "wss://cc.example.com/twilio/media", None, TOKEN)


def test_changes_are_noticed() -> None:
    signature = sign(URL, FORM, TOKEN)
    assert valid(signature, URL, FORM, TOKEN)
    assert not valid(signature, URL, FORM | {"From": "+15550100199"}, TOKEN)
    assert not valid(signature, URL, FORM, "12346")
    assert not valid(signature, URL.replace("https", "http"), FORM, TOKEN)
    assert not valid(signature, URL.replace(".com/", ".com:8443/"), None, TOKEN)


@pytest.mark.parametrize("signature", ["", "é", "\udcff", "x" * 10_000])
def test_nonsense_is_no_signature(signature: str) -> None:
    assert not valid(signature, URL, FORM, TOKEN)
    assert not valid(signature, "no url at all", FORM, TOKEN)


def test_without_a_secret_nobody_comes_in() -> None:
    assert not valid(sign(URL, FORM, ""), URL, FORM, "")
