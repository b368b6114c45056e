"""Recordings that a dead process left unfinished: made playable and closed."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from callcenter.errors import CallCenterError
from callcenter.media import flac
from callcenter.media.recording_file import recover
from callcenter.storage.recordings import RecordingRecord, Recordings

log = logging.getLogger(__name__)


async def repair(
    unfinished: Sequence[RecordingRecord], recordings: Recordings, folder: Path, *, compress: bool
) -> None:
    """Set headers right and close the rows; a file that cannot be read is marked as failed."""
    for recording in unfinished:
        try:
            path, duration_s = await asyncio.to_thread(_mend, folder, Path(recording.path), compress)
        except (CallCenterError, OSError) as error:
            log.error("recording %s cannot be repaired: %s", recording.recording_id, error)
            await recordings.fail(recording.recording_id)
            continue
        await recordings.finish(recording.recording_id, duration_ms=round(duration_s * 1000), path=str(path))
        log.info("recording %s was repaired: %.1f s", recording.recording_id, duration_s)


def _mend(folder: Path, relative: Path, compress: bool) -> tuple[Path, float]:
    compressed = relative.with_suffix(".flac")
    if not (folder / relative).exists() and (folder / compressed).exists():
        return compressed, flac.duration_s(folder / compressed)
    duration_s = recover(folder / relative)
    if not compress or duration_s == 0:
        return relative, duration_s
    return flac.replace(folder / relative).relative_to(folder), duration_s
