"""Which events have been seen and which are still to be fetched. Pure."""

from collections import OrderedDict, deque

MAX_PENDING = 256
MAX_SEEN = 4096


class EventRanges:
    """The ranges of ids that were announced, and the ids already passed on.

    Announcements of two writers can cross and overlap, and a range can hold rows that are not committed
    yet; so each range is fetched as announced and ids seen before are dropped. When more ranges pend than
    ``MAX_PENDING``, they are forgotten and ``resync`` says to read on from the last id seen.
    """

    def __init__(self) -> None:
        self.last_seen = 0
        self.resync = False
        self._floor = 0
        self._pending: deque[tuple[int, int]] = deque()
        self._seen: OrderedDict[int, None] = OrderedDict()

    def announce(self, payload: str) -> None:
        """Take ``first..last``; raises ``ValueError`` for anything else."""
        first_text, dots, last_text = payload.partition("..")
        first, last = int(first_text), int(last_text if dots else first_text)
        if not 0 < first <= last:
            raise ValueError(f"not a range: {payload[:40]!r}")
        self._pending.append((first, last))
        if len(self._pending) > MAX_PENDING:
            self._pending.clear()
            self.resync = True

    def next(self) -> tuple[int, int] | None:
        """Take the oldest range that waits."""
        return self._pending.popleft() if self._pending else None

    def is_new(self, event_id: int, *, announced: bool) -> bool:
        """Whether the event is to be passed on; it is so once.

        One that was not announced counts only if it came after the last ``skip``.
        """
        if event_id in self._seen or (not announced and event_id <= self._floor):
            return False
        self._seen[event_id] = None
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)
        self.last_seen = max(self.last_seen, event_id)
        return True

    def skip(self) -> None:
        """Pass over what was announced: nobody watches."""
        self.skip_to(max((last for _, last in self._pending), default=0))

    def skip_to(self, event_id: int) -> None:
        """Pass over everything up to ``event_id``."""
        self._pending.clear()
        self.last_seen = self._floor = max(self.last_seen, event_id)
