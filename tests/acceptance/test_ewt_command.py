"""``callcenter report ewt`` as a user meets it."""

import json

import pytest

from support.program import Program


def test_without_estimates_there_is_an_empty_report(program: Program) -> None:
    report = json.loads(program.run("report", "ewt", "--json").stdout)
    assert report["total"]["estimates"] == 0
    assert report["total"]["p90_coverage"] is None
    assert "p90 coverage" in program.run("report", "ewt", "--from", "yesterday").stdout
    # What it had before still works beside it.
    assert '"offered"' in program.run("report", "--from", "yesterday", "--json").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--queue", "nowhere"), "no such queue: nowhere"),
        (("--from", "soon"), "'soon' is no date"),
        (("--from", "today", "--to", "yesterday"), "the range is empty"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    program: Program, arguments: tuple[str, ...], message: str
) -> None:
    result = program.run("report", "ewt", *arguments, check=False)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr
