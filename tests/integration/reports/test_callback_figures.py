"""Figures of callbacks, worked by hand."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from callcenter.cli import main
from callcenter.config import Metrics, Settings
from callcenter.errors import NotFoundError
from callcenter.reports import Interval, Ratio
from callcenter.reports.callback_export import to_csv, to_json, to_text, write_parquet
from callcenter.reports.callback_query import CallbackQuestion, CallbackReports, read_callbacks
from callcenter.reports.callbacks import CallbackFigures, CallbackReport
from callcenter.storage.pool import Database
from support.callback_rows import CallbackRows
from support.numbers import new_number

NINE = datetime(2025, 3, 3, 9, tzinfo=UTC)
HOUR_S = 3600
METRICS = Metrics(timezone="UTC")


@pytest.fixture
def rows(database: Database) -> CallbackRows:
    return CallbackRows(database, NINE)


async def report(database: Database, **options: Any) -> CallbackReport:
    given: dict[str, Any] = {"interval": Interval.HOUR, "chains": 100} | options
    question = CallbackQuestion(METRICS, NINE, NINE + timedelta(hours=2), **given)
    return await CallbackReports(database).report(question)


async def served(rows: CallbackRows, second: float, **options: Any) -> UUID:
    """Asked for, dialled 300 s later, picked up after 10 s and connected at once."""
    callback_id = await rows.callback(second, **options)
    await rows.attempt(callback_id, second + 300, "bridged", answered=10, bridged=10, ended=100)
    return callback_id


async def test_offers_and_what_callers_made_of_them(database: Database, rows: CallbackRows) -> None:
    offered = (30, "callback.offered", {"by": "threshold", "ewt_p50_s": 240.0})
    taken = (50, "callback.accepted", {"callback": str(uuid4()), "kind": "place"})
    await rows.call(0)
    await rows.call(60, offered, taken)
    await rows.call(120, offered, (40, "callback.declined", {}), (90, *offered[1:]), (99, *taken[1:]))
    await rows.call(180, offered, (40, "callback.declined", {}), queue="billing")
    await rows.call(HOUR_S + 60, offered, ended=None)
    await rows.call(240, direction="callback")  # one of ours is no caller
    found = await report(database)
    assert (found.total.entered, found.total.offered, found.total.accepted, found.total.declined) == (
        5,
        4,
        2,
        2,
    )
    assert found.total.offer_rate == Ratio(4, 5)
    assert found.total.acceptance == Ratio(2, 4)
    assert found.by_queue["sales"].acceptance == Ratio(2, 3)
    assert [(one.entered, one.offered) for _, one in found.by_interval] == [(4, 3), (1, 1)]
    assert found.by_source["ivr"].offered == 4
    only = await report(database, queue="billing")
    assert (only.total.entered, only.total.offered, list(only.by_queue)) == (1, 1, ["billing"])


async def test_what_became_of_callbacks_and_their_attempts(database: Database, rows: CallbackRows) -> None:
    await served(rows, 0)
    twice = await rows.callback(600, "completed", source="page", ended=2000)
    await rows.attempt(twice, 700, "no_answer")
    await rows.attempt(twice, 1100, "busy")
    await rows.attempt(twice, 1500, "bridged", answered=5, bridged=40, ended=200)
    await rows.callback(60, "cancelled", source="api", queue="billing")
    never = await rows.callback(HOUR_S + 60, "exhausted", source="page")
    for second in (200, 600, 900):
        await rows.attempt(never, HOUR_S + second, "no_answer")
    calling = await rows.callback(HOUR_S + 120, "retry_wait", ended=None)
    await rows.attempt(calling, HOUR_S + 240, None, ended=None, counted=False)
    found = await report(database)
    total = found.total
    assert (total.asked, total.dialled, total.picked_up, total.bridged) == (5, 4, 2, 2)
    assert total.connect == Ratio(2, 5)
    assert total.ends == {"completed": 2, "cancelled": 1, "exhausted": 1, "open": 1}
    assert total.results == {"bridged": 2, "no_answer": 4, "busy": 1, "open": 1}
    assert (total.attempts, total.counted) == (8, 7)
    assert total.attempts_per_completion == Ratio(8, 2)
    assert {name: one.asked for name, one in found.by_source.items()} == {"api": 1, "ivr": 2, "page": 2}
    assert [one.asked for _, one in found.by_interval] == [3, 2]
    assert found.by_queue["billing"].attempts_per_completion.value is None
    parts = [one for _, one in found.by_interval]
    assert parts[0] + parts[1] == total
    assert sum(found.by_queue.values(), CallbackFigures()) == total


@pytest.mark.parametrize(
    ("connected", "bucket"),
    [
        (1100.0, "early_5_to_15_min"),  # exactly 15 min
        (1099.9, "early_over_15_min"),
        (1700.0, "early_under_5_min"),
        (1999.9, "early_under_5_min"),
        (2000.0, "on_time"),
        (2300.0, "on_time"),
        (2600.0, "on_time"),
        (2600.1, "late_under_5_min"),
        (2900.0, "late_under_5_min"),
        (3500.0, "late_5_to_15_min"),
        (6200.0, "late_15_to_60_min"),
        (6200.1, "late_over_60_min"),
    ],
)
async def test_punctuality_is_when_the_customer_was_connected_against_the_window(
    database: Database, rows: CallbackRows, connected: float, bucket: str
) -> None:
    one = await rows.callback(0, promised=(2000, 2600), ended=9000)
    await rows.attempt(one, connected - 5, "bridged", answered=2, bridged=5, ended=60)
    total = (await report(database)).total
    assert total.punctuality == {bucket: 1}


async def test_punctuality_of_who_was_never_connected_or_put_it_off(
    database: Database, rows: CallbackRows
) -> None:
    picked_up = await rows.callback(0, "exhausted", promised=(100, 200))
    await rows.attempt(picked_up, 110, "not_confirmed", answered=5)
    await rows.attempt(picked_up, 400, "not_confirmed", answered=5)
    put_off = await rows.callback(0, promised=(5000, 5600), ended=6000)
    await rows.attempt(put_off, 110, "postponed", answered=5)
    await rows.attempt(put_off, 5700, "bridged", answered=5, bridged=5)
    silent = await rows.callback(0, "exhausted", promised=(100, 200))
    await rows.attempt(silent, 150, "no_answer")
    total = (await report(database)).total
    assert total.punctuality == {"on_time": 1, "late_under_5_min": 1}
    assert (total.on_time, total.not_late) == (Ratio(1, 2), Ratio(1, 2))
    assert (total.picked_up, total.bridged) == (2, 1)


async def test_customers_waits_after_picking_up(database: Database, rows: CallbackRows) -> None:
    for waited in (0, 29.9, 30, 60, 60.1):
        one = await rows.callback(0)
        await rows.attempt(one, 300, "bridged", answered=4, bridged=4 + waited, ended=200)
    gone = await rows.callback(0, "exhausted")
    await rows.attempt(gone, 300, "abandoned", answered=4, ended=49)
    await rows.attempt(gone, 500, "agent_gone", answered=4, ended=104)
    await rows.attempt(gone, 700, "machine", answered=4, ended=90)
    total = (await report(database)).total
    assert total.waits == {"under_30_s": 2, "30_to_60_s": 3, "over_60_s": 2}
    assert total.mean_wait == Ratio(pytest.approx(0 + 29.9 + 30 + 60 + 60.1 + 45 + 100), 7)


async def test_the_time_that_customers_did_not_hold(database: Database, rows: CallbackRows) -> None:
    await served(rows, 0, call_id=uuid4())  # dialled after 300 s
    late = await rows.callback(0, "exhausted", call_id=uuid4())
    await rows.attempt(late, 500, "no_answer")
    await rows.attempt(late, 800, "no_answer")
    await served(rows, 0, call_id=uuid4(), chosen=True)  # another time, not the place
    await served(rows, 0, source="page")
    await rows.callback(0, "cancelled", call_id=uuid4())  # never dialled
    assert (await report(database)).total.mean_saved == Ratio(800, 2)


async def test_duplicate_dials_are_counted_from_what_was_dialled(
    database: Database, rows: CallbackRows
) -> None:
    fine = await rows.callback(0)
    await rows.attempt(fine, 100, "no_answer", ended=20)
    first = await rows.attempt(fine, 120, "bridged", answered=5, bridged=5, ended=60)
    assert (await report(database)).total.duplicates == 0
    overlapping = await rows.callback(0)
    await rows.attempt(overlapping, 100, "no_answer", ended=300)
    await rows.attempt(overlapping, 200, "busy", ended=10)
    await rows.attempt(overlapping, 350, "busy", ended=10)  # while the first one was open still
    assert (await report(database)).total.duplicates == 2
    ended = await rows.callback(0, "cancelled", ended=50)
    await rows.attempt(ended, 100, "no_answer")
    assert (await report(database)).total.duplicates == 3
    for event_id in ("CA1:0", "CA1:1", "CA1:2"):
        await told(database, first, event_id)
    assert (await report(database)).total.duplicates == 3
    await told(database, first, "CA2:0")
    assert (await report(database)).total.duplicates == 4


async def told(database: Database, attempt_id: UUID, event_id: str) -> None:
    await database.execute(
        "INSERT INTO callback.gateway_event (attempt_id, event_id, status) VALUES ($1, $2, 'ringing')",
        attempt_id,
        event_id,
    )


# Whether customers were served in the end.


async def left_for(
    rows: CallbackRows, second: float, state: str, *, number: str, ended: float | None = 1000, **options: Any
) -> tuple[UUID, UUID]:
    """A call that left for a callback after 60 s, and the callback."""
    callback_id = uuid4()
    call_id = await rows.call(
        second, (60, "callback.accepted", {"callback": str(callback_id)}), number=number, **options
    )
    await rows.callback(
        second + 60, state, callback_id=callback_id, call_id=call_id, number=number, ended=ended, **options
    )
    return call_id, callback_id


async def test_how_customers_were_served_in_the_end(database: Database, rows: CallbackRows) -> None:
    ann, bob, cid, dan, eve, fay, gus = (new_number() for _ in range(7))
    # Called back after 460 s.
    _, one = await left_for(rows, 0, "completed", number=ann)
    talk = await rows.call(
        450, direction="callback", number="", agent="amy", connected=10, outcome="answered"
    )
    await rows.attempt(one, 400, "bridged", answered=55, bridged=60, ended=200, call_id=talk)
    # Phoned in again and went on in person: after 600 s.
    _, merged = await left_for(rows, 100, "merged", number=bob)
    person = await rows.call(650, number=bob, agent="ben", connected=50, outcome="answered")
    await database.execute(
        "INSERT INTO callback.event (callback_id, step, before, after, by, data)"
        " VALUES ($1, 'merge', 'queued', 'merged', 'customer', $2)",
        merged,
        {"call": str(person)},
    )
    # Cancelled, and a call about the same topic two days later: within the window.
    await left_for(rows, 200, "cancelled", number=cid)
    await rows.call(200 + 2 * 86_400, number=cid, agent="amy", connected=30, outcome="answered")
    # Exhausted, then asked for again.
    await left_for(rows, 300, "exhausted", number=dan)
    again = await rows.callback(5000, number=dan, source="page", ended=9000)
    await rows.attempt(again, 6000, "bridged", answered=5, bridged=5, ended=60)
    # Waits still; was never reached, though a call about something else was answered; too late.
    await left_for(rows, 400, "queued", number=eve, ended=None)
    await left_for(rows, 500, "exhausted", number=fay)
    await rows.call(900, queue="billing", number=fay, agent="amy", connected=30, outcome="answered")
    await left_for(rows, 600, "expired", number=gus)
    await rows.call(600 + 8 * 86_400, number=gus, agent="amy", connected=30, outcome="answered")

    found = await report(database)
    chains = found.chains_total
    assert (chains.callback, chains.merged, chains.later_call, chains.later_callback) == (1, 1, 1, 1)
    assert (chains.chains, chains.open, chains.not_served) == (7, 1, 2)
    assert chains.share == Ratio(4, 6)
    after = [460, 600, 2 * 86_400 + 30, 5705]
    assert chains.mean_after == Ratio(sum(after), 4)
    assert chains.after == (600, 2 * 86_400 + 30)
    listed = {one.how: one for one in found.chains}
    assert (listed["callback"].agent, listed["callback"].after_s) == ("amy", 460)
    assert listed["callback"].served_by_call == str(talk)
    assert (listed["merged"].agent, listed["merged"].served_by_call) == ("ben", str(person))
    assert (listed["open"].state, listed["open"].served_at) == ("queued", None)
    assert [one.entered_at for one in found.chains] == sorted(
        (one.entered_at for one in found.chains), reverse=True
    )
    unserved = await report(database, all_chains=False)
    assert [one.state for one in unserved.chains] == ["expired", "exhausted"]
    assert (await report(database, chains=0)).chains == []


async def test_who_asks_twice_is_served_by_the_callback_that_was_open(
    database: Database, rows: CallbackRows
) -> None:
    number = new_number()
    _, callback_id = await left_for(rows, 0, "completed", number=number)
    await rows.call(300, (20, "callback.accepted", {"callback": str(callback_id)}), number=number)
    await rows.attempt(callback_id, 600, "bridged", answered=5, bridged=5, ended=60)
    assert (await report(database)).chains_total.callback == 2


async def test_who_phones_in_again_and_leaves_it_as_it_is_is_served_by_it(
    database: Database, rows: CallbackRows
) -> None:
    number = new_number()
    _, callback_id = await left_for(rows, 0, "completed", number=number)
    await rows.call(300, number=number)
    await rows.attempt(callback_id, 600, "bridged", answered=5, bridged=5, ended=60)
    chains = (await report(database)).chains_total
    assert (chains.callback, chains.not_served) == (2, 0)


async def test_nothing_is_nothing_and_has_no_value(database: Database) -> None:
    found = await report(database)
    assert found.total == CallbackFigures()
    document = to_json(found)
    assert document["total"]["acceptance"] == {"value": None, "numerator": 0, "denominator": 0}
    assert document["chains"]["total"]["p90_s"] is None
    assert "Callbacks" in to_text(found)


# How it is shown.


async def test_the_forms_say_the_same(database: Database, rows: CallbackRows, tmp_path: Path) -> None:
    number = new_number()
    _, callback_id = await left_for(rows, 0, "completed", number=number)
    await rows.attempt(callback_id, 400, "bridged", answered=5, bridged=5, ended=60)
    found = await report(database)
    document = json.loads(json.dumps(to_json(found)))
    assert document["total"]["connect"] == {"value": 1.0, "numerator": 1, "denominator": 1}
    assert document["total"]["queue_time_saved_s"]["numerator"] == 340
    assert document["by_interval"][0]["ends"]["completed"] == 1
    assert document["chains"]["list"][0]["callback_id"] == str(callback_id)
    table = list(csv.DictReader(io.StringIO(to_csv(found))))
    scopes = ["total", "queue", "source", "interval", "interval"]
    assert [row["scope"] for row in table] == scopes
    assert (table[0]["connect.value"], table[0]["chains.served.value"]) == ("1.0", "1.0")
    assert table[3]["punctuality.on_time"] == "1"
    text = to_text(found)
    assert "queue time saved" in text
    assert number not in text + json.dumps(document) + to_csv(found)
    pyarrow = pytest.importorskip("pyarrow.parquet")
    write_parquet(found, tmp_path / "callbacks.parquet")
    read = pyarrow.read_table(tmp_path / "callbacks.parquet")
    assert read.column("scope").to_pylist() == scopes
    assert read.column("asked").to_pylist() == [1, 1, 1, 1, 0]


async def test_from_the_settings(database_url: str) -> None:
    settings = Settings.model_validate({"database": {"url": database_url}, "metrics": {"timezone": "UTC"}})
    span = {"since": NINE, "until": NINE + timedelta(hours=1)}
    assert (await read_callbacks(settings, **span)).total.asked == 0
    with pytest.raises(NotFoundError, match="no such queue"):
        await read_callbacks(settings, **span, queue="nobody")


def test_the_command(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "callcenter.yaml"
    config.write_text("metrics: {timezone: UTC}\n")
    monkeypatch.setenv("CALLCENTER_DATABASE__URL", database_url)
    asked = ["report", "callbacks", "--config", str(config), "--from", "2025-03-03", "--to", "2025-03-03"]
    assert main([*asked, "--json", "--unserved", "--calls", "5"]) == 0
    assert json.loads(capsys.readouterr().out)["total"]["asked"] == 0
    assert main([*asked, "--csv"]) == 0
    assert capsys.readouterr().out.startswith("scope,name,start,end,entered,")
    assert main(asked) == 0
    assert "duplicate dials" in capsys.readouterr().out
    assert main([*asked, "--queue", "nobody"]) == 2
    assert "no such queue" in capsys.readouterr().err
