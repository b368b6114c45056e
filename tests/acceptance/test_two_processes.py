"""Several processes on one database: a crowd of callers, no agent with two calls, nobody lost."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

from aiohttp import ClientSession

from support.crowd import Call, Crowd, first
from support.floor import Floor, check_agents_are_never_shared, check_numbering, eventually
from support.program import ACCOUNT_SID, AUTH_TOKEN, Program

Make = Callable[..., Program]

AGENTS = 50
WAVE_S, PAUSE_S = 5.0, 4.0
"""Callers come in waves, so that the queue fills and empties again."""
OUT_OF_ORDER = timedelta(seconds=0.5)
"""Two processes match at once, so callers who came so close together may be taken the other way round."""


class Caller:
    """One caller of the crowd; every other one ends the talk, else the agent does; few give up at once."""

    def __init__(self, number: int, starts_s: float) -> None:
        self.number = number
        self.starts_s = starts_s
        self.gives_up = number % 50 == 7
        self.hangs_up = number % 2 == 0
        self.call: Call | None = None

    async def live(self, floor: Floor, url: str) -> None:
        await asyncio.sleep(self.starts_s)
        call = self.call = await floor.call(self.number, url=url)
        assert not call.refused, f"caller {self.number} was refused: {call.status}"
        if self.gives_up:
            await call.phone.hang_up()
        elif self.hangs_up:
            await asyncio.wait_for(first(floor.crowd.joined(call.number), call.phone.over), 40)
            await asyncio.sleep(0.5)
            await call.phone.hang_up()
        await asyncio.wait_for(call.phone.over.wait(), 40)


def a_crowd(size: int, waves: int) -> list[Caller]:
    chance = random.Random(1)
    begins = [wave * (WAVE_S + PAUSE_S) for wave in range(waves)]
    starts = sorted(begins[number % waves] + chance.uniform(0, WAVE_S) for number in range(size))
    return [Caller(number, start) for number, start in enumerate(starts)]


async def live(floor: Floor, callers: Sequence[Caller], urls: Sequence[str]) -> None:
    """Let all callers call, end, and the agents come to rest."""
    async with asyncio.TaskGroup() as group:
        for caller in callers:
            url = urls[caller.number % len(urls)]
            group.create_task(caller.live(floor, url), name=f"caller {caller.number}")
    await eventually(floor.all_available, 10, "all agents are available")


async def test_a_crowd_behind_one_address(make_program: Make) -> None:
    program = make_program()
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(program, crowd)
        floor.staff(AGENTS, talk_s=1.0)
        await floor.start("--processes", "2")
        callers = a_crowd(500, waves=3)
        await live(floor, callers, [program.url])
        await check_the_books(floor, callers)
        handed_over = await of_all_processes(program.url, "callcenter_legs_handed_over_total")
        assert len(handed_over) == 2
        assert min(handed_over) > 50
        assert await asyncio.to_thread(program.stop) == 0


async def test_a_crowd_on_two_services_with_one_database(make_program: Make) -> None:
    program, other = make_program(), make_program()
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(program, crowd)
        floor.staff(AGENTS, talk_s=1.0)
        await floor.start()
        other.settings["agents"] = program.settings["agents"]
        other.settings["gateways"] = program.settings["gateways"]
        other.settings["database"] = {"url": floor.database_url}
        await asyncio.to_thread(other.start)
        callers = a_crowd(150, waves=1)
        await live(floor, callers, [program.url, other.url])
        await check_the_books(floor, callers)
        carried = await floor.rows("SELECT count(*) FROM callcenter.call GROUP BY node_id")
        assert [row["count"] for row in carried] == [75, 75]
        assert await asyncio.to_thread(other.stop) == 0
        assert await asyncio.to_thread(program.stop) == 0


async def check_the_books(floor: Floor, callers: Sequence[Caller]) -> None:
    events = await floor.events()
    check_numbering(events)
    assert check_agents_are_never_shared(events) > len(callers)
    check_order(events)
    assert [clash for desk in floor.desks for clash in desk.clashes] == []
    talked = Counter(caller for desk in floor.desks for _, _, caller in desk.talks)
    for row in await floor.rows("SELECT from_number, outcome, end_cause FROM callcenter.call"):
        caller = callers[int(row["from_number"][-4:])]
        if row["outcome"] == "answered":
            assert talked[row["from_number"]] == 1
        else:
            assert (caller.gives_up, row["end_cause"]) == (True, "caller_hangup"), row
    assert len(await floor.rows("SELECT FROM callcenter.call")) == len(callers)
    assert await floor.rows("SELECT FROM callcenter.queue_entry") == []


def check_order(events: Sequence[Any]) -> None:
    """Callers are offered in the order in which they came."""
    entered = {event["call_id"]: event["at"] for event in events if event["type"] == "queue.entered"}
    offered: dict[Any, Any] = {}
    for event in events:
        if event["type"] == "offer.sent":
            offered.setdefault(event["call_id"], event["at"])
    line = sorted((entered[call_id], at) for call_id, at in offered.items())
    for (_, one), (_, next_) in pairwise(line):
        assert one - next_ < OUT_OF_ORDER


async def of_all_processes(url: str, metric: str) -> set[float]:
    """The figure of each process behind an address; every connection meets one by chance."""
    found: set[float] = set()
    for _ in range(30):
        async with ClientSession() as session, session.get(f"{url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        found.add(float(next(line for line in lines if line.startswith(f"{metric} ")).split()[1]))
    return found
