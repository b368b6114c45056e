"""What is said in a call, from its sound to the database and to those who watch."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from asr import Partial, Urgency
from callcenter.call import partials as partials_module
from callcenter.call.partials import Partials, Speaking
from callcenter.media.espeak import Espeak
from callcenter.media.resample import to_8khz
from callcenter.storage.listener import Listener
from callcenter.storage.messages import Messages
from callcenter.storage.pool import Database

SENTENCE = "I would like to know when my order is going to arrive."
MAILBOX = """
language: en
start: message
nodes:
  message: {kind: voicemail, mailbox: sales, silence_s: 60, next: bye}
  bye: {kind: hangup}
"""


async def say(telephone: Any, text: str = SENTENCE, pause_s: int = 0) -> None:
    speech = Espeak().synthesize(text)
    await telephone.sink.on_audio(to_8khz(speech.pcm16, speech.rate_hz) + bytes(16000 * pause_s), None)


@asynccontextmanager
async def heard(database: Database) -> AsyncIterator[list[dict[str, Any]]]:
    """What other processes hear of words while they are said."""
    partials: list[dict[str, Any]] = []
    async with Listener(database) as listener:
        listener.subscribe("partial", lambda payload: partials.extend(json.loads(payload)["partials"]))
        await listener.settled()
        yield partials


async def until(true: Any) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110  # what is watched is a list
            await asyncio.sleep(0.01)


async def test_words_are_shown_while_they_are_said_and_stored_with_their_times(
    open_center: Any, slow_recognizer: Any
) -> None:
    center = await open_center(wrap_up_s=0, recognizer=slow_recognizer, hot_words=["Acme"])
    await center.agent()
    async with heard(center.database) as partials:
        caller = await center.call()
        await center.hears_of("agent.connected")
        await say(caller)
        await until(lambda: partials)
        slow_recognizer.ready.set()
        caller.hang_up()
        await center.over()
    first = partials[0]
    assert (first["leg"], first["queue"], first["agent"]) == ("caller", "sales", "alice")
    assert (first["call_id"], first["number"]) == (str(center.call_id()), 1)
    assert first["stable"] + first["volatile"] == "hel lo"
    (segment,) = await center.services.transcripts.of_call(center.call_id())
    assert (segment.text, segment.leg, segment.agent_id, segment.number) == ("hello", "caller", None, 1)
    (word,) = segment.words
    assert (word.text, word.probability) == ("hello", 0.875)
    assert word.end_ms - word.start_ms == 250
    assert segment.start_ms - 400 < word.start_ms < segment.end_ms
    assert not segment.degraded
    assert {speech.hot_words for speech in slow_recognizer.speeches} == {("Acme",)}


async def test_words_that_were_put_off_are_marked_and_get_their_times_later(
    open_center: Any, slow_recognizer: Any
) -> None:
    slow_recognizer.busy = True
    slow_recognizer.ready.set()
    center = await open_center(wrap_up_s=0, recognizer=slow_recognizer)
    await center.agent()
    await center.call()
    await center.hears_of("agent.connected")
    agent = center.network.agents[0]
    await say(agent, pause_s=2)
    await center.hears_of("transcript.segment")
    agent.hang_up()
    await center.over()
    (segment,) = await center.services.transcripts.of_call(center.call_id())
    assert (segment.leg, segment.agent_id, segment.degraded) == ("agent", "alice", True)
    assert [word.text for word in segment.words] == ["hello"]
    assert slow_recognizer.speeches[-1].urgency is Urgency.LATER
    (event,) = [event for event in center.events if event.type.value == "transcript.segment"]
    assert event.data["degraded"] is True


async def test_word_times_wait_for_a_segment_that_the_database_cannot_take_yet(
    open_center: Any, slow_recognizer: Any
) -> None:
    slow_recognizer.busy = True
    slow_recognizer.ready.set()
    center = await open_center(wrap_up_s=0, recognizer=slow_recognizer)
    await center.agent()
    caller = await center.call()
    await center.hears_of("agent.connected")
    lock = await center.database.pool.acquire()
    transaction = lock.transaction()
    await transaction.start()
    await lock.execute("LOCK TABLE callcenter.transcript_segment IN ACCESS EXCLUSIVE MODE")
    await say(caller, pause_s=2)
    await until(lambda: slow_recognizer.speeches and slow_recognizer.speeches[-1].urgency is Urgency.LATER)
    await asyncio.sleep(0.2)
    await transaction.rollback()
    await center.database.pool.release(lock)
    caller.hang_up()
    await center.over()
    (segment,) = await center.services.transcripts.of_call(center.call_id())
    assert [word.text for word in segment.words] == ["hello"]


async def test_a_message_that_nobody_queued_for_is_shown_too(open_center: Any, slow_recognizer: Any) -> None:
    center = await open_center(flow=MAILBOX, recognizer=slow_recognizer)
    async with heard(center.database) as partials:
        caller = await center.call()
        await center.hears_of("recording.started")
        await say(caller)
        await until(lambda: partials)
        slow_recognizer.ready.set()
        caller.hang_up()
        await center.over()
    assert (partials[0]["queue"], partials[0]["agent"]) == (None, None)


async def test_a_message_is_heard_as_the_queue_that_the_caller_came_from_says(
    open_center: Any, slow_recognizer: Any
) -> None:
    center = await open_center(recognizer=slow_recognizer, max_wait_s=0.1, language="ja", hot_words=["Acme"])
    async with heard(center.database) as partials:
        caller = await center.call()
        await center.hears_of("recording.started")
        await say(caller)
        await until(lambda: partials)
        slow_recognizer.ready.set()
        caller.hang_up()
        await center.over()
    assert (partials[0]["queue"], partials[0]["agent"]) == ("sales", None)
    assert {(one.language, one.hot_words) for one in slow_recognizer.speeches} == {("ja", ("Acme",))}


# The way of partial words alone.


def partial(number: int = 1, seq: int = 1, text: str = "hello", start_s: float = 0.0) -> Partial:
    return Partial(number, seq, start_s, start_s + 1, text, "", "en")


async def test_the_newest_partial_of_each_leg_is_sent_and_not_too_often(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partials_module, "EVERY_S", 0.3)
    call_id = uuid4()
    caller, agent = Speaking(call_id, "caller"), Speaking(call_id, "agent", "sales", "ann")
    async with heard(database) as got, Partials(Messages(database)) as partials:
        for seq in range(1, 40):
            partials.tell(caller, partial(seq=seq))
            partials.tell(agent, partial(seq=seq))
            await asyncio.sleep(0.01)
        await until(lambda: sum(one["seq"] == 39 for one in got) == 2)
    assert 2 <= len({one["seq"] for one in got}) <= 4
    assert partials.dropped == 0


async def test_a_partial_that_has_been_replaced_or_overtaken_is_not_sent(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partials_module, "EVERY_S", 0.1)
    legs = [Speaking(uuid4(), "caller") for _ in range(3)]
    async with heard(database) as got, Partials(Messages(database)) as partials:
        partials.tell(legs[0], partial(1, 1, "over"))
        partials.replaced(legs[0], 1)
        partials.tell(legs[1], partial(2, 2, "next", 5.0))
        partials.replaced(legs[1], 1)
        partials.tell(legs[1], partial(1, 3, "", 1.0))
        partials.tell(legs[2], partial(1, 1, "last"))
        await until(lambda: len(got) == 2)
        await asyncio.sleep(0.2)
    assert [one["stable"] for one in got] == ["next", "last"]


async def test_so_many_legs_are_kept_and_those_above_are_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partials_module, "MAX_LEGS", 50)
    async with heard(database) as got, Partials(Messages(database)) as partials:
        for number in range(1, 61):
            partials.tell(Speaking(uuid4(), "caller"), partial(number, text="word " * 100))
        await until(lambda: len(got) == 50)
    assert [one["number"] for one in got] == [*range(11, 61)]
    assert partials.dropped == 10


async def test_without_a_database_partials_are_dropped_and_come_again_with_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partials_module, "EVERY_S", 0.02)
    monkeypatch.setattr(partials_module, "SEND_TIMEOUT_S", 0.1)
    speaking = Speaking(uuid4(), "caller")
    async with heard(database) as got, Partials(Messages(database)) as partials:
        held = [await database.pool.acquire() for _ in range(5)]
        partials.tell(speaking, partial(1))
        await until(lambda: partials.dropped == 1)
        for connection in held:
            await database.pool.release(connection)
        partials.tell(speaking, partial(2))
        await until(lambda: got)
    assert [one["number"] for one in got] == [2]
