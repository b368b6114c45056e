"""Rows as Parquet, through pyarrow, which comes with the extra ``[parquet]``."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from callcenter.errors import UsageError
from callcenter.reports.export import table
from callcenter.reports.summary import Summary

TEXT, NUMBER, WHOLE, MOMENT = "string", "float64", "int64", "timestamp[us, tz=UTC]"


def require_parquet() -> Any:
    """The library; raises ``UsageError`` where it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError("--parquet needs pyarrow: pip install 'callcenter[parquet]'") from None
    return pyarrow


class ParquetFile:
    """``with ParquetFile(path, columns) as file``: rows come in batches, none of which is kept.

    ``columns`` are kinds by name. Raises ``UsageError`` where the file cannot be written; what was begun
    and not finished is removed.
    """

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._path = path
        self._columns = columns
        self._pyarrow = require_parquet()
        self._schema: Any = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        arrow = self._pyarrow
        kinds = {
            TEXT: arrow.string(),
            NUMBER: arrow.float64(),
            WHOLE: arrow.int64(),
            MOMENT: arrow.timestamp("us", tz="UTC"),
        }
        self._schema = arrow.schema([(name, kinds[kind]) for name, kind in self._columns.items()])
        try:
            self._writer = arrow.parquet.ParquetWriter(self._path, self._schema)
        except OSError as error:
            raise UsageError(f"--parquet: {self._path}: {error.strerror or error}") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
        if error is not None:
            with suppress(OSError):
                self._path.unlink()

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write some rows; what a row does not have is null."""
        columns = {name: [row.get(name) for row in rows] for name in self._columns}
        try:
            self._writer.write_table(self._pyarrow.table(columns, schema=self._schema))
        except OSError as error:
            raise UsageError(f"--parquet: {self._path}: {error.strerror or error}") from None


def write_summary(summary: Summary, path: Path) -> None:
    """The rows of the CSV form. Raises ``UsageError`` as ``ParquetFile`` does."""
    write_rows(*table(summary), path)


def write_rows(header: Sequence[str], rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Rows by column. Raises ``UsageError`` as ``ParquetFile`` does."""
    with ParquetFile(path, {name: _kind(row.get(name) for row in rows) for name in header}) as file:
        file.write(rows)


def _kind(values: Iterable[Any]) -> str:
    """Numbers are all floats, so that the columns of any two reports are alike."""
    return TEXT if any(isinstance(value, str) for value in values) else NUMBER
