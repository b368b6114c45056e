from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from callcenter.errors import NotFoundError
from callcenter.events import Event, EventType
from callcenter.storage.calls import CallFilter, CallRecord, Calls
from callcenter.storage.event_log import EventLog
from callcenter.storage.pool import Database
from callcenter.storage.recordings import Recordings
from callcenter.storage.transcripts import TimedWord, Transcripts, TranscriptSegment

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def started(call_id: UUID, at: datetime, node_id: UUID, from_number: str = "+15550100") -> Event:
    data = {
        "direction": "inbound", "gateway": "twilio", "call_ref": "CA1", "node_id": str(node_id),
        "from": from_number, "to": "+15550199",
    }  # fmt: skip
    return Event(EventType.CALL_STARTED, at, call_id, 1, call_id, data=data)


async def test_pages_show_every_call_once_newest_first(database: Database) -> None:
    calls, node_id = Calls(database), uuid4()
    async with EventLog(database) as log:
        for number in range(25):
            log.append(started(uuid4(), START + timedelta(seconds=number // 3), node_id))
    seen: list[CallRecord] = []
    after = None
    while page := await calls.list(after=after, limit=10):
        seen += page
        after = (page[-1].started_at, page[-1].call_id)
    assert len({call.call_id for call in seen}) == len(seen) == 25
    assert seen == sorted(seen, key=lambda call: (call.started_at, call.call_id), reverse=True)


async def test_filters(database: Database) -> None:
    calls, node_id = Calls(database), uuid4()
    open_, ended = uuid4(), uuid4()
    async with EventLog(database) as log:
        log.append(started(open_, START, node_id))
        log.append(started(ended, START + timedelta(hours=1), node_id, from_number="+15550123"))
        at = START + timedelta(hours=1, seconds=1)
        log.append(Event(EventType.QUEUE_ENTERED, at, ended, 2, ended, queue="sales"))
        log.append(Event(EventType.AGENT_CONNECTED, at, ended, 3, ended, queue="sales", agent="ann"))
        data = {"cause": "caller_hangup", "outcome": "answered"}
        log.append(Event(EventType.CALL_ENDED, at, ended, 4, ended, data=data))
    for where, expected in [
        (CallFilter(), {open_, ended}),
        (CallFilter(queue="sales"), {ended}),
        (CallFilter(agent_id="ann"), {ended}),
        (CallFilter(outcome="answered"), {ended}),
        (CallFilter(outcome="failed"), set()),
        (CallFilter(direction="inbound"), {open_, ended}),
        (CallFilter(number="+15550123"), {ended}),
        (CallFilter(number="+15550199"), {open_, ended}),
        (CallFilter(started_from=START + timedelta(hours=1)), {ended}),
        (CallFilter(started_before=START + timedelta(hours=1)), {open_}),
        (CallFilter(is_open=True), {open_}),
        (CallFilter(is_open=False), {ended}),
        (CallFilter(queue="x' OR 1=1 --"), set()),
    ]:
        assert {call.call_id for call in await calls.list(where)} == expected, where


async def test_the_events_of_a_call(database: Database) -> None:
    call_id = uuid4()
    event = started(call_id, START, uuid4())
    async with EventLog(database) as log:
        log.append(event)
    await database.execute(
        "INSERT INTO callcenter.event (at, type, call_id, seq) VALUES (now(), 'from.the.future', $1, 2)",
        call_id,
    )
    (found,) = await Calls(database).events(call_id)
    assert found.event_id is not None
    assert replace(found, event_id=None) == event
    assert await Calls(database).events(uuid4()) == []
    with pytest.raises(NotFoundError):
        await Calls(database).get(uuid4())


async def test_segments_are_stored_once_and_come_in_order(database: Database) -> None:
    transcripts, call_id = Transcripts(database), uuid4()
    segments = [
        TranscriptSegment(uuid4(), call_id, leg, agent, start, start + 400, "good day", "en", 0.5)
        for leg, agent, start in (("agent", "ann", 900), ("caller", None, 100))
    ]
    await transcripts.add(segments)
    await transcripts.add(segments)
    await transcripts.add([])
    assert await transcripts.of_call(call_id) == segments[::-1]
    assert await transcripts.of_call(uuid4()) == []


async def test_words_are_stored_with_their_segment_or_later(database: Database) -> None:
    transcripts, call_id = Transcripts(database), uuid4()
    words = (TimedWord("good", 100, 280, 0.75), TimedWord(" día", 280, 490, 0.5))
    at_once = TranscriptSegment(
        uuid4(), call_id, "caller", None, 100, 500, "good día", "en", 0.5, number=3, words=words
    )
    later = TranscriptSegment(
        uuid4(), call_id, "agent", "ann", 600, 900, "good day", "en", 0.5, number=1, degraded=True
    )
    await transcripts.add([at_once, later])
    assert await transcripts.of_call(call_id) == [at_once, later]
    await transcripts.set_words(later.segment_id, words)
    await transcripts.set_words(uuid4(), words)
    await transcripts.add([later])
    assert await transcripts.of_call(call_id) == [at_once, replace(later, words=words)]


async def test_segments_from_before_the_words_had_times_are_still_read(database: Database) -> None:
    call_id = uuid4()
    await database.execute(
        """
        INSERT INTO callcenter.transcript_segment
               (segment_id, call_id, leg, start_ms, end_ms, text, language, confidence)
        VALUES ($1, $1, 'caller', 0, 1, 'hello', 'en', 1)
        """,
        call_id,
    )
    (segment,) = await Transcripts(database).of_call(call_id)
    assert (segment.number, segment.words, segment.degraded) == (None, (), False)


async def test_the_life_of_a_recording(database: Database) -> None:
    recordings, node_id, call_id, heir = Recordings(database), uuid4(), uuid4(), uuid4()
    ids = [uuid4() for _ in range(3)]
    for recording_id in [*ids, ids[0]]:
        await recordings.open(
            recording_id=recording_id, call_id=call_id, node_id=node_id, kind="conversation",
            path="2026/03/01/a.wav", channels=2, offset_ms=1500,
        )  # fmt: skip
    assert {(row.recording_id, row.state) for row in await recordings.of_call(call_id)} == {
        (recording_id, "writing") for recording_id in ids
    }
    await recordings.finish(ids[0], duration_ms=2000, path="2026/03/01/a.flac")
    await recordings.fail(ids[1])
    first = await recordings.get(ids[0])
    assert (first.state, first.path, first.duration_ms) == ("done", "2026/03/01/a.flac", 2000)
    second = await recordings.get(ids[1])
    assert (second.state, second.path, second.duration_ms) == ("failed", "2026/03/01/a.wav", None)
    assert [row.recording_id for row in await recordings.adopt(node_id, heir)] == [ids[2]]
    assert await recordings.adopt(node_id, uuid4()) == []
    assert [(await recordings.get(each)).node_id for each in ids] == [node_id, node_id, heir]
    assert len(await recordings.of_call(call_id)) == 3
    for unknown in (recordings.get(uuid4()), recordings.finish(uuid4(), duration_ms=1)):
        with pytest.raises(NotFoundError):
            await unknown
