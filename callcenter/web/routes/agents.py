"""``/api/v1/agents``: who works here, what they are doing, and changing it."""

from collections.abc import Collection

from aiohttp import web

from callcenter import config
from callcenter.acd.presence import AgentEvent, AgentState
from callcenter.acd.queues import Queues
from callcenter.acd.roster import Roster
from callcenter.errors import NotFoundError, TransitionError
from callcenter.storage.agents import AgentRecord, Agents
from callcenter.web import floor_models
from callcenter.web.body import parse_body
from callcenter.web.errors import InvalidError
from callcenter.web.params import answer, name_of, principal_of
from callcenter.web.ports import CallControl
from callcenter.web.principal import Principal

_EVENTS = {
    floor_models.AgentEvent.SIGN_IN: AgentEvent.SIGN_IN,
    floor_models.AgentEvent.SIGN_OUT: AgentEvent.SIGN_OUT,
    floor_models.AgentEvent.READY: AgentEvent.READY,
    floor_models.AgentEvent.BREAK: AgentEvent.TAKE_BREAK,
}


class AgentRoutes:
    """Agents. ``queues`` are the ones an agent may serve, ``skills`` the names of those one may have."""

    def __init__(self, agents: Agents, control: CallControl, queues: Queues, skills: Collection[str]) -> None:
        self._agents = agents
        self._roster = Roster(agents)
        self._control = control
        self._queues = queues
        self._skills = frozenset(skills)

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [
            web.get("/api/v1/agents", self.list),
            web.get("/api/v1/agents/{name}", self.get),
            web.put("/api/v1/agents/{name}", self.put),
            web.delete("/api/v1/agents/{name}", self.delete),
            web.post("/api/v1/agents/{name}/state", self.change_state),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """All agents; of colleagues an agent does not see the address."""
        principal = principal_of(request)
        agents = [_agent(record, principal) for record in await self._agents.all()]
        return answer(floor_models.AgentList(agents=agents))

    async def get(self, request: web.Request) -> web.Response:
        """One agent."""
        return answer(_agent(await self._agents.get(name_of(request, "agent")), principal_of(request)))

    async def put(self, request: web.Request) -> web.Response:
        """Make an agent (201) or replace what is known about one (200); needs the role admin."""
        principal_of(request).require_admin()
        body = parse_body(floor_models.AgentBody, await request.read(), request.content_type)
        if unknown := sorted(set(body.queues) - set(self._queues.names)):
            raise InvalidError(f"queues: no such queue: {', '.join(unknown)}", "queues")
        if unknown := sorted(set(body.skills) - self._skills):
            raise InvalidError(f"skills: no such skill: {', '.join(unknown)}", "skills")
        agent = config.Agent(id=name_of(request, "agent"), **body.model_dump())
        status = 200
        try:
            await self._agents.update(agent)
        except NotFoundError:
            await self._agents.create(agent)
            status = 201
        return answer(_agent(await self._agents.get(agent.id), principal_of(request)), status)

    async def delete(self, request: web.Request) -> web.Response:
        """Remove an agent who is not on a call; needs the role admin."""
        principal_of(request).require_admin()
        await self._agents.delete(name_of(request, "agent"))
        return web.Response(status=204)

    async def change_state(self, request: web.Request) -> web.Response:
        """Tell what an agent does next; agents may do so for themselves."""
        agent_id = name_of(request, "agent")
        principal_of(request).require_agent(agent_id)
        body = parse_body(floor_models.AgentStateBody, await request.read(), request.content_type)
        if body.disposition or body.resolved is not None:
            await self._note_disposition(agent_id, body)
        await self._roster.signal(agent_id, _EVENTS[body.event], body.reason)
        return answer(_agent(await self._agents.get(agent_id), principal_of(request)))

    async def _note_disposition(self, agent_id: str, body: floor_models.AgentStateBody) -> None:
        agent = await self._agents.get(agent_id)
        if agent.state != AgentState.WRAP_UP or agent.call_id is None:
            raise TransitionError("a disposition can be given during wrap-up only")
        said = {} if body.resolved is None else {"resolved": str(body.resolved).lower()}
        await self._control.control(
            agent.call_id, "disposition", agent=agent_id, disposition=body.disposition, **said
        )


def _agent(record: AgentRecord, principal: Principal) -> floor_models.Agent:
    return floor_models.Agent(
        id=record.agent_id,
        name=record.name,
        gateway=record.gateway,
        address=record.address if principal.may_see(record.agent_id) else "",
        queues=list(record.queues),
        skills=dict(record.skills),
        state=record.state,
        reason=record.reason,
        since=record.state_since,
        next_state=record.next_state,
        call_id=record.call_id,
    )
