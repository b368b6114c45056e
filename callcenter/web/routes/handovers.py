"""``/api/v1/calls/{id}/transfer`` and ``/monitor``: who talks to the caller next, and who listens."""

from aiohttp import web

from callcenter.acd.presence import AgentState
from callcenter.errors import NotFoundError, TransitionError
from callcenter.storage.agents import AgentRecord, Agents
from callcenter.storage.calls import CallRecord, Calls
from callcenter.web import models
from callcenter.web.body import parse_body
from callcenter.web.params import id_of, principal_of
from callcenter.web.ports import CallControl


class HandoverRoutes:
    """Transfers, by the call's agent or a supervisor; monitoring, by supervisors only."""

    def __init__(self, calls: Calls, agents: Agents, control: CallControl) -> None:
        self._calls = calls
        self._agents = agents
        self._control = control

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [
            web.post("/api/v1/calls/{id}/transfer", self.transfer),
            web.post("/api/v1/calls/{id}/transfer/complete", self.complete),
            web.post("/api/v1/calls/{id}/transfer/cancel", self.cancel),
            web.post("/api/v1/calls/{id}/monitor", self.monitor),
            web.delete("/api/v1/calls/{id}/monitor", self.stop_monitor),
        ]

    async def transfer(self, request: web.Request) -> web.Response:
        """Hand the caller over to a number, a queue or an agent, at once or after asking (``warm``)."""
        record = await self._own(request)
        body = parse_body(models.TransferBody, await request.read(), request.content_type)
        if body.telephone is not None:
            return await self._do(record, "transfer", number=body.telephone)
        if body.agent is not None:
            queue = _line_of(await self._agents.get(body.agent), record.queue)
            return await self._do(record, "transfer", agent=body.agent, queue=queue, mode=body.mode)
        assert body.queue is not None
        return await self._do(record, "transfer", queue=body.queue, mode=body.mode)

    async def complete(self, request: web.Request) -> web.Response:
        """Connect the caller with the second agent."""
        return await self._do(await self._own(request), "complete_transfer")

    async def cancel(self, request: web.Request) -> web.Response:
        """Go back to the caller; the second agent is free."""
        return await self._do(await self._own(request), "cancel_transfer")

    async def monitor(self, request: web.Request) -> web.Response:
        """Ring the supervisor's own telephone and join it to the call, or change how it takes part."""
        principal = principal_of(request)
        principal.require_supervisor()
        record = await self._calls.get(id_of(request, "call"))
        body = parse_body(models.MonitorBody, await request.read(), request.content_type)
        agent = await self._telephone(principal.user, principal.agent_id)
        return await self._do(
            record,
            "monitor",
            user=principal.user,
            mode=body.mode,
            agent=agent.agent_id,
            gateway=agent.gateway,
            address=agent.address,
        )

    async def stop_monitor(self, request: web.Request) -> web.Response:
        """Leave the call."""
        principal = principal_of(request)
        principal.require_supervisor()
        record = await self._calls.get(id_of(request, "call"))
        return await self._do(record, "unmonitor", user=principal.user)

    async def _telephone(self, user: str, agent_id: str | None) -> AgentRecord:
        if agent_id is None:
            raise TransitionError(
                f"user {user} has no telephone: callcenter user add NAME --role supervisor --agent ID"
            )
        try:
            return await self._agents.get(agent_id)
        except NotFoundError:
            raise TransitionError(f"user {user} is tied to agent {agent_id}, who does not exist") from None

    async def _own(self, request: web.Request) -> CallRecord:
        record = await self._calls.get(id_of(request, "call"))
        principal_of(request).require_agent(record.agent_id)
        return record

    async def _do(self, record: CallRecord, command: str, **arguments: str) -> web.Response:
        await self._control.control(record.call_id, command, **arguments)
        return web.Response(status=204)


def _line_of(agent: AgentRecord, present: str | None) -> str:
    """The queue to wait in for this agent: the one the caller came through, where the agent serves it."""
    if not agent.enabled or agent.state == AgentState.OFFLINE:
        raise TransitionError(f"agent {agent.agent_id} is not signed in")
    if not agent.queues:
        raise TransitionError(f"agent {agent.agent_id} serves no queue")
    return present if present is not None and present in agent.queues else agent.queues[0]
