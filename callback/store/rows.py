"""Rows of the database as what they mean."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from callback.request import Attempt, Callback, Change, Claim, Mode, Result, Source
from callback.state import State

CALLBACK = tuple(field.name for field in fields(Callback))
COLUMNS = ", ".join(CALLBACK)
ATTEMPT_COLUMNS = ", ".join(field.name for field in fields(Attempt))
CHANGE_COLUMNS = ", ".join(field.name for field in fields(Change))

Row = Mapping[str, Any]


def columns_of(table: str) -> str:
    """The columns of a callback, as those of ``table``."""
    return ", ".join(f"{table}.{name}" for name in CALLBACK)


def callback_of(row: Row) -> Callback:
    """A callback from its columns; others are ignored."""
    values = {name: row[name] for name in CALLBACK}
    values["source"] = Source(values["source"])
    values["mode"] = Mode(values["mode"])
    values["state"] = State(values["state"])
    return Callback(**values)


def claim_of(row: Row) -> Claim:
    """A claim from the columns of its callback."""
    callback = callback_of(row)
    return Claim(callback, row["worker"], callback.fence, row["lease_until"])


def attempt_of(row: Row) -> Attempt:
    """An attempt from its columns."""
    values = dict(row)
    values["result"] = None if values["result"] is None else Result(values["result"])
    return Attempt(**values)


def change_of(row: Row) -> Change:
    """A row of the history from its columns."""
    return Change(**dict(row))
