"""Where a caller is handed over to, and how a conversation parted. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callcenter.call.queue_phase import Connected


class EndedBy(StrEnum):
    """Who ended the conversation."""

    CUSTOMER = "customer"
    AGENT = "agent"
    SYSTEM = "system"
    TRANSFER = "transfer"


class Kind(StrEnum):
    """What a call is handed over to."""

    NUMBER = "number"
    QUEUE = "queue"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Destination:
    """``to`` is a number, a queue or an agent; ``queue`` is where the caller stands in line for it."""

    kind: Kind
    to: str
    queue: str = ""

    @property
    def agent(self) -> str | None:
        """The only agent who will do."""
        return self.to if self.kind is Kind.AGENT else None


def destination_of(arguments: Mapping[str, str]) -> Destination:
    """What a command asks for: ``number``, ``queue``, or ``agent`` and the ``queue`` they serve."""
    if "number" in arguments:
        return Destination(Kind.NUMBER, arguments["number"])
    if "agent" in arguments:
        return Destination(Kind.AGENT, arguments["agent"], arguments["queue"])
    return Destination(Kind.QUEUE, arguments["queue"], arguments["queue"])


@dataclass(frozen=True, slots=True)
class Parted:
    """How a conversation ended.

    ``to`` is where the caller waits next (blind), ``second`` the agent who has taken the caller over
    (attended). ``bridge_failed``: the agent's leg broke before there was a conversation to speak of.
    """

    by: EndedBy
    to: Destination | None = None
    second: "Connected | None" = None
    bridge_failed: bool = False
