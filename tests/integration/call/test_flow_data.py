"""Calls that ask another system, know their caller, meet a closure, refuse recording, or end in a survey."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest

from callcenter.storage.closures import Closures, Scope
from callcenter.timeline import build
from support.crm import Crm, crm_running

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


def told(center: Any, type_: str) -> list[dict[str, Any]]:
    return [dict(event.data) for event in center.events if event.type.value == type_]


async def soon(true: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(5):
        while True:
            if true():
                return
            await asyncio.sleep(0.005)


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
    await soon(lambda: len(told(center, "survey.answered")) >= answers)


# Surveys.


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
    answers = told(center, "survey.answered")
    assert [(one["question"], one["kind"], one.get("score")) for one in answers] == [
        ("happy", "csat", 5),
        ("friends", "nps", 10),
        ("why", "words", None),
    ]
    about = {(event.queue, event.agent) for event in center.events if event.type.value.startswith("survey.")}
    assert about == {("sales", "alice")}
    (survey,) = [one for one in told(center, "recording.started") if one["kind"] == "survey"]
    assert survey["recording"] == answers[2]["recording"]
    end = told(center, "call.ended")[0]
    assert (end["cause"], end["outcome"]) == ("completed", "answered")


async def caller_speaks(center: Any, caller: Any) -> None:
    """Say something after the tone, then nothing."""
    await soon(lambda: {"kind": "survey"}.items() <= told(center, "recording.started")[-1].items())
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
    assert [one["score"] for one in told(center, "survey.answered")] == [4]
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
        await soon(lambda least=count: len(told(center, "ivr.no_match")) >= least)
    await center.hears_of("call.ended")
    assert told(center, "survey.answered") == []
    assert told(center, "call.ended")[0] == {"cause": "completed", "outcome": "answered"}


async def test_words_that_a_hang_up_ends_count(open_center: Any) -> None:
    only_words = SURVEY.replace("      - {id: happy, kind: csat, prompt: Happy}\n", "").replace(
        "      - {id: friends, kind: nps, prompt: Friends}\n", ""
    )
    center = await open_center(flow=only_words, wrap_up_s=0)
    caller = await left_by_the_agent(center)
    await soon(lambda: {"kind": "survey"}.items() <= told(center, "recording.started")[-1].items())
    for _ in range(5):
        await caller.sink.on_audio(b"\x00\x20\x00\xe0" * 80, None)
    caller.hang_up()
    await center.over()
    assert [one["question"] for one in told(center, "survey.answered")] == ["why"]
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


# Consent.

CONSENT = """
language: en
start: consent
nodes:
  consent: {kind: consent, prompts: Record, record: ask, barge_in: true, next: sales}
  sales: {kind: queue, queue: sales, timeout: bye, empty: bye, full: bye, closed: bye}
  bye: {kind: hangup}
"""


@pytest.mark.parametrize(("key", "recorded"), [("1", True), ("2", False)])
async def test_a_caller_decides_on_recording(
    open_center: Any, slow_recognizer: Any, key: str, recorded: bool
) -> None:
    slow_recognizer.ready.set()
    center = await open_center(flow=CONSENT, wrap_up_s=0, recognizer=slow_recognizer)
    await center.agent()
    caller = await center.call()
    await center.hears_of("ivr.entered")
    caller.sink.on_dtmf(key)
    await center.hears_of("agent.connected")
    caller.hang_up()
    await center.over()
    assert told(center, "ivr.input") == [
        {"node": "consent", "kind": "consent", "value": "yes" if recorded else "no"}
    ]
    assert told(center, "agent.connected") == [{} if recorded else {"recorded": False}]
    assert ("recording.started" in center.types()) is recorded
    assert bool(await center.services.recordings.of_call(center.call_id())) is recorded


# Closures.


async def closed(center: Any, scope: Scope, name: str, message: str = "") -> None:
    """Close and wait until the service knows."""
    await Closures(center.database).close(scope, name, message=message, by_whom="ann")
    board, now = center.services.closures, center.services.now
    await soon(lambda: board.of_queue("sales", now()) or board.of_call("flow", now()))


@pytest.mark.parametrize(("scope", "name"), [(Scope.ALL, ""), (Scope.FLOW, "flow")])
async def test_a_new_call_hears_the_message_and_ends(open_center: Any, scope: Scope, name: str) -> None:
    center = await open_center()
    await closed(center, scope, name, "Closed {today}.")
    caller = await center.call()
    await center.over()
    assert caller.heard > 20
    assert told(center, "ivr.entered") == [{"flow": "closed", "node": "closed"}]
    assert told(center, "call.ended") == [{"cause": "closed", "outcome": "closed"}]


async def test_a_flow_that_looks_at_it_decides_itself(open_center: Any) -> None:
    flow = """
language: en
start: ask
nodes:
  ask: {kind: branch, cases: [{closed: true, next: box}], else: bye}
  box: {kind: play, prompts: "Sorry. {closure_message}", next: bye}
  bye: {kind: hangup}
