"""What may be asked of the list of callbacks. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callback.request import Source
from callback.state import State


@dataclass(frozen=True, slots=True)
class Search:
    """Which callbacks; newest request first. What is ``None`` or empty is not asked for.

    ``since`` and ``until`` bound the time of the request, the first inclusive, the second not. ``after`` is
    time of request and id of the last one of the page before. ``queues`` are those that may be seen, ``text``
    is part of the name, the topic or the note.
    """

    queue: str | None = None
    states: Collection[State] = ()
    number: str | None = None
    source: Source | None = None
    owner: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: tuple[datetime, UUID] | None = None
    limit: int = 100
    queues: Collection[str] | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A number on the do-not-call list."""

    number: str
    added_at: datetime
    added_by: str
    note: str
