"""``callcenter closure``: what it says and what it does."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from callcenter.cli import main
from callcenter.storage.closures import Closures, Scope
from callcenter.storage.pool import Database

Run = Callable[..., Any]


@pytest.fixture
def run(database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command on a database of its own; returns status, output and complaint."""
    flow = tmp_path / "main.yaml"
    flow.write_text("language: en\nstart: bye\nnodes: {bye: {kind: hangup}}\n")
    settings = {
        "database": {"url": database_url},
        "queues": [{"name": "sales"}],
        "routes": [{"number": "*", "flow": str(flow)}],
    }
    path = tmp_path / "callcenter.yaml"
    path.write_text(yaml.safe_dump(settings))

    async def run(*arguments: str) -> tuple[int, str, str]:
        try:
            status = await asyncio.to_thread(main, ["closure", *arguments, "--config", str(path)])
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


async def test_closing_showing_and_opening(run: Run, database: Database) -> None:
    assert await run("show") == (0, "nothing is closed\n", "")
    status, said, _ = await run("on", "--queue", "sales", "--message", "Fire drill.", "--until", "2099-01-01")
    assert status == 0
    assert said.startswith("closed: queue sales, since ")
    assert said.endswith(", until 2099-01-01T00:00:00+00:00: Fire drill.\n")
    assert (await run("on"))[1].startswith("closed: all, since ")
    status, said, _ = await run("show", "--json")
    assert [(one["scope"], one["name"]) for one in json.loads(said)] == [("all", ""), ("queue", "sales")]
    assert await run("off") == (0, "open again: all\n", "")
    assert await run("off") == (0, "was not closed: all\n", "")
    (left,) = await Closures(database).in_force()
    assert (left.scope, left.name, left.message) == (Scope.QUEUE, "sales", "Fire drill.")
    assert await run("on", "--flow", "main") != (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["on", "--queue", "nowhere"], "callcenter: --queue: there is no queue 'nowhere'\n"),
        (["off", "--flow", "other"], "callcenter: --flow: no route has a flow 'other' (main)\n"),
        (
            ["on", "--until", "soon"],
            "callcenter: --until: 'soon' is no time (write it like 2026-11-27T08:00)\n",
        ),
        (["on", "--until", "2020-01-01"], "callcenter: --until: 2020-01-01 is over\n"),
        (
            ["on", "--message", "x" * 501],
            "callcenter: --message: must be one line of at most 500 printable characters\n",
        ),
        (
            ["on", "--queue", "sales", "--flow", "main"],
            "callcenter closure on: argument --flow: not allowed with argument --queue "
            "(see callcenter closure on --help)\n",
        ),
    ],
)
async def test_a_mistake_is_one_line(
    run: Run, database: Database, arguments: list[str], complaint: str
) -> None:
    assert await run(*arguments) == (2, "", complaint)
    assert await Closures(database).in_force() == ()
