"""Calls of the past from a CSV file: ``start,calls`` and, if there are several, ``queue``."""

import csv
import math
from collections.abc import Iterator
from datetime import date, datetime, tzinfo
from pathlib import Path

from callcenter.errors import UsageError

MOST_LINES = 1_000_000
MOST_CHARACTERS = 1000

History = dict[date, list[float]]
"""Calls by local day and interval of the day."""


def read_csv(path: Path, interval_minutes: int, zone: tzinfo, queue: str | None = None) -> History:
    """Read counts per interval; times without an offset are local to ``zone``.

    Raises ``UsageError`` with file and line for anything that is not a time and a number.
    """
    history: History = {}
    seen: set[datetime] = set()
    for line, row in _rows(path, queue):
        start = _start(row["start"], f"{path}:{line}", zone)
        minute = start.hour * 60 + start.minute
        if minute % interval_minutes or start.second:
            raise UsageError(
                f"{path}:{line}: {row['start']} is not at a border of {interval_minutes} minutes"
            )
        seen.add(start)
        day = history.setdefault(start.date(), [0.0] * (1440 // interval_minutes))
        day[minute // interval_minutes] += _count(row["calls"], f"{path}:{line}")
    if not seen:
        raise UsageError(f"{path}: there are no calls in it" + (f" of queue {queue}" if queue else ""))
    return history


def _rows(path: Path, queue: str | None) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(_bounded(path, file), strict=True)
            names = [name.strip() for name in next(reader, [])]
            missing = {"start", "calls", *(["queue"] if queue else [])} - set(names)
            if missing:
                raise UsageError(f"{path}:1: there is no column {', '.join(sorted(missing))}")
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(names):
                    raise UsageError(
                        f"{path}:{reader.line_num}: {len(cells)} fields where {len(names)} are named"
                    )
                row = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
                if queue is None or row["queue"] == queue:
                    yield reader.line_num, row
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8 text") from None
    except csv.Error as error:
        raise UsageError(f"{path}: is no CSV: {error}") from None


def _bounded(path: Path, lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if number > MOST_LINES:
            raise UsageError(f"{path}: has more than {MOST_LINES} lines")
        if len(line) > MOST_CHARACTERS:
            raise UsageError(f"{path}:{number}: is longer than {MOST_CHARACTERS} characters")
        yield line


def _start(text: str, where: str, zone: tzinfo) -> datetime:
    try:
        start = datetime.fromisoformat(text)
        return start.astimezone(zone) if start.tzinfo else start.replace(tzinfo=zone)
    except (ValueError, OverflowError):
        raise UsageError(f"{where}: {text[:40]!r} is no time (write it like 2026-11-02T09:30)") from None


def _count(text: str, where: str) -> float:
    try:
        count = float(text)
    except ValueError:
        count = math.nan
    if not 0 <= count <= 1e9:
        raise UsageError(f"{where}: {text[:40]!r} is no number of calls")
    return count
