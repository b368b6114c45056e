import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest

from callcenter import config
from callcenter.acd.dispatcher import Dispatcher, LineRefusedError
from callcenter.acd.presence import AgentEvent
from callcenter.errors import StorageError
from callcenter.events import LeftReason
from callcenter.storage.agents import Agents
from callcenter.storage.listener import Listener
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine, Round
from support.acd import SALES, Node, a_node, soon

E = AgentEvent


@pytest.fixture
async def node(database_url: str) -> AsyncIterator[Node]:
    async with a_node(database_url) as one:
        yield one


async def in_state(center: Any, agent_id: str, state: str) -> bool:
    return bool((await center.look(agent_id)).state == state)


async def entries(center: Any) -> int:
    return len(await center.line.entries())


async def test_a_call_from_the_line_to_the_end(center: Any, node: Node) -> None:
    await center.agent("ada")
    async with node.wait() as ticket:
        offer = await ticket.offer()
        assert (offer.agent_id, offer.agent_name, offer.gateway, offer.address) == (
            "ada",
            "Ada",
            "twilio",
            "+12025550142",
        )
        assert await node.dispatcher.ringing(offer)
        assert await ticket.accepted(offer)
        assert await ticket.position() is None
    assert await center.state("ada") == ("talking", "")
    assert await node.dispatcher.wrap_up("ada", ticket.call_id)
    assert (await center.look("ada")).call_id == ticket.call_id
    await node.dispatcher.release("ada", ticket.call_id)
    assert await center.state("ada") == ("available", "")
    assert [to for _, to, _ in await center.log("ada")][1:] == [
        "reserved",
        "ringing",
        "talking",
        "wrap_up",
        "available",
    ]


async def test_an_agent_who_comes_later_is_found_at_once(center: Any, node: Node) -> None:
    async with node.wait() as ticket:
        waiting = asyncio.create_task(ticket.offer())
        await center.agent("ada")
        assert (await asyncio.wait_for(waiting, 0.9)).agent_id == "ada"


async def test_a_caller_who_was_rejected_keeps_the_place_and_gets_another_agent(
    center: Any, node: Node
) -> None:
    await center.agent("ada", idle_s=9)
    await center.agent("ben", idle_s=5)
    async with node.wait() as ticket:
        offer = await ticket.offer()
        assert offer.agent_id == "ada"
        await ticket.refused(offer, "rejected")
        assert await ticket.position() == 1
        second = await ticket.offer()
        assert second.agent_id == "ben"
        assert not await ticket.accepted(offer)
        assert await ticket.accepted(second)
    assert await center.state("ada") == ("available", "")


async def test_a_missed_offer_sends_the_agent_on_a_break(center: Any, node: Node) -> None:
    await center.agent("ada")
    async with node.wait() as ticket:
        offer = await ticket.offer()
        await node.dispatcher.ringing(offer)
        await ticket.refused(offer, "missed")
        assert await center.state("ada") == ("break", "missed offer")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ticket.offer(), 0.1)


async def test_full_and_unstaffed_queues(center: Any, node: Node) -> None:
    small = config.Queue(name="sales", max_length=1)
    async with node.wait(small):
        with pytest.raises(LineRefusedError) as refused:
            async with node.wait(small):
                pytest.fail("entered a full queue")
        assert refused.value.reason is LeftReason.FULL
    with pytest.raises(LineRefusedError) as refused:
        async with node.wait(config.Queue(name="sales", refuse_when_unstaffed=True)):
            pytest.fail("entered an unstaffed queue")
    assert refused.value.reason is LeftReason.EMPTY
    assert await entries(center) == 0
    assert node.dispatcher.waiting == 0


async def test_who_leaves_while_offered_frees_the_agent_for_the_next(center: Any, node: Node) -> None:
    await center.agent("ada")
    async with AsyncExitStack() as leaver:
        first = await leaver.enter_async_context(node.wait())
        await node.dispatcher.ringing(await first.offer())
        async with node.wait() as second:
            await leaver.aclose()
            offer = await asyncio.wait_for(second.offer(), 3)
            assert (offer.agent_id, offer.call_id) == ("ada", second.call_id)


@pytest.mark.parametrize("moment", ["waiting", "offered", "ringing"])
async def test_cancellation_leaves_nothing_behind(center: Any, node: Node, moment: str) -> None:
    if moment != "waiting":
        await center.agent("ada")
    reached = asyncio.Event()

    async def call() -> None:
        async with node.wait() as ticket:
            if moment != "waiting":
                offer = await ticket.offer()
                if moment == "ringing":
                    await node.dispatcher.ringing(offer)
            reached.set()
            await ticket.offer()

    task = asyncio.create_task(call())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await entries(center) == 0
    if moment != "waiting":
        assert await center.state("ada") == ("available", "")


