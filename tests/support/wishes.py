"""Wishes to be called back, for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from callback.request import Callback, Mode, Slot, Source, Terms, Wish
from callback.store import Store
from support.numbers import new_number

BY = "customer"


def a_wish(number: str | None = None, **values: Any) -> Wish:
    return Wish(**{"queue": "sales", "number": number or new_number(), "source": Source.API} | values)


def some_terms(now: datetime | None = None, *, in_s: float = 0, **values: Any) -> Terms:
    """May be dialled in ``in_s`` seconds, and expire a day later."""
    start = (now or datetime.now(UTC)) + timedelta(seconds=in_s)
    defaults = {
        "mode": Mode.AGENT_FIRST,
        "not_before": start,
        "expires_at": start + timedelta(days=1),
        "promised_from": start,
        "promised_until": start + timedelta(minutes=30),
    }
    return Terms(**defaults | values)


def a_slot(in_s: float = 3600, capacity: int = 2) -> Slot:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=in_s)
    return Slot(start, start + timedelta(minutes=15), capacity)


async def requested(store: Store, number: str | None = None, **values: Any) -> Callback:
    """An open callback; what ``Terms`` knows goes there, the rest to the wish."""
    known = set(Terms.__dataclass_fields__) | {"in_s"}
    terms = some_terms(**{key: value for key, value in values.items() if key in known})
    wish = a_wish(number, **{key: value for key, value in values.items() if key not in known})
    callback, _ = await store.request(wish, terms, by=BY)
    return callback


async def steps_of(store: Store, callback_id: UUID) -> list[str]:
    return [change.step for change in await store.history(callback_id)]
