"""Calls through the Twilio gateway, from the webhook to the recording, over real sockets."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import av
import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from websockets.exceptions import InvalidStatus

from support.office import Office, seconds_between
from support.program import ACCOUNT_SID, AUTH_TOKEN, Program, free_port, running
from support.sound import AUDIBLE_DBFS, delay_ms, loudness, strength, tone
from support.twilio_network import (
    CALLED_NUMBER,
    MediaStream,
    Origination,
    TwilioNetwork,
    new_number,
    new_sid,
    signature,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLER_HZ, AGENT_HZ = 700.0, 1100.0
REST_PORT = free_port()


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    twilio = {
        "enabled": True,
        "account_sid": ACCOUNT_SID,
        "auth_token": AUTH_TOKEN,
        "api_url": f"http://127.0.0.1:{REST_PORT}",
        "request_timeout_s": 2,
    }
    queues = [{"name": name, "ring_timeout_s": 7, "wrap_up_s": 0} for name in ("sales", "support")]
    with running(gateways={"twilio": twilio}, queues=queues) as program:
        yield program


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network_of_all(program: Program) -> AsyncIterator[TwilioNetwork]:
    async with TwilioNetwork(program, REST_PORT) as network:
        yield network


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office_of_all(program: Program) -> AsyncIterator[Office]:
    async with Office(program) as office:
        yield office


@pytest_asyncio.fixture(loop_scope="module")
async def office(office_of_all: Office) -> AsyncIterator[Office]:
    yield office_of_all
    await office_of_all.fire_all()


@pytest_asyncio.fixture(loop_scope="module")
async def network(network_of_all: TwilioNetwork, office: Office) -> AsyncIterator[TwilioNetwork]:
    yield network_of_all
    await network_of_all.end_all()


class Talk:
    """A caller who was connected to an agent."""

    def __init__(self, caller: MediaStream, agent: MediaStream, call_id: str, dialled: Origination) -> None:
        self.caller, self.agent, self.call_id, self.dialled = caller, agent, call_id, dialled


async def connect(network: TwilioNetwork, office: Office, number: str = "") -> Talk:
    await office.hire("ann", "+12065550101")
    number = number or new_number()
    caller = await network.call(number)
    await caller.press("1")
    dialled = await network.dialled()
    agent = await network.answer(dialled)
    call_id = await office.call_from(number)
    await office.event(call_id, "agent.connected")
    return Talk(caller, agent, call_id, dialled)


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
        talk = await connect(network, office)
        there = await delay_ms(talk.caller.mouth, talk.agent.arrived, CALLER_HZ)
        back = await delay_ms(talk.agent.mouth, talk.caller.arrived, AGENT_HZ)
        assert max(there, back) < 100
        began = asyncio.get_running_loop().time()
        talk.caller.mouth.say(tone(CALLER_HZ, 0.4))
        talk.agent.mouth.say(tone(AGENT_HZ, 0.4))
        await asyncio.sleep(0.6)
        heard_by_agent = talk.agent.arrived.sound_since(began)
        heard_by_caller = talk.caller.arrived.sound_since(began)
        assert strength(heard_by_agent, CALLER_HZ) > -25 > strength(heard_by_agent, AGENT_HZ) + 20
        assert strength(heard_by_caller, AGENT_HZ) > -25 > strength(heard_by_caller, CALLER_HZ) + 20
        await talk.agent.hang_up()
        assert await talk.caller.closed() == 1000

    @pytest.mark.parametrize("who", ["caller", "agent"])
    async def test_either_side_hangs_up(self, network: TwilioNetwork, office: Office, who: str) -> None:
        talk = await connect(network, office)
        first, second = (talk.caller, talk.agent) if who == "caller" else (talk.agent, talk.caller)
        await first.hang_up()
        assert await second.closed() == 1000
        by = {"caller": "customer", "agent": "agent"}[who]
        assert (await office.event(talk.call_id, "conversation.ended"))["data"]["by"] == by
        ended = await office.event(talk.call_id, "call.ended")
        assert ended["data"]["cause"] == f"{who}_hangup"
        await office.agent_is("ann", "available")
        wanted = ["queue.entered", "offer.sent", "offer.accepted", "agent.connected", "conversation.ended"]
        types = await office.types(talk.call_id)
        assert [type_ for type_ in types if type_ in wanted] == wanted

    async def test_hold_and_resume(self, network: TwilioNetwork, office: Office) -> None:
        talk = await connect(network, office)
        loop = asyncio.get_running_loop()
        await office.command(talk.call_id, "hold")
        await office.event(talk.call_id, "hold.started")
        await talk.caller.heard.anything()
        held = loop.time()
        talk.caller.mouth.say(tone(CALLER_HZ, 0.6))
        talk.agent.mouth.say(tone(AGENT_HZ, 0.6))
        await asyncio.sleep(0.7)
        music = talk.caller.heard.sound_since(held)
        assert loudness(music) > AUDIBLE_DBFS
        assert strength(music, AGENT_HZ) < loudness(music) - 10
        assert loudness(talk.agent.arrived.sound_since(held)) < -60
        await office.command(talk.call_id, "resume")
        await office.event(talk.call_id, "hold.ended")
        assert await delay_ms(talk.agent.mouth, talk.caller.heard, AGENT_HZ, bursts=1) < 500
        assert await delay_ms(talk.caller.mouth, talk.agent.heard, CALLER_HZ, bursts=1) < 500
        await talk.caller.hang_up()
        await office.event(talk.call_id, "call.ended")
        detail = await office.get(f"/calls/{talk.call_id}")
        held_s = seconds_between(
            await office.event(talk.call_id, "hold.started"), await office.event(talk.call_id, "hold.ended")
        )
        assert detail["timeline"]["contacts"][0]["hold_s"] == pytest.approx(held_s, abs=0.01)

    async def test_commands_that_the_state_does_not_allow(
        self, network: TwilioNetwork, office: Office
    ) -> None:
        talk = await connect(network, office)
        assert (await office.ask("POST", f"/calls/{talk.call_id}/resume"))[0] == 409
        await office.command(talk.call_id, "hold")
        assert (await office.ask("POST", f"/calls/{talk.call_id}/hold"))[0] == 409
        await office.command(talk.call_id, "hangup")
        assert await talk.caller.closed() == 1000
        await office.event(talk.call_id, "call.ended")
        assert (await office.ask("POST", f"/calls/{talk.call_id}/hangup"))[0] == 409
        types = await office.types(talk.call_id)
        assert types.index("hold.ended") < types.index("conversation.ended")

    async def test_a_blind_transfer(self, network: TwilioNetwork, office: Office) -> None:
        talk = await connect(network, office)
        await office.command(talk.call_id, "transfer", {"to": "+14155550142"})
        form = await network.updated(talk.caller.call_sid)
        assert dict(form) == {"Twiml": "<Response><Dial>+14155550142</Dial></Response>"}
        await talk.agent.closed()
        assert (await office.event(talk.call_id, "transfer.blind"))["data"]["to"] == "+14155550142"
        assert (await office.event(talk.call_id, "call.ended"))["data"]["cause"] == "transferred"
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
        talk = await connect(network, office)
        talk.caller.mouth.say(tone(CALLER_HZ, 1.0))
        talk.agent.mouth.say(tone(AGENT_HZ, 1.0))
        await asyncio.sleep(1.3)
        await talk.caller.hang_up()
        recording = await office.recording(talk.call_id)
        assert (recording["state"], recording["channels"]) == ("done", 2)
        sound = await office.sound(recording)
        left, right = channels_of(sound)
        seconds = left.size / 8000
        assert recording["duration_ms"] == pytest.approx(seconds * 1000, abs=1)
        assert 1.2 < seconds < 3
        for side, own, other in ((left, CALLER_HZ, AGENT_HZ), (right, AGENT_HZ, CALLER_HZ)):
            pcm16 = side.tobytes()
            assert strength(pcm16, own) > -25 > strength(pcm16, other) + 20
        events = await office.events(talk.call_id)
        by_type = {event["type"]: event["data"] for event in events}
        assert by_type["recording.started"]["recording"] == recording["recording_id"]
        assert by_type["recording.ended"]["duration_s"] == pytest.approx(seconds, abs=0.01)

    async def test_a_part_of_the_file(self, network: TwilioNetwork, office: Office) -> None:
        talk = await connect(network, office)
        await asyncio.sleep(0.2)
        await talk.caller.hang_up()
        recording = await office.recording(talk.call_id)
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


class TestSignatures:
    @pytest.mark.parametrize("spoiled", ["", "bm9uc2Vuc2U=", "other token", "other path", "other form"])
    async def test_a_webhook_that_twilio_did_not_sign(self, network: TwilioNetwork, spoiled: str) -> None:
        form = network.voice_form(new_number())
        url = f"{network.program.url}/gateway/twilio/voice"
        signed = {
            "other token": signature(url, form, "a-token-of-others"),
            "other path": signature(url + "s", form),
            "other form": signature(url, form | {"To": "+13105550100"}),
        }.get(spoiled, spoiled)
        status, text, _ = await network.post("/gateway/twilio/voice", form, signed)
        assert (status, "Stream" in text) == (403, False)

    @pytest.mark.parametrize("spoiled", ["", "other path", "http scheme"])
    async def test_an_upgrade_that_twilio_did_not_sign(self, network: TwilioNetwork, spoiled: str) -> None:
        url, _ = await network.announce(network.voice_form(new_number()))
        signed = {
            "": "",
            "other path": signature(url + "/more"),
            "http scheme": signature("http" + url[2:]),
        }[spoiled]
        with pytest.raises(InvalidStatus) as refusal:
            await network.open(url, signed)
        assert refusal.value.response.status_code == 403

    async def test_a_status_callback_that_twilio_did_not_sign(
        self, network: TwilioNetwork, office: Office
    ) -> None:
        await office.hire("ann", "+12065550101")
        caller = await network.call(new_number())
        await caller.press("1")
        dialled = await network.dialled()
        path = dialled.form["StatusCallback"].removeprefix(network.program.url)
        status, _, _ = await network.post(path, {"CallStatus": "busy"}, "bm9uc2Vuc2U=")
        assert status == 403
        assert (await office.agent("ann"))["state"] == "ringing"

    async def test_the_default_port_may_be_signed_too(self, make_program: Any) -> None:
        """Behind a public address the signed URL is the public one, with or without its port."""
        program = make_program()
        program.settings["server"]["public_url"] = "https://cc.example.com"
        program.start()
        async with TwilioNetwork(program, free_port()) as network:
            form = network.voice_form(new_number())
            for url in ("https://cc.example.com", "https://cc.example.com:443"):
                signed = signature(f"{url}/gateway/twilio/voice", form)
                status, twiml, _ = await network.post("/gateway/twilio/voice", form, signed)
                assert status == 200
                assert 'url="wss://cc.example.com/gateway/twilio/media"' in twiml
            status, _, _ = await network.post("/gateway/twilio/voice", form)  # signed for 127.0.0.1
            assert status == 403


class TestOnce:
    async def test_a_repeated_webhook_gets_the_same_answer(self, network: TwilioNetwork) -> None:
        form = network.voice_form(new_number())
        first = await network.announce(form)
        assert await network.announce(form) == first
        other = await network.announce(form | {"CallSid": new_sid("CA")})
        assert other[1]["token"] != first[1]["token"]

    async def test_a_second_socket_is_refused(self, network: TwilioNetwork, office: Office) -> None:
        number = new_number()
        form = network.voice_form(number)
        url, parameters = await network.announce(form)
        first = await network.stream(url, form["CallSid"], parameters)
        second = await network.stream(url, form["CallSid"], parameters)
        assert await second.closed() == 1008
        await network.announce(form)
        third = await network.stream(url, form["CallSid"], parameters)
        assert await third.closed() == 1008
        assert not first.over.is_set()
        await first.heard.anything()
        assert len((await office.get(f"/calls?number=%2B{number[1:]}"))["calls"]) == 1

    async def test_a_webhook_with_missing_or_odd_fields(self, network: TwilioNetwork) -> None:
        whole = network.voice_form(new_number())
        for form in (
            {},
            {"CallSid": "CA1"},
            {"From": "+12065550101", "To": CALLED_NUMBER},
            whole | {"From": "+1206\x005550111"},
            whole | {"CallSid": "CA\r\n1"},
        ):
            status, _, _ = await network.post("/gateway/twilio/voice", form)
            assert status == 400


def channels_of(sound: bytes) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Caller and agent of a stereo FLAC file at 8 kHz."""
    with av.open(io.BytesIO(sound), "r") as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels, stream.codec_context.name) == (8000, 2, "flac")
        frames = [frame.to_ndarray().reshape(-1, 2) for frame in container.decode(stream)]
    both = np.concatenate(frames).astype("<i2")
    return both[:, 0].copy(), both[:, 1].copy()


async def test_the_log_is_clean(program: Program) -> None:
    """Runs last: neither errors nor secrets nor the numbers of callers."""
    log = program.log
    assert "Traceback" not in log
    assert " ERROR " not in log
    assert AUTH_TOKEN not in log
    assert "+12065550101" not in log