async def test_cancellation_at_any_step(center: Any, node: Node) -> None:
    """A task cancelled wherever it happens to be, also in the middle of a statement."""
    await center.agent("ada")

    async def call() -> None:
        async with node.wait() as ticket:
            offer = await ticket.offer()
            await node.dispatcher.ringing(offer)
            await ticket.accepted(offer)
            await ticket.refused(offer, "rejected")
        await node.dispatcher.release("ada", ticket.call_id)

    for number in range(40):
        task = asyncio.create_task(call())
        await asyncio.sleep(number * 0.0005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        talking = await center.look("ada")
        if talking.state == "talking":
            await node.dispatcher.release("ada", talking.call_id)
        await soon(lambda: in_state(center, "ada", "available"))
        await soon(lambda: nobody_left(center))


async def nobody_left(center: Any) -> bool:
    return await entries(center) == 0


async def test_an_error_inside_the_block_leaves_the_line(center: Any, node: Node) -> None:
    with pytest.raises(ZeroDivisionError):
        async with node.wait():
            raise ZeroDivisionError
    assert await entries(center) == 0


async def test_a_call_may_wait_in_one_queue_after_another(center: Any, node: Node) -> None:
    call_id = uuid4()
    for name in ("sales", "billing", "sales"):
        async with node.wait(config.Queue(name=name), call_id=call_id):
            assert [entry.queue for entry in await center.line.entries()] == [name]
    assert await entries(center) == 0


async def test_a_break_wished_for_during_the_call_comes_after_the_wrap_up(center: Any, node: Node) -> None:
    await center.agent("ada")
    async with node.wait() as ticket:
        offer = await ticket.offer()
        assert await ticket.accepted(offer)
    await center.roster.signal("ada", E.TAKE_BREAK, "lunch")
    await node.dispatcher.wrap_up("ada", ticket.call_id)
    assert await center.state("ada") == ("wrap_up", "")
    await node.dispatcher.release("ada", ticket.call_id)
    assert await center.state("ada") == ("break", "lunch")


async def test_wrap_up_ends_by_time_or_by_the_agent(center: Any, node: Node) -> None:
    await center.agent("ada")
    async with node.wait() as ticket:
        await ticket.accepted(await ticket.offer())
    await node.dispatcher.wrap_up("ada", ticket.call_id)
    assert not await node.dispatcher.wait_wrap_up("ada", ticket.call_id, 0.05)
    waiting = asyncio.create_task(node.dispatcher.wait_wrap_up("ada", ticket.call_id, 30))
    await asyncio.sleep(0.05)
    await center.roster.signal("ada", E.WRAP_UP_DONE)
    assert await asyncio.wait_for(waiting, 2)
    assert await node.dispatcher.wait_wrap_up("ada", ticket.call_id, 30)


async def test_a_call_that_comes_to_the_same_agent_twice_moves_the_agent_by_the_later_offer(
    center: Any, node: Node
) -> None:
    call_id, offers = uuid4(), []
    await center.agent("ada")
    for _ in range(2):
        async with node.wait(call_id=call_id) as ticket:
            offers.append(await ticket.offer())
            assert await ticket.accepted(offers[-1])
        if len(offers) == 1:
            await node.dispatcher.release("ada", call_id, offers[0].offer_id)
    first, second = (offer.offer_id for offer in offers)
    assert not await node.dispatcher.wrap_up("ada", call_id, first)
    await node.dispatcher.release("ada", call_id, first)
    assert await center.state("ada") == ("talking", "")
    assert await node.dispatcher.wrap_up("ada", call_id, second)
    assert await node.dispatcher.wait_wrap_up("ada", call_id, 30, first)
    assert not await node.dispatcher.wait_wrap_up("ada", call_id, 0.05, second)
    await node.dispatcher.release("ada", call_id, second)
    assert await center.state("ada") == ("available", "")


async def test_a_call_that_is_over_cannot_move_the_agent(center: Any, node: Node) -> None:
    await center.agent("ada")
    async with node.wait() as first:
        await first.accepted(await first.offer())
    await node.dispatcher.release("ada", first.call_id)
    async with node.wait() as second:
        await second.accepted(await second.offer())
        assert not await node.dispatcher.wrap_up("ada", first.call_id)
        await node.dispatcher.release("ada", first.call_id)
        assert await center.state("ada") == ("talking", "")


async def test_an_offer_whose_notification_was_lost_is_found_by_polling(
    center: Any, database_url: str
) -> None:
    async with (
        Database.connect(database_url) as database,
        Listener(Database(database.pool, "postgresql://nowhere.invalid/", "deaf")) as deaf,
        Dispatcher(QueueLine(database), Agents(database), deaf, center.node_id, poll_s=0.1) as dispatcher,
        dispatcher.wait(uuid4(), SALES, 0) as ticket,
    ):
        await asyncio.sleep(0)
        await center.agent("ada")
        offer = await asyncio.wait_for(ticket.offer(), 3)
        await ticket.refused(offer, "rejected")
        await center.agent("ben", idle_s=None)
        await center.roster.signal("ben", E.SIGN_IN)
        assert (await asyncio.wait_for(ticket.offer(), 3)).agent_id == "ben"


async def test_an_offer_made_by_another_process_reaches_the_ticket(center: Any, node: Node) -> None:
    await center.agent("ada", idle_s=None)
    async with node.wait() as ticket:
        async with center.database.transaction() as connection:
            await connection.execute("UPDATE callcenter.agent SET state = 'available'")
            round_ = Round(connection)
            (row,) = await round_.callers(["sales"], ["ada"], 1)
            (made,) = await round_.claim([(row["entry_id"], "ada", uuid4())])
        assert await asyncio.wait_for(ticket.offer(), 0.9) == made


async def test_a_forgotten_offer_is_swept(center: Any, database_url: str) -> None:
    async with a_node(database_url, stale_offer_s=lambda: 0.3, poll_s=0.05) as node, node.wait() as ticket:
        await center.agent("ada")
        forgotten = await ticket.offer()
        again = await asyncio.wait_for(ticket.offer(), 5)
        assert again.offer_id != forgotten.offer_id
        assert not await ticket.accepted(forgotten)
        assert not await node.dispatcher.ringing(forgotten)


async def test_rows_and_calls_are_reconciled(
    center: Any, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_node(database_url, poll_s=0.02) as node, node.wait() as ticket:
        entered = (await center.line.entries())[0].entered_at
        await center.line.drop_node(node.node_id)
        center.node_id = node.node_id
        ghost = await center.caller()
        await soon(lambda: only_entry(center, ticket.call_id))
        assert (await center.line.entries())[0].entered_at == entered
        assert await center.line.position(ghost) is None
        await center.agent("ada")
        assert (await asyncio.wait_for(ticket.offer(), 3)).agent_id == "ada"


async def only_entry(center: Any, call_id: UUID) -> bool:
    return [entry.call_id for entry in await center.line.entries()] == [call_id]


async def test_notifications_that_are_nonsense_are_ignored(
    center: Any, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    for channel in ("offer", "agent"):
        for payload in ("", "[]", "null", '{"x": 1}'):
            await center.database.execute("SELECT pg_notify($1, $2)", channel, payload)
    await soon(lambda: len(caplog.records) >= 8)
    await center.agent("ada")
    async with node.wait() as ticket:
        await asyncio.wait_for(ticket.offer(), 3)


class Wire:
    """The way to the database, which can be cut and mended."""

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.Task[None]] = set()
        self.port = 0

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for pair in self._pairs:
            pair.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pairs.add(task)
        far_reader, far_writer = await asyncio.open_unix_connection(self._socket_path)
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            self._pairs.discard(task)
            writer.transport.abort()
            far_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
async def wire(postgres_url: str) -> AsyncIterator[Wire]:
    folder = parse_qs(urlsplit(postgres_url).query)["host"][0]
    wire = Wire(f"{folder}/.s.PGSQL.5432")
    await wire.mend()
    yield wire
    await wire.cut()


async def test_an_outage_is_waited_out(
    center: Any, wire: Wire, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Callers who wait, who enter, who leave and who are being served get through it."""
    name = urlsplit(database_url).path
    caplog.set_level(logging.CRITICAL)
    async with (
        a_node(f"postgresql://postgres@127.0.0.1:{wire.port}{name}", poll_s=0.1) as node,
        AsyncExitStack() as stack,
    ):
        await center.agent("ada")
        served, leaver = AsyncExitStack(), AsyncExitStack()
        talking = await served.enter_async_context(node.wait())
        offer = await talking.offer()
        waiting = await stack.enter_async_context(node.wait())
        await leaver.enter_async_context(node.wait())

        await wire.cut()
        accepting = asyncio.create_task(talking.accepted(offer))
        entering = asyncio.create_task(stack.enter_async_context(node.wait()))
        leaving = asyncio.create_task(leaver.aclose())
        await asyncio.sleep(0.5)
        assert not accepting.done()
        assert not entering.done()
        with pytest.raises(StorageError):
            await waiting.position()

        await wire.mend()
        assert await asyncio.wait_for(accepting, 5)
        entered = await asyncio.wait_for(entering, 5)
        await asyncio.wait_for(leaving, 5)
        await served.aclose()
        await center.agent("ben")
        assert (await asyncio.wait_for(waiting.offer(), 5)).agent_id == "ben"
        await node.dispatcher.release("ada", talking.call_id)
        assert (await asyncio.wait_for(entered.offer(), 5)).agent_id == "ada"
        assert await entries(center) == 2
    assert await entries(center) == 0
