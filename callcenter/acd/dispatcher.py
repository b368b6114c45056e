"""Brings callers and agents together, for the calls of this process and for those of all others.

Rows are the truth. Every process matches for all: notifications wake it, polling once a second makes sure.
An offer to one of our own calls goes to the ticket that waits for it, whoever made the offer. One to a
callback goes to all processes; whoever claims the callback takes the turn.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from callcenter import config
from callcenter.acd.matcher import Matcher, Rules
from callcenter.acd.presence import AgentEvent, AgentState
from callcenter.acd.roster import Roster
from callcenter.acd.ticket import PATIENCE_S, REST_S, LineRefusedError, Refusal, Ticket, TurnGoneError
from callcenter.errors import NotFoundError, StorageError, TransitionError
from callcenter.queueing import SkillTree
from callcenter.storage.agents import Agents
from callcenter.storage.listener import Listener
from callcenter.storage.pool import retrying
from callcenter.storage.queue_line import NOTHING, Asked, Offer, QueueLine

__all__ = ["Asked", "Dispatcher", "LineRefusedError", "Offer", "Refusal", "Ticket", "TurnGoneError"]

log = logging.getLogger(__name__)

STALE_OFFER_S = 35
"""The default age at which an offer counts as forgotten: 20 s of ringing and 15 s more."""

TOGETHER_S = 0.01
LEAVE_WAIT_S = 2
CLOSE_WAIT_S = 5
BACKGROUND_PATIENCE_S = 3600
SWEEP_EVERY_POLLS = 5
RECONCILE_EVERY_POLLS = 10
AGENT_POLL_S = 5


OnTurn = Callable[[UUID, Offer], None]
"""An agent has been found for the callback with this id; must not block."""


class Dispatcher:
    """``async with Dispatcher(...)``: matches until the block ends.

    ``rules`` say how each queue is served, ``skills`` which of them come with which. ``stale_offer_s`` must
    be longer than any agent is let ring: the longest ring timeout plus 15 s. ``on_turn`` hears of every offer
    to a callback that nobody has taken yet, more than once; without it this process takes no turns.
    """

    def __init__(
        self,
        line: QueueLine,
        agents: Agents,
        listener: Listener,
        node_id: UUID,
        *,
        rules: Rules = dict,
        skills: SkillTree | None = None,
        stale_offer_s: Callable[[], float] = lambda: STALE_OFFER_S,
        poll_s: float = 1.0,
        on_turn: OnTurn | None = None,
    ) -> None:
        self._line = line
        self._matcher = Matcher(line, rules, skills or SkillTree({}))
        self._agents = agents
        self._roster = Roster(agents)
        self._listener = listener
        self._node_id = node_id
        self._stale_offer_s = stale_offer_s
        self._poll_s = poll_s
        self._on_turn = on_turn
        self._wake = asyncio.Event()
        self._is_open = False
        self._polls = 0
        self._matched_at = 0.0
        self._tickets: dict[UUID, Ticket] = {}
        self._leaving: dict[UUID, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._agent_watchers: dict[str, set[asyncio.Event]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._is_open = True
        self._listener.subscribe("acd", self._on_wake, self._wake.set)
        self._listener.subscribe("offer", self._on_offer)
        self._listener.subscribe("agent", self._on_agent)
        self._tasks = [
            asyncio.create_task(self._forever(self._match), name="acd-match"),
            asyncio.create_task(self._forever(self._keep), name="acd-keep"),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        for task in self._tasks:
            task.cancel()
        last = set(self._background)
        if last:
            _, last = await asyncio.wait(last, timeout=CLOSE_WAIT_S)
        for task in last:
            task.cancel()
        await asyncio.gather(*self._tasks, *last, return_exceptions=True)

    @property
    def waiting(self) -> int:
        """How many calls of this process stand in line."""
        return sum(ticket.callback_id is None for ticket in self._tickets.values())

    def nudge(self) -> None:
        """Look at once whether somebody can be matched."""
        self._wake.set()

    @asynccontextmanager
    async def wait(
        self,
        call_id: UUID,
        queue: config.Queue,
        priority: int,
        since: datetime | None = None,
        asked: Asked = NOTHING,
    ) -> AsyncIterator[Ticket]:
        """Stand in line until the block ends, as of ``since`` (now if ``None``); raises ``LineRefusedError``.

        Whatever ends the block, the caller is out of the line and an agent held by an offer is free after
        it; while the database is away that goes on in the background.
        """
        if call_id in self._leaving:
            await asyncio.wait({self._leaving[call_id]})
        ticket = Ticket(self._line, self._node_id, call_id, queue, priority, asked)
        self._tickets[call_id] = ticket
        try:
            await ticket.enter(since)
            self.nudge()
            yield ticket
        finally:
            del self._tickets[call_id]
            if not ticket.served:
                await asyncio.wait({self._leave(call_id, ticket.to_free)}, timeout=LEAVE_WAIT_S)

    @asynccontextmanager
    async def take_turn(
        self, callback_id: UUID, call_id: UUID, queue: config.Queue, priority: int = 0
    ) -> AsyncIterator[Ticket]:
        """Have the offered turn of a callback until the block ends; raises ``TurnGoneError``.

        Only for a callback that this process has claimed. The agents are those of ``call_id`` from now on,
        and all offers are on the ticket. Once the ticket says that nobody has come (``is_waiting``) the
        claim is to be given back. Unless an agent was accepted, all of them are free after the block; the
        place in line is the callback's own and goes by its state.
        """
        ticket = Ticket(self._line, self._node_id, call_id, queue, priority, callback_id=callback_id)
        self._tickets[call_id] = ticket
        try:
            await ticket.take()
            yield ticket
        finally:
            del self._tickets[call_id]
            if not ticket.served:
                await asyncio.wait({self._leave(call_id, ticket.to_free)}, timeout=LEAVE_WAIT_S)

    def remember_place(self, number: str, ticket: Ticket) -> None:
        """Keep the place of one who hung up, should the same number call again soon; in the background."""
        place = ticket.place
        if number and place is not None:
            self._insist(
                f"keeping the place of call {ticket.call_id}",
                lambda: self._line.remember_place(number, ticket.queue, place.entered_at),
            )

    async def staffed(self, queue: str) -> bool:
        """Whether somebody who serves the queue is signed in; yes where the database does not say."""
        try:
            return await self._line.staffed(queue)
        except StorageError:
            return True

    async def ringing(self, offer: Offer) -> bool:
        """The agent is being called; false when the offer no longer stands and nobody need be called."""
        return await retrying(lambda: self._line.ring(offer), deadline_s=PATIENCE_S)

    async def wrap_up(self, agent_id: str, call_id: UUID, offer_id: UUID | None = None) -> bool:
        """The conversation is over, the agent has notes to write; false for one no longer on this call.

        With ``offer_id`` here and below: no longer by that offer, since the same call may come to the same
        agent twice.
        """
        return await retrying(
            lambda: self._signal(agent_id, AgentEvent.FINISH_CONVERSATION, call_id, offer_id),
            deadline_s=PATIENCE_S,
        )

    async def release(self, agent_id: str, call_id: UUID, offer_id: UUID | None = None) -> None:
        """The agent is done with this call: available, or what the agent wished to be.

        While the database is away, and when the caller is cancelled, that goes on in the background.
        """
        task = self._insist(
            f"release of agent {agent_id} from call {call_id}",
            lambda: self._signal(agent_id, AgentEvent.RELEASE, call_id, offer_id),
        )
        await asyncio.wait({task}, timeout=LEAVE_WAIT_S)

    async def rest(self, offer: Offer) -> None:
        """The agent's line broke: no offer for a little while after this one, from whoever makes it."""
        await retrying(
            lambda: self._agents.rest(offer.agent_id, offer.offer_id, REST_S), deadline_s=PATIENCE_S
        )

    async def wait_wrap_up(
        self, agent_id: str, call_id: UUID, timeout_s: float, offer_id: UUID | None = None
    ) -> bool:
        """Wait until the agent ends the wrap-up; false when the time ran out first."""
        watcher = asyncio.Event()
        watchers = self._agent_watchers.setdefault(agent_id, set())
        watchers.add(watcher)
        try:
            async with asyncio.timeout(timeout_s):
                while await self._wraps_up(agent_id, call_id, offer_id):
                    await _set_or_timeout(watcher, AGENT_POLL_S)
                    watcher.clear()
        except TimeoutError:
            return False
        finally:
            watchers.discard(watcher)
            if not watchers:
                self._agent_watchers.pop(agent_id, None)
        return True

    async def _wraps_up(self, agent_id: str, call_id: UUID, offer_id: UUID | None) -> bool:
        try:
            agent = await self._agents.get(agent_id)
        except NotFoundError:
            return False
        except StorageError:
            return True
        is_same = agent.call_id == call_id and offer_id in (None, agent.offer_id)
        return is_same and agent.state == AgentState.WRAP_UP

    async def _signal(self, agent_id: str, event: AgentEvent, call_id: UUID, offer_id: UUID | None) -> bool:
        try:
            return await self._roster.signal(agent_id, event, call_id=call_id, offer_id=offer_id)
        except (NotFoundError, TransitionError) as error:
            log.info("call %s: %s: %s", call_id, event.value, error)
            return False

    def _leave(self, call_id: UUID, offers: Sequence[Offer] = ()) -> asyncio.Task[None]:
        def forget(done: asyncio.Task[None]) -> None:
            if self._leaving.get(call_id) is done:
                del self._leaving[call_id]

        task = self._insist(f"leave of call {call_id}", lambda: self._line.leave(call_id, offers))
        self._leaving[call_id] = task
        task.add_done_callback(forget)
        return task

    def _insist(self, what: str, operation: Callable[[], Awaitable[object]]) -> asyncio.Task[None]:
        """Do it in the background for as long as it takes; what outlasts that is left to recovery."""

        async def insist() -> None:
            try:
                await retrying(operation, deadline_s=BACKGROUND_PATIENCE_S)
            except StorageError as error:
                log.error("%s: given up: %s", what, error)

        task = asyncio.create_task(insist(), name=what)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    def _on_wake(self, _payload: str) -> None:
        self._wake.set()

    def _on_offer(self, payload: str) -> None:
        try:
            self._route(Offer.from_json(payload))
        except StorageError as error:
            log.warning("ignored a notification: %s", error)

    def _on_agent(self, payload: str) -> None:
        try:
            agent_id = json.loads(payload)["agent_id"]
        except (ValueError, KeyError, TypeError):
            log.warning("ignored a notification: not an agent's state")
            return
        for watcher in self._agent_watchers.get(agent_id, ()):
            watcher.set()

    def _route(self, offer: Offer) -> None:
        if not self._is_open:
            return
        if offer.node_id is None and offer.callback_id is not None and self._on_turn is not None:
            self._on_turn(offer.callback_id, offer)
        if offer.node_id != self._node_id:
            return
        if (ticket := self._tickets.get(offer.call_id)) is not None:
            ticket.deliver(offer)
        elif offer.call_id not in self._leaving:
            self._leave(offer.call_id)

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except StorageError as error:
                log.warning("queues stand still: %s", error)
                await asyncio.sleep(self._poll_s)
            except Exception:
                log.exception("queues stand still")
                await asyncio.sleep(self._poll_s)

    async def _match(self) -> None:
        # All processes are told of everything: what comes together is one look.
        time = asyncio.get_running_loop().time
        await asyncio.sleep(max(0.0, self._matched_at + TOGETHER_S - time()))
        self._wake.clear()
        while offers := await self._matcher.match():
            for offer in offers:
                log.debug("call %s is offered to agent %s", offer.call_id, offer.agent_id)
                self._route(offer)
        self._matched_at = time()
        await _set_or_timeout(self._wake, self._poll_s)

    async def _keep(self) -> None:
        await asyncio.sleep(self._poll_s)
        self._polls += 1
        for offer in await self._line.offers_of(self._node_id):
            self._route(offer)
        if self._on_turn is not None:
            for offer in await self._line.turns():
                self._route(offer)
        if self._polls % RECONCILE_EVERY_POLLS == 0:
            await self._reconcile()
        if self._polls % SWEEP_EVERY_POLLS == 0:
            swept = await self._line.sweep(self._stale_offer_s())
            if swept:
                log.warning("%d agents were freed from offers that nobody handled", swept)

    async def _reconcile(self) -> None:
        """Put back callers whose rows were lost, and take out rows whose callers are gone.

        Either happens when others took this process for dead, or a statement's fate was never learnt.
        """
        expected = [one for one in self._tickets.values() if one.is_waiting and one.callback_id is None]
        present = await self._line.calls_of(self._node_id)
        for call_id in present - self._tickets.keys() - self._leaving.keys():
            self._leave(call_id)
        for ticket in expected:
            is_lost = ticket.call_id not in present and ticket.is_waiting
            if is_lost and self._tickets.get(ticket.call_id) is ticket:
                log.warning("call %s is put back in line", ticket.call_id)
                await ticket.rejoin()


async def _set_or_timeout(event: asyncio.Event, timeout_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
