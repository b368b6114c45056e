"""How a worker works. Pure; seconds unless a name says otherwise."""

from collections.abc import Callable
from dataclasses import dataclass

from callback.rules import Rules

RulesOf = Callable[[str], Rules]
"""The rules of a queue as they are now."""


@dataclass(frozen=True, slots=True)
class Options:
    """``at_once``: how many callbacks are carried together.

    A worker that is not heard of for ``lease_s`` loses them. No more than ``dial_rate_per_s`` fall due, over
    all workers. What notifications would tell is looked for every ``poll_s``. When closing, customers who
    have been dialled are waited for during ``drain_s``. After a lost worker the network is asked every
    ``ask_s``; what it cannot tell counts as over ``margin_s`` after the longest ringing. So long after the
    attempt was written it is believed, too, that the network was never asked to dial: that must be longer
    than a carrier takes at most to ask, and the network to answer. A callback whose carrying failed is due
    again after ``again_s``. ``outages`` are errors that mean that the database is away.
    """

    at_once: int = 50
    lease_s: float = 30
    dial_rate_per_s: float = 50
    poll_s: float = 1
    drain_s: float = 20
    ask_s: float = 2
    margin_s: float = 20
    again_s: float = 5
    outages: tuple[type[Exception], ...] = ()
