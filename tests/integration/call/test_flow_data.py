"""Calls that ask another system, know their caller, meet a closure, or refuse to be recorded."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest

from callback.request import Source
from callcenter.call.reception import receive
from callcenter.callback_settings import CallbackRules
from callcenter.callbacks.models import Asked
from callcenter.media.espeak import Espeak
from callcenter.media.frame import PacedBy
from callcenter.media.resample import to_8khz
from callcenter.queueing import Overflow
from callcenter.storage.closures import Closures, Scope
from callcenter.storage.queues import QueueRows
from callcenter.telephony.port import LegInfo
from support.crm import Crm, crm_running

SHUT = """
language: en
start: sales
nodes:
  sales: {kind: queue, queue: sales, timeout: bye, empty: bye, full: bye, closed: shut}
  shut: {kind: hangup, prompts: Shut., reason: closed}
  bye: {kind: hangup}
"""


async def soon(true: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(5):
        while True:
            if true():
                return
            await asyncio.sleep(0.005)


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
    speech = Espeak().synthesize("I would like to know when my order is going to arrive.")
    await caller.sink.on_audio(to_8khz(speech.pcm16, speech.rate_hz), None)
    caller.hang_up()
    await center.over()
    assert bool(slow_recognizer.asked) is recorded
    assert ("transcript.segment" in center.types()) is recorded
    assert center.data("ivr.input") == [
        {"node": "consent", "kind": "consent", "value": "yes" if recorded else "no"}
    ]
    assert center.data("agent.connected") == [{} if recorded else {"recorded": False}]
    assert ("recording.started" in center.types()) is recorded
    assert bool(await center.services.recordings.of_call(center.call_id())) is recorded


async def test_a_message_after_a_refusal_is_kept_but_not_written_down(
    open_center: Any, slow_recognizer: Any
) -> None:
    slow_recognizer.ready.set()
    flow = CONSENT.replace(
        "sales: {kind: queue, queue: sales, timeout: bye, empty: bye, full: bye, closed: bye}",
        "sales: {kind: voicemail, mailbox: sales, silence_s: 1, next: bye}",
    )
    center = await open_center(flow=flow, recognizer=slow_recognizer)
    caller = await center.call()
    await center.hears_of("ivr.entered")
    caller.sink.on_dtmf("2")
    await center.hears_of("recording.started")
    speech = Espeak().synthesize("Please call me back tomorrow.")
    await caller.sink.on_audio(to_8khz(speech.pcm16, speech.rate_hz), None)
    caller.hang_up()
    await center.over()
    assert slow_recognizer.asked == 0
    (row,) = await center.services.recordings.of_call(center.call_id())
    assert row.kind == "voicemail"


# Closures.


async def closed(center: Any, scope: Scope, name: str, message: str = "") -> None:
    """Close and wait until the service knows."""
    await Closures(center.database).close(scope, name, message=message, by_whom="ann")
    board, now = center.services.closures, center.services.now
    await soon(lambda: board.of_queue(name or "sales", now()) or board.of_call("flow", now()))


@pytest.mark.parametrize(("scope", "name"), [(Scope.ALL, ""), (Scope.FLOW, "flow")])
async def test_a_new_call_hears_the_message_and_ends(open_center: Any, scope: Scope, name: str) -> None:
    center = await open_center()
    await closed(center, scope, name, "Closed {today}.")
    caller = await center.call()
    await center.over()
    assert caller.heard > 20
    assert center.data("ivr.entered") == [{"flow": "closed", "node": "closed"}]
    assert center.data("call.ended") == [{"cause": "closed", "outcome": "closed"}]


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
    assert [one["node"] for one in center.data("ivr.entered")] == ["ask", "box", "bye"]
    assert center.data("call.ended")[0]["cause"] == "completed"


async def test_a_caller_is_turned_away_from_a_closed_queue_and_talks_go_on(open_center: Any) -> None:
    center = await open_center(flow=SHUT, wrap_up_s=0)
    await center.agent()
    talking = await center.call()
    await center.hears_of("agent.connected")
    await closed(center, Scope.QUEUE, "sales")
    await center.call()
    await center.hears_of("call.ended")
    assert center.data("queue.left") == [{"reason": "closed"}]
    assert center.data("call.ended") == [{"cause": "closed", "outcome": "closed"}]
    assert not talking.closed.is_set()
    assert "conversation.ended" not in center.types()
    talking.hang_up()
    await center.over()


async def test_who_has_lost_the_agent_at_once_goes_on_waiting_although_closed(open_center: Any) -> None:
    center = await open_center(wrap_up_s=0, max_wait_s=30)
    await center.agent()
    caller = await center.call()
    await center.hears_of("agent.connected")
    await closed(center, Scope.ALL, "")
    center.network.agents[0].hang_up("lost")
    await center.in_line(1)
    caller.hang_up()
    await center.over()
    assert "queue.left" not in center.types()


async def test_a_caller_who_overflows_to_a_closed_queue_hears_that_it_is_closed(open_center: Any) -> None:
    center = await open_center(flow=SHUT, queues=("sales", "support"), wrap_up_s=0)
    (sales,) = [row.queue for row in await QueueRows(center.database).all() if row.queue.name == "sales"]
    overflowing = sales.model_copy(update={"overflow": [Overflow(to="support", after_s=0.2)]})
    await QueueRows(center.database).put(overflowing)
    await soon(lambda: center.services.queues.get("sales").overflow)
    await closed(center, Scope.QUEUE, "support")
    await center.call()
    await center.over()
    assert center.data("queue.left") == [{"reason": "overflow", "to": "support"}, {"reason": "closed"}]
    assert center.data("call.ended") == [{"cause": "closed", "outcome": "closed"}]


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
    assert [one["node"] for one in center.data("ivr.entered")] == ["who", node]


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
    assert [one["node"] for one in center.data("ivr.entered")] == ["who", "unknown"]


TO_BE_CALLED = """
language: en
start: who
nodes:
  who:
    kind: branch
    cases: [{variable: open_callback, equals: "yes", next: told}]
    else: unknown
  told: {kind: play, prompts: "We will call you {callback_window}.", next: unknown}
  unknown: {kind: hangup}
