"""Who asks, and what that role may do."""

from dataclasses import dataclass
from enum import StrEnum

from callcenter.web.errors import ForbiddenError


class Role(StrEnum):
    """The three roles; each may do all that the one before it may."""

    AGENT = "agent"  # sees the wallboard and the own calls, changes the own state, controls the own calls
    SUPERVISOR = "supervisor"  # sees everything, changes any agent's state, controls any call
    ADMIN = "admin"  # makes and removes agents


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in user. ``agent_id`` is set where the user is an agent too."""

    user: str
    role: Role
    agent_id: str | None = None

    @property
    def sees_all(self) -> bool:
        """Whether calls of every agent are visible."""
        return self.role is not Role.AGENT

    def may_see(self, agent_id: str | None) -> bool:
        """Whether a call that ``agent_id`` handles or handled is visible."""
        return self.sees_all or (agent_id is not None and agent_id == self.agent_id)

    def require_agent(self, agent_id: str | None) -> None:
        """Raise ``ForbiddenError`` unless what belongs to ``agent_id`` may be seen and changed."""
        if not self.may_see(agent_id):
            raise ForbiddenError("your role may do this for your own calls and your own state only")

    def require_admin(self) -> None:
        """Raise ``ForbiddenError`` unless an administrator."""
        if self.role is not Role.ADMIN:
            raise ForbiddenError("this needs the role admin")

    def require_supervisor(self) -> None:
        """Raise ``ForbiddenError`` for a plain agent."""
        if not self.sees_all:
            raise ForbiddenError("this needs the role supervisor")
