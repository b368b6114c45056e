"""Customers who are called back by the program itself, over real sockets."""

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from support.asterisk import Asterisk, asterisk_settings
from support.numbers import new_number
from support.office import Office
from support.program import Program, running_worker
from support.sound import delay_ms
from support.twilio_network import Origination, TwilioNetwork, twilio_settings

CALLBACK = {"enabled": True, "dial_from": "00:00", "dial_until": "24:00", "earliest_s": 0, "ring_s": 6}
QUEUES = [{"name": "sales", "ring_timeout_s": 7, "wrap_up_s": 0, "callback": CALLBACK}]
AGENT = "+12065550101"


@pytest.fixture
def program(make_program: Callable[..., Program]) -> Program:
    return make_program(
        gateways={"twilio": twilio_settings(from_number="+13105550199")},
        queues=QUEUES,
        callbacks={"lease_s": 2},
    )


async def wish(office: Office) -> dict[str, Any]:
    body = {"queue": "sales", "number": new_number(), "consent": True}
    status, answer = await office.ask("POST", "/callbacks", body)
    assert status == 201, answer
    return dict(answer)


async def becomes(office: Office, made: dict[str, Any], *states: str, within_s: float = 10) -> dict[str, Any]:
    deadline = time.monotonic() + within_s
    while (callback := await office.get(f"/callbacks/{made['callback_id']}"))["state"] not in states:
        assert time.monotonic() < deadline, callback
        await asyncio.sleep(0.05)
    return dict(callback)


async def customer_dialled(network: TwilioNetwork, office: Office) -> tuple[dict[str, Any], Any, Origination]:
    """A callback whose agent waits for the customer, whose telephone rings."""
    await office.hire("ann", AGENT)
    made = await wish(office)
    dialled = await network.dialled()
    assert dialled.to == AGENT
    agent = await network.answer(dialled)
    return made, agent, await network.dialled()


async def test_agent_and_customer_hear_each_other(program: Program) -> None:
    program.start()
    async with Office(program) as office, TwilioNetwork(program) as network:
        made, agent, dialled = await customer_dialled(network, office)
        form = dialled.form
        assert (form["To"], form["From"], form["Timeout"]) == (made["number"], "+13105550199", "6")
        assert form.getall("StatusCallbackEvent") == ["initiated", "ringing", "answered", "completed"]
        attempt = (await office.get(f"/callbacks/{made['callback_id']}"))["attempts_made"][0]
        assert form["StatusCallback"].endswith(f"/{attempt['attempt_id']}")
        customer = await network.answer(dialled)
        await becomes(office, made, "bridged")
        assert await delay_ms(customer.mouth, agent.arrived, 700.0) < 150
        assert await delay_ms(agent.mouth, customer.arrived, 1100.0) < 150
        await customer.hang_up()
        await becomes(office, made, "completed")
        await office.agent_is("ann", "available")
        call = await office.get(f"/calls/{attempt['call_id']}")
        assert (call["direction"], call["outcome"]) == ("callback", "answered")
        assert call["chain_id"] == made["chain_id"]
        async with office.session.get(f"{program.url}/metrics") as answer:
            text = await answer.text()
        assert "callcenter_callbacks_carried_total 1.0" in text
        assert "callcenter_callbacks_dialled_total 1.0" in text
    assert program.stop() == 0
    assert made["number"] not in program.log
    assert "Traceback" not in program.log


async def test_news_that_come_twice_and_late_count_once(program: Program) -> None:
    program.start()
    async with Office(program) as office, TwilioNetwork(program) as network:
        made, agent, dialled = await customer_dialled(network, office)
        await network.report(dialled, "initiated", SequenceNumber="0")
        await network.report(dialled, "busy", SequenceNumber="2")
        await network.report(dialled, "busy", SequenceNumber="2")
        await network.report(dialled, "ringing", SequenceNumber="1")
        callback = await becomes(office, made, "retry_wait")
        assert callback["attempts"] == 1
        await agent.closed()
        await office.agent_is("ann", "available")
        await network.report(dialled, "completed", SequenceNumber="3")
        assert (await office.get(f"/callbacks/{made['callback_id']}"))["state"] == "retry_wait"
    assert program.stop() == 0


async def test_an_end_gives_back_who_was_not_dialled(program: Program) -> None:
    program.start()
    async with Office(program) as office, TwilioNetwork(program) as network:
        await office.hire("ann", AGENT)
        made = await wish(office)
        dialled = await network.dialled()
        assert await asyncio.to_thread(program.stop) == 0
        assert (await network.updated(dialled.sid))["Status"] == "completed"
        await asyncio.to_thread(program.start)
        again = await network.dialled(within_s=15)
        agent = await network.answer(again)
        assert (await network.dialled()).to == made["number"]
        assert (await office.get(f"/callbacks/{made['callback_id']}"))["attempts"] == 0
        await agent.hang_up()
    assert program.stop() == 0


