"""Every figure of a day of load equals what its people lived through; the service in another process."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from callcenter.demo.proof import prove
from callcenter.simulator import load

CALLS, AGENTS, AT_ONCE = 30, 20, 30


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's folder: under root each run closes that one to the account of the embedded database.
    with TemporaryDirectory(prefix="callcenter-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


async def test_every_figure_of_a_day_with_everything_in_it_equals_the_truth(folder: Path) -> None:
    proof = await prove(load.scenario(seed=1, calls=CALLS, agents=AGENTS, at_once=AT_ONCE), folder)
    assert proof.problems == []
    assert proof.different == []
    assert len(proof.truth.calls) == CALLS
    assert len(proof.compared) > 500
    assert {kind for kind, count in proof.kinds.items() if not count} == set()
