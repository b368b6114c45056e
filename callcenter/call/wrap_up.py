"""The agents of one call after their conversations: each wraps up, and each is freed whatever happens."""

import asyncio
import logging
from typing import Any
from uuid import UUID

from callcenter.acd.dispatcher import Dispatcher
from callcenter.call.background import Background
from callcenter.call.journal import Journal
from callcenter.call.queue_phase import Connected
from callcenter.errors import StorageError
from callcenter.events import EventType

log = logging.getLogger(__name__)


class WrapUps:
    """Every agent whom the call has taken out of the line, from ``take`` until free again.

    A wrap-up begins when its conversation ends and runs beside the call, which may go on with the caller,
    with another agent, or be over.
    """

    def __init__(self, journal: Journal, dispatcher: Dispatcher, background: Background) -> None:
        self._journal = journal
        self._background = background
        self._dispatcher = dispatcher
        self._taken: dict[UUID, Connected] = {}
        self._begun: set[UUID] = set()
        self._dispositions: dict[str, dict[str, Any]] = {}

    def take(self, connected: Connected) -> None:
        """Answer for an agent from now on; said before anything is waited for."""
        self._taken[connected.offer.offer_id] = connected

    def begin(self, connected: Connected, tasks: asyncio.TaskGroup) -> None:
        """The conversation is over: the agent writes notes, for as long as the queue allows."""
        agent_id = connected.offer.agent_id
        self._begun.add(connected.offer.offer_id)
        self._dispositions.pop(agent_id, None)
        self._journal.write(EventType.ACW_STARTED, queue=connected.queue.name, agent=agent_id)
        tasks.create_task(
            self._wrap_up(connected), name=f"wrap-up of {agent_id} after call {self._journal.call_id}"
        )

    def rest(self, connected: Connected) -> None:
        """There was no conversation, the agent's line broke: no wrap-up, and no offer for a little while."""
        self._background.spawn(
            self._rest(connected),
            name=f"rest of {connected.offer.agent_id} after call {self._journal.call_id}",
        )

    async def _rest(self, connected: Connected) -> None:
        offer = connected.offer
        try:
            await self._dispatcher.rest(offer)
        except StorageError as error:
            log.error("call %s: agent %s has no rest: %s", offer.call_id, offer.agent_id, error)
        finally:
            await self.free(connected)

    def note(self, agent_id: str, disposition: str, resolved: bool | None) -> None:
        """Keep what an agent calls the result of the conversation, and whether that resolves the matter."""
        said = {} if resolved is None else {"resolved": resolved}
        self._dispositions[agent_id] = {"disposition": disposition, **said}

    async def let_go(self) -> None:
        """Free the agents that are left: the call was cancelled, or has failed."""
        left = [*self._taken.values()]
        for error in await asyncio.gather(*map(self.free, left), return_exceptions=True):
            if error is not None:
                log.error("call %s: an agent's leg: %s", self._journal.call_id, error, exc_info=error)

    async def free(self, connected: Connected) -> None:
        """End the leg and the wrap-up, if one has begun; the agent gets calls again."""
        offer = connected.offer
        if self._taken.pop(offer.offer_id, None) is None:
            return
        self._note_end(connected)
        try:
            await connected.agent.hang_up()
        finally:
            await self._dispatcher.release(offer.agent_id, offer.call_id, offer.offer_id)

    async def _wrap_up(self, connected: Connected) -> None:
        offer, dispatcher, limit_s = connected.offer, self._dispatcher, connected.queue.wrap_up_s
        try:
            if limit_s and await dispatcher.wrap_up(offer.agent_id, offer.call_id, offer.offer_id):
                await dispatcher.wait_wrap_up(offer.agent_id, offer.call_id, limit_s, offer.offer_id)
        except StorageError as error:
            log.error(
                "call %s: the wrap-up of agent %s is cut short: %s", offer.call_id, offer.agent_id, error
            )
        except Exception:  # the caller may talk to somebody else by now
            log.exception("call %s: the wrap-up of agent %s failed", offer.call_id, offer.agent_id)
        finally:
            self._note_end(connected)
        await self.free(connected)

    def _note_end(self, connected: Connected) -> None:
        offer = connected.offer
        if offer.offer_id not in self._begun:
            return
        self._begun.remove(offer.offer_id)
        self._journal.write(
            EventType.ACW_ENDED,
            queue=connected.queue.name,
            agent=offer.agent_id,
            **self._dispositions.pop(offer.agent_id, {"disposition": ""}),
        )
