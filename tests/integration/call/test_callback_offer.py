"""Callers in line who leave a callback, or phone in while one is open."""

import asyncio
import random
import wave
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from callback import dialogue
from callback.refusal import Refusal
from callback.request import Source
from callback.wording import Wording
from callcenter import config
from callcenter.acd.presence import AgentEvent
from callcenter.callback_settings import CallbackRules
from callcenter.callbacks.models import Asked
from callcenter.media.prompts import file_name
from support.acd import soon

SIGNAL = b"\x00\x10\x00\x20\x00\x30\x00\x20" * 20
CALLER, OTHER = "+12025550100", "+12025550142"
KEEPS = CallbackRules(enabled=True, earliest_s=0, dial_from="00:00", dial_until="24:00", zone="UTC")
FLOW = """
language: en
start: sales
nodes:
  sales: {kind: queue, queue: sales, exit_key: "9", key: bye, timeout: bye, empty: bye, full: bye,
          closed: bye}
  bye: {kind: hangup}
"""
WITH_EXIT = """
language: en
start: sales
nodes:
  sales: {kind: queue, queue: sales, callback_key: "*", callback: noted, timeout: bye, empty: bye, full: bye,
          closed: bye}
  noted: {kind: play, prompts: You will hear from us., next: bye}
  bye: {kind: hangup}
"""


async def opened(open_: Any, flow: str = FLOW, queues: tuple[str, ...] = ("sales",), **rules: Any) -> Any:
    return await open_(flow, queues=queues, wrap_up_s=0, callback=KEEPS.model_copy(update=rules))


