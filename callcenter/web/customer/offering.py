"""What a customer may choose from in one topic: as soon as possible, and free times."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callback.errors import RefusedError
from callback.request import Slot
from callback.slots import nearest
from callcenter.callbacks.desk import CallbackDesk
from callcenter.errors import NotFoundError
from callcenter.web.customer.choices import SOONEST, Day, days
from callcenter.web.customer.visit import Visit

NEAREST = 6
AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Soonest:
    """As soon as possible; ``text`` says when that probably is, or why it is not ``possible``."""

    possible: bool
    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Offered:
    """All that can be chosen. ``zone_name`` is the zone that times are shown in."""

    soonest: Soonest
    days: Sequence[Day]
    zone_name: str

    @property
    def is_nothing(self) -> bool:
        """Whether nothing can be chosen."""
        return not self.soonest.possible and not self.days

    def as_values(self) -> dict[str, Any]:
        """As the templates take it."""
        return {"soonest": self.soonest, "days": self.days, "zone_name": self.zone_name}


class Offering:
    """Asks the desk what there is."""

    def __init__(self, desk: CallbackDesk) -> None:
        self._desk = desk
        self._free = asyncio.Semaphore(AT_ONCE)

    async def of(
        self,
        queue: str,
        visit: Visit,
        zone: str = "",
        *,
        near: datetime | None = None,
        href: Callable[[str], str] | None = None,
    ) -> Offered:
        """What can be had now; ``near`` a time only the free ones next to it.

        ``zone`` is the customer's where it is known, and times are shown in it; else in the browser's, else
        in the queue's. ``href`` makes links of choices.
        """
        customer = zone or (visit.zone.key if visit.zone else "")
        calendar = visit.calendar(zone or ("" if visit.zone else self._desk.rules(queue).zone))
        soonest = await self.soonest(queue, visit, zone, href=href)
        # Strangers may ask for this at any rate: neither the audio of calls nor other threads' work waits.
        async with self._free:
            slots = await self._slots(queue, customer)
            if near is not None:
                slots = nearest(slots, near, NEAREST)
            shown = await asyncio.to_thread(days, slots, calendar, href)
        return Offered(soonest, shown, calendar.zone_name())

    async def soonest(
        self, queue: str, visit: Visit, zone: str = "", *, href: Callable[[str], str] | None = None
    ) -> Soonest:
        """When a call would come that is asked for now."""
        customer = zone or (visit.zone.key if visit.zone else "")
        calendar = visit.calendar(zone or ("" if visit.zone else self._desk.rules(queue).zone))
        try:
            terms = await self._desk.soonest(queue, customer)
        except RefusedError:
            return Soonest(possible=False, text=visit.words["soonest_not"])
        window = calendar.span(terms.promised_from, terms.promised_until, inside=True)
        text = visit.words["soonest_window"].format(window=window)
        return Soonest(possible=True, text=text, href=href(SOONEST) if href else "")

    async def _slots(self, queue: str, zone: str) -> list[Slot]:
        try:
            return await self._desk.slots(queue, zone=zone)
        except (RefusedError, NotFoundError):
            return []
