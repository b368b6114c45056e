"""The database goes away in the middle of calls and comes back."""

import asyncio
import base64
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from support.crowd import Call, Crowd, Phone
from support.floor import Floor, check_agents_are_never_shared, check_numbering, eventually
from support.program import ACCOUNT_SID, AUTH_TOKEN, Program

Make = Callable[..., Program]

OUTAGE_S = 10.0
TONES = [base64.b64encode(bytes([0x20 + number, 0xA0 + number] * 80)).decode() for number in range(2)]
"""Two square waves; µ-law passes the service without a change."""
LONGEST_GAP_S = 0.3


def longest_gap_s(phone: Phone, payload: str, since: float, until: float) -> float:
    """The longest time without a frame of this sound on its way into the party's ear."""
    heard = [at for at, sound in phone.arrivals if sound == payload and since <= at <= until]
    assert len(heard) > 20
    return max(after - before for before, after in pairwise([since, *heard, until]))


async def test_the_database_stops_and_starts_again(make_program: Make) -> None:
    program = make_program()
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(program, crowd)
        floor.staff(2, every_ms=20, payload=TONES[1], keeps_sound=True)
        await floor.start(late=floor.staff(1, ring_s=3))
        async with floor.database_kept() as server:
            talking = await floor.call(0, every_ms=20, payload=TONES[0], keeps_sound=True)
            leaving = await floor.call(1)
            for call in (talking, leaving):
                await asyncio.wait_for(crowd.joined(call.number).wait(), 10)
            queued, gone = await floor.call(2), await floor.call(3)
            await eventually(lambda: waiting(floor, 2), 5, "two callers wait")
            assert await floor.metric("callcenter_events_pending") == 0
            await floor.sign_in(floor.agents[2:])
            await eventually(lambda: floor.desks[2].rings == 1, 5, "the third agent is called")

            await asyncio.to_thread(server.halt, "immediate")
            began = asyncio.get_running_loop().time()
            assert (await crowd.call(program.url, "+15550130004")).status == 503
            await leaving.phone.hang_up()
            await gone.phone.hang_up()
            await eventually(lambda: events_wait(floor), 5, "events wait for the database")
            await asyncio.sleep(began + OUTAGE_S - asyncio.get_running_loop().time())
            assert (await crowd.call(program.url, "+15550130005")).status == 503
            assert not talking.phone.over.is_set()
            assert not queued.phone.over.is_set()
            check_sound(floor, talking, began)

            await asyncio.to_thread(server.start)
            await asyncio.wait_for(crowd.joined(queued.number).wait(), 15)
            await eventually(lambda: nothing_waits(floor), 5, "all events are stored")
            check_sound(floor, talking, began)
            for call in (talking, queued):
                await call.phone.hang_up()
            again = await floor.call(6)
            await asyncio.wait_for(crowd.joined(again.number).wait(), 15)
            await again.phone.hang_up()
            await eventually(floor.all_available, 10, "all agents are available")
            await check_the_records(floor, [talking, leaving, queued, again], [gone])
        assert await asyncio.to_thread(program.stop) == 0
    assert "Traceback" not in program.log


async def test_a_database_that_does_not_answer(make_program: Make) -> None:
    """Worse than one that is gone: every statement hangs."""
    program = make_program()
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(program, crowd)
        floor.staff(1, every_ms=20, payload=TONES[1], keeps_sound=True)
        await floor.start()
        talking = await floor.call(0, every_ms=20, payload=TONES[0], keeps_sound=True)
        await asyncio.wait_for(crowd.joined(talking.number).wait(), 10)
        queued = await floor.call(1)
        await eventually(lambda: waiting(floor, 1), 5, "a caller waits")
        servers = database_processes(floor)
        began = asyncio.get_running_loop().time()
        for pid in servers:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert (await crowd.call(program.url, "+15550130004")).status == 503
            assert asyncio.get_running_loop().time() - began < 12
            check_sound(floor, talking, began)
        finally:
            for pid in servers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        await talking.phone.hang_up()
        await asyncio.wait_for(crowd.joined(queued.number).wait(), 15)
        await queued.phone.hang_up()
        await eventually(floor.all_available, 10, "the agent is available")
        await check_the_records(floor, [talking, queued], [])
        assert await asyncio.to_thread(program.stop) == 0
    assert "Traceback" not in program.log


def check_sound(floor: Floor, call: Call, since: float) -> None:
    """Both parties have heard each other all the time."""
    until = asyncio.get_running_loop().time()
    desk = next(desk for desk in floor.desks if desk.phone and desk.talks_to == call.number)
    assert desk.phone is not None
    for party, sound in ((call.phone, TONES[1]), (desk.phone, TONES[0])):
        gap_s = longest_gap_s(party, sound, since, until)
        assert gap_s < LONGEST_GAP_S, f"{gap_s:.3f} s of silence"


async def check_the_records(floor: Floor, answered: Sequence[Call], abandoned: Sequence[Call]) -> None:
    events = await floor.events()
    check_numbering(events)
    check_agents_are_never_shared(events)
    rows = await floor.rows("SELECT from_number, outcome FROM callcenter.call")
    found = {row["from_number"]: row["outcome"] for row in rows}
    wanted = {call.number: "answered" for call in answered}
    assert found == wanted | {call.number: "short_abandoned" for call in abandoned}
    assert [clash for desk in floor.desks for clash in desk.clashes] == []
    recordings = await floor.rows("SELECT * FROM callcenter.recording")
    assert [row["state"] for row in recordings] == ["done"] * len(answered)
    assert await floor.rows("SELECT * FROM callcenter.queue_entry") == []


async def waiting(floor: Floor, count: int) -> bool:
    return len(await floor.rows("SELECT * FROM callcenter.queue_entry")) == count


async def events_wait(floor: Floor) -> bool:
    return await floor.metric("callcenter_events_pending") >= 3


async def nothing_waits(floor: Floor) -> bool:
    return await floor.metric("callcenter_events_pending") == 0


def database_processes(floor: Floor) -> list[int]:
    pid = int((floor.program.folder / "data" / "postgres" / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]
