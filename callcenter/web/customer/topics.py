"""What customers may ask to be called about: the queues that take callbacks, by their titles."""

from collections.abc import Sequence

from callcenter.acd.queues import Queues
from callcenter.queueing import Queue
from callcenter.web.customer.language import DEFAULT


class Topics:
    """The queues as customers know them."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    def all(self) -> Sequence[Queue]:
        """Those that take callbacks at present."""
        queues = (self._queues.find(name) for name in self._queues.names)
        return [queue for queue in queues if queue is not None and _is_open(queue)]

    def find(self, name: str) -> Queue | None:
        """One that takes callbacks at present."""
        queue = self._queues.find(name)
        return queue if queue is not None and _is_open(queue) else None

    def title(self, name: str, language: str) -> str:
        """What it is called in that language, as far as anybody has said."""
        queue = self._queues.find(name)
        titles = queue.callback.title if queue is not None else {}
        known = titles.get(language) or titles.get(DEFAULT) or next(iter(titles.values()), "")
        return (
            known or " ".join(name.replace("_", " ").replace("-", " ").replace(".", " ").split()).capitalize()
        )


def _is_open(queue: Queue) -> bool:
    return queue.callback.enabled and queue.callback.accept
