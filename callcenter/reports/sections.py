"""Parts of a report that stand beside its figures: named rows of named facts. Pure.

Who adds a section makes it from the same range as the summary and puts it into ``Summary.sections``; the
text, JSON, CSV and Parquet forms show it without knowing what it means.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from callcenter.reports.ratio import Ratio


class Unit(Enum):
    """How a fact is shown to people."""

    COUNT = auto()
    SHARE = auto()  # a part of 1, shown in percent
    SECONDS = auto()
    SCORE = auto()  # a plain number with one decimal
    TEXT = auto()


@dataclass(frozen=True, slots=True)
class Fact:
    """One value; a ``Ratio`` where it is one, so that rows can still be added up."""

    value: int | float | str | Ratio | None
    unit: Unit = Unit.COUNT


@dataclass(frozen=True, slots=True)
class Section:
    """``rows`` by name, all with the same facts in the same order; a lone row may be called ``""``.

    ``name`` is the key in JSON and the scope in CSV, ``title`` what people read.
    """

    name: str
    title: str
    rows: Mapping[str, Mapping[str, Fact]]

    @property
    def columns(self) -> Sequence[str]:
        """The names of the facts."""
        return list(next(iter(self.rows.values()), {}))


def to_document(section: Section) -> dict[str, Any]:
    """The section in JSON: ``title`` and ``rows`` with ``name`` and the facts; a ratio in its three parts."""
    rows = [
        {"name": name, **{key: plain(fact) for key, fact in facts.items()}}
        for name, facts in section.rows.items()
    ]
    return {"title": section.title, "rows": rows}


def plain(fact: Fact) -> Any:
    """The value for machines: seconds and scores with three decimals, shares with four."""
    digits = 4 if fact.unit is Unit.SHARE else 3
    return fact.value.parts(digits) if isinstance(fact.value, Ratio) else _rounded(fact.value, digits)


def flat(section: Section) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row's name and its values by column, ``SECTION.FACT`` or ``SECTION.FACT.value`` and so on."""
    for name, facts in section.rows.items():
        values: dict[str, Any] = {}
        for key, fact in facts.items():
            found = plain(fact)
            place = f"{section.name}.{key}"
            values |= (
                {f"{place}.{part}": value for part, value in found.items()}
                if isinstance(found, dict)
                else {place: found}
            )
        yield name, values


def _rounded(value: float | str | None, digits: int) -> Any:
    return round(value, digits) if isinstance(value, float) else value
