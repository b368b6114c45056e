"""One caller's stand in the line, as the call that carries the caller sees it."""

import asyncio
from collections import deque
from datetime import datetime
from typing import Literal
from uuid import UUID

from callcenter import config
from callcenter.acd.presence import AgentEvent, refused
from callcenter.errors import CallCenterError, OverloadedError
from callcenter.events import LeftReason
from callcenter.storage.pool import retrying
from callcenter.storage.queue_line import NOTHING, AfterOffer, Asked, Offer, Place, QueueLine

PATIENCE_S = 60
"""How long a call waits for a database that is away before it gives up."""

EXCLUDE_S = 30
REST_S = 10
REMEMBERED_OFFERS = 64

Refusal = Literal["rejected", "missed", "failed"]
"""Why an agent did not come: said no, let it ring, could not be reached."""


def _after(event: AgentEvent, rest_s: float) -> AfterOffer:
    agent = refused(event)
    return AfterOffer(agent.state, agent.reason, rest_s=rest_s, exclude_s=EXCLUDE_S)


# An agent whose line fails rests a little, else one dead telephone would run through the whole line.
AFTER: dict[Refusal, AfterOffer] = {
    "rejected": _after(AgentEvent.REFUSE, 0),
    "missed": _after(AgentEvent.MISS, 0),
    "failed": _after(AgentEvent.REFUSE, REST_S),
}


class LineRefusedError(OverloadedError):
    """The queue takes no more callers (``FULL``) or nobody is there to serve it (``EMPTY``)."""

    def __init__(self, queue: str, reason: LeftReason) -> None:
        super().__init__(f"queue {queue} is {reason}")
        self.reason = reason


class TurnGoneError(CallCenterError):
    """The turn of a callback is no longer offered: its agents were freed, or another process has it."""


class Ticket:
    """A place in line. Made by ``Dispatcher.wait`` and ``Dispatcher.take_turn``, used by one task.

    That of a callback's turn has a ``callback_id``; it comes with all the offers there will be, so once it
    ``is_waiting`` nobody has come. ``is_leaving``: the entry may be gone on purpose.

    Its methods wait out an outage of the database of up to ``PATIENCE_S`` and raise ``StorageError`` after
    that.
    """

    def __init__(
        self,
        line: QueueLine,
        node_id: UUID,
        call_id: UUID,
        queue: config.Queue,
        priority: int,
        asked: Asked = NOTHING,
        callback_id: UUID | None = None,
    ) -> None:
        self.call_id = call_id
        self.callback_id = callback_id
        self.queue = queue.name
        self.priority = priority
        self.place: Place | None = None
        self.served = False
        self.is_leaving = False
        self._accepting: Offer | None = None
        self._delivered: list[Offer] = []
        self._line = line
        self._node_id = node_id
        self._settings = queue
        self._asked = asked
        self._pending: deque[Offer] = deque()
        self._arrived = asyncio.Event()
        self._known: deque[tuple[UUID, str]] = deque(maxlen=REMEMBERED_OFFERS)
        self._in_hand: set[str] = set()

    @property
    def is_waiting(self) -> bool:
        """Whether the caller stands in line and no offer is known of."""
        is_asked = self.served or self._in_hand or self._arrived.is_set()
        return self.place is not None and not (is_asked or self.is_leaving)

    @property
    def to_free(self) -> list[Offer]:
        """The offers whose agents are to be freed when the ticket is given up: of a turn all of them."""
        return self._delivered if self._accepting is None else [*self._delivered, self._accepting]

    async def enter(self, since: datetime | None = None) -> None:
        """Stand in line as of ``since``, when the caller asked for it; raises ``LineRefusedError``."""
        place = await retrying(
            lambda: self._line.enter(
                self.call_id, self._node_id, self._settings, self.priority, since, self._asked
            ),
            deadline_s=PATIENCE_S,
        )
        if isinstance(place, LeftReason):
            raise LineRefusedError(self.queue, place)
        self.place = place

    async def take(self) -> None:
        """Take the turn of the callback; raises ``TurnGoneError``."""
        assert self.callback_id is not None
        callback_id = self.callback_id
        taken = await retrying(
            lambda: self._line.take_turn(callback_id, self.call_id, self._node_id), deadline_s=PATIENCE_S
        )
        if taken is None:
            raise TurnGoneError(f"the turn of callback {callback_id} is gone")
        self.place, self._delivered = taken
        for offer in self._delivered:
            self.deliver(offer)

    def moved(self, since: datetime, priority: int) -> None:
        """The caller has been given a better place, as of ``since``, where it is better."""
        if self.place is not None:
            self.place = Place(self.place.position, min(self.place.entered_at, since))
        self.priority = max(self.priority, priority)

    def deliver(self, offer: Offer) -> None:
        """Take an offer; one that comes twice, by notification and by polling, counts once.

        Where all telephones of a queue ring, several with one id come, one for each agent. A newer id takes
        the place of one that nobody has fetched: that one has been swept.
        """
        key = offer.offer_id, offer.agent_id
        if key in self._known:
            return
        self._known.append(key)
        if self._pending and self._pending[0].offer_id != offer.offer_id:
            self._pending.clear()
        self._pending.append(offer)
        self._arrived.set()

    async def offer(self) -> Offer:
        """Wait until an agent, or another one, has been found."""
        while not self._pending:
            await self._arrived.wait()
        offer = self._pending.popleft()
        if not self._pending:
            self._arrived.clear()
        self._in_hand.add(offer.agent_id)
        return offer

    async def refused(self, offer: Offer, reason: Refusal) -> None:
        """The agent did not come; the caller keeps the place and gets other agents first for 30 s.

        Who rejected is available again at the end of the idle line, who missed is on a break, who could
        not be reached gets no offer for 10 s. Nothing happens when the offer no longer stands.
        """
        await retrying(lambda: self._line.take_back(offer, AFTER[reason]), deadline_s=PATIENCE_S)
        self._in_hand.discard(offer.agent_id)

    async def accepted(self, offer: Offer) -> bool:
        """The agent came: out of the line. False when the offer no longer stands; then wait for another."""
        self._accepting = offer
        stands = await retrying(lambda: self._line.accept(offer), deadline_s=PATIENCE_S)
        self._accepting = None
        self.served = self.served or stands
        if not stands:
            self._in_hand.discard(offer.agent_id)
        return stands

    async def position(self) -> int | None:
        """The live place in line, 1 is next; ``None`` once the line was left.

        Asked once only: an announcement can do without it, so an outage is raised at once.
        """
        return await self._line.position(self.call_id)

    async def rejoin(self) -> None:
        """Put back a row that was lost while the caller waits."""
        if self.place is not None:
            at = self.place.entered_at
            await self._line.rejoin(
                self.call_id, self._node_id, self._settings, self.priority, at, self._asked
            )
