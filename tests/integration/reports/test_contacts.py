"""Every contact of a range as CSV, JSON lines and Parquet; the rows of a report as Parquet."""

import csv
import io
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from callcenter.config import Metrics, Settings
from callcenter.errors import UsageError
from callcenter.reports import Question, Reports, require_parquet, to_csv, write_summary
from callcenter.reports.contacts import contacts, write_contacts
from callcenter.reports.rollups import Rollups
from callcenter.storage.event_batch import store
from callcenter.storage.pool import Database
from support import histories
from support.histories import START

UNTIL = START + timedelta(hours=48)


@pytest.fixture
async def filled(database: Database, database_url: str) -> Settings:
    events = histories.history(12, START, START + timedelta(hours=24), calls=60)
    async with database.transaction() as connection:
        await store(connection, events)
    return Settings.model_validate({"database": {"url": database_url}})


async def written(settings: Settings, form: str, path: Path, queue: str | None = None) -> int:
    return await write_contacts(settings, START, UNTIL, queue, form, path)


async def test_all_forms_hold_the_same_rows(filled: Settings, tmp_path: Path) -> None:
    paths = {form: tmp_path / form for form in ("csv", "json", "parquet")}
    counts = {await written(filled, form, path) for form, path in paths.items()}
    rows = list(csv.DictReader(io.StringIO(paths["csv"].read_text())))
    lines = [json.loads(line) for line in paths["json"].read_text().splitlines()]
    table = pyarrow.parquet.read_table(paths["parquet"])
    assert counts == {len(rows)} == {len(lines)} == {table.num_rows}
    assert [row["call_id"] for row in rows] == [line["call_id"] for line in lines]
    in_parquet: list[dict[str, Any]] = table.to_pylist()
    for row, line, other in zip(rows, lines, in_parquet, strict=True):
        assert row["queue"] == line["queue"] == other["queue"]
        assert float(row["wait_s"]) == pytest.approx(other["wait_s"])
        assert line["agent"] == other["agent"]
        assert (row["agent"] == "") == (other["agent"] is None)
    assert str(table.schema.field("entered_at").type) == "timestamp[us, tz=UTC]"
    assert in_parquet[0]["entered_at"].tzinfo is not None


async def test_the_rows_are_the_contacts_of_the_report(filled: Settings, database: Database) -> None:
    question = Question(Metrics(), START, UNTIL)
    total = (await Reports(database).summary_from_events(question)).total
    for _ in ("folded from the events", "projected"):
        rows = [row async for batch in contacts(database, START, UNTIL) for row in batch]
        inbound = [row["counted"] for row in rows if row["direction"] == "inbound"]
        assert inbound.count("answered") == total.answered > 0
        assert inbound.count("abandoned") == total.abandoned > 0
        assert inbound.count("left") == total.left.total()
        assert inbound.count("waiting") == total.waiting
        await Rollups(database).settle_all()
    sales = [row["queue"] async for batch in contacts(database, START, UNTIL, "sales") for row in batch]
    assert set(sales) == {"sales"}
    assert [batch async for batch in contacts(database, UNTIL, UNTIL + timedelta(hours=1))] == []


async def test_a_file_that_cannot_be_written_is_one_line(filled: Settings, tmp_path: Path) -> None:
    for form in ("csv", "json", "parquet"):
        with pytest.raises(UsageError, match=f"--{form}: .*nowhere"):
            await written(filled, form, tmp_path / "nowhere" / "file")


async def test_a_report_as_parquet_has_the_rows_of_its_csv(
    filled: Settings, database: Database, tmp_path: Path
) -> None:
    summary = await Reports(database).summary(Question(Metrics(), START, UNTIL))
    write_summary(summary, tmp_path / "report.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "report.parquet")
    rows = list(csv.DictReader(io.StringIO(to_csv(summary))))
    assert table.column_names == list(rows[0])
    in_parquet = table.to_pylist()
    assert [(row["scope"], row["name"]) for row in in_parquet] == [
        (row["scope"], row["name"]) for row in rows
    ]
    assert [row["offered"] for row in in_parquet] == [float(row["offered"]) for row in rows]
    assert in_parquet[0]["asa.p90_s"] == float(rows[0]["asa.p90_s"])


def test_without_the_library_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'callcenter\[parquet\]'"):
        require_parquet()
