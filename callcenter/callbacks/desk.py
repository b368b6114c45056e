"""The one door to callbacks for the rest of the program: checks a wish, makes terms of it, keeps it.

Raises what ``callback.errors`` draws, ``NotFoundError`` of this program for a queue that does not exist, and
``StorageError``. Only the worker and its calls go past this to the store, for claims.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from callback import numbers, policy, slots
from callback.errors import RefusedError
from callback.links import Purpose
from callback.policy import Rules, Wait
from callback.request import Attempt, Callback, Change, Slot, Source, Terms, Wish
from callback.search import Forbidden, Search
from callback.state import DIALLED, OPEN, State
from callback.store import Store
from callcenter.acd.wait_time import Estimate
from callcenter.callbacks.granting import Granting, wait_of
from callcenter.callbacks.links import Links
from callcenter.callbacks.models import Asked, Offer, Status
from callcenter.callbacks.rules import needs
from callcenter.callbacks.strays import Strays
from callcenter.storage.page_codes import PageCodes
from callcenter.storage.pool import Database
from callcenter.storage.queue_line import QueueLine

CHANGEABLE = OPEN - DIALLED - {State.RECONCILING}
"""States in which nobody is being dialled: it can be moved and cancelled."""


class CallbackDesk:
    """Everything that customers and staff may do with callbacks.

    ``by`` is who does it: ``customer``, or ``user NAME``. With ``version`` a change is made only to that
    version; else it raises ``VersionError``.
    """

    def __init__(
        self,
        store: Store,
        database: Database,
        line: QueueLine,
        granting: Granting,
        links: Links,
        strays: Strays,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._database = database
        self._line = line
        self._granting = granting
        self._rules = granting.rules
        self._links = links
        self._strays = strays
        self._now = now

    # What holds.

    def rules(self, queue: str) -> Rules:
        """How a queue calls back; one that does not exist takes nothing and dials nobody."""
        return self._rules.of(queue)

    def number(self, text: str, queue: str) -> str:
        """The number in E.164 that somebody wrote, keyed in or has; raises ``RefusedError``."""
        return self._granting.number(text, queue)

    async def soonest(self, queue: str, zone: str = "") -> Terms:
        """What somebody who asked now would be promised; raises ``RefusedError`` where nothing is.

        ``zone`` is the customer's, the queue's without.
        """
        rules, now, wait = self.rules(queue), self._now(), await self.wait(queue)
        wish = Wish(queue, "", Source.PAGE, zone=zone or rules.zone, consent=True)
        policy.may_register(wish, rules, now, pending=await self._store.pending(queue), wait=wait)
        return policy.terms(wish, rules, now, wait)

    async def is_full(self, queue: str) -> bool:
        """Whether so many are open that no more are taken, not even for another time."""
        return await self._store.pending(queue) >= self.rules(queue).max_pending

    async def is_forbidden(self, number: str) -> bool:
        """Whether a number in E.164 is on the do-not-call list."""
        return await self._store.is_forbidden(number)

    def zone(self, number: str, queue: str, given: str = "") -> str:
        """The customer's time zone: the given one, else the number's if it has one only, else the queue's.

        Raises ``RefusedError`` for a given one that does not exist.
        """
        return self._granting.zone(number, queue, given)

    async def wait(self, queue: str) -> Wait:
        """What somebody would wait who asked now; unknown while nothing can be said."""
        return await self._granting.wait(queue)

    async def slots(
        self, queue: str, *, zone: str = "", since: datetime | None = None, days: int | None = None
    ) -> list[Slot]:
        """The times that can be chosen and how many places each has left, full ones too.

        ``zone`` is the customer's. From ``since`` on, for so many ``days``; as far as the settings allow
        without. Raises ``NotFoundError``, and ``RefusedError`` where the queue takes no callbacks.
        """
        return await self._granting.slots(queue, zone=zone, since=since, days=days)

    async def offered(self, queue: str, estimate: Estimate) -> Offer | None:
        """What a caller in line may be offered who has still to wait so long; ``None``: nothing."""
        rules, now, wait = self.rules(queue), self._now(), wait_of(estimate)
        if not rules.accept:
            return None
        wish = Wish(queue, "", Source.IVR, zone=rules.zone)
        try:
            policy.may_register(wish, rules, now, pending=await self._store.pending(queue), wait=wait)
            terms = policy.terms(wish, rules, now, wait)
        except RefusedError:
            return None
        return Offer(
            rules.key, policy.is_offered_unasked(rules, wait), terms.promised_from, terms.promised_until
        )

    # Asking.

    async def request(self, asked: Asked, *, by: str) -> tuple[Callback, bool]:
        """Keep a wish; returns its callback, and whether it is new.

        An open one of the same number in the queue is returned as it is, and so is what the same ``key`` led
        to. Raises ``RefusedError``; for a full slot it names the nearest free ones.
        """
        queue = self._rules.queue(asked.queue).name
        number = self.number(asked.number, queue)
        try:
            wish, terms = await self._granting.granted(asked, number, await self.wait(queue))
        except RefusedError:
            # What was granted before stands, whatever the queue takes by now.
            known = await self._known(asked, number, by)
            if known is None:
                raise
            return known, False
        try:
            return await self._store.request(wish, terms, by=by)
        except RefusedError as error:
            raise await self._granting.with_nearest(error, queue, wish.slot, wish.zone) from None

    async def from_line(self, call_id: UUID, asked: Asked, estimate: Estimate) -> Callback | None:
        """The caller of ``call_id`` leaves the line for a callback at the same place, in one transaction.

        ``None``: an agent was found first, and nothing is kept. Raises ``RefusedError``; the caller then
        still stands in line.
        """
        number = self.number(asked.number, asked.queue)
        wish, terms = await self._granting.granted(asked, number, wait_of(estimate))
        try:
            async with self._database.transaction() as connection:
                left = await self._line.leave_for_callback(connection, call_id)
                if left is None:
                    return None
                wish = replace(wish, arrived_at=left.entered_at, call_id=call_id)
                kept, _ = await self._store.request(wish, terms, by="customer", connection=connection)
                return kept
        except RefusedError as error:
            raise await self._granting.with_nearest(error, asked.queue, wish.slot, wish.zone) from None

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
        may_change = callback.state in CHANGEABLE
        return Status(
            callback=callback,
            place=await self._line.place_of(callback.callback_id) if may_change else None,
            wait=await self.wait(callback.queue),
            next_at=callback.not_before if may_change else None,
            attempts_left=max(callback.attempts_max - callback.attempts, 0) if callback.is_open else 0,
            may_change=may_change,
        )

    async def gone_queues(self) -> frozenset[str]:
        """Queues that were removed and whose open callbacks had nowhere to go; nobody dials these."""
        return await self._strays.gone()

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
        before = await self._store.get(callback_id)
        queue = self._rules.queue(before.queue).name
        before = replace(before, zone=slots.known_zone(zone) if zone else before.zone)
        rules, now = self.rules(queue), self._now()
        slot = self._granting.slot(slot_start, slot_local, rules, before.zone, now)
        terms = policy.moved(before, slot, rules, now, await self.wait(queue))
        try:
            return await self._store.move(callback_id, terms, slot, by=by, zone=before.zone, version=version)
        except RefusedError as error:
            raise await self._granting.with_nearest(error, queue, slot, before.zone) from None

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
        if number is not None:
            number = self.number(number, (await self._store.get(callback_id)).queue)
        return await self._store.edit(
            callback_id,
            by=by,
            version=version,
            number=number,
            name=name,
            topic=topic,
            note=note,
            language=language,
            priority=priority,
        )

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
        target = (await self._store.get(callback_id)).queue if queue is None else queue
        until = self._now() + timedelta(seconds=self.rules(target).owner_wait_s)
        return await self._store.reassign(
            callback_id,
            by=by,
            queue=queue,
            needs=None if queue is None else needs(self._rules.queue(queue), {}),
            owner=owner,
            owner_until=until if owner else None,
            version=version,
        )

    async def expedite(self, callback_id: UUID, *, by: str, version: int | None = None) -> Callback:
        """It is due now, at its place in line."""
        return await self._store.expedite(callback_id, by=by, version=version)

    async def merge(self, callback_id: UUID, *, by: str, call_id: UUID) -> Callback:
        """The customer has phoned in and goes on in person, in the call ``call_id``.

        If that call stands in line it gets the callback's place, in the same transaction.
        """
        async with self._database.transaction() as connection:
            merged = await self._store.merge(callback_id, by=by, call_id=call_id, connection=connection)
            await self._line.take_place(connection, call_id, merged.arrived_at, merged.priority)
        return merged

    async def erase(self, text: str, *, by: str) -> int:
        """Forget a number, and what was said about it; returns in how many callbacks.

        What is filled in on the customers' page goes, too. Calls keep their own record of who called.
        """
        number = numbers.plain(text)
        await PageCodes(self._database).erase(number)
        return await self._store.erase(number, by=by)

    # Numbers that are not called.

    async def forbid(self, text: str, *, by: str, note: str = "") -> str:
        """Put a number on the do-not-call list; returns it in E.164. Its callbacks are rejected."""
        number = numbers.plain(text)
        await self._store.forbid(number, by=by, note=note)
        return number

    async def allow(self, text: str) -> bool:
        """Take a number off the do-not-call list; false if it was not on it."""
        return await self._store.allow(numbers.plain(text))

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

    async def code_key(self) -> bytes:
        """The key of ``callback.links.code_hash``."""
        return await self._links.key()

    async def _known(self, asked: Asked, number: str, by: str) -> Callback | None:
        """What the same request has led to, or an open callback of the number."""
        if asked.key:
            known = await self._store.replayed(by, asked.key, asked.body_hash)
            if known is not None:
                return await self._store.get(known)
        return next(iter(await self._store.open_of(number, asked.queue)), None)
