"""What customers intend who ask to be called back. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Pickup(StrEnum):
    """What happens when the customer's telephone rings."""

    ANSWER = "answer"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    MACHINE = "machine"  # a greeting, a beep, and then nobody
    STRANGER = "stranger"  # somebody else, who presses no key
    IMPATIENT = "impatient"  # the customer, who hangs up where no agent comes


REACHED = frozenset({Pickup.ANSWER, Pickup.IMPATIENT})


class Meanwhile(StrEnum):
    """What a customer does while the callback is open."""

    ASK = "ask"  # phone in, hear how it stands, hang up
    IN_PERSON = "in_person"  # phone in and wait in person
    CANCEL = "cancel"  # phone in and call it off
    MOVE_ON_PAGE = "move_on_page"  # to as soon as possible
    CANCEL_ON_PAGE = "cancel_on_page"


BY_PAGE = frozenset({Meanwhile.MOVE_ON_PAGE, Meanwhile.CANCEL_ON_PAGE})


@dataclass(frozen=True, slots=True)
class Doing:
    """Something done ``after_s`` after the callback was asked for, with these ``keys`` where by telephone."""

    what: Meanwhile
    after_s: float
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallbackPlan:
    """How a customer asks for a callback and takes it. Times in seconds.

    ``keys`` answer the service's prompts in the queue one after the other, the last one makes it stand; each
    may be several digits. Who asks on the customers' page chooses the next time there is, or to be called
    as soon as possible. Of ``pickups`` there is one for each ringing in order; later ones are answered, after
    ``ring_s``, with ``hello``; nobody speaks for ``settle_s`` after that, so that a service that listens for
    machines may bring the two together. ``confirm`` is pressed when the service is heard, where it is to be
    told that this is the customer. Once picked up, an agent is waited for ``patience_s``; so long a machine
    records and somebody else stays; the call itself is waited for ``waits_s``. ``attempts`` is how often at
    most the telephone may ring.
    """

    keys: tuple[str, ...] = ("1", "1", "1")
    books_soonest: bool = False
    pickups: tuple[Pickup, ...] = ()
    ring_s: float = 0.8
    hello: str = ""
    settle_s: float = 0.0
    confirm: str = ""
    patience_s: float = 20.0
    waits_s: float = 90.0
    attempts: int = 3
    meanwhile: tuple[Doing, ...] = ()
