"""What may be promised: wishes are checked against the rules of their queue, and get their terms."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from callback import numbers, policy, slots
from callback.errors import RefusedError
from callback.policy import Rules, Wait
from callback.refusal import Refusal
from callback.request import Slot, Terms, Wish
from callback.store import Store
from callcenter.acd.wait_time import Estimate
from callcenter.acd.waits import WaitTimes
from callcenter.callbacks.models import Asked
from callcenter.callbacks.rules import RuleBook, needs


class Granting:
    """Judges by the rules, the estimated wait and what has been promised to others. Keeps nothing."""

    def __init__(self, rules: RuleBook, store: Store, waits: WaitTimes, now: Callable[[], datetime]) -> None:
        self.rules = rules
        self._store = store
        self._waits = waits
        self._now = now

    def number(self, text: str, queue: str) -> str:
        """The number in E.164 that somebody wrote, keyed in or has; raises ``RefusedError``."""
        return numbers.e164(text, self.rules.of(queue).numbers)

    def zone(self, number: str, queue: str, given: str = "") -> str:
        """The customer's time zone: the given one, else the number's if it has one only, else the queue's.

        Raises ``RefusedError`` for a given one that does not exist.
        """
        if given:
            return slots.known_zone(given)
        return numbers.zone_of(number) or self.rules.of(queue).zone

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
        self.rules.queue(queue)
        rules, now = self.rules.of(queue), self._now()
        if not rules.accept:
            raise RefusedError(Refusal.NOT_OFFERED, "this queue takes no callbacks at present")
        if zone:
            slots.known_zone(zone)
        first = now if since is None else max(since, now)
        if first >= now + timedelta(days=rules.slots.days):
            return []
        last = first + timedelta(days=rules.slots.days if days is None else days)
        soonest = now + timedelta(seconds=(await self.wait(queue)).p50_s or 0.0)
        # Months of short slots take longer than the audio of calls can wait.
        grid = await asyncio.to_thread(slots.grid, rules, zone or rules.zone, now, max(first, soonest), last)
        if not grid:
            return []
        taken = await self._store.taken(queue, grid[0].start, grid[-1].end)
        return slots.with_free(grid, taken)

    async def granted(self, asked: Asked, number: str, wait: Wait) -> tuple[Wish, Terms]:
        """The wish and its terms, not yet kept; raises ``RefusedError``. ``number`` is E.164."""
        queue, rules, now = self.rules.queue(asked.queue), self.rules.of(asked.queue), self._now()
        zone = self.zone(number, asked.queue, asked.zone)
        if not rules.accept:
            raise RefusedError(Refusal.NOT_OFFERED, "this queue takes no callbacks at present")
        wish = Wish(
            queue=asked.queue,
            number=number,
            source=asked.source,
            arrived_at=asked.arrived_at,
            slot=self.slot(asked.slot_start, asked.slot_local, rules, zone, now),
            zone=zone,
            language=asked.language,
            name=asked.name,
            topic=asked.topic,
            note=asked.note,
            consent=asked.consent,
            priority=queue.priority + asked.priority,
            skills=asked.skills,
            owner=asked.owner,
            chain_id=asked.chain_id,
            call_id=asked.call_id,
            from_number=rules.from_number,
            key=asked.key,
            body_hash=asked.body_hash,
        )
        pending = await self._store.pending(asked.queue)
        policy.may_register(wish, rules, now, pending=pending, wait=wait)
        terms = policy.terms(wish, rules, now, wait)
        return wish, replace(terms, needs=needs(queue, asked.skills))

    def slot(
        self, start: datetime | None, local: datetime | None, rules: Rules, zone: str, now: datetime
    ) -> Slot | None:
        """The bucket that was chosen, by its instant or its wall-clock time; raises ``RefusedError``."""
        if local is not None:
            start = slots.chosen(local, zone)
        return None if start is None else slots.bucket(start, rules, zone, now)

    async def with_nearest(
        self, error: RefusedError, queue: str, slot: Slot | None, zone: str
    ) -> RefusedError:
        """The same refusal; that of a full slot with the nearest free ones."""
        if error.refusal is not Refusal.SLOT_FULL or slot is None:
            return error
        near = slots.nearest(await self.slots(queue, zone=zone), slot.start)
        return RefusedError(error.refusal, str(error), error.field, [one.start for one in near])


def wait_of(estimate: Estimate) -> Wait:
    """An estimate of the ACD as the rules know it."""
    return Wait(estimate.p50_s, estimate.p90_s)
