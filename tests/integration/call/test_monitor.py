"""Supervisors on a call: who hears whom, judged by what each telephone gets."""

import asyncio
import math
import struct
import wave
from typing import Any

import numpy as np
import pytest

from callcenter import timeline
from callcenter.errors import NotFoundError, TransitionError

EVE = {"user": "eve", "agent": "boss", "gateway": "twilio", "address": "+12025550177"}
TONES = {"caller": 450, "agent": 600, "eve": 900}
"""Whole waves in 20 ms, so that a frame more or less leaves a tone what it is."""
RATE_HZ = 8000
SPEECH_FRAMES = 40


def tone(hertz: int, frame: int) -> bytes:
    """20 ms of a tone that goes on from frame to frame."""
    at = range(frame * 160, frame * 160 + 160)
    return struct.pack("<160h", *(round(3000 * math.sin(2 * math.pi * hertz * n / RATE_HZ)) for n in at))


def heard(sound: bytes) -> set[str]:
    """Whose tones are in the sound, by correlation with each."""
    y = np.frombuffer(sound, "<i2").astype(float)
    if not len(y) or not y.any():
        return set()
    n = np.arange(len(y))
    strength = {
        name: 2 * abs(np.dot(y, np.exp(-2j * np.pi * hertz * n / RATE_HZ))) / len(y)
        for name, hertz in TONES.items()
    }
    return {name for name, amplitude in strength.items() if amplitude > 500}


async def all_speak(*parties: tuple[str, Any]) -> dict[str, set[str]]:
    """Let all speak their tone at once for a while; returns who heard whom of the others."""
    for _, telephone in parties:
        telephone.sound.clear()
    for frame in range(SPEECH_FRAMES):
        for name, telephone in parties:
            await telephone.sink.on_audio(tone(TONES[name], frame), None)
        await asyncio.sleep(0.02)
    return {name: heard(bytes(telephone.sound)) for name, telephone in parties}


async def talking(open_center: Any) -> tuple[Any, Any, Any]:
    center = await open_center(wrap_up_s=0)
    await center.agent("alice")
    caller = await center.call()
    await center.hears_of("agent.connected", "recording.started")
    await center.stored("agent.connected")
    return center, caller, center.network.agents[0]


async def monitored(open_center: Any, mode: str) -> tuple[Any, Any, Any, Any]:
    center, caller, agent = await talking(open_center)
    await center.command("monitor", mode=mode, **EVE)
    await center.hears_of("monitor.started")
    return center, caller, agent, center.network.agents[1]


@pytest.mark.parametrize(
    ("mode", "caller_hears", "agent_hears"),
    [
        ("listen", {"agent"}, {"caller"}),
        ("whisper", {"agent"}, {"caller", "eve"}),
        ("barge", {"agent", "eve"}, {"caller", "eve"}),
    ],
)
async def test_who_hears_whom(
    open_center: Any, mode: str, caller_hears: set[str], agent_hears: set[str]
) -> None:
    center, caller, agent, eve = await monitored(open_center, mode)
    parties = ("caller", caller), ("agent", agent), ("eve", eve)
    assert await all_speak(*parties) == {
        "caller": caller_hears,
        "agent": agent_hears,
        "eve": {"caller", "agent"},
    }
    assert center.data("monitor.started") == [{"user": "eve", "mode": mode}]
    await center.command("unmonitor", user="eve")
    assert await all_speak(*parties[:2]) == {"caller": {"agent"}, "agent": {"caller"}}
    assert eve.closed.is_set()
    caller.hang_up()
    await center.over()


async def test_the_mode_can_be_changed_and_the_call_goes_on_without_the_supervisor(open_center: Any) -> None:
    center, caller, agent, eve = await monitored(open_center, "listen")
    parties = ("caller", caller), ("agent", agent), ("eve", eve)
    await center.command("monitor", mode="barge", **EVE)
    assert (await all_speak(*parties))["caller"] == {"agent", "eve"}
    await center.command("monitor", mode="whisper", **EVE)
    await center.command("monitor", mode="whisper", **EVE)
    assert (await all_speak(*parties))["caller"] == {"agent"}
    assert center.data("monitor.changed") == [
        {"user": "eve", "mode": "barge"},
        {"user": "eve", "mode": "whisper"},
    ]
    eve.hang_up()
    await center.hears_of("monitor.ended")
    with pytest.raises(NotFoundError, match="eve is not on this call"):
        await center.command("unmonitor", user="eve")
    assert (await all_speak(*parties[:2]))["caller"] == {"agent"}
    caller.hang_up()
    await center.over()
    (contact,) = timeline.build(center.events, None).contacts
    assert contact.hold_s == 0
    assert contact.connected_at is not None
    assert contact.conversation_ended_at is not None
    assert contact.talk_s == (contact.conversation_ended_at - contact.connected_at).total_seconds()


