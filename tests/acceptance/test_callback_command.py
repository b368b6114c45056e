"""Callbacks as who runs the service meets them: the API, the command, webhooks over a crash."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable
from uuid import uuid4

import pytest

from support.program import Program
from support.receiver import receiving, says

NUMBER = "+15125550142"
RULES = {"enabled": True, "dial_from": "00:00", "dial_until": "24:00"}


@pytest.fixture
def served(make_program: Callable[..., Program]) -> Program:
    program = make_program(
        queues=[{"name": "sales", "callback": RULES}], callbacks={"workers": 0, "page": {"enabled": False}}
    )
    program.start()
    return program


def ask(program: Program, number: str = NUMBER) -> str:
    made = program.api("POST", "/callbacks", {"queue": "sales", "number": number, "name": "Ada"})
    return str(made["callback_id"])


def test_the_command_looks_after_callbacks(served: Program) -> None:
    callback_id = ask(served)
    listed = json.loads(served.run("callback", "list", "--state", "open", "--json").stdout)
    assert [(one["callback_id"], one["number"]) for one in listed] == [(callback_id, NUMBER)]
    assert f"{callback_id} queued sales {NUMBER}" in served.run("callback", "list").stdout
    assert callback_id in served.run("callback", "list", "--number", "512-555-0142").stdout
    assert "there are none" in served.run("callback", "list", "--state", "ended").stdout
    slot = next(
        one["start"] for one in served.api("GET", "/callbacks/slots?queue=sales")["slots"] if one["free"]
    )
    moved = json.loads(served.run("callback", "move", callback_id, "--to", slot, "--json").stdout)
    assert (moved["state"], moved["slot_start"]) == ("scheduled", slot)
    assert " queued " in served.run("callback", "move", callback_id, "--asap").stdout
    assert " due " in served.run("callback", "expedite", callback_id).stdout
    assert " cancelled " in served.run("callback", "cancel", callback_id, "--cause", "solved").stdout
    shown = json.loads(served.run("callback", "show", callback_id, "--json").stdout)
    assert [one["type"].removeprefix("callback.") for one in shown["history"]] == [
        "requested",
        "queued",
        "moved",
        "moved",
        "expedited",
        "cancelled",
    ]
    assert shown["history"][-1]["by"].startswith("user ")
    assert "callback.cancelled by user" in served.run("callback", "show", callback_id).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list", "--state", "asleep"), "there is no state 'asleep'"),
        (("list", "--limit", "0"), "--limit must be between"),
        (("list", "--number", "none"), "this is not a telephone number"),
        (("show", "x"), "'x' is no id"),
        (("cancel", str(uuid4()), "--cause", "Ada is gone"), "--cause: must be one word"),
        (("cancel", str(uuid4())), "there is no callback"),
        (("move", str(uuid4()), "--to", "soon"), "'soon' is no time"),
        (("move", str(uuid4())), "one of the arguments --to --asap is required"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    program: Program, arguments: tuple[str, ...], message: str
) -> None:
    program.save()
    result = program.run("callback", *arguments, check=False)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr


def test_what_cannot_be_is_one_line_and_status_2(served: Program) -> None:
    callback_id = ask(served)
    result = served.run("callback", "move", callback_id, "--to", "2001-01-01T10:00", check=False)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    served.run("callback", "cancel", callback_id)
    result = served.run("callback", "cancel", callback_id, check=False)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert NUMBER not in result.stderr


async def test_webhooks_hear_of_everything_over_a_crash(make_program: Callable[..., Program]) -> None:
    """Two processes tell one receiver, which is away at first; both are killed in between."""
    async with receiving() as crm:
        crm.answer = says(503)
        program = make_program(
            queues=[{"name": "sales", "callback": RULES}],
            callbacks={
                "workers": 0,
                "webhooks": [
                    {"name": "crm", "url": crm.url, "secret": "correct horse battery", "timeout_s": 1}
                ],
            },
        )
        await asyncio.to_thread(program.start, "--processes", "2")
        ids = [await asyncio.to_thread(ask, program, f"+151255501{last}") for last in range(10, 20)]
        await crm.until(5)
        await asyncio.to_thread(program.kill)
        refused = len(crm.heard)
        crm.answer = says(204)
        await asyncio.to_thread(program.start, "--processes", "2")
        for callback_id in ids:
            await asyncio.to_thread(program.api, "POST", f"/callbacks/{callback_id}/cancel")
        await asyncio.to_thread(until_told, program)
        accepted = crm.heard[refused:]
        for callback_id in ids:
            told = [one.message for one in accepted if one.message["callback"]["callback_id"] == callback_id]
            assert [one["type"] for one in told] == [
                "callback.requested",
                "callback.queued",
                "callback.cancelled",
            ]
        assert len({one.id for one in accepted}) == len(accepted)
        figures = await asyncio.to_thread(metrics, program)
        assert "callcenter_webhooks_delivered_total" in figures
        assert program.stop() == 0
    assert "5550" not in program.log


def until_told(program: Program) -> None:
    deadline = time.monotonic() + 90
    while pending := program.api("GET", "/webhooks/deliveries?state=pending")["deliveries"]:
        assert time.monotonic() < deadline, pending
        time.sleep(0.5)


def metrics(program: Program) -> str:
    with urllib.request.urlopen(f"{program.url}/metrics", timeout=5) as answer:
        return str(answer.read().decode())
