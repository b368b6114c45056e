"""Moves agents from state to state by the presence table, whoever else moves them at the same time."""

from uuid import UUID

from callcenter.acd.presence import BUSY, AgentEvent, AgentState, Presence, step
from callcenter.errors import StorageError
from callcenter.storage.agents import AgentRecord, Agents, NewState

ATTEMPTS = 20


class Roster:
    """The agents, as the presence table sees them."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def signal(
        self,
        agent_id: str,
        event: AgentEvent,
        reason: str = "",
        *,
        call_id: UUID | None = None,
        offer_id: UUID | None = None,
    ) -> bool:
        """Tell an agent's row what happened; ``reason`` says why, such as the kind of break.

        With ``call_id`` only an agent who is on that call is moved, with ``offer_id`` only one who came to it
        by that offer: false for one who has been freed from it since. Raises ``NotFoundError``, and
        ``TransitionError`` for an event that does not fit.
        """
        for _ in range(ATTEMPTS):
            seen = await self._agents.get(agent_id)
            if call_id is not None and seen.call_id != call_id:
                return False
            if offer_id is not None and seen.offer_id != offer_id:
                return False
            if await self._agents.move(seen, _new_state(step(presence_of(seen), event, reason))):
                return True
        raise StorageError(f"the state of agent {agent_id} changes too quickly")


def presence_of(record: AgentRecord) -> Presence:
    """The row as the presence table knows it."""
    wish = None if record.next_state is None else AgentState(record.next_state)
    return Presence(AgentState(record.state), record.reason, wish, record.next_reason)


def _new_state(presence: Presence) -> NewState:
    return NewState(
        presence.state,
        presence.reason,
        presence.next_state,
        presence.next_reason,
        presence.state in BUSY,
    )
