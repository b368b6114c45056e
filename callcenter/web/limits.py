"""Slows down those who try tokens, in bounded memory.

An address with too many wrong tokens in a window is refused until the window ends. A token that was good a
moment ago passes all the same, so one stranger behind a shared proxy does not lock out its neighbours.
"""

from collections import OrderedDict

MAX_FAILURES = 20
WINDOW_S = 60.0
MAX_ADDRESSES = 4096
MAX_TOKENS = 1024


class FailedSignIns:
    """Counts wrong tokens per address. ``now_s`` is a clock that only goes forward."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._good: OrderedDict[bytes, None] = OrderedDict()

    def may_try(self, address: str, token_hash: bytes, now_s: float) -> bool:
        """Whether the token may be looked up."""
        if token_hash in self._good:
            return True
        since, count = self._failures.get(address, (now_s, 0))
        return count < MAX_FAILURES or now_s - since >= WINDOW_S

    def failed(self, address: str, token_hash: bytes, now_s: float) -> None:
        """Count a wrong token; the address that failed longest ago is forgotten first."""
        self._good.pop(token_hash, None)
        since, count = self._failures.pop(address, (now_s, 0))
        if now_s - since >= WINDOW_S:
            since, count = now_s, 0
        self._failures[address] = (since, count + 1)
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)

    def succeeded(self, token_hash: bytes) -> None:
        """Remember a good token by its hash."""
        self._good[token_hash] = None
        self._good.move_to_end(token_hash)
        if len(self._good) > MAX_TOKENS:
            self._good.popitem(last=False)
