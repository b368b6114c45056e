"""Sound that waits on disk because there is too much of it for memory."""

import os
import tempfile
from pathlib import Path
from typing import BinaryIO


class Spool:
    """One unnamed file, gone with the process. Positions are bytes; blocking, a few kB at a time.

    It grows while anything waits in it and is emptied when nothing does. ``held`` sounds are in it now.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._file: BinaryIO | None = None
        self.held = 0

    def put(self, sound: bytes) -> tuple[int, int]:
        """Keep ``sound``; returns where it lies. Raises ``OSError`` where the disk is full."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="callcenter-speech-", dir=self._folder)  # noqa: SIM115
        at = self._file.seek(0, os.SEEK_END)
        self._file.write(sound)
        self._file.flush()
        self.held += 1
        return at, len(sound)

    def take(self, place: tuple[int, int]) -> bytes:
        """What lies at ``place``; to be asked for once."""
        assert self._file is not None
        self._file.seek(place[0])
        sound = self._file.read(place[1])
        self.forget()
        return sound

    def forget(self) -> None:
        """One sound is not wanted any more."""
        self.held -= 1
        if self.held == 0:
            self.close()

    def close(self) -> None:
        """Give the disk back."""
        if self._file is not None:
            self._file.close()
            self._file = None
