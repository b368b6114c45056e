import pytest

from ivr.prompt import always_says_something, render, variables_of


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Hello.", "Hello."),
        ("Your number is {account}.", "Your number is 4711."),
        ("Your number is {account|digits}.", "Your number is 4 7 1 1."),
        ("From {caller|digits}", "From + 1 2 0 2 5 5 5 0 1 2 3"),
        ("{spaced|digits}", "1 2 3"),
        ("{unknown}", ""),
        ("{{account}} {account}", "{account} 4711"),
        ("{nested}", "{account}"),
    ],
)
def test_a_text_is_filled_in(text: str, heard: str) -> None:
    variables = {"account": "4711", "caller": "+12025550123", "spaced": "1 2 3", "nested": "{account}"}
    assert render(text, variables) == heard


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a { b", "a lone '{'"),
        ("a } b", "a lone '}'"),
        ("{4}", "a lone '{'"),
        ("{a|loud}", "no such filter 'loud'"),
    ],
)
def test_a_malformed_text_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("{", r"\{").replace("}", r"\}")):
        render(text, {})


def test_the_variables_of_a_text() -> None:
    assert list(variables_of("{a} and {b|digits} but not {{c}}")) == ["a", "b"]


def test_a_text_of_variables_alone_may_be_silent() -> None:
    assert not always_says_something("{a}, {b}!")
    assert always_says_something("{a} please")
    assert always_says_something("お待ちください")
