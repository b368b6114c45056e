"""A survey after the conversation, by calls from the first frame to the last event."""

import asyncio
from typing import Any

import pytest

from callcenter.timeline import build

QUEUE = "{kind: queue, queue: sales, timeout: bye, empty: bye, full: bye, closed: shut, answered: survey}"
SURVEY = f"""
language: en
start: sales
nodes:
  sales: {QUEUE}
  survey:
    kind: survey
    timeout_s: 0.3
    questions:
      - {{id: happy, kind: csat, prompt: Happy}}
      - {{id: friends, kind: nps, prompt: Friends}}
      - {{id: why, kind: words, prompt: Why}}
    silence_s: 0.3
    next: bye
  shut: {{kind: hangup, prompts: Shut., reason: closed}}
  bye: {{kind: hangup}}
"""


async def left_by_the_agent(center: Any) -> Any:
    """A caller who has talked with Alice, who hung up first."""
    await center.agent()
    caller = await center.call()
    await center.hears_of("agent.connected")
    center.network.agents[0].hang_up()
    await center.hears_of("survey.offered")
    return caller


async def press(center: Any, caller: Any, key: str, answers: int) -> None:
    """Press a key during a question and wait until it counts."""
    caller.sink.on_dtmf(key)
    await center.hears("survey.answered", answers)


async def test_a_survey_is_about_the_agent_who_wraps_up_beside_it(open_center: Any) -> None:
    center = await open_center(flow=SURVEY, wrap_up_s=0.2)
    caller = await left_by_the_agent(center)
    await press(center, caller, "5", 1)
    caller.sink.on_dtmf("1")
    await press(center, caller, "0", 2)
    await center.until("available")  # while the caller is still there
    await center.hears_of("recording.started")
    await caller_speaks(center, caller)
    await center.over()
    answers = center.data("survey.answered")
    assert [(one["question"], one["kind"], one.get("score")) for one in answers] == [
        ("happy", "csat", 5),
        ("friends", "nps", 10),
        ("why", "words", None),
    ]
    about = {(event.queue, event.agent) for event in center.events if event.type.value.startswith("survey.")}
    assert about == {("sales", "alice")}
    (survey,) = [one for one in center.data("recording.started") if one["kind"] == "survey"]
    assert survey["recording"] == answers[2]["recording"]
    end = center.data("call.ended")[0]
    assert (end["cause"], end["outcome"]) == ("completed", "answered")


async def caller_speaks(center: Any, caller: Any) -> None:
    """Say something after the tone, then nothing."""
    await center.hears("recording.started", 2)  # after the conversation's
    for _ in range(20):
        await caller.sink.on_audio(b"\x00\x20\x00\xe0" * 80, None)
        await asyncio.sleep(0.005)
    for _ in range(30):
        await caller.sink.on_audio(bytes(320), None)
        await asyncio.sleep(0.005)
    async with asyncio.timeout(5):
        while not caller.closed.is_set():
            await caller.sink.on_audio(bytes(320), None)
            await asyncio.sleep(0.01)


async def test_the_time_in_the_survey_is_no_talk_time(open_center: Any) -> None:
    center = await open_center(flow=SURVEY, wrap_up_s=0)
    caller = await left_by_the_agent(center)
    await press(center, caller, "4", 1)
    caller.hang_up()
    await center.over()
    assert [one["score"] for one in center.data("survey.answered")] == [4]
    timeline = build(center.events, None)
    (contact,) = timeline.contacts
    parted = next(event.at for event in center.events if event.type.value == "conversation.ended")
    joined = next(event.at for event in center.events if event.type.value == "agent.connected")
    assert contact.talk_s == pytest.approx((parted - joined).total_seconds())
    assert (timeline.outcome, timeline.end_cause) == ("answered", "caller_hangup")
    assert timeline.total_s > contact.talk_s + contact.wait_s


async def test_stars_are_no_answer_and_harm_nobody(open_center: Any) -> None:
    center = await open_center(flow=SURVEY.replace("      - {id: why, kind: words, prompt: Why}\n", ""))
    caller = await left_by_the_agent(center)
    for count in range(1, 5):
        caller.sink.on_dtmf("*")
        await center.hears("ivr.no_match", count)
    await center.hears_of("call.ended")
    assert center.data("survey.answered") == []
    assert center.data("call.ended")[0] == {"cause": "completed", "outcome": "answered"}


async def test_words_that_a_hang_up_ends_count(open_center: Any) -> None:
    only_words = SURVEY.replace("      - {id: happy, kind: csat, prompt: Happy}\n", "").replace(
        "      - {id: friends, kind: nps, prompt: Friends}\n", ""
    )
    center = await open_center(flow=only_words, wrap_up_s=0)
    caller = await left_by_the_agent(center)
    await center.hears("recording.started", 2)  # after the conversation's
    for _ in range(5):
        await caller.sink.on_audio(b"\x00\x20\x00\xe0" * 80, None)
    caller.hang_up()
    await center.over()
    assert [one["question"] for one in center.data("survey.answered")] == ["why"]
    rows = await center.services.recordings.of_call(center.call_id())
    assert {row.kind for row in rows} == {"conversation", "survey"}


async def test_a_caller_who_left_first_is_not_asked(open_center: Any) -> None:
    center = await open_center(flow=SURVEY, wrap_up_s=0)
    await center.agent()
    caller = await center.call()
    await center.hears_of("agent.connected")
    caller.hang_up()
    await center.over()
    assert "survey.offered" not in center.types()
