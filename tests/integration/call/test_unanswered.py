"""A caller whom no agent answers: the wait, its announcements, the message left instead."""

import asyncio
import wave
from pathlib import Path
from typing import Any
from uuid import uuid4

from callcenter.acd.dispatcher import Offer, Ticket
from callcenter.call.signals import Offered, TimerFired
from callcenter.events import EventType
from callcenter.storage.queue_line import QueueLine

MESSAGE = """
language: en
start: message
nodes:
  message: {kind: voicemail, mailbox: sales, next: bye}
  bye: {kind: hangup}
"""


async def test_an_announcement_that_cannot_be_made_does_not_end_the_call(
    open_center: Any, tmp_path: Path
) -> None:
    recorded = tmp_path / "voices" / "you-are-number-1-in-the-queue-please-stay-on-the-line.wav"
    recorded.parent.mkdir()
    with wave.open(str(recorded), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(320))
    center = await open_center(announce_every_s=0.1)
    recorded.unlink()
    caller = await center.call()
    await center.hears_of("queue.entered")
    await asyncio.sleep(0.4)
    assert center.supervisor.calls == 1
    assert "queue.announced" not in center.types()
    caller.hang_up()
    await center.over()
    assert center.types()[-2:] == ["queue.abandoned", "call.ended"]


async def test_what_an_earlier_stay_in_line_has_left_is_not_for_this_one(open_center: Any) -> None:
    center = await open_center(wrap_up_s=0)
    caller = await center.call()
    await center.hears_of("queue.entered")
    offer = Offer(
        uuid4(), center.call_id(), center.services.node_id, "alice", "Alice", "twilio", "+12025550142"
    )
    line, queue = QueueLine(center.database), center.services.settings.queues[0]
    earlier = Ticket(line, center.services.node_id, center.call_id(), queue, 0)
    center.inbox().put(Offered(offer, earlier))
    center.inbox().put(TimerFired("queue:waited"))
    await asyncio.sleep(0.1)
    assert center.types()[-1] == "queue.entered"
    await center.agent()
    await center.hears_of("agent.connected")
    caller.hang_up()
    await center.over()


async def test_who_hangs_up_before_the_beep_is_over_leaves_no_message(open_center: Any) -> None:
    center = await open_center(MESSAGE)
    caller = await center.call()
    await center.hears_of("ivr.entered")
    caller.hang_up()
    await center.over()
    assert "recording.started" not in center.types()
    assert center.events[-1].data == {"cause": "caller_hangup", "outcome": "ivr_abandoned"}


async def test_a_message_is_kept_up_to_the_hang_up(open_center: Any) -> None:
    center = await open_center(MESSAGE)
    caller = await center.call()
    await center.hears_of("recording.started")
    for _ in range(5):
        await caller.sink.on_audio(bytes(320), None)
        await asyncio.sleep(0.02)
    caller.hang_up()
    await center.over()
    await center.hears_of("recording.ended")
    data = {event.type: event.data for event in center.events}
    assert data[EventType.RECORDING_ENDED]["duration_s"] > 0
    assert data[EventType.CALL_ENDED] == {"cause": "caller_hangup", "outcome": "voicemail"}
