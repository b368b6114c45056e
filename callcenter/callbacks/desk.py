"""The one door to callbacks for the rest of the program: checks a wish, makes terms of it, keeps it.

Raises what ``callback.errors`` draws, ``NotFoundError`` of this program for a queue that does not exist, and
``StorageError``. Only the worker and its calls go past this to the store, for claims.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from callback import numbers, policy, slots
from callback.links import Purpose
from callback.policy import Rules, Wait
from callback.request import Attempt, Callback, Change, Slot
from callback.search import Forbidden, Search
from callback.store import Store
from callcenter.acd.queues import Queues
from callcenter.acd.wait_time import Estimate
from callcenter.acd.waits import WaitTimes
from callcenter.callbacks.links import Links
from callcenter.callbacks.models import Asked, Notice, Offer, Status
from callcenter.callbacks.rules import RuleBook
from callcenter.storage.pool import Database


class Left(Protocol):
    """The place in line that somebody has left."""

    @property
    def entered_at(self) -> datetime:
        """Since when it was kept."""


class Line(Protocol):
    """What is asked of the waiting line."""

    async def leave_for_callback(self, connection: Any, call_id: UUID) -> Left | None:
        """Leave the line in this transaction; ``None`` where an agent has been found."""

    async def place_of(self, callback_id: UUID) -> int | None:
        """The place in line, 1 is next."""


class CallbackDesk:
    """Everything that customers and staff may do with callbacks.

    ``by`` is who does it: ``customer``, or ``user NAME``. With ``version`` a change is made only to that
    version; else it raises ``VersionError``.
    """

    def __init__(
        self,
        store: Store,
        database: Database,
        line: Line,
        queues: Queues,
        rules: RuleBook,
        waits: WaitTimes,
        links: Links,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._database = database
        self._line = line
        self._queues = queues
        self._rules = rules
        self._waits = waits
        self._links = links
        self._now = now

    # What holds.

    def rules(self, queue: str) -> Rules:
        """How a queue calls back; one that does not exist takes nothing and dials nobody."""
        return self._rules.of(queue)

    def number(self, text: str, queue: str) -> str:
        """The number in E.164 that somebody wrote, keyed in or has; raises ``RefusedError``."""
        return numbers.e164(text, self.rules(queue).numbers)

    def zone(self, number: str, queue: str, given: str = "") -> str:
        """The customer's time zone: the given one, else the number's if it has one only, else the queue's.

        Raises ``RefusedError`` for a given one that does not exist.
        """
        if given:
            return slots.known_zone(given)
        return numbers.zone_of(number) or self.rules(queue).zone

    async def wait(self, queue: str) -> Wait:
        """What somebody would wait who asked now; unknown while nothing can be said."""
        found = (await self._waits.of_newcomers()).get(queue)
        return policy.UNKNOWN_WAIT if found is None else wait_of(found)

    async def slots(
        self, queue: str, *, zone: str = "", since: datetime | None = None, days: int | None = None
    ) -> list[Slot]:
        """The times that can be chosen and how many places each has left, full ones too.

        ``zone`` is the customer's. From ``since`` on, for so many ``days``; as far as the settings allow
        without. Raises ``NotFoundError``, and ``RefusedError`` where the queue takes no callbacks.
        """
        raise NotImplementedError

    async def offered(self, queue: str, estimate: Estimate) -> Offer | None:
        """What a caller in line may be offered who has still to wait so long; ``None``: nothing."""
        raise NotImplementedError

    # Asking.

    async def request(self, asked: Asked, *, by: str) -> tuple[Callback, bool]:
        """Keep a wish; returns its callback, and whether it is new.

        An open one of the same number in the queue is returned as it is, and so is what the same ``key`` led
        to. Raises ``RefusedError``; for a full slot it names the nearest free ones.
        """
        raise NotImplementedError

    async def from_line(self, call_id: UUID, asked: Asked, estimate: Estimate) -> Callback | None:
        """The caller of ``call_id`` leaves the line for a callback at the same place, in one transaction.

        ``None``: an agent was found first, and nothing is kept. Raises ``RefusedError``; the caller then
        still stands in line.
        """
        raise NotImplementedError

    async def again(
        self, before: Callback, *, by: str, slot_start: datetime | None = None
    ) -> tuple[Callback, bool]:
        """The same wish once more, such as by the link in a final notice."""
        raise NotImplementedError

    # Looking.

    async def get(self, callback_id: UUID) -> Callback:
        """One callback; raises ``callback.errors.NotFoundError``."""
        return await self._store.get(callback_id)

    async def find(self, wanted: Search) -> list[Callback]:
        """A page of the list, newest request first."""
        return await self._store.find(wanted)

    async def open_of(self, number: str, queue: str | None = None) -> list[Callback]:
        """The open callbacks of a number in E.164, such as of somebody who phones in."""
        return await self._store.open_of(number, queue)

    async def history(self, callback_id: UUID) -> list[Change]:
        """All its changes, oldest first."""
        return await self._store.history(callback_id)

    async def attempts_of(self, callback_id: UUID) -> list[Attempt]:
        """All diallings of the customer, oldest first."""
        return await self._store.attempts_of(callback_id)

    async def status(self, callback: Callback) -> Status:
        """How it stands, with its place in line."""
        raise NotImplementedError

    async def stranded(self) -> list[Callback]:
        """Open callbacks whose queue does not exist any more and had no other to go to."""
        raise NotImplementedError

    # Changing.

    async def cancel(
        self, callback_id: UUID, *, by: str, cause: str = "", version: int | None = None
    ) -> Callback:
        """Give it up; raises ``TransitionError`` while the customer is being dialled."""
        return await self._store.cancel(callback_id, by=by, cause=cause, version=version)

    async def move(
        self,
        callback_id: UUID,
        *,
        by: str,
        slot_start: datetime | None = None,
        slot_local: datetime | None = None,
        zone: str = "",
        version: int | None = None,
    ) -> Callback:
        """Another time; without a slot as soon as it is its turn, at its old place in line.

        Not sooner than somebody who asked now would be served. Raises ``RefusedError``, ``TransitionError``.
        """
        raise NotImplementedError

    async def edit(
        self,
        callback_id: UUID,
        *,
        by: str,
        version: int | None = None,
        number: str | None = None,
        name: str | None = None,
        topic: str | None = None,
        note: str | None = None,
        language: str | None = None,
        priority: int | None = None,
    ) -> Callback:
        """Change what is not ``None``; ``number`` as it was written, ``priority`` as the line has it."""
        raise NotImplementedError

    async def reassign(
        self,
        callback_id: UUID,
        *,
        by: str,
        queue: str | None = None,
        owner: str | None = None,
        version: int | None = None,
    ) -> Callback:
        """Give it to another queue, or to one agent as long as the queue says; ``owner`` empty: to all."""
        raise NotImplementedError

    async def expedite(self, callback_id: UUID, *, by: str, version: int | None = None) -> Callback:
        """It is due now, at its place in line."""
        return await self._store.expedite(callback_id, by=by, version=version)

    async def merge(self, callback_id: UUID, *, by: str, call_id: UUID) -> Callback:
        """The customer has phoned in and goes on in person, in the call ``call_id``."""
        return await self._store.merge(callback_id, by=by, call_id=call_id)

    async def erase(self, text: str, *, by: str, queue: str = "") -> int:
        """Forget a number with all that was said about it; returns of how many callbacks."""
        raise NotImplementedError

    # Numbers that are not called.

    async def forbid(self, text: str, *, by: str, note: str = "") -> str:
        """Put a number on the do-not-call list; returns it in E.164. Its callbacks are rejected."""
        raise NotImplementedError

    async def allow(self, text: str) -> bool:
        """Take a number off the do-not-call list; false if it was not on it."""
        raise NotImplementedError

    async def forbidden(self, after: str = "", limit: int = 100) -> list[Forbidden]:
        """A page of the do-not-call list, in the order of the numbers."""
        return await self._store.forbidden(after, limit)

    # Links.

    async def link(self, callback: Callback, purpose: Purpose = Purpose.MANAGE) -> str:
        """The signed address for the customer, ``…/callback/{token}``."""
        return await self._links.link(callback, purpose)

    async def by_link(self, token: str, purpose: Purpose = Purpose.MANAGE) -> Callback:
        """The callback that a link is about; raises ``NotFoundError`` for one that is not good (any more)."""
        return await self._links.callback_of(token, purpose)

    async def notice(self, callback: Callback) -> Notice:
        """What the customer is told of a callback that ended without a conversation."""
        return await self._links.notice(callback)

    async def code_key(self) -> bytes:
        """The key of ``callback.links.code_hash``."""
        return await self._links.key()


def wait_of(estimate: Estimate) -> Wait:
    """An estimate of the ACD as the rules know it."""
    return Wait(estimate.p50_s, estimate.p90_s)