"""
    center = await open_center(flow=flow)
    await closed(center, Scope.ALL, "", "Fire drill.")
    await center.call()
    await center.over()
    assert [one["node"] for one in told(center, "ivr.entered")] == ["ask", "box", "bye"]
    assert told(center, "call.ended")[0]["cause"] == "completed"


async def test_a_caller_is_turned_away_from_a_closed_queue_and_talks_go_on(open_center: Any) -> None:
    center = await open_center(flow=SURVEY, wrap_up_s=0)
    await center.agent()
    talking = await center.call()
    await center.hears_of("agent.connected")
    await closed(center, Scope.QUEUE, "sales")
    await center.call()
    await center.hears_of("call.ended")
    assert told(center, "queue.left") == [{"reason": "closed"}]
    assert told(center, "call.ended") == [{"cause": "closed", "outcome": "closed"}]
    assert not talking.closed.is_set()
    assert "conversation.ended" not in center.types()
    talking.hang_up()
    await center.over()


# Recognition.

KNOWN = """
language: en
start: who
nodes:
  who:
    kind: branch
    cases:
      - {variable: last_agent, equals: alice, next: friend}
      - {variable: caller_known, equals: "yes", next: known}
    else: unknown
  friend: {kind: hangup}
  known: {kind: hangup}
  unknown: {kind: hangup}
"""


async def called_before(center: Any, agent: str | None) -> None:
    await center.database.execute(
        "INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref, from_number,"
        " to_number, agent_id, started_at, ended_at, outcome) VALUES ($1, $1, $1, 'inbound', 'twilio', '',"
        " '+12025550100', '', $2, now() - interval '3 days', now() - interval '3 days', 'answered')",
        uuid4(),
        agent,
    )


@pytest.mark.parametrize(
    ("agent", "node"), [("alice", "friend"), ("bob", "known"), (None, "known"), ("nobody called", "unknown")]
)
async def test_a_caller_is_recognised(open_center: Any, agent: str | None, node: str) -> None:
    center = await open_center(flow=KNOWN)
    if agent != "nobody called":
        await called_before(center, agent)
    await center.call()
    await center.over()
    assert [one["node"] for one in told(center, "ivr.entered")] == ["who", node]


async def test_a_database_that_does_not_answer_makes_a_stranger(open_center: Any) -> None:
    center = await open_center(flow=KNOWN)
    await called_before(center, "alice")
    loop = asyncio.get_running_loop()
    async with center.database.transaction() as connection:
        await connection.execute("LOCK TABLE callcenter.call IN ACCESS EXCLUSIVE MODE")
        began_s = loop.time()
        await center.call()
        await center.hears_of("ivr.entered", "call.ended")
        assert loop.time() - began_s < 3
    await center.over()
    assert [one["node"] for one in told(center, "ivr.entered")] == ["who", "unknown"]


# Lookups.


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    async with crm_running() as crm:
        yield crm


def asking(url: str) -> str:
    return f"""
language: en
start: crm
variables: {{tier: ""}}
nodes:
  crm:
    kind: lookup
    url: "{url}/callers/{{caller}}"
    headers: {{Authorization: {{env: CRM_TOKEN}}}}
    timeout_s: 0.4
    prompts: One moment.
    into: {{tier: $.tier}}
    next: where
    failed: failed
  where: {{kind: branch, cases: [{{variable: tier, equals: gold, next: gold}}], else: failed}}
  gold: {{kind: hangup}}
  failed: {{kind: hangup}}
"""


async def test_a_call_asks_another_system(open_center: Any, crm: Crm) -> None:
    crm.says(json.dumps({"tier": "gold"}).encode())
    center = await open_center(flow=asking(crm.url))
    caller = await center.call()
    await center.over()
    assert [one["node"] for one in told(center, "ivr.entered")] == ["crm", "where", "gold"]
    (event,) = told(center, "ivr.lookup")
    assert (event["node"], event["result"], sorted(event)) == ("crm", "ok", ["ms", "node", "result"])
    assert caller.heard > 20  # the prompt was not cut short by the answer
    assert "Authorization: s3cret" in crm.heard[0]


async def test_a_system_that_hangs_does_the_call_no_harm(open_center: Any, crm: Crm) -> None:
    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    crm.answer = hang
    center = await open_center(flow=asking(crm.url))
    await center.call()
    await center.over()
    assert [one["node"] for one in told(center, "ivr.entered")] == ["crm", "failed"]
    (event,) = told(center, "ivr.lookup")
    assert event["result"] == "failed"
    assert 390 <= event["ms"] < 900
    assert told(center, "call.ended")[0]["cause"] == "completed"


async def test_a_caller_who_hangs_up_meanwhile_is_gone_at_once(open_center: Any, crm: Crm) -> None:
    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    crm.answer = hang
    center = await open_center(flow=asking(crm.url).replace("timeout_s: 0.4", "timeout_s: 10"))
    caller = await center.call()
    await crm.until(1)
    caller.hang_up()
    async with asyncio.timeout(1):
        await center.over()
    assert told(center, "call.ended")[0]["outcome"] == "ivr_abandoned"
