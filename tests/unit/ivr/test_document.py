"""Files that are no flow at all, and what aliases may do."""

from pathlib import Path

import pytest

from ivr import check

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcd", "bcde", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: the file is empty"),
        ("# nothing\n", "1: the file is empty"),
        ("- a\n", "1: the file must hold keys and values"),
        ("a: 1\n---\nb: 2\n", "2: the file must hold one document"),
        ("a: [1\nb: 2\n", "2: expected ',' or ']', but got ':'"),
        ("a: 1\n\tb: 2\n", "2: found character '\\t' that cannot start any token"),
        ("a: 1\nb: \x07\n", "2: the character U+0007 is not allowed"),
        ("a: 1\nb: !!python/object:os.system x\n", "2: the tag tag:yaml.org,2002:python/object:os.system is"),
        ("a: 1\n? [b]\n: 2\n", "2: a key must be plain text"),
        ("a: 1\nb: *c\n", "2: no such anchor 'c' before this alias"),
        ("a: &a [*a]\n", "1: no such anchor 'a' before this alias"),
        ("a: " + "[" * 30 + "]" * 30, "1: nested more than 24 deep"),
        (BOMB, "5: more than 20000 values, those behind aliases included"),
        ("a: &a x\nb: [" + "*a, " * 101 + "]\n", "2: more than 100 aliases"),
        ("a: " + "x" * 300_000, "1: the file is larger than 256 KiB"),
        ("a: 1\nb:\n  - c: 1\n    c: 2\n", "4: the key 'c' is already on line 3"),
    ],
    ids=lambda value: None if len(value) > 60 else value,
)
def test_a_document_that_is_no_flow(write, text: str, message: str, error_of) -> None:
    assert error_of(write(text)).startswith(f"flow.yaml:{message}")


def test_a_file_that_is_not_text(tmp_path: Path, error_of) -> None:
    path = tmp_path / "flow.yaml"
    path.write_bytes(b"language: en\nstart: \xff\n")
    assert error_of(path) == "flow.yaml:2: not UTF-8"


def test_a_file_that_is_not_there(tmp_path: Path, error_of) -> None:
    assert error_of(tmp_path / "flow.yaml") == "flow.yaml:1: cannot be read: No such file or directory"
    assert error_of(tmp_path / "sub" / "..") == "..:1: cannot be read: No such file or directory"


def test_aliases_may_be_used_in_moderation(write) -> None:
    text = """\
    language: en
    start: a
    nodes:
      a: {kind: queue, queue: one, timeout: b, full: &full full, empty: *full, closed: *full}
      b: {kind: play, prompts: &busy [All are busy.], next: *full}
      full: {kind: hangup, prompts: *busy}
    """
    assert check(write(text)).nodes["a"].closed == "full"


def test_a_mistake_behind_an_alias_is_on_the_line_of_the_alias(write, error_of) -> None:
    text = """\
    language: en
    start: a
    nodes:
      a: {kind: play, prompts: &p [{text: "{caller}"}], next: b}
      b:
        kind: hangup
        prompts: *p
    """
    assert check(write(text))
    spare = (
        text.replace("{caller}", "{{who}}")
        .replace("prompts: *p", "prompts: *q")
        .replace("language: en", "language: en\n    variables: {q: &q '{who}'}")
    )
    assert error_of(write(spare)) == "flow.yaml:8: node b: prompts: no such variable 'who'"
