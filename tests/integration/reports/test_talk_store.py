"""Talk is measured once a call's words are known, and again when words come late."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from callcenter.config import Metrics
from callcenter.events import Event, EventType
from callcenter.reports import talk_store
from callcenter.reports.quality_query import QualityReports
from callcenter.reports.talk import Party, Said, Side, Talk, Unit
from callcenter.reports.talk_store import TalkStore, words_of
from callcenter.storage.event_batch import store
from callcenter.storage.pool import Database
from callcenter.storage.transcripts import TimedWord, Transcripts, TranscriptSegment

E = EventType
NINE = datetime(2025, 3, 3, 9, tzinfo=UTC)
DAY = timedelta(days=1)

START = {"direction": "inbound", "gateway": "twilio", "call_ref": "x", "from": "+15125550101", "to": ""}
SERVED: tuple[tuple[float, EventType, str | None], ...] = (
    (5, E.QUEUE_ENTERED, None),
    (10, E.AGENT_CONNECTED, "bob"),
    (20, E.HOLD_STARTED, "bob"),
    (30, E.HOLD_ENDED, "bob"),
    (40, E.CONVERSATION_ENDED, "bob"),
)
END: tuple[tuple[float, EventType, str | None], ...] = ((40, E.CALL_ENDED, None),)


async def happen(
    database: Database,
    call_id: UUID,
    *steps: tuple[float, EventType, str | None],
    first: int = 2,
) -> None:
    events = [
        Event(kind, NINE + timedelta(seconds=second), call_id, seq, call_id, "sales", agent)
        for seq, (second, kind, agent) in enumerate(steps, start=first)
    ]
    if first == 2:
        data = START | {"node_id": str(uuid4())}
        events.insert(0, Event(E.CALL_STARTED, NINE, call_id, 1, call_id, data=data))
    async with database.transaction() as connection:
        await store(connection, events)


def segment(
    call_id: UUID, leg: str, start_ms: int, end_ms: int, text: str = "one two three", **more: Any
) -> TranscriptSegment:
    given = {"language": "en", "confidence": 0.9, **more}
    return TranscriptSegment(uuid4(), call_id, leg, None, start_ms, end_ms, text, **given)


async def settle(database: Database) -> None:
    """Let the words come to rest at once."""
    await database.execute("UPDATE callcenter.talk_due SET due_at = now() - interval '1 second'")


async def measured(database: Database) -> Talk:
    report = await QualityReports(database).report(Metrics(), since=NINE - DAY, until=NINE + DAY)
    return report.total.talk


async def test_a_call_is_measured_when_it_is_over_and_its_words_are_known(database: Database) -> None:
    talk, transcripts, call_id = TalkStore(database), Transcripts(database), uuid4()
    await happen(database, call_id, *SERVED)
    words = tuple(TimedWord(f" w{n}", 10_000 + 500 * n, 10_400 + 500 * n, 0.9) for n in range(4))
    await transcripts.add([segment(call_id, "agent", 10_000, 12_000, words=words)])
    await transcripts.add([segment(call_id, "caller", 12_500, 15_000)])
    await settle(database)
    assert await talk.measure_due() == 0  # the call goes on
    await happen(database, call_id, *END, first=7)
    await transcripts.add([segment(call_id, "caller", 30_000, 31_000, "yes")])
    assert await talk.measure_due() == 0  # words have only just come
    await settle(database)
    assert await talk.measure_due() == 1
    expected = Talk(
        conversations=1,
        time_ms=20_000,  # 30 s less 10 s on hold
        non_talk_ms=5000 + 9000,  # 15 s to the hold at 20 s, 31 s to the end at 40 s
        longest_non_talk_ms=9000,
        agent=Side(talk_ms=1900, words=4, words_ms=1900),
        customer=Side(talk_ms=3500, words=4, words_ms=3500),
    )
    assert await measured(database) == expected
    assert await database.fetchval("SELECT count(*) FROM callcenter.talk_due") == 0
    assert await talk.measure_due() == 0


async def test_late_words_correct_it(database: Database) -> None:
    talk, transcripts, call_id = TalkStore(database), Transcripts(database), uuid4()
    await happen(database, call_id, *SERVED, *END)
    late = segment(call_id, "agent", 10_000, 14_000, "hello there")
    await transcripts.add([late])
    await settle(database)
    await talk.measure_due()
    assert (await measured(database)).agent == Side(talk_ms=4000, words=2, words_ms=4000)
    times = [TimedWord("hello", 10_000, 11_000, 0.9), TimedWord("there", 13_000, 14_000, 0.9)]
    await transcripts.set_words(late.segment_id, times)
    await settle(database)
    assert await talk.measure_due() == 1
    assert (await measured(database)).agent == Side(talk_ms=2000, words=2, words_ms=2000)
    await database.execute("DELETE FROM callcenter.transcript_segment")
    await settle(database)
    assert await talk.measure_due() == 1
    assert await measured(database) == Talk(
        conversations=1, time_ms=20_000, non_talk_ms=20_000, longest_non_talk_ms=10_000
    )


async def test_words_that_come_while_it_is_measured_are_not_lost(
    database: Database, monkeypatch: Any
) -> None:
    talk, transcripts, call_id = TalkStore(database), Transcripts(database), uuid4()
    await happen(database, call_id, *SERVED, *END)
    await transcripts.add([segment(call_id, "agent", 10_000, 14_000)])
    await settle(database)
    real = talk_store._measured
    loop = asyncio.get_running_loop()

    def slowly(*given: Any) -> Any:
        added = transcripts.add([segment(call_id, "caller", 15_000, 16_000)])
        asyncio.run_coroutine_threadsafe(added, loop).result(5)
        return real(*given)

    monkeypatch.setattr(talk_store, "_measured", slowly)
    await talk.measure_due()
    assert await measured(database) == Talk()  # what is not whole is not stored
    monkeypatch.undo()
    await settle(database)
    assert await talk.measure_due() == 1
    assert (await measured(database)).customer.talk_ms == 1000


async def test_many_measure_and_a_call_that_its_owner_left_is_taken_over(database: Database) -> None:
    talk, transcripts = TalkStore(database), Transcripts(database)
    for _ in range(30):
        call_id = uuid4()
        await happen(database, call_id, *SERVED, *END)
        await transcripts.add([segment(call_id, "agent", 10_000, 14_000)])
    await settle(database)
    # one process took five and died
    await database.fetch(talk_store.CLAIM, 5, 60.0, 0.0)
    done = await asyncio.gather(*(TalkStore(database).measure_due() for _ in range(4)))
    assert (sum(done), (await measured(database)).conversations) == (25, 25)
    await settle(database)
    assert await talk.measure_due() == 5
    assert (await measured(database)).conversations == 30
    await talk.measure_again(NINE - DAY, NINE)
    assert await talk.measure_due() == 0
    await talk.measure_again(NINE, NINE + DAY)
    assert await talk.measure_due(100) == 30
    assert (await measured(database)).conversations == 30


async def test_by_queue_and_agent_and_only_what_was_asked_for(database: Database) -> None:
    call_id = uuid4()
    second: tuple[tuple[float, EventType, str | None], ...] = (
        (40, E.QUEUE_ENTERED, None),
        (50, E.AGENT_CONNECTED, "carl"),
        (60, E.CALL_ENDED, None),
    )
    await happen(database, call_id, *SERVED, *second)
    said = [segment(call_id, "agent", start, start + 2000) for start in (10_000, 52_000)]
    await Transcripts(database).add(said)
    await settle(database)
    await TalkStore(database).measure_due()
    reports = QualityReports(database)
    report = await reports.report(Metrics(), since=NINE, until=NINE + DAY)
    assert {name: row.talk.time_ms for name, row in report.by_agent.items()} == {
        "bob": 20_000,
        "carl": 10_000,
    }
    assert report.by_queue["sales"].talk.conversations == 2
    assert report.total.talk.longest_non_talk_ms == 10_000
    carl = await reports.report(Metrics(), since=NINE, until=NINE + DAY, agent="carl")
    assert carl.total.talk == report.by_agent["carl"].talk
    assert (await reports.report(Metrics(), since=NINE, until=NINE + DAY, queue="x")).total.talk == Talk()


def test_words_of_languages_and_legs() -> None:
    call_id = uuid4()
    words = (TimedWord("お", 0, 100, 1), TimedWord("電話。", 100, 400, 1))
    given = [
        segment(call_id, "agent", 0, 500, "お電話。", language="ja", words=words),
        segment(call_id, "caller", 0, 900, "はい、 どうも。", language="ja"),
        segment(call_id, "caller", 0, 900, " well, yes "),
        segment(call_id, "supervisor", 0, 900),
    ]
    assert list(words_of(given)) == [
        Said(Party.AGENT, 0, 100, 1, Unit.CHARACTERS),
        Said(Party.AGENT, 100, 400, 2, Unit.CHARACTERS),
        Said(Party.CUSTOMER, 0, 900, 5, Unit.CHARACTERS),
        Said(Party.CUSTOMER, 0, 900, 2, Unit.WORDS),
    ]
