"""Customers who keep their place and are called back: the program as it is run, over real sockets."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from callcenter.simulator.callback_plan import CallbackPlan, Doing, Meanwhile, Pickup
from callcenter.simulator.callback_truth import CallbackTruth
from callcenter.simulator.faults import DialFaults
from callcenter.simulator.gateway import Gateway
from callcenter.simulator.scenario import Script
from support.calling_day import CALLBACK, agent, caller, flow, free_port, live, queue, settings, wish_of
from support.program import Program, running

GATEWAY_PORT = free_port()
QUEUES = {"sales": "1", "desk": "2", "robots": "3", "night": "4"}
LATER_S = 6.0
"""When whoever asks in a queue has asked."""

EARLIEST_S = CALLBACK["earliest_s"]

AGENTS = {name: agent(number, name) for number, name in enumerate(QUEUES)}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    path = tmp_path_factory.mktemp("flows") / "flow.yaml"
    path.write_text(flow(list(QUEUES)))
    machine = {
        "detect": True,
        "then": "message_retry",
        "message": "You asked us to call you back. We will try again.",
    }
    made = settings(
        queue("sales"),
        queue("desk", mode="customer_first"),
        queue("robots", machine=machine),
        queue("night"),
        agents=list(AGENTS.values()),
        gateway_port=GATEWAY_PORT,
    )
    with running(**made, routes=[{"number": "*", "flow": str(path)}]) as program:
        yield program


async def asked_for(program: Program, number: int, queue: str, **callback: Any) -> CallbackTruth:
    """Ask in a queue without agents, and be called back by the one who comes later."""
    asks = caller(number, queue, QUEUES[queue], callback=CallbackPlan(waits_s=20, **callback))
    late = replace(AGENTS[queue], signs_in_s=LATER_S)
    return wish_of(await live(program, (asks, late), GATEWAY_PORT))


async def booked(
    program: Program,
    number: int,
    queue: str,
    spoil: Callable[[Gateway], None] = lambda _gateway: None,
    **callback: Any,
) -> CallbackTruth:
    """Ask on the page, and be called back by the queue's agent."""
    plan = CallbackPlan(waits_s=25, **callback)
    books = caller(number, queue, "", script=Script.BOOK, callback=plan)
    return wish_of(await live(program, (books, AGENTS[queue]), GATEWAY_PORT, deadline_s=40, spoil=spoil))


def kept(program: Program, wish: CallbackTruth) -> dict[str, Any]:
    """What the service says of it."""
    found = program.api("GET", f"/callbacks?number=%2B{wish.number[1:]}")["callbacks"]
    assert len(found) == 1
    return dict(found[0])


def results(program: Program, wish: CallbackTruth) -> list[str]:
    """What the service says of its attempts."""
    found = program.api("GET", f"/callbacks/{kept(program, wish)['callback_id']}")
    return [attempt["result"] for attempt in found["attempts_made"]]


async def test_the_agent_first_and_then_the_customer(service: Program) -> None:
    wish = await asked_for(service, 0, "sales")
    (ring,), (talk,) = wish.rings, wish.talks
    assert (wish.source, wish.ended_for) == ("ivr", "served")
    assert ring.at - wish.asked_at >= EARLIEST_S
    assert [said.heard for said in talk.said] == [True, True]
    assert kept(service, wish)["state"] == "completed"
    assert results(service, wish) == ["bridged"]


async def test_the_customer_first_and_a_key_that_says_who_it_is(service: Program) -> None:
    wish = await asked_for(service, 1, "desk", confirm="1")
    (ring,) = wish.rings
    assert ring.answered_at < ring.confirmed_at < ring.connected_at
    assert [said.heard for said in wish.talks[0].said] == [True, True]
    assert kept(service, wish)["state"] == "completed"


async def test_somebody_else_picks_up_and_then_the_customer(service: Program) -> None:
    rings = {"pickups": (Pickup.STRANGER,), "patience_s": 3}
    wish = await booked(service, 2, "desk", books_soonest=True, confirm="1", **rings)
    assert wish.ended_for == "served"
    assert results(service, wish) == ["not_confirmed", "bridged"]


