"""Who hears whom on a call, as a table. Pure.

========  =================================  ============================
mode      the supervisor hears               the supervisor is heard by
========  =================================  ============================
listen    caller and agent                   nobody
whisper   caller and agent                   the agent
barge     caller and agent                   caller, agent and those who listen
========  =================================  ============================

While the caller is on hold, the caller hears music and what the two say goes nowhere; a whisper still reaches
the agent. While the agent asks a second one, the supervisor hears these two.
"""

from collections.abc import Mapping
from enum import StrEnum

CALLER, AGENT, SECOND = "caller", "agent", "second agent"


class Mode(StrEnum):
    """How a supervisor takes part."""

    LISTEN = "listen"
    WHISPER = "whisper"
    BARGE = "barge"


class Talk(StrEnum):
    """Who talks with whom."""

    CALLER_AND_AGENT = "caller and agent"
    AGENT_ALONE = "agent alone"  # the caller is on hold
    TWO_AGENTS = "two agents"  # and the caller is on hold


_TALKERS: Mapping[Talk, tuple[str, ...]] = {
    Talk.CALLER_AND_AGENT: (CALLER, AGENT),
    Talk.AGENT_ALONE: (AGENT,),
    Talk.TWO_AGENTS: (AGENT, SECOND),
}
_HEARD_BY: Mapping[Mode, tuple[str, ...]] = {
    Mode.LISTEN: (),
    Mode.WHISPER: (AGENT,),
    Mode.BARGE: (CALLER, AGENT, SECOND),
}


def hears(talk: Talk, supervisors: Mapping[str, Mode]) -> dict[str, frozenset[str]]:
    """Whom each party hears; ``supervisors`` are those who have come, by name."""
    talkers = _TALKERS[talk]
    found = {
        party: frozenset(talkers) - {party}
        | {name for name, mode in supervisors.items() if party in _HEARD_BY[mode]}
        for party in talkers
    }
    barging = {name for name, mode in supervisors.items() if mode is Mode.BARGE}
    for name in supervisors:
        found[name] = (frozenset(talkers) | barging) - {name}
    return found
