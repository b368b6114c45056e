"""The queues as they are now, known to this process without asking the database each time."""

import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from callcenter.acd.matcher import rule_of
from callcenter.acd.policy import QueueRule
from callcenter.errors import NotFoundError, StorageError
from callcenter.queueing import Queue
from callcenter.storage.following import Following
from callcenter.storage.listener import Listener
from callcenter.storage.queues import CHANNEL, QueueRecord, QueueRows

log = logging.getLogger(__name__)

POLL_S = 10.0


class Queues:
    """``async with Queues(...)``: follows the rows until the block ends.

    A notification brings a change at once, polling makes sure. While the database is away the queues stay
    as they were last known.
    """

    def __init__(self, rows: QueueRows, listener: Listener, *, poll_s: float = POLL_S) -> None:
        self._rows = rows
        self._following = Following(listener, CHANNEL, self._look, poll_s)
        self._records: Mapping[str, QueueRecord] = {}
        self._rules: Mapping[str, QueueRule] = {}

    async def __aenter__(self) -> Self:
        await self.renew()
        await self._following.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._following.__aexit__(kind, error, trace)

    @property
    def names(self) -> list[str]:
        """The names of all queues, sorted."""
        return sorted(self._records)

    @property
    def longest_ring_s(self) -> float:
        """How long the most patient queue lets a telephone ring."""
        return max((record.queue.ring_timeout_s for record in self._records.values()), default=20.0)

    def record(self, name: str) -> QueueRecord:
        """One queue with its version; raises ``NotFoundError``."""
        if (record := self._records.get(name)) is None:
            raise NotFoundError(f"there is no queue {name}")
        return record

    def get(self, name: str) -> Queue:
        """One queue as it is now; a call keeps the copy that it got. Raises ``NotFoundError``."""
        return self.record(name).queue

    def find(self, name: str) -> Queue | None:
        """One queue as it is now, if it still exists."""
        record = self._records.get(name)
        return None if record is None else record.queue

    def rules(self) -> Mapping[str, QueueRule]:
        """How each queue is served at present."""
        return self._rules

    async def renew(self) -> None:
        """Read all queues; raises ``StorageError``."""
        records = await self._rows.all()
        self._records = {record.queue.name: record for record in records}
        self._rules = {name: rule_of(record.queue) for name, record in self._records.items()}

    async def _look(self) -> None:
        try:
            await self.renew()
        except StorageError as error:
            log.warning("queues stay as they are: %s", error)
