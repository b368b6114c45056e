"""The file that overrides a spoken text."""

import pytest

from callcenter.media.prompts import file_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Thank you for waiting.", "thank-you-for-waiting"),
        ("  You are number 3!  ", "you-are-number-3"),
        ("It's us", "it-s-us"),
        ("../../etc/passwd", "etc-passwd"),
        ("お電話ありがとう。", "お電話ありがとう"),
        ("...", ""),
    ],
)
def test_names(text: str, name: str) -> None:
    assert file_name(text) == name


def test_long_texts_get_different_names_that_fit_a_file_system() -> None:
    first, second = file_name("あ" * 500 + "い"), file_name("あ" * 500 + "う")
    assert first != second
    assert len(f"{first}.wav".encode()) < 255