@pytest.mark.parametrize(("mode", "recorded"), [("whisper", {"agent"}), ("barge", {"agent", "eve"})])
async def test_a_barge_is_recorded_with_the_agent_and_a_whisper_is_not(
    open_center: Any, mode: str, recorded: set[str]
) -> None:
    center, caller, agent, eve = await monitored(open_center, mode)
    await all_speak(("caller", caller), ("agent", agent), ("eve", eve))
    caller.hang_up()
    await center.over()
    await center.hears_of("recording.ended")
    (path,) = center.services.recordings_dir.rglob("*.wav")
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    loud = np.flatnonzero(np.abs(sound[:, 1]) > 200)
    spoken = sound[loud[0] : loud[-1]]
    assert heard(spoken[:, 0].tobytes()) == {"caller"}
    assert heard(spoken[:, 1].tobytes()) == recorded


async def test_on_hold_the_caller_hears_no_supervisor(open_center: Any) -> None:
    center, caller, agent, eve = await monitored(open_center, "barge")
    await center.command("hold")
    await asyncio.sleep(0.1)
    found = await all_speak(("caller", caller), ("agent", agent), ("eve", eve))
    assert "eve" not in found["caller"]
    assert found["agent"] == {"eve"}
    await center.command("resume")
    assert (await all_speak(("caller", caller), ("agent", agent), ("eve", eve)))["caller"] == {"agent", "eve"}
    caller.hang_up()
    await center.over()


async def test_four_supervisors_at_once_and_no_fifth(open_center: Any) -> None:
    center, caller, agent = await talking(open_center)
    for number in range(4):
        await center.command("monitor", mode="listen", **{**EVE, "user": f"eve-{number}"})
    await center.hears("monitor.started", 4)
    with pytest.raises(TransitionError, match="4 supervisors are on this call"):
        await center.command("monitor", mode="listen", **EVE)
    await all_speak(("caller", caller), ("agent", agent))
    for telephone in center.network.agents[1:]:
        assert heard(bytes(telephone.sound)) == {"caller", "agent"}
    caller.hang_up()
    await center.over()
    assert center.types().count("monitor.ended") == 4
    assert all(telephone.closed.is_set() for telephone in center.network.agents)


async def test_what_cannot_be_monitored(open_center: Any) -> None:
    center, caller, _ = await talking(open_center)
    with pytest.raises(TransitionError, match="agent alice talks on this call"):
        await center.command("monitor", mode="listen", **{**EVE, "agent": "alice"})
    caller.hang_up()
    await center.over()
    await center.stored("call.ended")
    with pytest.raises(TransitionError, match="has ended"):
        await center.command("monitor", mode="listen", **EVE)


async def test_a_call_in_line_is_not_monitored(open_center: Any) -> None:
    center = await open_center(wrap_up_s=0)
    caller = await center.call()
    await center.hears_of("queue.entered")
    await center.stored("queue.entered")
    with pytest.raises(TransitionError, match="a call that is queued cannot monitor"):
        await center.command("monitor", mode="listen", **EVE)
    caller.hang_up()
    await center.over()


async def test_a_supervisor_who_does_not_answer_changes_nothing(open_center: Any) -> None:
    center, caller, agent = await talking(open_center)
    center.network.picks_up = False
    await center.command("monitor", mode="barge", **EVE)
    await center.dialled(2)
    await center.command("unmonitor", user="eve")
    assert await all_speak(("caller", caller), ("agent", agent)) == {"caller": {"agent"}, "agent": {"caller"}}
    caller.hang_up()
    await center.over()
    assert not {"monitor.started", "monitor.ended"} & set(center.types())
    assert center.network.hung_up == center.network.tokens[1:]
