"""Words while they are said, on their way to everyone who watches, whichever process they are connected to.

They are never stored: what is lost is made up for by the next partial, at the latest by the segment.
"""

import asyncio
import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from asr import Partial
from asr.languages import WITHOUT_BLANKS
from callcenter.errors import StorageError
from callcenter.storage.messages import MAX_BYTES, Messages

log = logging.getLogger(__name__)

CHANNEL = "partial"
EVERY_S = 0.2
SEND_TIMEOUT_S = 2.0
MAX_LEGS = 2000
MAX_CHARACTERS = 600
"""Of a partial, twice what anybody says within an utterance. JSON takes 12 bytes at most for each, so that
one partial always fits into a notification."""

_ENVELOPE_BYTES = len('{"partials":[]}')


@dataclass(frozen=True, slots=True)
class Speaking:
    """Who speaks: a leg (``caller`` or ``agent``) of a call, and whose call that is."""

    call_id: UUID
    leg: str
    queue: str | None = None
    agent_id: str | None = None


class Partials:
    """Keeps the newest partial of each leg and sends what changed, ``1 / EVERY_S`` times a second at most.

    Telling never waits and never fails. At most ``MAX_LEGS`` legs are kept, the one that changed longest ago
    gives way; while the database is away partials are dropped. ``dropped`` counts both.
    """

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._newest: dict[tuple[UUID, str], tuple[Speaking, Partial]] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._away = False
        self.dropped = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="partial words")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def tell(self, speaking: Speaking, partial: Partial) -> None:
        """Let watchers know what is being said; empty where it came to nothing."""
        key = speaking.call_id, speaking.leg
        before = self._newest.get(key)
        if before is not None and before[1].start_s > partial.start_s:
            return  # of an utterance before that came to nothing
        self._newest.pop(key, None)
        self._newest[key] = speaking, partial
        if len(self._newest) > MAX_LEGS:
            del self._newest[next(iter(self._newest))]
            self.dropped += 1
        self._changed.set()

    def replaced(self, speaking: Speaking, number: int) -> None:
        """The segment of utterance ``number`` is there; partials of it need not be sent any more."""
        key = speaking.call_id, speaking.leg
        waiting = self._newest.get(key)
        if waiting is not None and waiting[1].number <= number:
            del self._newest[key]

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            newest, self._newest = self._newest, {}
            await self._send([_document(*one) for one in newest.values()])
            await asyncio.sleep(EVERY_S)

    async def _send(self, documents: list[dict[str, Any]]) -> None:
        unsent = len(documents)
        try:
            for batch in batches(documents):
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self._messages.send(CHANNEL, {"partials": batch})
                unsent -= len(batch)
        except (StorageError, TimeoutError) as error:
            self._failed(str(error) or "the database does not answer")
        except Exception:
            log.exception("partial words could not be sent")
        else:
            self._away = False
        self.dropped += unsent

    def _failed(self, reason: str) -> None:
        if not self._away:
            log.warning("partial words are not shown: %s", reason)
        self._away = True


def batches(documents: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """As few lists as fit into one notification each, in order."""
    batch: list[dict[str, Any]] = []
    size = _ENVELOPE_BYTES
    for document in documents:
        length = len(json.dumps(document, separators=(",", ":"))) + 1
        if batch and size + length > MAX_BYTES:
            yield batch
            batch, size = [], _ENVELOPE_BYTES
        batch.append(document)
        size += length
    if batch:
        yield batch


def _document(speaking: Speaking, partial: Partial) -> dict[str, Any]:
    stable, volatile = texts(partial)
    return {
        "call_id": str(speaking.call_id),
        "leg": speaking.leg,
        "queue": speaking.queue,
        "agent": speaking.agent_id,
        "number": partial.number,
        "seq": partial.seq,
        "start_ms": round(partial.start_s * 1000),
        "end_ms": round(partial.end_s * 1000),
        "stable": stable,
        "volatile": volatile,
    }


def texts(partial: Partial) -> tuple[str, str]:
    """What is stable and what is not, which follows it as it stands; of a very long text the end."""
    stable, volatile = partial.stable, partial.volatile
    if stable and volatile and partial.language not in WITHOUT_BLANKS:
        volatile = f" {volatile}"
    volatile = _end(volatile, MAX_CHARACTERS)
    return _end(stable, MAX_CHARACTERS - len(volatile)), volatile


def _end(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    return "…" + text[len(text) - length + 1 :] if length else ""