"""


@pytest.mark.parametrize(
    ("number", "nodes"),
    [
        ("+12025550100", ["who", "told", "unknown"]),
        ("+12025550101", ["who", "unknown"]),
        ("", ["who", "unknown"]),
    ],
)
async def test_a_flow_knows_who_is_to_be_called_back(open_center: Any, number: str, nodes: list[str]) -> None:
    rules = CallbackRules(enabled=True, dial_from="00:00", dial_until="24:00")
    center = await open_center(flow=TO_BE_CALLED, callback=rules)
    desk = center.services.callbacks.desk
    callback, _ = await desk.request(Asked("sales", "+12025550100", Source.API), by="user tess")
    caller = LegInfo("leg", "twilio", "ref", "token", PacedBy.US, number, "+12025550199")
    engine = await receive(center.services, uuid4(), caller, callback.requested_at)
    told = engine.variables["callback_window"]
    assert ("today at" in told or "tomorrow at" in told) is ("told" in nodes)
    await center.call(number)
    await center.hears("ivr.entered", len(nodes))
    assert [one["node"] for one in center.data("ivr.entered")] == nodes
    await center.over()


async def test_callbacks_that_are_not_found_in_time_are_none(open_center: Any) -> None:
    center = await open_center(flow=TO_BE_CALLED)
    loop = asyncio.get_running_loop()
    async with center.database.transaction() as connection:
        await connection.execute("LOCK TABLE callback.callback IN ACCESS EXCLUSIVE MODE")
        began_s = loop.time()
        await center.call()
        await center.hears_of("ivr.entered", "call.ended")
        assert loop.time() - began_s < 3
    await center.over()
    assert [one["node"] for one in center.data("ivr.entered")] == ["who", "unknown"]


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
    assert [one["node"] for one in center.data("ivr.entered")] == ["crm", "where", "gold"]
    (event,) = center.data("ivr.lookup")
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
    assert [one["node"] for one in center.data("ivr.entered")] == ["crm", "failed"]
    (event,) = center.data("ivr.lookup")
    assert event["result"] == "failed"
    assert 390 <= event["ms"] < 900
    assert center.data("call.ended")[0]["cause"] == "completed"


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
    assert center.data("call.ended")[0]["outcome"] == "ivr_abandoned"
