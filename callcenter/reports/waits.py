"""Exact waits, kept so compactly that the waits of a year fit into a few megabytes. Pure."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

BYTES = 8
_IN_S = 1_000_000


def microseconds(seconds: float) -> int:
    """Seconds, as the fold gives them, in whole µs: no more than float's dust is lost."""
    return round(seconds * _IN_S)


def nearest_rank(ascending: Sequence[float] | NDArray[np.int64], percent: int) -> float | None:
    """The smallest value that at least ``percent`` % (1 to 100) of all values do not exceed."""
    if not 1 <= percent <= 100:
        raise ValueError(f"a percentile lies between 1 and 100, not at {percent}")
    rank = -(-percent * len(ascending) // 100)
    return ascending[rank - 1] if rank else None


class Waits:
    """Waits in µs, in no order; those of parts, put together, are those of the whole.

    They are packed as PostgreSQL's ``int8send`` writes them, 8 bytes each, the highest first: the database
    joins them with ``string_agg``.
    """

    __slots__ = ("_ascending", "_packed")

    def __init__(self, packed: bytes = b"") -> None:
        self._packed = bytearray(packed)
        self._ascending: NDArray[np.int64] | None = None

    def add(self, wait_us: int) -> None:
        """Add one."""
        self._packed += wait_us.to_bytes(BYTES, "big")
        self._ascending = None

    def extend(self, packed: bytes) -> None:
        """Add packed ones."""
        self._packed += packed
        self._ascending = None

    @property
    def packed(self) -> bytes:
        """All of them, in no order."""
        return bytes(self._packed)

    @property
    def total(self) -> timedelta:
        """Their sum."""
        return timedelta(microseconds=int(self._sorted().sum()))

    def within(self, limit_s: float) -> int:
        """How many are not longer than the limit."""
        return int(np.searchsorted(self._sorted(), microseconds(limit_s), side="right"))

    def nearest_rank_s(self, percent: int) -> float | None:
        """The smallest that at least ``percent`` % (1 to 100) of all do not exceed, s."""
        wait_us = nearest_rank(self._sorted(), percent)
        return None if wait_us is None else float(wait_us) / _IN_S

    def __len__(self) -> int:
        return len(self._packed) // BYTES

    def __iter__(self) -> Iterator[timedelta]:
        return (timedelta(microseconds=wait) for wait in self._sorted().tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Waits):
            return NotImplemented
        return len(self) == len(other) and bool(np.array_equal(self._sorted(), other._sorted()))

    __hash__ = None  # type: ignore[assignment]  # they grow

    def __repr__(self) -> str:
        return f"Waits({[wait / _IN_S for wait in self._sorted().tolist()]} s)"

    def _sorted(self) -> NDArray[np.int64]:
        if self._ascending is None:
            packed: NDArray[Any] = np.frombuffer(bytes(self._packed), dtype=">i8")
            self._ascending = np.sort(packed.astype(np.int64))
        return self._ascending
