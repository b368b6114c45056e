"""Links are good for one callback, one purpose, a limited time, and for nobody who changes a letter."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callback import links
from callback.links import Purpose, Token, code_hash, code_of, read, sign
from support.callbacks import NOON

KEY = b"k" * 32
TOKEN = Token(UUID(int=7), Purpose.MANAGE, NOON + timedelta(days=30), b"n" * links.NONCE_BYTES)
TEXT = sign(TOKEN, KEY)


def test_a_token_comes_back_as_it_was() -> None:
    assert len(TEXT) == links.LENGTH
    assert read(TEXT, Purpose.MANAGE, KEY, NOON) == TOKEN
    assert TEXT.replace("-", "").replace("_", "").isalnum()


def test_it_is_worthless_for_other_purposes_keys_and_times() -> None:
    assert read(TEXT, Purpose.AGAIN, KEY, NOON) is None
    assert read(TEXT, Purpose.MANAGE, b"x" * 32, NOON) is None
    assert read(TEXT, Purpose.MANAGE, KEY, TOKEN.expires_at) is None
    assert read(TEXT, Purpose.MANAGE, KEY, TOKEN.expires_at - timedelta(seconds=1)) == TOKEN


@given(st.integers(0, links.LENGTH - 1), st.characters())
def test_no_letter_can_be_changed(place: int, letter: str) -> None:
    changed = TEXT[:place] + letter + TEXT[place + 1 :]
    assert (read(changed, Purpose.MANAGE, KEY, NOON) is not None) == (changed == TEXT)


@given(st.text(max_size=200))
def test_any_text_is_no_token(text: str) -> None:
    assert read(text, Purpose.MANAGE, KEY, NOON) is None


@pytest.mark.parametrize("text", ["", TEXT[:-1], TEXT + "A", TEXT + "\n", " " + TEXT[1:], "é" + TEXT[1:]])
def test_nor_is_one_of_another_length(text: str) -> None:
    assert read(text, Purpose.MANAGE, KEY, NOON) is None


def test_a_nonce_has_its_length() -> None:
    with pytest.raises(ValueError, match="nonce"):
        sign(Token(UUID(int=7), Purpose.MANAGE, NOON, b"short"), KEY)


def test_codes_have_six_digits_and_are_kept_as_hashes() -> None:
    assert code_of(42) == "000042"
    assert code_of(999_999) == "999999"
    kept = code_hash("000042", "+12025550143", KEY)
    assert b"42" not in kept
    assert kept == code_hash("000042", "+12025550143", KEY)
    others = [("000043", "+12025550143", KEY), ("000042", "+12025550144", KEY)]
    for code, number, key in (*others, ("000042", "+12025550143", b"x" * 32)):
        assert kept != code_hash(code, number, key)
