"""A call that an agent answers: what comes at the wrong moment must neither cut it nor keep the agent."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from callcenter.acd.presence import AgentEvent
from callcenter.errors import LegRefusedError, TransitionError
from callcenter.media.espeak import Espeak
from callcenter.media.recorder import Job
from callcenter.media.recording_file import Piece
from callcenter.media.resample import to_8khz


async def test_an_agent_who_picks_up_before_the_network_has_answered_is_not_hung_up(open_center: Any) -> None:
    center = await open_center(wrap_up_s=0)
    center.network.answers.clear()
    await center.agent()
    caller = await center.call()
    await center.hears_of("agent.connected")
    center.network.answers.set()
    await asyncio.sleep(0.1)
    assert center.network.hung_up == []
    assert not center.network.agents[0].closed.is_set()
    caller.hang_up()
    await center.over()
    assert center.network.agents[0].closed.is_set()


async def test_a_caller_who_leaves_while_the_network_dials_has_the_dialled_telephone_hung_up(
    open_center: Any,
) -> None:
    center = await open_center(wrap_up_s=0)
    center.network.picks_up = False
    center.network.answers.clear()
    await center.agent()
    caller = await center.call()
    await center.until("ringing")
    caller.hang_up()
    await center.hears_of("call.ended")
    center.network.answers.set()
    await center.over()
    assert center.network.hung_up == center.network.tokens
    await center.until("available")
    assert center.types()[-3:] == ["offer.cancelled", "queue.abandoned", "call.ended"]


async def test_a_leg_that_comes_too_late_leaves_nothing_behind(open_center: Any) -> None:
    center = await open_center(ring_timeout_s=0.2)
    center.network.picks_up = False
    await center.agent()
    caller = await center.call()
    await center.hears_of("offer.no_answer")
    with pytest.raises(LegRefusedError):
        await center.network.pick_up(center.network.tokens[0])
    late = center.network.agents[0]
    await late.close()
    heard = late.heard
    await asyncio.sleep(0.2)
    assert late.heard == heard
    assert center.supervisor.legs == 1
    caller.hang_up()
    await center.over()
    assert center.supervisor.legs == 0


async def test_an_agent_is_free_before_the_last_words_are_recognized(
    open_center: Any, slow_recognizer: Any
) -> None:
    center = await open_center(wrap_up_s=0, recognizer=slow_recognizer)
    await center.agent()
    caller = await center.call()
    await center.hears_of("agent.connected")
    speech = Espeak().synthesize("I would like to know when my order is going to arrive.")
    await caller.sink.on_audio(to_8khz(speech.pcm16, speech.rate_hz), None)
    caller.hang_up()
    await center.hears_of("acw.ended")
    agent = await center.until("available", within_s=1)
    assert slow_recognizer.asked == 1
    assert center.supervisor.calls == 1
    assert agent.call_id is None
    slow_recognizer.ready.set()
    await center.over()
    assert "transcript.segment" in center.types()


@pytest.mark.parametrize("resolved", [None, "true", "false"])
async def test_the_result_of_a_call_can_be_noted_after_its_end(
    open_center: Any, database: Any, resolved: str | None
) -> None:
    center = await open_center(wrap_up_s=60)
    await center.agent()
    caller = await center.call()
    await center.hears_of("agent.connected")
    call_id = center.call_id()
    caller.hang_up()
    await center.until("wrap_up")
    await center.stored("call.ended")
    said = {} if resolved is None else {"resolved": resolved}
    await center.relay.control(call_id, "disposition", agent="alice", disposition="sold", **said)
    await center.roster.signal("alice", AgentEvent.READY)
    await center.over()
    expected = None if resolved is None else resolved == "true"
    assert center.events[-1].data == {"disposition": "sold", **({"resolved": expected} if said else {})}
    await center.stored("acw.ended")
    row = await database.fetchrow("SELECT topic, queued_at, agent_resolved FROM callcenter.call")
    assert (row["topic"], row["agent_resolved"]) == (center.events[-1].queue, expected)
    assert row["queued_at"] is not None


async def test_a_cancelled_call_frees_the_agent_who_has_just_been_connected(open_center: Any) -> None:
    center = await open_center(wrap_up_s=60)
    await center.agent()
    caller = await center.call()
    caller.may_clear.clear()
    await center.until("talking")
    await caller.is_clearing.wait()
    await center.supervisor.drain(0)
    await center.until("available")
    assert center.network.agents[0].closed.is_set()


async def test_a_disk_that_hangs_holds_up_neither_the_end_of_a_call_nor_its_agent(open_center: Any) -> None:
    center = await open_center(wrap_up_s=0)
    await center.agent()
    caller = await center.call()
    await center.hears_of("agent.connected", "recording.started")
    disk = threading.Event()

    def hang() -> Iterator[Piece]:
        disk.wait(10)
        yield from ()

    recorder = center.services.recorder
    (recording,) = recorder._open
    recorder.submit(Job(recording, hang(), last=False))
    caller.hang_up()
    try:
        await center.over()
        await center.until("available")
        assert "recording.ended" not in center.types()
    finally:
        disk.set()
    await center.hears_of("recording.ended")


async def test_an_outage_at_the_wrap_up_loses_no_words(open_center: Any, slow_recognizer: Any) -> None:
    center = await open_center(wrap_up_s=60, recognizer=slow_recognizer)
    await center.agent()
    caller = await center.call()
    await center.hears_of("agent.connected")
    speech = Espeak().synthesize("I would like to know when my order is going to arrive.")
    await caller.sink.on_audio(to_8khz(speech.pcm16, speech.rate_hz), None)
    await center.database.execute("ALTER TABLE callcenter.agent RENAME TO agent_away")
    caller.hang_up()
    await center.hears_of("acw.ended")
    slow_recognizer.ready.set()
    await center.over()
    assert "transcript.missing" not in center.types()
    await center.hears_of("transcript.segment")


async def test_a_command_under_way_is_answered_when_the_call_is_cut(open_center: Any) -> None:
    center = await open_center(wrap_up_s=0)
    await center.agent()
    await center.call()
    await center.hears_of("agent.connected")
    await center.stored("call.started")
    asked = asyncio.create_task(center.relay.control(center.call_id(), "transfer", number="+12025550177"))
    await center.network.transfers.wait()
    await center.supervisor.drain(0)
    with pytest.raises(TransitionError):
        await asyncio.wait_for(asked, 1)
