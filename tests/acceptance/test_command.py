"""The command line as a user meets it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.program import Program

Make = Callable[..., Program]


def test_start_report_stop(program: Program) -> None:
    program.start()
    assert program.api("GET", "/calls")["calls"] == []
    assert (program.folder / "data" / "recordings").stat().st_mode & 0o077 == 0
    report = program.run("report", "--json")
    assert '"offered"' in report.stdout
    verified = program.run("report", "verify", "--from", "yesterday")
    assert verified.stdout == "0 calls, 0 contacts and 0 days compared: all as the events say\n"
    contacts = program.run("report", "--from", "yesterday", "contacts", "--csv", "-")
    assert contacts.stdout.startswith("call_id,segment,direction,queue,agent,")
    assert contacts.stderr == "0 contacts\n"
    assert program.stop() == 0
    assert "Traceback" not in program.log


def test_the_schema_can_be_looked_after(program: Program) -> None:
    before = program.run("db", "status").stdout
    assert "pending" in before
    assert "applied" in program.run("db", "upgrade").stdout
    assert "pending" not in program.run("db", "status").stdout
    assert program.run("db", "upgrade").stdout == "nothing to do\n"


def test_a_report_before_the_first_start_is_empty_not_an_error(program: Program) -> None:
    result = program.run("report", "--csv")
    assert result.returncode == 0
    assert result.stderr == ""


WRONG_KEY = ({"server": {"prot": 1}}, "server.prot: Extra inputs are not permitted")
WRONG_ZONE = ({"metrics": {"timezone": "Mars/Olympus"}}, "there is no time zone 'Mars/Olympus'")
NO_FLOW = ({"routes": [{"number": "*", "flow": "gone.yaml"}]}, "gone.yaml")
NO_MODEL = ({"asr": {"model": "/nowhere/model"}}, "asr.model: /nowhere/model: no such folder")


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        *((("serve",), wrong) for wrong in (WRONG_KEY, WRONG_ZONE, NO_FLOW, NO_MODEL)),
        *((("config", "check"), wrong) for wrong in (WRONG_KEY, WRONG_ZONE, NO_FLOW)),
        *((("report",), wrong) for wrong in (WRONG_KEY, WRONG_ZONE)),
    ],
)
def test_wrong_settings_are_one_line_and_status_2(
    make_program: Make, command: tuple[str, ...], wrong: tuple[dict[str, object], str]
) -> None:
    change, message = wrong
    result = make_program(**change).run(*command, check=False)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr


def test_a_taken_port_is_said(program: Program, make_program: Make) -> None:
    program.start()
    other = make_program(server={"port": program.port})
    result = other.run("serve", check=False)
    assert result.returncode == 2
    assert f"cannot listen on 127.0.0.1:{program.port}" in result.stderr


def test_a_flow_is_checked_and_drawn(program: Program, tmp_path: Path) -> None:
    flow = program.folder / "flow.yaml"
    assert "no problem found" in program.run("ivr", "check", str(flow)).stdout
    flow.write_text(flow.read_text().replace("1: sales", "1: slaes"))
    result = program.run("ivr", "check", str(flow), check=False)
    assert result.returncode == 2
    assert "flow.yaml:5: node hello" in result.stderr


def test_a_text_that_is_missing_in_a_language_is_a_warning(program: Program) -> None:
    flow = program.folder / "languages.yaml"
    flow.write_text(
        "language: en\nstart: ask\nnodes:\n"
        "  ask: {kind: set, set_language: ja, next: bye}\n  bye: {kind: hangup, prompts: Goodbye.}\n"
    )
    result = program.run("ivr", "check", str(flow))
    warning = f"{flow}:5: node bye: prompts: no text in 'ja'; 'en' is heard"
    assert f"warning: {warning}\n" in result.stdout
    assert json.loads(program.run("ivr", "check", str(flow), "--json").stdout)["warnings"] == [warning]


def test_users_and_tokens(program: Program) -> None:
    assert program.run("user", "token", "nobody", check=False).returncode == 2
    program.run("user", "add", "ann", "--role", "supervisor")
    again = program.run("user", "add", "ann", "--role", "supervisor", check=False)
    assert again.returncode == 2
    token = program.run("user", "token", "ann").stdout.strip()
    assert token.startswith("cc_")


def test_a_token_can_be_taken_back_and_a_user_removed(program: Program) -> None:
    program.run("user", "add", "ann", "--role", "admin")
    program.run("user", "token", "ann", "--days", "3650")
    assert program.run("user", "list").stdout == "ann: admin, valid tokens: 1\n"
    assert '"user_name": "ann"' in program.run("user", "list", "--json").stdout
    assert program.run("user", "revoke", "ann").stdout == "tokens of ann made invalid: 1\n"
    assert program.run("user", "remove", "ann").stdout == "removed user ann\n"
    assert program.run("user", "list").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("add ann --role agent", "the role agent needs --agent ID"),
        ("add ann --role agent --agent nobody", "there is no agent nobody"),
        ("add ann --role agent --agent No!", "'No!' is no agent's id"),
        ("token ann --days 99999999999", "--days must be between 1 and 3650"),
        ("add ann", "the following arguments are required: --role (see callcenter user add --help)"),
        ("add ann --role boss", "invalid choice: 'boss'"),
        ("remove nobody", "there is no user nobody"),
        ("revoke nobody", "there is no user nobody"),
    ],
)
def test_mistakes_with_users_are_one_line(program: Program, arguments: str, message: str) -> None:
    result = program.run("user", *arguments.split(), check=False)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr
