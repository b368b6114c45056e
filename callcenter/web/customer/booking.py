"""A filled-in form on its way to a callback.

What a stranger may learn: with ``callbacks.page.code`` on, whoever types a number in learns nothing about
requests that its owner has made, as nothing happens before the number is proved by a code. With it off nobody
is known, so a request that stands already is neither shown nor changed: the page says that one stands. That
much can then be learned of a number, at the price of a request where there was none, and only as often as the
limits per number and address allow.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from callback import links
from callback.errors import RefusedError
from callback.numbers import zone_of
from callback.refusal import Refusal
from callback.request import Callback, Source
from callcenter.callbacks.desk import CallbackDesk
from callcenter.callbacks.models import Asked
from callcenter.storage.page_codes import Filled, PageCodes, Tried
from callcenter.web.customer.choices import SOONEST, start_of
from callcenter.web.customer.codes import CodeSender

NUMBER_REFUSALS = frozenset(
    {
        Refusal.NUMBER_INVALID,
        Refusal.NUMBER_EMERGENCY,
        Refusal.NUMBER_PREMIUM,
        Refusal.NUMBER_OWN,
        Refusal.NUMBER_FOREIGN,
        Refusal.DO_NOT_CALL,
    }
)
TIME_REFUSALS = frozenset(
    {
        Refusal.CLOSED,
        Refusal.SLOT_FULL,
        Refusal.SLOT_PAST,
        Refusal.SLOT_TOO_FAR,
        Refusal.SLOT_UNKNOWN,
        Refusal.TOO_EARLY,
        Refusal.EXPIRED,
    }
)


class Outcome(StrEnum):
    """Where a form has got to."""

    CODE = "code"  # a code is needed
    TIME = "time"  # another time is needed
    NUMBER = "number"  # the number is not called
    REFUSED = "refused"  # nothing can be had at present
    STANDS = "stands"  # somebody has asked for this number before, and nobody knows who this is
    GRANTED = "granted"


@dataclass(frozen=True, slots=True)
class Progress:
    """``callback`` is there for ``GRANTED``; ``is_new``: this form made it."""

    outcome: Outcome
    callback: Callback | None = None
    is_new: bool = True
    refusal: Refusal | None = None


class Booking:
    """Takes forms on; ``sender`` is ``None`` where numbers are not proved."""

    def __init__(self, desk: CallbackDesk, codes: PageCodes, sender: CodeSender | None) -> None:
        self._desk = desk
        self._codes = codes
        self._sender = sender

    @property
    def needs_code(self) -> bool:
        """Whether numbers are proved."""
        return self._sender is not None

    async def proceed(self, key: str, filled: Filled) -> Progress:
        """Do what can be done; the same form always leads to the same callback."""
        if filled.done:
            return await self._outcome(key, filled)
        if self.needs_code and not filled.proved:
            if await self._desk.is_forbidden(filled.wish["number"]):
                return Progress(Outcome.NUMBER, refusal=Refusal.DO_NOT_CALL)
            return Progress(Outcome.CODE)
        try:
            callback, _ = await self._desk.request(asked_of(key, filled), by="customer")
        except RefusedError as error:
            return _refused(error.refusal, soonest=filled.wish["at"] == SOONEST)
        is_new = callback.chain_id == chain_of(key)
        may_see = is_new or filled.proved
        left = {"ending": callback.number[-2:], "topic": callback.queue}
        await self._codes.finish(key, callback.callback_id if may_see else None, left)
        if not may_see:
            return Progress(Outcome.STANDS)
        return Progress(Outcome.GRANTED, callback, is_new)

    async def send_code(self, key: str, wish: Mapping[str, Any]) -> bool | None:
        """Send a new code; ``None`` where none may be sent, or not so soon; ``False`` where it failed."""
        assert self._sender is not None, "numbers are not proved"
        code = links.code_of(secrets.randbelow(10**links.CODE_DIGITS))
        kept = await self._hash(key, wish, code)
        if not await self._codes.send(key, kept):
            return None
        if await self._sender.send(wish["number"], code, wish["language"]):
            return True
        await self._codes.unsent(key, kept)
        return False

    async def try_code(self, key: str, wish: Mapping[str, Any], code: str) -> tuple[Tried, int]:
        """Whether it is the right one; and how many tries are left."""
        return await self._codes.try_code(key, await self._hash(key, wish, code))

    async def _outcome(self, key: str, filled: Filled) -> Progress:
        if filled.callback_id is None:
            return Progress(Outcome.STANDS)
        callback = await self._desk.get(filled.callback_id)
        return Progress(Outcome.GRANTED, callback, is_new=callback.chain_id == chain_of(key))

    async def _hash(self, key: str, wish: Mapping[str, Any], code: str) -> bytes:
        return links.code_hash(code, f"{key} {wish['number']}", await self._desk.code_key())


def zone_given(filled: Filled) -> str:
    """The browser's zone, if it counts; empty: that of the number.

    Who has not proved the number does not say when it is night there: else anybody could have anybody rung up
    at three in the morning.
    """
    wish = filled.wish
    return str(wish["zone"]) if filled.proved or zone_of(wish["number"]) is None else ""


def asked_of(key: str, filled: Filled) -> Asked:
    """What the form asks for. Its chain is the form's own, so that its callback is known by that."""
    wish = filled.wish
    return Asked(
        queue=wish["topic"],
        number=wish["number"],
        source=Source.PAGE,
        slot_start=start_of(wish["at"]),
        zone=zone_given(filled),
        language=wish["language"],
        name=wish["name"],
        topic=wish["title"],
        consent=True,
        chain_id=chain_of(key),
    )


def chain_of(key: str) -> UUID:
    """What a callback of this form is known by."""
    return UUID(bytes=hashlib.sha256(b"callback chain v1\0" + key.encode()).digest()[:16], version=4)


def _refused(refusal: Refusal, *, soonest: bool) -> Progress:
    if refusal in NUMBER_REFUSALS:
        return Progress(Outcome.NUMBER, refusal=refusal)
    if refusal in TIME_REFUSALS or (soonest and refusal is Refusal.TOO_MANY):
        return Progress(Outcome.TIME, refusal=refusal)
    return Progress(Outcome.REFUSED, refusal=refusal)
