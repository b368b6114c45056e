"""Agents who hand their caller over: to a queue, to a colleague, at once or after asking."""

import asyncio
from collections.abc import Sequence

from callcenter.simulator.scenario import Handover, HandoverMode
from callcenter.simulator.service_api import ServiceError
from callcenter.simulator.truth import ContactTruth, Held
from callcenter.simulator.world import Consult, Meeting, World, any_set

SECOND_WITHIN_S = 3.5
"""How long an agent waits for the one who is asked; well within the service's patience."""

ASKING_S = 0.8
_TRIES, _TRY_EVERY_S = 10, 0.2


class Handing:
    """One agent's handing over; ``ends`` are set when a line of the conversation has ended."""

    def __init__(self, world: World, meeting: Meeting, agent_id: str, ends: Sequence[asyncio.Event]) -> None:
        self._world = world
        self._meeting = meeting
        self._agent_id = agent_id
        self._ends = ends

    async def hand_over(self, to: Handover) -> bool:
        """Whether the caller has gone on to somebody else; what went wrong is noted."""
        contact = self._meeting.truth.contact
        assert contact is not None
        self._world.report(self._agent_id, f"hands over, {to.mode}", to.name, self._meeting.plan.number)
        try:
            call_id = await self._world.api.call_of(self._agent_id)
            if call_id is None:
                raise ServiceError(f"the service knows no call of agent {self._agent_id}")
            if to.mode is HandoverMode.BLIND:
                await self._blind(call_id, to)
                return True
            return await self._consult(call_id, to, contact)
        except ServiceError as error:
            self._meeting.truth.problems.append(str(error))
            return False

    async def _blind(self, call_id: str, to: Handover) -> None:
        asked_at = self._world.now()
        await self._world.api.transfer(call_id, to.to, to.name, "blind")
        at = self._since(asked_at)
        truth = self._meeting.truth
        truth.part(at)
        truth.enter(to.queue, at)
        truth.handed.append("blind")
        self._meeting.joined.clear()

    async def _consult(self, call_id: str, to: Handover, contact: ContactTruth) -> bool:
        consult = self._meeting.consult = Consult()
        try:
            asked_at = self._world.now()
            await self._world.api.transfer(call_id, to.to, to.name, "warm")
            held = Held(self._since(asked_at), self._since(asked_at))
            contact.holds.append(held)
            await any_set(SECOND_WITHIN_S, consult.answered, *self._ends)
            if consult.answered.is_set() and not await any_set(ASKING_S, *self._ends):
                completed_at = await self._complete(call_id, to)
                if completed_at is not None:
                    held.ended_at = completed_at
                    self._meeting.truth.part(completed_at)
                    self._second_takes_over(consult, to, completed_at)
                    return True
            asked_at = self._world.now()
            await self._world.api.cancel_transfer(call_id)
            held.ended_at = self._since(asked_at)
            self._meeting.truth.handed.append("cancelled")
            return False
        finally:
            consult.decide(consult.completed)

    async def _complete(self, call_id: str, to: Handover) -> float | None:
        """When the caller was handed over; ``None`` where that was not wanted or did not work.

        The service may learn of the answer a little later than the one who asks.
        """
        if to.mode is not HandoverMode.WARM:
            return None
        for _ in range(_TRIES):
            asked_at = self._world.now()
            if await self._world.api.complete_transfer(call_id):
                return self._since(asked_at)
            if await any_set(_TRY_EVERY_S, *self._ends):
                break
        self._meeting.truth.problems.append("a handover could not be completed")
        return None

    def _second_takes_over(self, consult: Consult, to: Handover, at: float) -> None:
        contact = ContactTruth(to.queue, at, attended=True, agent=consult.second, connected_at=at)
        self._meeting.truth.contacts.append(contact)
        self._meeting.truth.handed.append("completed")
        consult.decide(True)

    def _since(self, asked_at: float) -> float:
        """The service took note somewhere between the asking and its answer."""
        return (asked_at + self._world.now()) / 2
