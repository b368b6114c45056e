"""Installations of the program, and their end; the networks they are connected to.

A module whose tests share one installation defines the fixture ``service`` and marks its tests with
``pytest.mark.asyncio(loop_scope="module")``; ``office``, ``network`` and ``pbx`` then belong to that service.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import pytest_asyncio

from support.asterisk import Asterisk
from support.office import Office
from support.program import Program, new_program, stop_database
from support.twilio_network import TwilioNetwork


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office_of_all(service: Program) -> AsyncIterator[Office]:
    async with Office(service) as office:
        yield office


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network_of_all(service: Program) -> AsyncIterator[TwilioNetwork]:
    async with TwilioNetwork(service) as network:
        yield network


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx_of_all(service: Program) -> AsyncIterator[Asterisk]:
    async with Asterisk(service) as pbx:
        yield pbx


@pytest_asyncio.fixture(loop_scope="module")
async def office(office_of_all: Office) -> AsyncIterator[Office]:
    """The API of the module's service; agents who were hired are gone afterwards."""
    yield office_of_all
    await office_of_all.fire_all()


@pytest_asyncio.fixture(loop_scope="module")
async def network(network_of_all: TwilioNetwork, office: Office) -> AsyncIterator[TwilioNetwork]:
    """A Twilio that the module's service is connected to; its calls are over afterwards."""
    yield network_of_all
    await network_of_all.end_all()


@pytest_asyncio.fixture(loop_scope="module")
async def pbx(pbx_of_all: Asterisk, office: Office) -> AsyncIterator[Asterisk]:
    """An Asterisk that the module's service is connected to; its channels are gone afterwards."""
    yield pbx_of_all
    await pbx_of_all.end_all()
