"""What is asked of the callback desk, and what it answers. Pure; times are UTC, seconds as floats."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from callback.policy import Wait
from callback.request import Callback, Source


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for; ``number`` and ``zone`` as they were written.

    A time is chosen by ``slot_start``, an instant, or by ``slot_local``, what the wall clock of ``zone``
    shall show; without both it is as soon as it is their turn. Without ``zone`` it is that of the number,
    where there is only one, else the queue's. ``arrived_at`` is what the place in line goes by, now if
    ``None``. ``priority`` comes on top of the queue's, ``skills`` on top of what the queue needs. ``key`` is
    a client's idempotency key, ``body_hash`` what came with it.
    """

    queue: str
    number: str
    source: Source
    slot_start: datetime | None = None
    slot_local: datetime | None = None
    zone: str = ""
    language: str = ""
    name: str = ""
    topic: str = ""
    note: str = ""
    consent: bool = False
    priority: int = 0
    skills: Mapping[str, int] = field(default_factory=dict)
    owner: str | None = None
    arrived_at: datetime | None = None
    chain_id: UUID | None = None
    call_id: UUID | None = None
    key: str = ""
    body_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a caller in line may be offered now.

    ``unasked``: the wait is so long that the offer is made by itself; else only to who presses ``key``.
    The call would come between ``promised_from`` and ``promised_until``. ``slots``: whether a time may be
    chosen instead.
    """

    key: str
    unasked: bool
    promised_from: datetime
    promised_until: datetime
    slots: bool = True


@dataclass(frozen=True, slots=True)
class Status:
    """How a callback stands.

    ``place`` is its place in line, 1 is next; ``None`` for one that is not in line: chosen time, being
    carried out, ended. ``wait`` is what a newcomer would wait now. ``next_at`` is the earliest next dialling,
    ``None`` once it has ended or while it is carried out.
    """

    callback: Callback
    place: int | None
    wait: Wait
    next_at: datetime | None
    attempts_left: int
    may_change: bool