async def test_who_is_busy_is_reached_at_the_next_try(service: Program) -> None:
    wish = await booked(service, 3, "sales", books_soonest=True, pickups=(Pickup.BUSY,))
    assert [ring.connected_at is not None for ring in wish.rings] == [False, True]
    assert wish.rings[1].at - wish.rings[0].at >= 1
    assert results(service, wish) == ["busy", "bridged"]


async def test_a_machine_is_left_a_message_and_the_customer_reached_later(service: Program) -> None:
    machine = {"pickups": (Pickup.MACHINE,), "patience_s": 8}
    wish = await booked(service, 4, "robots", books_soonest=True, hello="Hello?", settle_s=2, **machine)
    assert wish.rings[0].message_heard
    assert wish.ended_for == "served"
    assert results(service, wish) == ["machine", "bridged"]


async def test_who_phones_in_again_may_wait_in_person(service: Program) -> None:
    again = Doing(Meanwhile.IN_PERSON, 0.5, (QUEUES["night"], "1"))
    asks = caller(5, "night", QUEUES["night"], callback=CallbackPlan(waits_s=20, meanwhile=(again,)))
    late = replace(AGENTS["night"], signs_in_s=LATER_S + 3)
    truth = await live(service, (asks, late), GATEWAY_PORT)
    wish = wish_of(truth)
    assert (wish.ended_for, wish.rings) == ("in_person", [])
    assert [call.outcome(6) for call in truth.calls] == ["callback_requested", "answered"]
    assert kept(service, wish)["state"] == "merged"


async def test_who_phones_in_again_may_call_it_off(service: Program) -> None:
    off = Doing(Meanwhile.CANCEL, 0.5, (QUEUES["night"], "2"))
    asks = caller(6, "night", QUEUES["night"], callback=CallbackPlan(waits_s=20, meanwhile=(off,)))
    wish = wish_of(await live(service, (asks,), GATEWAY_PORT))
    assert (wish.ended_for, wish.rings) == ("cancelled", [])
    assert kept(service, wish)["state"] == "cancelled"


async def test_who_books_a_time_on_the_page_may_have_it_at_once_after_all(service: Program) -> None:
    wish = await booked(service, 7, "sales", meanwhile=(Doing(Meanwhile.MOVE_ON_PAGE, 0.5),))
    assert (wish.source, wish.moved, wish.ended_for) == ("page", 1, "served")
    assert kept(service, wish)["source"] == "page"


# The network misbehaves towards customers, not towards agents.


def is_customer(number: str) -> bool:
    return number.startswith("+1212")


def loses_the_answer(gateway: Gateway) -> None:
    """The telephone rings, and the service does not learn that it does."""
    gateway.dial_faults = DialFaults(lost_answers=1, hang_s=3, concerns=is_customer)


def never_rings(gateway: Gateway) -> None:
    gateway.dial_faults = DialFaults(never_ring=1, concerns=is_customer)


def loses_news(gateway: Gateway) -> None:
    gateway.news_faults.lost, gateway.news_faults.concerns = 1.0, is_customer


def scatters_news(gateway: Gateway) -> None:
    news = gateway.news_faults
    news.twice, news.scatter_s, news.concerns = 1.0, 2.0, is_customer


@pytest.mark.parametrize(
    ("number", "spoil", "pickups", "found"),
    [
        (10, loses_the_answer, (), ["bridged"]),
        (11, never_rings, (), ["no_answer", "bridged"]),
        (12, loses_news, (Pickup.BUSY,), ["busy", "bridged"]),
        (13, scatters_news, (Pickup.BUSY,), ["busy", "bridged"]),
    ],
)
async def test_a_network_that_misbehaves_makes_no_telephone_ring_twice(
    service: Program,
    number: int,
    spoil: Callable[[Gateway], None],
    pickups: tuple[Pickup, ...],
    found: list[str],
) -> None:
    wish = await booked(service, number, "sales", spoil, books_soonest=True, pickups=pickups)
    assert wish.ended_for == "served"
    assert results(service, wish) == found