def recorded(tmp_path: Path, text: str, seconds: float = 0.1) -> None:
    """Somebody has recorded a text."""
    (tmp_path / "voices").mkdir()
    with wave.open(str(tmp_path / "voices" / f"{file_name(text)}.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(SIGNAL * int(seconds * 8000 / len(SIGNAL) * 2))


async def press(center: Any, caller: Any, keys: str) -> None:
    """One key after the other, each once the one before was taken."""
    for key in keys:
        caller.sink.on_dtmf(key)
        await asyncio.sleep(0.1)


async def waits_long(center: Any) -> None:
    """An agent who talks, and somebody who waited 400 s."""
    await center.agent("ann")
    await center.database.execute(
        "UPDATE callcenter.agent SET state = 'talking', call_id = gen_random_uuid() WHERE agent_id = 'ann'"
    )
    await center.database.execute(
        "INSERT INTO callcenter.wait_estimate (call_id, queue, made_at, at_entry, priority, position, method,"
        " outcome, waited_s) VALUES (gen_random_uuid(), 'sales', now() - interval '401 s', true, 0, 1,"
        " 'none', 'answered', 400)"
    )


async def callbacks(center: Any) -> list[Any]:
    return await center.database.fetch("SELECT * FROM callback.callback ORDER BY requested_at")


async def asked_for(center: Any, number: str = CALLER, queue: str = "sales") -> UUID:
    """Somebody has asked for a callback an hour ago."""
    asked = Asked(queue, number, Source.API)
    callback, _ = await center.services.callbacks.desk.request(asked, by="user tess")
    await center.database.execute(
        "UPDATE callback.callback SET arrived_at = arrived_at - interval '1 hour' WHERE callback_id = $1",
        callback.callback_id,
    )
    return callback.callback_id


def outcome(center: Any) -> str:
    return next(e.data["outcome"] for e in reversed(center.events) if e.type.value == "call.ended")


async def test_a_caller_keeps_the_place_by_key(open_center: Any) -> None:
    center = await opened(open_center)
    caller = await center.call()
    await center.in_line(1)
    (entry,) = await center.line.entries()
    await press(center, caller, "1")
    await center.hears_of("callback.offered")
    await press(center, caller, "11")
    await center.hears_of("callback.accepted", "queue.left")
    (kept,) = await callbacks(center)
    assert (kept["number"], kept["queue"], kept["source"]) == (CALLER, "sales", "ivr")
    assert (kept["arrived_at"], kept["call_id"]) == (entry.entered_at, entry.call_id)
    assert kept["chain_id"] == entry.call_id
    assert (kept["language"], kept["consent"]) == ("en", True)
    (place,) = await center.line.entries()
    assert (place.callback_id, place.entered_at) == (kept["callback_id"], entry.entered_at)
    heard = caller.heard
    await asyncio.sleep(0.3)
    assert caller.heard > heard
    caller.hang_up()
    await center.over()
    assert center.data("callback.offered") == [{"by": "key"}]
    assert center.data("callback.accepted") == [{"callback": str(kept["callback_id"]), "kind": "place"}]
    assert center.data("queue.left") == [{"reason": "callback"}]
    assert "queue.abandoned" not in center.types()
    assert outcome(center) == "callback_requested"
    assert len(await center.line.entries()) == 1


async def test_who_hears_the_goodbye_to_its_end_is_hung_up_on(open_center: Any) -> None:
    center = await opened(open_center)
    caller = await center.call()
    await center.in_line(1)
    await press(center, caller, "111")
    async with asyncio.timeout(20):
        await caller.closed.wait()
    await center.over()
    assert center.events[-1].data["cause"] == "completed"
    assert outcome(center) == "callback_requested"


async def test_the_flow_goes_on_where_it_says_so(open_center: Any) -> None:
    center = await opened(open_center, WITH_EXIT)
    caller = await center.call()
    await center.in_line(1)
    await press(center, caller, "*11")
    async with asyncio.timeout(20):
        while "noted" not in [data["node"] for data in center.data("ivr.entered")]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    caller.hang_up()
    await center.over()
    assert outcome(center) == "callback_requested"


async def test_who_would_wait_long_is_offered_one_and_may_decline(open_center: Any) -> None:
    center = await opened(open_center)
    await waits_long(center)
    caller = await center.call()
    await center.hears_of("callback.offered")
    assert center.data("callback.offered")[0]["by"] == "threshold"
    assert center.data("callback.offered")[0]["ewt_p50_s"] > 180
    await press(center, caller, "5")
    await center.hears_of("callback.declined")
    assert len(await center.line.entries()) == 1
    caller.hang_up()
    await center.over()
    assert "queue.abandoned" in center.types()
    assert await callbacks(center) == []


async def test_silence_is_an_answer_and_recordings_stand_in_for_the_voice(
    open_center: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogue, "OFFER_WAIT_S", 0.2)
    offer = Wording("en").say("offer", key="1").text
    recorded(tmp_path, offer)
    center = await opened(open_center)
    await waits_long(center)
    caller = await center.call()
    await center.hears_of("callback.declined")
    heard = caller.heard
    await asyncio.sleep(0.3)
    assert caller.heard > heard  # music
    caller.hang_up()
    await center.over()


async def test_who_would_not_wait_long_is_offered_none(open_center: Any) -> None:
    center = await opened(open_center, offer_after_s=3600)
    await waits_long(center)
    caller = await center.call()
    await center.in_line(1)
    await asyncio.sleep(0.5)
    caller.hang_up()
    await center.over()
    assert "callback.offered" not in center.types()


async def test_an_offer_is_not_repeated_at_once(open_center: Any) -> None:
    center = await open_center(FLOW, callback=KEEPS, announce_every_s=0.2)
    await waits_long(center)
    caller = await center.call()
    await center.hears_of("callback.offered")
    await press(center, caller, "5")
    await center.hears("queue.announced", 1)
    await asyncio.sleep(1)
    caller.hang_up()
    await center.over()
    assert center.types().count("callback.offered") == 1


async def test_a_number_that_is_withheld_is_asked_for(open_center: Any) -> None:
    center = await opened(open_center)
    caller = await center.call("+266696687")
    await center.in_line(1)
    await press(center, caller, "112025550142#1")
    await center.hears_of("callback.accepted")
    assert [kept["number"] for kept in await callbacks(center)] == [OTHER]
    caller.hang_up()
    await center.over()


async def test_a_time_is_chosen(open_center: Any) -> None:
    center = await opened(open_center)
    caller = await center.call()
    await center.in_line(1)
    await press(center, caller, "12*21")
    await center.hears_of("callback.accepted")
    (kept,) = await callbacks(center)
    slots = await center.services.callbacks.desk.slots("sales")
    assert kept["slot_start"] == slots[5].start
    assert (kept["state"], await center.line.entries()) == ("scheduled", [])
    assert center.data("callback.accepted")[0]["kind"] == "slot"
    caller.hang_up()
    await center.over()


async def test_hanging_up_before_confirming_is_an_abandonment(open_center: Any) -> None:
    center = await opened(open_center)
    caller = await center.call()
    await center.in_line(1)
    await press(center, caller, "11")
    caller.hang_up()
    await center.over()
    assert await callbacks(center) == []
    assert "queue.abandoned" in center.types()
    assert outcome(center) in ("abandoned", "short_abandoned")


@pytest.mark.parametrize(
    ("rules", "refusal"),
    [
        ({"accept": False}, Refusal.NOT_OFFERED),
        ({"hours": {"zone": "UTC", "weekly": []}}, Refusal.CLOSED),
        ({"max_pending": 1}, Refusal.TOO_MANY),
    ],
)
async def test_a_refusal_is_said_and_the_caller_stays(
    open_center: Any, tmp_path: Path, rules: dict[str, Any], refusal: Refusal
) -> None:
    recorded(tmp_path, Wording("en").refused(refusal).text, seconds=2)
    center = await opened(open_center, **rules)
    if refusal is Refusal.TOO_MANY:
        await asked_for(center, "+12025550177")
    caller = await center.call()
    await center.hears_of("queue.entered")
    await press(center, caller, "1")
    await soon(lambda: SIGNAL in bytes(caller.sound))
    assert "callback.offered" not in center.types()
    assert [entry.callback_id for entry in await center.line.entries() if entry.node_id] == [None]
    caller.hang_up()
    await center.over()


async def test_a_number_on_the_do_not_call_list_stays_in_line(open_center: Any) -> None:
    center = await opened(open_center)
    await center.services.callbacks.desk.forbid(CALLER, by="user tess")
    caller = await center.call()
    await center.in_line(1)
    await press(center, caller, "111")
    await asyncio.sleep(0.3)
    assert (await callbacks(center), len(await center.line.entries())) == ([], 1)
    await press(center, caller, "2025550142#1")
    await center.hears_of("callback.accepted")
    caller.hang_up()
    await center.over()


async def test_an_agent_who_is_found_cuts_the_talk(open_center: Any) -> None:
    center = await opened(open_center)
    caller = await center.call()
    await center.in_line(1)
    await press(center, caller, "11")
    await center.agent()
    await center.hears_of("agent.connected")
    await press(center, caller, "1")
    await asyncio.sleep(0.3)
    assert await callbacks(center) == []
    caller.hang_up()
    await center.over()
    assert outcome(center) == "answered"


async def test_the_agent_or_the_callback_and_never_both(open_center: Any) -> None:
    """An agent comes while the caller confirms, again and again."""
    center = await opened(open_center)
    await center.agents.create(_agent())
    ahead, won = random.Random(1), set[str]()
    for _ in range(25):
        caller = await center.call()
        await center.in_line(1)
        await press(center, caller, "11")
        pause_s = ahead.uniform(0, 0.05)
        await asyncio.gather(_confirm(caller, pause_s), _sign_in(center, 0.05 - pause_s))
        await _decided(center)
        made, answered = len(await callbacks(center)), "agent.connected" in center.types()
        assert made + answered == 1
        won.add("agent" if answered else "callback")
        caller.hang_up()
        await center.over()
        await _clear(center)
    assert won == {"agent", "callback"}


# Customers who phone in.


async def test_who_phones_in_waits_at_the_old_place(open_center: Any) -> None:
    center = await opened(open_center)
    before = await center.call("+12025550177")
    await center.in_line(1)
    callback_id = await asked_for(center)
    caller = await center.call()
    await _talks(center, 2)
    assert len(await center.line.entries()) == 3
    await press(center, caller, "1")
    await _until(center, callback_id, "merged")
    first, second = await center.line.entries()
    (kept,) = await callbacks(center)
    assert (first.entered_at, first.callback_id) == (kept["arrived_at"], None)
    assert (await center.numbers_in_line()) == [CALLER, "+12025550177"]
    assert second.entered_at > first.entered_at
    for one in (before, caller):
        one.hang_up()
    await center.over()


async def test_who_phones_in_may_cancel(open_center: Any) -> None:
    center = await opened(open_center)
    callback_id = await asked_for(center)
    caller = await center.call()
    await _talks(center, 1)
    await press(center, caller, "2")
    await _until(center, callback_id, "cancelled")
    assert await center.numbers_in_line() == [CALLER]
    caller.hang_up()
    await center.over()


async def test_who_phones_in_may_leave_it_as_it_is(open_center: Any) -> None:
    center = await opened(open_center)
    callback_id = await asked_for(center)
    caller = await center.call()
    await _talks(center, 1)
    await press(center, caller, "3")
    await center.hears_of("queue.left")
    caller.hang_up()
    await center.over()
    assert [entry.callback_id for entry in await center.line.entries()] == [callback_id]
    assert outcome(center) == "callback_requested"


async def test_who_would_leave_it_when_it_has_ended_goes_on_waiting(open_center: Any) -> None:
    center = await opened(open_center)
    callback_id = await asked_for(center)
    caller = await center.call()
    await _talks(center, 1)
    await center.services.callbacks.desk.cancel(callback_id, by="user ann")
    await press(center, caller, "3")
    await asyncio.sleep(0.5)
    assert await center.numbers_in_line() == [CALLER]
    caller.hang_up()
    await center.over()
    assert outcome(center) != "callback_requested"


async def test_who_is_being_called_at_that_moment_is_next(open_center: Any) -> None:
    center = await opened(open_center)
    callback_id = await asked_for(center)
    await center.database.execute(
        "UPDATE callback.callback SET state = 'dialing', lease_until = now() + interval '1 minute',"
        " worker = gen_random_uuid() WHERE callback_id = $1",
        callback_id,
    )
    caller = await center.call()
    await _until(center, callback_id, "merged")
    (kept,) = await callbacks(center)
    (entry,) = await center.line.entries()
    assert (entry.entered_at, kept["attempts"]) == (kept["arrived_at"], 0)
    caller.hang_up()
    await center.over()


async def test_a_callback_of_another_queue_is_told_and_may_be_cancelled(open_center: Any) -> None:
    center = await opened(open_center, queues=("sales", "support"))
    callback_id = await asked_for(center, queue="support")
    caller = await center.call()
    await _talks(center, 1)
    await press(center, caller, "1")
    assert (await callbacks(center))[0]["ended_at"] is None
    await press(center, caller, "2")
    await _until(center, callback_id, "cancelled")
    assert [entry.queue for entry in await center.line.entries()] == ["sales"]
    caller.hang_up()
    await center.over()


def _agent() -> config.Agent:
    return config.Agent(id="alice", address="+12025550143", queues=["sales"])


async def _confirm(caller: Any, pause_s: float) -> None:
    await asyncio.sleep(pause_s)
    caller.sink.on_dtmf("1")


async def _sign_in(center: Any, pause_s: float) -> None:
    await asyncio.sleep(pause_s)
    await center.roster.signal("alice", AgentEvent.SIGN_IN)


async def _decided(center: Any) -> None:
    await soon(lambda: {"callback.accepted", "agent.connected"} & set(center.types()))


async def _clear(center: Any) -> None:
    """As if nothing had been."""
    center.events.clear()
    await center.database.execute("DELETE FROM callback.callback")
    await center.database.execute("DELETE FROM callcenter.queue_entry")
    await center.database.execute(
        "UPDATE callcenter.agent SET state = 'offline', call_id = NULL, offer_id = NULL, node_id = NULL"
    )


async def _until(center: Any, callback_id: UUID, state: str) -> None:
    async with asyncio.timeout(5):
        while True:
            row = await center.database.fetchrow(
                "SELECT state FROM callback.callback WHERE callback_id = $1", callback_id
            )
            if row["state"] == state:
                return
            await asyncio.sleep(0.02)


async def _talks(center: Any, number: int) -> None:
    """Wait until the last of so many callers is talked with."""
    async with asyncio.timeout(5):
        while True:
            sessions = list(center.supervisor._sessions.values())
            names = {task.get_name() for task in asyncio.all_tasks()}
            if len(sessions) == number and any(name.startswith("callback talk") for name in names):
                return
            await asyncio.sleep(0.02)
