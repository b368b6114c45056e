"""How words that are being said are put into notifications."""

import json
from typing import Any

from asr import Partial
from callcenter.call.partials import MAX_CHARACTERS, batches, texts
from callcenter.storage.messages import MAX_BYTES


def partial(stable: str, volatile: str, language: str = "en") -> Partial:
    return Partial(1, 1, 0.0, 1.0, stable, volatile, language)


def length(batch: list[dict[str, Any]]) -> int:
    return len(json.dumps({"partials": batch}, separators=(",", ":")))


def test_the_two_parts_follow_each_other_as_they_stand() -> None:
    assert texts(partial("my phone", "is down")) == ("my phone", " is down")
    assert texts(partial("", "my")) == ("", "my")
    assert texts(partial("my phone", "")) == ("my phone", "")
    assert texts(partial("電話が", "壊れ", "ja")) == ("電話が", "壊れ")


def test_of_a_very_long_text_the_end_is_shown() -> None:
    stable, volatile = texts(partial("a" * 1000 + "z", "new"))
    assert (stable[0], stable[-1], volatile) == ("…", "z", " new")
    assert len(stable + volatile) == MAX_CHARACTERS
    stable, volatile = texts(partial("old", "b" * 1000 + "z"))
    assert (stable, volatile[0], volatile[-1]) == ("", "…", "z")
    assert len(volatile) == MAX_CHARACTERS


def test_batches_are_few_and_fit() -> None:
    documents = [{"number": number, "stable": "word " * (number % 60)} for number in range(500)]
    made = list(batches(documents))
    assert [document for batch in made for document in batch] == documents
    assert all(length(batch) <= MAX_BYTES for batch in made)
    assert len(made) <= sum(map(length, made)) / MAX_BYTES * 1.1 + 1
    assert list(batches([])) == []


def test_the_longest_partial_fits_whatever_the_script() -> None:
    stable, volatile = texts(partial("\N{GRINNING FACE}" * 1000, "\N{GRINNING FACE}"))
    names = {"call_id": "x" * 36, "queue": "x" * 63, "agent": "x" * 63, "leg": "caller"}
    numbers = {"number": 10**6, "seq": 10**6, "start_ms": 10**9, "end_ms": 10**9}
    document = {**names, **numbers, "stable": stable, "volatile": volatile}
    assert length([document]) <= MAX_BYTES
