"""One recording of a call: the file, its row, its events."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

from callcenter.call.context import CallContext
from callcenter.errors import CallCenterError, StorageError
from callcenter.events import EventType
from callcenter.media import flac
from callcenter.media.bridge import Tap
from callcenter.media.frame import SAMPLE_RATE_HZ
from callcenter.storage.pool import retrying

log = logging.getLogger(__name__)

ROW_DEADLINE_S = 120.0


class SoundFile(AbstractAsyncContextManager["SoundFile"]):
    """Records while the ``async with`` lasts; closing writes the duration and makes the FLAC file."""

    def __init__(self, context: CallContext, kind: str, channels: int) -> None:
        self._context = context
        self._kind = kind
        self._channels = channels
        self._id = uuid4()
        self._offset_samples = 0
        self._failed = False
        self._row: asyncio.Task[None] | None = None

    @property
    def recording_id(self) -> UUID:
        """The recording's name in rows and events."""
        return self._id

    async def __aenter__(self) -> Self:
        """Open the file; the row is written beside the call, which does not wait for the database."""
        context = self._context
        self._relative = _relative_path(context.services.now(), f"{self._id}.wav")
        path = context.services.recordings_dir / self._relative
        self._offset_samples = int(context.seconds() * SAMPLE_RATE_HZ)
        self._recording = context.services.recorder.open(path, self._channels, self._lost)
        self._row = context.services.background.spawn(
            self._open_row(), name=f"recording row of call {context.call_id}"
        )
        context.journal.write(EventType.RECORDING_STARTED, recording=str(self._id), kind=self._kind)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file and its row beside the call, which does not wait for the disk."""
        self._context.services.background.spawn(
            self._finish(), name=f"finishing the recording of call {self._context.call_id}"
        )

    def tap(self, channel: int) -> Tap:
        """Return the tap that writes to ``channel``: 0 left, the caller; 1 right, the agent."""
        write, offset = self._recording.write, self._offset_samples
        return lambda pcm16, position: write(channel, pcm16, position - offset)

    def _lost(self, reason: str) -> None:
        self._failed = True
        log.error("call %s: the recording stopped: %s", self._context.call_id, reason)
        self._context.journal.write(EventType.RECORDING_FAILED, recording=str(self._id), reason=reason)

    async def _open_row(self) -> None:
        services = self._context.services
        try:
            await retrying(
                lambda: services.recordings.open(
                    recording_id=self._id,
                    call_id=self._context.call_id,
                    node_id=services.node_id,
                    kind=self._kind,
                    path=str(self._relative),
                    channels=self._channels,
                    offset_ms=self._offset_samples * 1000 // SAMPLE_RATE_HZ,
                ),
                deadline_s=ROW_DEADLINE_S,
            )
        except StorageError as error:
            log.error("call %s: the recording has no row: %s", self._context.call_id, error)

    async def _finish(self) -> None:
        duration_s = await self._recording.close()
        self._context.journal.write(
            EventType.RECORDING_ENDED, recording=str(self._id), duration_s=round(duration_s, 3)
        )
        assert self._row is not None
        await self._row
        services = self._context.services
        relative, failed = self._relative, self._failed
        if services.settings.recording.format == "flac" and duration_s > 0:
            relative = await self._compress()
        write = services.recordings.fail if failed else services.recordings.finish
        try:
            await retrying(
                lambda: write(self._id, path=str(relative), duration_ms=round(duration_s * 1000)),
                deadline_s=ROW_DEADLINE_S,
            )
        except StorageError as error:
            log.error("call %s: the recording's row stays open: %s", self._context.call_id, error)

    async def _compress(self) -> Path:
        folder = self._context.services.recordings_dir
        try:
            compressed = await asyncio.to_thread(flac.replace, folder / self._relative)
        except (CallCenterError, OSError) as error:
            log.error("call %s: the recording stays a WAV file: %s", self._context.call_id, error)
            return self._relative
        return compressed.relative_to(folder)


def _relative_path(now: datetime, name: str) -> Path:
    return Path(f"{now:%Y/%m/%d}") / name