async def test_who_talks_may_talk_on_while_the_service_ends(program: Program) -> None:
    program.start()
    async with Office(program) as office, TwilioNetwork(program) as network:
        made, agent, dialled = await customer_dialled(network, office)
        customer = await network.answer(dialled)
        await becomes(office, made, "bridged")
        ending = asyncio.create_task(asyncio.to_thread(program.stop))
        await asyncio.sleep(4)  # two leases
        assert await delay_ms(customer.mouth, agent.arrived, 700.0) < 150
        await customer.hang_up()
        assert await ending == 0
        await asyncio.to_thread(program.start)
        assert (await office.get(f"/callbacks/{made['callback_id']}"))["state"] == "completed"
    assert program.stop() == 0


async def test_a_killed_process_leaves_nobody_dialled_twice(program: Program) -> None:
    program.start()
    async with Office(program) as office, TwilioNetwork(program) as network:
        made, agent, dialled = await customer_dialled(network, office)
        await becomes(office, made, "dialing")
        program.kill()
        await agent.close()
        await asyncio.to_thread(program.start)
        await becomes(office, made, "reconciling", within_s=15)
        await asyncio.sleep(2)
        assert network.originations.empty()
        network.statuses[dialled.sid] = "no-answer"
        callback = await becomes(office, made, "retry_wait")
        assert callback["attempts"] == 1
        assert dialled.sid in network.asked
    assert program.stop() == 0


async def test_a_worker_carries_them_for_a_service_that_does_not(
    make_program: Callable[..., Program],
) -> None:
    program = make_program(
        gateways={"twilio": twilio_settings(from_number="+13105550199")},
        queues=QUEUES,
        callbacks={"workers": 0},
    )
    program.start()
    async with Office(program) as office, TwilioNetwork(program) as network:
        await office.hire("ann", AGENT)
        made = await wish(office)
        await asyncio.sleep(1)
        assert (await office.get(f"/callbacks/{made['callback_id']}"))["state"] == "queued"
        with running_worker(program, CALLCENTER_CALLBACKS__WORKERS="10") as worker:
            agent = await network.answer(await network.dialled(within_s=10))
            customer = await network.answer(await network.dialled())
            await becomes(office, made, "bridged")
            assert await delay_ms(customer.mouth, agent.arrived, 700.0) < 150
            for path, status in (("/healthz", 200), ("/", 404), ("/api/v1/calls", 404)):
                assert await asyncio.to_thread(_status, f"{worker.url}{path}") == status
            status, _, _ = await network.post("/gateway/twilio/voice", network.voice_form(new_number()))
            assert status == 200  # the service takes callers all the same
            await customer.hang_up()
            await becomes(office, made, "completed")
            await agent.closed()
    assert program.stop() == 0


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_worker_with_nothing_to_carry_says_so(program: Program) -> None:
    program.environ["CALLCENTER_CALLBACKS__WORKERS"] = "0"
    ended = program.run("worker", "--port", "0", check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.strip().splitlines()[-1].startswith("callcenter: callbacks.workers")
    ended = program.run("worker", "--port", "70000", check=False)
    assert (ended.returncode, ended.stderr.strip()) == (2, "callcenter: --port must be between 0 and 65535")


class TestByAsterisk:
    @pytest.fixture
    def program(self, make_program: Callable[..., Program]) -> Program:
        asterisk = asterisk_settings(customer_endpoint="PJSIP/{number}@trunk")
        return make_program(gateways={"asterisk": asterisk}, queues=QUEUES)

    async def test_a_customer_who_picks_up_and_one_who_is_busy(self, program: Program) -> None:
        program.start()
        async with Office(program) as office, Asterisk(program) as pbx:
            await office.hire("ann", "PJSIP/ann", gateway="asterisk")
            made = await wish(office)
            agent = await pbx.answer(await pbx.dialled())
            dialled = await pbx.dialled()
            assert dialled.query["endpoint"] == f"PJSIP/{made['number']}@trunk"
            attempt = (await office.get(f"/callbacks/{made['callback_id']}"))["attempts_made"][0]
            assert dialled.query["channelId"] == f"cb-{attempt['attempt_id']}"
            pbx.states[dialled.query["channelId"]] = "Up"
            customer = await pbx.answer(dialled)
            await becomes(office, made, "bridged")
            await customer.hang_up()
            await becomes(office, made, "completed")
            await agent.hang_up()
            await office.agent_is("ann", "available")

            made = await wish(office)
            agent = await pbx.answer(await pbx.dialled())
            busy = await pbx.dialled()
            del pbx.states[busy.query["channelId"]]
            callback = await becomes(office, made, "retry_wait")
            assert callback["attempts"] == 1
            await agent.closed()
            await agent.hang_up()
            await office.agent_is("ann", "available")
        assert program.stop() == 0
