"""A caller who waits is told for how long, and what was told is kept with what happened."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

from callcenter.events import EventType
from callcenter.storage.wait_estimates import MadeEstimate, WaitEstimates


async def rows(center: Any, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(5):
        while True:
            found = await center.database.fetch("SELECT * FROM callcenter.wait_estimate ORDER BY estimate_id")
            if len(found) >= count:
                return [dict(row) for row in found]
            await asyncio.sleep(0.01)


async def somebody_was_served_after(center: Any, waited_s: float) -> None:
    now = center.services.now()
    entry = MadeEstimate(now, True, 0, 1, "none", None, None)
    ended_at = now + timedelta(seconds=waited_s)
    await WaitEstimates(center.database).add(uuid4(), "sales", [entry], "answered", ended_at)


async def busy(center: Any) -> None:
    await center.agent()
    await center.database.execute(
        "UPDATE callcenter.agent SET state = 'talking', call_id = gen_random_uuid()"
    )


async def test_the_estimate_is_in_the_log_said_and_kept(open_center: Any) -> None:
    center = await open_center(announce_every_s=0.3)
    await busy(center)
    await somebody_was_served_after(center, 100)
    caller = await center.call()
    await center.hears_of("queue.announced")
    caller.hang_up()
    await center.over()
    data = {event.type: event.data for event in center.events}
    # A gamma of shape 4 and mean 100 s.
    entered, announced = data[EventType.QUEUE_ENTERED], data[EventType.QUEUE_ANNOUNCED]
    assert (entered["ewt_p50_s"], entered["ewt_p90_s"]) == (91.9, 166.7)
    assert (announced["position"], announced["ewt_p50_s"], announced["ewt_p90_s"]) == (1, 91.9, 166.7)
    _, at_entry, told = (await rows(center, 3))[:3]
    assert (at_entry["at_entry"], at_entry["said_to_s"], at_entry["method"]) == (True, None, "last_served")
    assert (told["at_entry"], told["said_from_s"], told["said_to_s"]) == (False, 120, 180)
    assert at_entry["outcome"] == told["outcome"] == "abandoned"
    assert at_entry["waited_s"] > told["waited_s"] > 0
    prompts = {path.name for path in (center.services.settings.data_dir / "prompts").rglob("*.wav")}
    assert len(prompts) >= 2


async def test_nothing_is_said_where_the_queue_does_not_want_it(open_center: Any) -> None:
    center = await open_center(announce_every_s=0.3, announce_wait=False)
    await busy(center)
    await somebody_was_served_after(center, 100)
    caller = await center.call()
    await center.hears_of("queue.announced")
    caller.hang_up()
    await center.over()
    assert {event.type: event.data for event in center.events}[EventType.QUEUE_ANNOUNCED] == {"position": 1}
    assert [row["at_entry"] for row in await rows(center, 2)] == [True, True]


async def test_who_is_answered_is_kept_as_answered(open_center: Any) -> None:
    center = await open_center(wrap_up_s=0)
    await center.agent()
    caller = await center.call()
    await center.hears_of("agent.connected")
    (kept,) = await rows(center, 1)
    assert (kept["outcome"], kept["method"], kept["p50_s"]) == ("answered", "none", None)
    assert 0 <= kept["waited_s"] < 5
    caller.hang_up()
    await center.over()


async def test_a_locked_table_harms_no_call(open_center: Any) -> None:
    center = await open_center(wrap_up_s=0)
    await center.agent()
    async with center.database.transaction() as connection:
        await connection.execute("LOCK TABLE callcenter.wait_estimate IN ACCESS EXCLUSIVE MODE")
        caller = await center.call()
        await center.hears_of("agent.connected")
        caller.hang_up()
        await center.over()
    assert [row["outcome"] for row in await rows(center, 1)] == ["answered"]
