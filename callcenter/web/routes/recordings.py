"""Sound files: which a call has, and the files themselves, in whole or in ranges (RFC 9110, section 14)."""

import logging
from pathlib import Path

from aiohttp import web

from callcenter.errors import NotFoundError, TransitionError
from callcenter.storage.calls import Calls
from callcenter.storage.recordings import RecordingRecord, Recordings
from callcenter.web import models
from callcenter.web.params import answer, id_of, principal_of

log = logging.getLogger(__name__)

CONTENT_TYPES = {".flac": "audio/flac", ".wav": "audio/wav"}


class RecordingRoutes:
    """Recordings under ``folder``; agents hear their own."""

    def __init__(self, recordings: Recordings, calls: Calls, folder: Path) -> None:
        self._recordings = recordings
        self._calls = calls
        self._folder = folder.resolve()

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [
            web.get("/api/v1/calls/{id}/recordings", self.list),
            web.get("/api/v1/recordings/{id}", self.get),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """The files of a call."""
        call = await self._calls.get(id_of(request, "call"))
        principal_of(request).require_agent(call.agent_id)
        records = await self._recordings.of_call(call.call_id)
        return answer(models.RecordingList(recordings=[_recording(record) for record in records]))

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The file; 409 while it is being written. Who listened is logged."""
        record = await self._recordings.get(id_of(request, "recording"))
        call = await self._calls.get(record.call_id)
        principal = principal_of(request)
        principal.require_agent(call.agent_id)
        if record.state == "writing":
            raise TransitionError("the recording is still being written")
        path = self._path(record)
        log.info("user %s fetches recording %s of call %s", principal.user, record.recording_id, call.call_id)
        name = f"{record.recording_id}{path.suffix}"
        headers = {
            "Content-Type": CONTENT_TYPES[path.suffix],
            "Content-Disposition": f'inline; filename="{name}"',
        }
        return web.FileResponse(path, headers=headers)

    def _path(self, record: RecordingRecord) -> Path:
        """The file, which lies in the folder whatever the row says; raises ``NotFoundError``."""
        path = (self._folder / record.path).resolve()
        if not path.is_relative_to(self._folder) or path.suffix not in CONTENT_TYPES:
            log.error("recording %s names a file that is not a recording", record.recording_id)
            raise NotFoundError(f"there is no file of recording {record.recording_id}")
        if not path.is_file():
            raise NotFoundError(f"the file of recording {record.recording_id} is not on this machine")
        return path


def _recording(record: RecordingRecord) -> models.Recording:
    return models.Recording(
        recording_id=record.recording_id,
        kind=record.kind,
        channels=record.channels,
        offset_ms=record.offset_ms,
        duration_ms=record.duration_ms,
        state=record.state,
        url=f"/api/v1/recordings/{record.recording_id}",
    )
