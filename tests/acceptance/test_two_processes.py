"""Several processes on one database: a crowd of callers, no agent with two calls, nobody lost."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from aiohttp import ClientSession

from support.crowd import Crowd, first
from support.floor import Floor, check_agents_are_never_shared, check_numbering
from support.program import ACCOUNT_SID, AUTH_TOKEN, Program

Make = Callable[..., Program]

AGENTS = 50
LINES = 90
"""How many may call at once: more than there are agents, so that callers wait in line."""
AT_ONCE = timedelta(seconds=0.5)
"""Several processes match at once; what they do within this time has no order."""


class Caller:
    """One caller of the crowd; every other one ends the talk, else the agent does; few give up at once."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.gives_up = number % 50 == 7
        self.hangs_up = number % 2 == 0

    async def live(self, floor: Floor, url: str) -> None:
        call = await floor.call(self.number, url=url)
        assert not call.refused, f"caller {self.number} was refused: {call.status}"
        if self.gives_up:
            await call.phone.hang_up()
        elif self.hangs_up:
            await asyncio.wait_for(first(floor.crowd.joined(call.number), call.phone.over), 60)
            await asyncio.sleep(0.5)
            await call.phone.hang_up()
        await asyncio.wait_for(call.phone.over.wait(), 60)


async def live(floor: Floor, callers: Sequence[Caller], urls: Sequence[str]) -> None:
    """Let all callers call, as many at once as there are lines, and the agents come to rest."""
    waiting = iter(callers)

    async def line() -> None:
        for caller in waiting:
            await caller.live(floor, urls[caller.number % len(urls)])

    async with asyncio.TaskGroup() as group:
        for number in range(LINES):
            group.create_task(line(), name=f"line {number}")
    await floor.rest()


async def test_a_crowd_behind_one_address(make_program: Make) -> None:
    program = make_program()
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(program, crowd)
        floor.staff(AGENTS, talk_s=1.0)
        program.settings["queues"][0]["ring_timeout_s"] = 20
        await floor.start("--processes", "2")
        callers = [Caller(number) for number in range(500)]
        await live(floor, callers, [program.url])
        await check_the_books(floor, callers)
        handed_over = await of_all_processes(program.url, "callcenter_legs_handed_over_total")
        assert len(handed_over) == 2
        assert min(handed_over.values()) > 50
        assert await asyncio.to_thread(program.stop) == 0


async def test_a_crowd_on_two_services_with_one_database(make_program: Make) -> None:
    program, other = make_program(), make_program()
    async with Crowd(ACCOUNT_SID, AUTH_TOKEN) as crowd:
        floor = Floor(program, crowd)
        floor.staff(AGENTS, talk_s=1.0)
        program.settings["queues"][0]["ring_timeout_s"] = 20
        await floor.start()
        other.settings["queues"] = program.settings["queues"]
        other.settings["agents"] = program.settings["agents"]
        other.settings["gateways"] = program.settings["gateways"]
        other.settings["database"] = {"url": floor.database_url}
        await asyncio.to_thread(other.start)
        callers = [Caller(number) for number in range(200)]
        await live(floor, callers, [program.url, other.url])
        await check_the_books(floor, callers)
        carried = await floor.rows("SELECT count(*) FROM callcenter.call GROUP BY node_id")
        assert [row["count"] for row in carried] == [100, 100]
        assert await asyncio.to_thread(other.stop) == 0
        assert await asyncio.to_thread(program.stop) == 0


async def check_the_books(floor: Floor, callers: Sequence[Caller]) -> None:
    events = await floor.events()
    check_numbering(events)
    assert check_agents_are_never_shared(events) > len(callers)
    await check_order(floor, events)
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


async def check_order(floor: Floor, events: Sequence[Any]) -> None:
    """Callers get agents in the order in which they came.

    Who stood in line before another one had pressed the key was there first, and when the database found
    an agent is in the log of agents' states; so a process that is late with its notes does no harm.
    """
    asked = {event["call_id"]: event["at"] for event in events if event["type"] == "ivr.input"}
    stood = {event["call_id"]: event["at"] for event in events if event["type"] == "queue.entered"}
    matches = await floor.rows(
        "SELECT (data ->> 'call')::uuid AS call_id, min(at) AS at FROM callcenter.event"
        " WHERE type = 'agent.state' AND data ->> 'to' = 'reserved' GROUP BY 1"
    )
    matched = {row["call_id"]: row["at"] for row in matches}
    overtaken = [
        one
        for one in matched
        if any(stood[one] < asked[two] and matched[two] + AT_ONCE < matched[one] for two in matched)
    ]
    assert len(overtaken) <= len(matched) // 100


async def of_all_processes(url: str, metric: str) -> dict[str, float]:
    """The figure of each process behind an address, by node; every connection meets one by chance."""
    found: dict[str, float] = {}
    for _ in range(30):
        async with ClientSession() as session, session.get(f"{url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        node = next(line for line in lines if line.startswith("callcenter_node{"))
        found[node] = float(next(line for line in lines if line.startswith(f"{metric} ")).split()[1])
    return found
