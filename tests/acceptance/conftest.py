"""Installations of the program, and their end."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from support.program import Program, new_program, stop_database


@pytest.fixture
def make_program() -> Iterator[Callable[..., Program]]:
    """Make installations; whatever still runs at the end is killed."""
    made: list[Program] = []
    # Not pytest's folder: under root each run closes that one to the account of the embedded database.
    with TemporaryDirectory(prefix="callcenter-test-") as folder:
        Path(folder).chmod(0o711)

        def make(**settings: Any) -> Program:
            place = Path(folder) / f"installation{len(made)}"
            place.mkdir()
            made.append(new_program(place, **settings))
            return made[-1]

        yield make
        for program in made:
            if program.process is not None:
                program.kill()
            stop_database(program.folder / "data" / "postgres")


@pytest.fixture
def program(make_program: Callable[..., Program]) -> Program:
    return make_program()
