"""Clearing up after processes that are gone goes on, whatever is found."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from callcenter import housekeeping
from callcenter.storage.listener import Listener
from callcenter.storage.nodes import Nodes


async def test_recordings_left_without_a_process_are_closed_and_a_bad_row_stops_nothing(
    open_center: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "EVERY_S", 0.02)
    center = await open_center()
    recordings, database = center.services.recordings, center.database

    async def leave_behind(path: str) -> UUID:
        recording_id = uuid4()
        await recordings.open(
            recording_id=recording_id,
            call_id=uuid4(),
            node_id=uuid4(),
            kind="voicemail",
            path=path,
            channels=1,
            offset_ms=0,
        )
        return recording_id

    nodes = Nodes(database, Listener(database), center.services.node_id)
    bad = await leave_behind("")
    keeping = asyncio.create_task(housekeeping.keep_house(nodes, database, center.services))
    try:
        async with asyncio.timeout(5):
            while (await recordings.get(bad)).node_id != center.services.node_id:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            gone = await leave_behind("gone.wav")
            while (await recordings.get(gone)).state != "failed":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not keeping.done()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
