"""Callers handed on and listened to, on two processes: every command may meet the other one."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from support.media_stream import MediaStream
from support.numbers import new_number
from support.office import Office
from support.program import Program, running
from support.sound import strength, tone
from support.twilio_network import TwilioNetwork, twilio_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

TONES = {"caller": 700.0, "agent": 1100.0, "second": 1500.0, "eve": 900.0}
AUDIBLE_DBFS = -30
ATTEMPTS = 4
"""How often a command is given, so that it meets both processes."""


@pytest.fixture(scope="module")
def service() -> Iterator[Program]:
    queues = [{"name": name, "ring_timeout_s": 7, "wrap_up_s": 0} for name in ("sales", "billing")]
    settings: dict[str, Any] = {"gateways": {"twilio": twilio_settings()}, "queues": queues}
    with running("--processes", "2", **settings) as service:
        yield service


async def all_speak(**parties: MediaStream) -> dict[str, set[str]]:
    """Let all speak at once; returns whom of the others each heard, by correlation with what they said."""
    for name, party in parties.items():
        party.mouth.say(tone(TONES[name], 1.0))
    await asyncio.sleep(0.3)
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(0.6)
    found = {}
    for name, party in parties.items():
        sound = party.arrived.sound_since(began)
        found[name] = {other for other, hz in TONES.items() if strength(sound, hz) > AUDIBLE_DBFS}
        party.mouth.hush()
    await asyncio.sleep(0.3)
    return found


BOTH = {"caller": {"agent"}, "agent": {"caller"}}


async def test_a_caller_is_handed_to_the_line_of_another_queue(
    network: TwilioNetwork, office: Office
) -> None:
    caller, agent, call_id = await network.talk(office)
    await office.hire("bob", "+12065550102", queue="billing")
    await office.command(call_id, "transfer", {"queue": "billing"})
    await agent.closed()
    second = await network.answer(await network.dialled())
    connected = await office.event(call_id, "agent.connected", 2)
    assert (connected["agent"], connected["queue"]) == ("bob", "billing")
    assert await all_speak(caller=caller, agent=second) == BOTH
    await caller.hang_up()
    await office.event(call_id, "call.ended")
    contacts = (await office.get(f"/calls/{call_id}"))["timeline"]["contacts"]
    assert [(one["queue"], one["agent_id"], one["ended"]) for one in contacts] == [
        ("sales", "ann", "answered"),
        ("billing", "bob", "answered"),
    ]
    await office.agent_is("ann", "available")
    await office.agent_is("bob", "available")


async def test_an_agent_asks_another_and_hands_the_caller_over(
    network: TwilioNetwork, office: Office
) -> None:
    caller, agent, call_id = await network.talk(office)
    await office.hire("bob", "+12065550102", queue="billing")
    await office.command(call_id, "transfer", {"agent": "bob", "mode": "warm"})
    second = await network.answer(await network.dialled())
    await office.agent_is("bob", "talking")
    await asyncio.sleep(0.3)
    heard = await all_speak(agent=agent, second=second, caller=caller)
    assert (heard["agent"], heard["second"]) == ({"second"}, {"agent"})
    assert not heard["caller"] & {"agent", "second"}
    await office.command(call_id, "transfer/complete")
    await agent.closed()
    assert await all_speak(caller=caller, second=second) == {"caller": {"second"}, "second": {"caller"}}
    await second.hang_up()
    await office.event(call_id, "call.ended")
    first, last = (await office.get(f"/calls/{call_id}"))["timeline"]["contacts"]
    assert (first["agent_id"], last["agent_id"], last["attended"]) == ("ann", "bob", True)
    assert first["hold_s"] > 0


async def test_an_agent_who_asked_goes_back_to_the_caller(network: TwilioNetwork, office: Office) -> None:
    caller, agent, call_id = await network.talk(office)
    await office.hire("bob", "+12065550102", queue="billing")
    await office.command(call_id, "transfer", {"queue": "billing", "mode": "warm"})
    second = await network.answer(await network.dialled())
    await office.agent_is("bob", "talking")
    await office.command(call_id, "transfer/cancel")
    await second.closed()
    await office.agent_is("bob", "available")
    assert await all_speak(caller=caller, agent=agent) == BOTH
    status, problem = await office.ask("POST", f"/calls/{call_id}/transfer", {"queue": "nowhere"})
    assert (status, problem["error"]["code"]) == (404, "not_found")
    status, problem = await office.ask("POST", f"/calls/{call_id}/transfer/complete")
    assert (status, problem["error"]["code"]) == (409, "conflict")
    await caller.hang_up()
    await office.event(call_id, "call.ended")
    for body in ({"queue": "billing"}, {"number": "+14155550100"}):
        assert (await office.ask("POST", f"/calls/{call_id}/transfer", body))[0] == 409


class Eve:
    """A supervisor with a telephone of her own."""

    def __init__(self, office: Office) -> None:
        self._office = office
        run = office.program.run
        run("user", "add", "eve", "--role", "supervisor", "--agent", "eve")
        self._token = run("user", "token", "eve").stdout.strip()

    async def ask(self, method: str, call_id: str, body: object = None) -> int:
        url = f"{self._office.program.url}/api/v1/calls/{call_id}/monitor"
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._office.session.request(method, url, json=body, headers=headers) as answer:
            return answer.status


async def test_a_supervisor_listens_whispers_and_barges(network: TwilioNetwork, office: Office) -> None:
    caller, agent, call_id = await network.talk(office)
    await office.hire("eve", "+12065550109", queue="billing")
    supervisor = Eve(office)
    assert await supervisor.ask("POST", call_id, {"mode": "spy"}) == 422
    assert await supervisor.ask("POST", call_id, {"mode": "listen"}) == 204
    eve = await network.answer(await network.dialled())
    started = await office.event(call_id, "monitor.started")
    assert started["data"] == {"user": "eve", "mode": "listen"}
    expected = {
        "listen": {"caller": {"agent"}, "agent": {"caller"}, "eve": {"caller", "agent"}},
        "whisper": {"caller": {"agent"}, "agent": {"caller", "eve"}, "eve": {"caller", "agent"}},
        "barge": {"caller": {"agent", "eve"}, "agent": {"caller", "eve"}, "eve": {"caller", "agent"}},
    }
    for mode, heard in expected.items():
        for _ in range(ATTEMPTS):
            assert await supervisor.ask("POST", call_id, {"mode": mode}) == 204
        assert await all_speak(caller=caller, agent=agent, eve=eve) == heard, mode
    assert await supervisor.ask("DELETE", call_id) == 204
    await eve.closed()
    assert await supervisor.ask("DELETE", call_id) == 404
    assert await all_speak(caller=caller, agent=agent) == BOTH
    changes = [
        one["data"]["mode"] for one in await office.events(call_id) if one["type"] == "monitor.changed"
    ]
    assert changes == ["whisper", "barge"]
    await caller.hang_up()
    await office.event(call_id, "call.ended")
    contacts = (await office.get(f"/calls/{call_id}"))["timeline"]["contacts"]
    assert [(one["agent_id"], one["hold_s"]) for one in contacts] == [("ann", 0)]


async def test_a_caller_in_line_is_not_listened_to(network: TwilioNetwork, office: Office) -> None:
    number = new_number()
    caller = await network.call(number)
    await caller.press("1")
    call_id = await office.call_from(number)
    await office.event(call_id, "queue.entered")
    for _ in range(ATTEMPTS):
        status, problem = await office.ask("POST", f"/calls/{call_id}/monitor", {"mode": "listen"})
        assert (status, "tests has no telephone" in problem["error"]["message"]) == (409, True)
        status, problem = await office.ask("POST", f"/calls/{call_id}/transfer", {"queue": "billing"})
        assert status == 409
        assert problem["error"]["message"] == "a call that is queued cannot transfer"
    await caller.hang_up()
