"""Calls through the Twilio gateway, from the webhook to the recording, over real sockets."""

import asyncio
from collections.abc import Iterator

import pytest

from support.numbers import new_number
from support.office import Office, seconds_between
from support.program import AUTH_TOKEN, Program, running
from support.recordings import flac_channels
from support.sound import AUDIBLE_DBFS, delay_ms, loudness, strength, tone
from support.twilio_network import (
    CALLED_NUMBER,
    TwilioNetwork,
    twilio_settings,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLER_HZ, AGENT_HZ = 700.0, 1100.0


@pytest.fixture(scope="module")
def service() -> Iterator[Program]:
    queues = [{"name": name, "ring_timeout_s": 7, "wrap_up_s": 0} for name in ("sales", "support")]
    with running(gateways={"twilio": twilio_settings()}, queues=queues) as service:
        yield service


class TestACall:
    async def test_a_prompt_is_heard_and_its_mark_returned(
        self, network: TwilioNetwork, office: Office
    ) -> None:
        number = new_number()
        caller = await network.call(number)
        await caller.heard.anything()
        assert await caller.mark() == "p1"
        spoken = b"".join(piece.pcm16 for piece in caller.heard.pieces)
        assert loudness(spoken) > -30
        assert 0.3 < len(spoken) / 16000 < 3
        await caller.hang_up()
        call_id = await office.call_from(number)
        ended = await office.event(call_id, "call.ended")
        assert ended["data"]["cause"] == "caller_hangup"
        started = await office.event(call_id, "call.started")
        assert (started["data"]["from"], started["data"]["to"]) == (number, CALLED_NUMBER)
        assert started["data"]["call_ref"] == caller.call_sid
        assert caller.complaints == []

    async def test_a_key_stops_the_prompt_and_chooses_the_queue(
        self, network: TwilioNetwork, office: Office
    ) -> None:
        number = new_number()
        caller = await network.call(number)
        await caller.heard.anything()
        await caller.press("1")
        call_id = await office.call_from(number)
        entered = await office.event(call_id, "queue.entered")
        assert (entered["queue"], entered["data"]["position"]) == ("sales", 1)
        assert caller.clears == 1
        await caller.heard.anything()  # music
        await caller.hang_up()
        abandoned = await office.event(call_id, "queue.abandoned")
        assert abandoned["data"]["position"] == 1
        assert (await office.event(call_id, "call.ended"))["data"]["outcome"] == "short_abandoned"

    async def test_the_flow_hangs_up(self, network: TwilioNetwork, office: Office) -> None:
        number = new_number()
        caller = await network.call(number)
        await caller.press("9")
        assert await caller.closed() == 1000
        ended = await office.event(await office.call_from(number), "call.ended")
        assert (ended["data"]["cause"], ended["data"]["outcome"]) == ("completed", "self_served")

    async def test_how_an_agent_is_dialled(self, network: TwilioNetwork, office: Office) -> None:
        await office.hire("ann", "+12065550101")
        number = new_number()
        caller = await network.call(number)
        await caller.press("1")
        dialled = await network.dialled()
        form = dialled.form
        assert set(form) == {"To", "From", "Twiml", "Timeout", "StatusCallback", "StatusCallbackEvent"}
        assert (form["To"], form["From"], form["Timeout"]) == ("+12065550101", number, "7")
        assert form.getall("StatusCallbackEvent") == ["completed"]
        assert form["StatusCallback"].startswith(f"{network.program.url}/gateway/twilio/status/")
        url, parameters = dialled.stream
        assert url.startswith(f"ws://127.0.0.1:{network.program.port}/gateway/twilio/media/")
        assert len(parameters["token"]) >= 32
        assert parameters["token"] not in form["StatusCallback"]
        assert (await office.agent_is("ann", "ringing"))["call_id"] == await office.call_from(number)
        await caller.hang_up()
        assert (await network.updated(dialled.sid))["Status"] == "completed"
        await office.agent_is("ann", "available")

    async def test_both_hear_each_other_at_once(self, network: TwilioNetwork, office: Office) -> None:
        caller, agent, _ = await network.talk(office)
        there = await delay_ms(caller.mouth, agent.arrived, CALLER_HZ)
        back = await delay_ms(agent.mouth, caller.arrived, AGENT_HZ)
        assert max(there, back) < 100
        began = asyncio.get_running_loop().time()
        caller.mouth.say(tone(CALLER_HZ, 0.4))
        agent.mouth.say(tone(AGENT_HZ, 0.4))
        await asyncio.sleep(0.6)
        heard_by_agent = agent.arrived.sound_since(began)
        heard_by_caller = caller.arrived.sound_since(began)
        assert strength(heard_by_agent, CALLER_HZ) > -25 > strength(heard_by_agent, AGENT_HZ) + 20
        assert strength(heard_by_caller, AGENT_HZ) > -25 > strength(heard_by_caller, CALLER_HZ) + 20
        await agent.hang_up()
        assert await caller.closed() == 1000

    @pytest.mark.parametrize("who", ["caller", "agent"])
    async def test_either_side_hangs_up(self, network: TwilioNetwork, office: Office, who: str) -> None:
        caller, agent, call_id = await network.talk(office)
        first, second = (caller, agent) if who == "caller" else (agent, caller)
        await first.hang_up()
        assert await second.closed() == 1000
        by = {"caller": "customer", "agent": "agent"}[who]
        assert (await office.event(call_id, "conversation.ended"))["data"]["by"] == by
        ended = await office.event(call_id, "call.ended")
        assert ended["data"]["cause"] == f"{who}_hangup"
        await office.agent_is("ann", "available")
        wanted = ["queue.entered", "offer.sent", "offer.accepted", "agent.connected", "conversation.ended"]
        types = await office.types(call_id)
        assert [type_ for type_ in types if type_ in wanted] == wanted

    async def test_hold_and_resume(self, network: TwilioNetwork, office: Office) -> None:
        caller, agent, call_id = await network.talk(office)
        loop = asyncio.get_running_loop()
        await office.command(call_id, "hold")
        await office.event(call_id, "hold.started")
        await caller.heard.anything()
        held = loop.time()
        caller.mouth.say(tone(CALLER_HZ, 0.6))
        agent.mouth.say(tone(AGENT_HZ, 0.6))
        await asyncio.sleep(0.7)
        music = caller.heard.sound_since(held)
        assert loudness(music) > AUDIBLE_DBFS
        assert strength(music, AGENT_HZ) < loudness(music) - 10
        assert loudness(agent.arrived.sound_since(held)) < -60
        await office.command(call_id, "resume")
        await office.event(call_id, "hold.ended")
        assert await delay_ms(agent.mouth, caller.heard, AGENT_HZ, bursts=1) < 500
        assert await delay_ms(caller.mouth, agent.heard, CALLER_HZ, bursts=1) < 500
        await caller.hang_up()
        await office.event(call_id, "call.ended")
        detail = await office.get(f"/calls/{call_id}")
        held_s = seconds_between(
            await office.event(call_id, "hold.started"), await office.event(call_id, "hold.ended")
        )
        assert detail["timeline"]["contacts"][0]["hold_s"] == pytest.approx(held_s, abs=0.01)

    async def test_commands_that_the_state_does_not_allow(
        self, network: TwilioNetwork, office: Office
    ) -> None:
        caller, _, call_id = await network.talk(office)
        assert (await office.ask("POST", f"/calls/{call_id}/resume"))[0] == 409
        await office.command(call_id, "hold")
        assert (await office.ask("POST", f"/calls/{call_id}/hold"))[0] == 409
        await office.command(call_id, "hangup")
        assert await caller.closed() == 1000
        await office.event(call_id, "call.ended")
        assert (await office.ask("POST", f"/calls/{call_id}/hangup"))[0] == 409
        types = await office.types(call_id)
        assert types.index("hold.ended") < types.index("conversation.ended")

    async def test_a_transfer_to_a_number_that_is_not_allowed(
        self, network: TwilioNetwork, office: Office
    ) -> None:
        _, _, call_id = await network.talk(office)
        status, answer = await office.ask("POST", f"/calls/{call_id}/transfer", {"to": "+19005550142"})
        assert status == 422
        assert "gateways.transfer_prefixes" in answer["error"]["message"]
        await office.command(call_id, "hangup")

    async def test_a_blind_transfer(self, network: TwilioNetwork, office: Office) -> None:
        caller, agent, call_id = await network.talk(office)
        await office.command(call_id, "transfer", {"to": "+14155550142"})
        form = await network.updated(caller.call_sid)
        assert dict(form) == {"Twiml": "<Response><Dial>+14155550142</Dial></Response>"}
        await agent.closed()
        assert (await office.event(call_id, "transfer.blind"))["data"]["to"] == "+14155550142"
        assert (await office.event(call_id, "call.ended"))["data"]["cause"] == "transferred"
        await office.agent_is("ann", "available")


class TestRinging:
    @pytest.mark.parametrize(
        ("status", "type_", "state"),
        [
            ("busy", "offer.rejected", "available"),
            ("no-answer", "offer.no_answer", "break"),
            ("failed", "offer.cancelled", "available"),
        ],
    )
    async def test_the_next_agent_is_asked(
        self, network: TwilioNetwork, office: Office, status: str, type_: str, state: str
    ) -> None:
        await office.hire("ann", "+12065550101")
        await office.hire("bob", "+12065550102")
        number = new_number()
        caller = await network.call(number)
        await caller.press("1")
        first = await network.dialled()
        assert first.to == "+12065550101"  # idle for longer
        await network.report(first, "ringing")
        await network.report(first, status)
        second = await network.dialled()
        assert second.to == "+12065550102"
        await network.report(second, "ringing")
        agent = await network.answer(second)
        call_id = await office.call_from(number)
        await office.event(call_id, "agent.connected")
        refused = await office.event(call_id, type_)
        assert refused["agent"] == "ann"
        assert (await office.event(call_id, "offer.accepted"))["agent"] == "bob"
        assert (await office.agent("ann"))["state"] == state
        await agent.hang_up()
        await office.event(call_id, "call.ended")
        detail = await office.get(f"/calls/{call_id}")
        (contact,) = detail["timeline"]["contacts"]
        assert (contact["offers"], contact["agent_id"]) == (2, "bob")

    async def test_the_caller_keeps_the_place(self, network: TwilioNetwork, office: Office) -> None:
        numbers = [new_number(), new_number()]
        callers = []
        for number in numbers:
            callers.append(await network.call(number))
            await callers[-1].press("1")
            await office.event(await office.call_from(number), "queue.entered")
        await office.hire("ann", "+12065550101")
        first = await network.dialled()
        assert first.form["From"] == numbers[0]
        await office.hire("bob", "+12065550102")
        second = await network.dialled()
        assert second.form["From"] == numbers[1]
        await network.report(first, "busy")
        call_id = await office.call_from(numbers[0])
        await office.event(call_id, "offer.rejected")
        queue = await office.get("/queues/sales")
        assert (queue["entries"][0]["call_id"], queue["entries"][0]["position"]) == (call_id, 1)
        await network.report(second, "busy")
        third = await network.dialled()
        fourth = await network.dialled()
        asked = {third.form["From"]: third.to, fourth.form["From"]: fourth.to}
        assert asked == {numbers[0]: "+12065550102", numbers[1]: "+12065550101"}
        for caller in callers:
            await caller.hang_up()

    async def test_a_telephone_that_nobody_answers(self, network: TwilioNetwork, office: Office) -> None:
        await office.hire("ann", "+12065550101")
        number = new_number()
        caller = await network.call(number)
        await caller.press("1")
        dialled = await network.dialled()
        call_id = await office.call_from(number)
        await network.report(dialled, "no-answer")
        await network.report(dialled, "no-answer")  # webhooks do come twice
        await office.event(call_id, "offer.no_answer")
        assert (await network.updated(dialled.sid))["Status"] == "completed"
        late = await network.answer(dialled)
        assert await late.closed() == 1008
        await caller.hang_up()
        await office.event(call_id, "call.ended")
        assert (await office.types(call_id)).count("offer.no_answer") == 1
        agent = await office.agent("ann")
        assert (agent["state"], agent["reason"]) == ("break", "missed offer")


class TestRecording:
    async def test_each_side_on_its_channel(self, network: TwilioNetwork, office: Office) -> None:
        caller, agent, call_id = await network.talk(office)
        caller.mouth.say(tone(CALLER_HZ, 1.0))
        agent.mouth.say(tone(AGENT_HZ, 1.0))
        await asyncio.sleep(1.3)
        await caller.hang_up()
        recording = await office.recording(call_id)
        assert (recording["state"], recording["channels"]) == ("done", 2)
        sound = await office.sound(recording)
        left, right = flac_channels(sound)
        seconds = left.size / 8000
        assert recording["duration_ms"] == pytest.approx(seconds * 1000, abs=1)
        assert 1.2 < seconds < 3
        for side, own, other in ((left, CALLER_HZ, AGENT_HZ), (right, AGENT_HZ, CALLER_HZ)):
            pcm16 = side.tobytes()
            assert strength(pcm16, own) > -25 > strength(pcm16, other) + 20
        events = await office.events(call_id)
        by_type = {event["type"]: event["data"] for event in events}
        assert by_type["recording.started"]["recording"] == recording["recording_id"]
        assert by_type["recording.ended"]["duration_s"] == pytest.approx(seconds, abs=0.01)

    async def test_a_part_of_the_file(self, network: TwilioNetwork, office: Office) -> None:
        caller, _, call_id = await network.talk(office)
        await asyncio.sleep(0.2)
        await caller.hang_up()
        recording = await office.recording(call_id)
        whole = await office.sound(recording)
        url = network.program.url + recording["url"]
        async with office.session.get(url, headers={"Range": "bytes=4-99"}) as answer:
            assert answer.status == 206
            assert answer.headers["Content-Range"] == f"bytes 4-99/{len(whole)}"
            assert await answer.read() == whole[4:100]
        async with office.session.get(url, headers={"Range": f"bytes={len(whole)}-"}) as answer:
            assert answer.status == 416
        async with office.session.get(url, headers={"Authorization": "Bearer wrong"}) as answer:
            assert answer.status == 401


async def test_the_log_is_clean(service: Program) -> None:
    """Runs last: neither errors nor secrets nor the numbers of callers."""
    log = service.log
    assert "Traceback" not in log
    assert " ERROR " not in log
    assert AUTH_TOKEN not in log
    assert "+12065550101" not in log
