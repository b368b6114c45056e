"""Several processes carry callbacks; one of them is killed while a customer's telephone rings."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from callcenter.simulator.callback_plan import CallbackPlan, Pickup
from callcenter.simulator.scenario import Script
from callcenter.simulator.world import Progress
from callcenter.storage.embedded import PostgresServer
from support.calling_day import agent, caller, flow, free_port, live, queue, settings, wish_of
from support.program import Program

Make = Callable[..., Program]
AGENT = agent(0, "sales")


class Center:
    """A service that carries no callbacks itself, and workers that do."""

    def __init__(self, make: Make, workers: int, **callback: Any) -> None:
        self.gateway_port = free_port()
        made = settings(
            queue("sales", earliest_s=0, **callback), agents=[AGENT], gateway_port=self.gateway_port
        )
        self.front = make(**made | {"callbacks": {"workers": 0}})
        (self.front.folder / "flow.yaml").write_text(flow(["sales"]))
        self.url = PostgresServer(self.front.folder / "data").url
        self.workers = [
            make(**made | {"database": {"url": self.url}, "callbacks": {"lease_s": 2}})
            for _ in range(workers)
        ]
        for worker in self.workers:
            worker.command = "worker"
            (worker.folder / "flow.yaml").write_text(flow(["sales"]))
        self.killed: list[Program] = []

    async def start(self) -> None:
        await asyncio.to_thread(self.front.start)
        await asyncio.gather(*(asyncio.to_thread(worker.start) for worker in self.workers))

    async def kill_who_rings(self) -> None:
        """Kill the process that is calling a customer at this moment."""
        connection = await asyncpg.connect(self.url)
        try:
            rows = await connection.fetch(
                "SELECT url FROM callback.callback JOIN callcenter.node ON node_id = worker"
                " WHERE state = 'dialing'"
            )
        finally:
            await connection.close()
        (carrier,) = [one for one in self.workers if [one.url] == [row["url"] for row in rows]]
        carrier.kill()
        self.killed.append(carrier)


@pytest.mark.parametrize("mode", ["agent_first", "customer_first"])
async def test_a_customer_whose_worker_is_killed_is_rung_once_at_a_time(
    make_program: Make, mode: str
) -> None:
    center = Center(make_program, 2, mode=mode)
    rings = 0
    killing: list[asyncio.Task[None]] = []

    def show(step: Progress) -> None:
        nonlocal rings
        rings += step.what == "is called back"
        if step.what == "is called back" and rings == 1:
            killing.append(asyncio.create_task(center.kill_who_rings()))

    await center.start()
    plan = CallbackPlan(books_soonest=True, pickups=(Pickup.NO_ANSWER,), confirm="", waits_s=30)
    if mode == "customer_first":
        plan = replace(plan, confirm="1")
    asks = caller(0, "sales", "", script=Script.BOOK, callback=plan)
    truth = await live(center.front, (asks, AGENT), center.gateway_port, deadline_s=60, show=show)
    await asyncio.gather(*killing)
    wish = wish_of(truth, "requests to the service failed")  # what is told to who is dead
    assert len(center.killed) == 1
    assert wish.ended_for == "served"
    assert [ring.pickup for ring in wish.rings] == [Pickup.NO_ANSWER, Pickup.ANSWER]
    assert wish.rings[0].ended_at < wish.rings[1].at
    (other,) = [worker for worker in center.workers if worker not in center.killed]
    assert await asyncio.to_thread(other.stop) == 0
    assert await asyncio.to_thread(center.front.stop) == 0
    assert "Traceback" not in other.log + center.front.log
