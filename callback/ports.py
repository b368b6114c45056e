"""What a worker needs of the rest: whoever carries calls, and the network."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from callback.request import Attempt, Callback, Claim


class Fate(StrEnum):
    """What the network says became of a dialled call."""

    NEVER = "never"  # it was never asked to dial, or refused
    RINGING = "ringing"
    TALKING = "talking"  # answered and not over
    ANSWERED = "answered"  # answered and over
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    UNKNOWN = "unknown"  # it cannot tell


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a call, and the network's name for it, where there is one.

    ``talked``: the customer is known to have been with an agent.
    """

    fate: Fate
    call_ref: str = ""
    talked: bool = False


class Carrier(Protocol):
    """Carries out claimed callbacks, each until its claim is given back or the callback has ended."""

    async def carry(self, claim: Claim) -> None:
        """Reserve, dial, connect. Whatever happens, the outcome is recorded before this returns.

        Who was delayed asks the network no more: ``Options.margin_s`` after the attempt was written another
        worker may have found that nobody was dialled.

        Raising is allowed: the worker then lets the lease run out, or gives the claim back if nobody was
        dialled.
        """


class Room(Protocol):
    """How much there is to do it with."""

    async def free_agents(self, queue: str) -> int:
        """Agents who could take a call of the queue now and are promised to nobody who stands before."""


class Network(Protocol):
    """Asks the telephone network about calls that another worker had dialled."""

    async def fate(self, callback: Callback, attempt: Attempt) -> Found:
        """What became of the attempt; ``Fate.UNKNOWN`` when the network cannot tell or does not answer."""

    async def hang_up(self, attempt: Attempt, call_ref: str) -> None:
        """End the call; one that is over is a success."""
