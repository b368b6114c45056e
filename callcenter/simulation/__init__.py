"""A day of calls in virtual time, on the very rule that distributes live calls.

``model`` says what a day is made of, ``draw`` draws its callers, ``engine`` runs it, ``result`` counts.
Pure: no clock, no loop, no I/O; the same model and seed give the same day. (``callcenter.simulator`` is
something else: a telephone network of real sockets.)
"""

from callcenter.simulation.engine import Happened, Moment, Simulation
from callcenter.simulation.model import (
    AgentModel,
    Callbacks,
    CallerKind,
    DayModel,
    LogNormal,
    QueueModel,
    Rings,
)
from callcenter.simulation.result import DayResult, Stay

__all__ = [
    "AgentModel",
    "Callbacks",
    "CallerKind",
    "DayModel",
    "DayResult",
    "Happened",
    "LogNormal",
    "Moment",
    "QueueModel",
    "Rings",
    "Simulation",
    "Stay",
]
