"""Parties who vanish and networks that fail: every call gets its end, every agent is freed."""

import asyncio
import base64
import json
import random
from collections.abc import Iterator
from uuid import uuid4

import pytest

from callcenter.simulator.speech import utter
from callcenter.simulator.voices import random_voice
from support.asterisk import UUID_KIND, Asterisk, asterisk_settings, frame
from support.media_stream import reset
from support.numbers import new_number
from support.office import Office
from support.program import Program, running
from support.sound import from_ulaw
from support.twilio_network import TwilioNetwork, twilio_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

START = (
    '{"event":"start","start":{"streamSid":"MZ1","callSid":"CA1","customParameters":%s,'
    '"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}'
)


@pytest.fixture(scope="module")
def service() -> Iterator[Program]:
    gateways = {"twilio": twilio_settings(request_timeout_s=0.5), "asterisk": asterisk_settings()}
    queues = [{"name": "sales", "ring_timeout_s": 7, "wrap_up_s": 0, "bridge_grace_s": 0}]
    with running(gateways=gateways, queues=queues, asr={"model": "demo-en"}) as service:
        yield service


class TestVanished:
    async def test_in_the_middle_of_a_word(self, network: TwilioNetwork, office: Office) -> None:
        caller, agent, call_id = await network.talk(office)
        voice = random_voice(random.Random(3))
        speech = await asyncio.to_thread(utter, "I would like a refund of seventy pounds.", voice)
        frames = [from_ulaw(base64.b64decode(payload)) for payload in speech.frames]
        for pcm16 in frames[: len(frames) * 3 // 4]:
            caller.mouth.say(pcm16)
        await asyncio.sleep(len(frames) * 3 / 4 * 0.02 - 0.1)
        caller.reset()
        assert await agent.closed() == 1000
        assert (await office.event(call_id, "conversation.ended"))["data"]["by"] == "customer"
        await office.agent_is("ann", "available")
        segment = await office.event(call_id, "transcript.segment")
        assert segment["leg"] == "caller"
        (words,) = (await office.get(f"/calls/{call_id}/transcript"))["segments"]
        assert "refund" in words["text"].lower()
        assert (await office.recording(call_id))["state"] == "done"

    async def test_the_agent(self, network: TwilioNetwork, office: Office) -> None:
        caller, agent, call_id = await network.talk(office)
        agent.reset()
        assert await caller.closed() == 1000
        assert (await office.event(call_id, "conversation.ended"))["data"]["by"] == "agent"
        await office.agent_is("ann", "available")

    async def test_while_a_telephone_rings(self, network: TwilioNetwork, office: Office) -> None:
        await office.hire("ann", "+12065550101")
        number = new_number()
        caller = await network.call(number)
        await caller.press("1")
        dialled = await network.dialled()
        caller.reset()
        call_id = await office.call_from(number)
        assert (await office.event(call_id, "offer.cancelled"))["data"]["reason"] == "caller gone"
        assert (await network.updated(dialled.sid))["Status"] == "completed"
        await office.agent_is("ann", "available")

    async def test_before_the_answer_to_the_upgrade(self, network: TwilioNetwork, office: Office) -> None:
        """The connection is gone before the service gets to say anything."""
        for _ in range(20):
            number = new_number()
            url, parameters = await network.announce(network.voice_form(number))
            ws = await network.open(url)
            await ws.send(START % json.dumps(parameters))
            reset(ws)
        caller = await network.call(new_number())
        await caller.heard.anything()

    async def test_right_after_the_uuid(self, pbx: Asterisk, office: Office) -> None:
        for _ in range(20):
            uuid = uuid4()
            await pbx.announce(uuid, new_number())
            channel = await pbx.connect()
            channel.write(frame(UUID_KIND, uuid.bytes))
            channel.reset()
        uuid = uuid4()
        await pbx.announce(uuid, new_number())
        channel = await pbx.channel(uuid)
        await channel.ears.anything()


class TestTheNetworkFails:
    @pytest.mark.parametrize("failure", ["500", "404", "no answer", "no JSON", "no sid", "a list"])
    async def test_the_next_agent_is_asked(
        self, network: TwilioNetwork, office: Office, failure: str
    ) -> None:
        ann = "+12065550101"
        match failure:
            case "500" | "404":
                network.refusals[ann] = int(failure)
            case "no answer":
                network.refusals[ann] = 0
            case "no JSON":
                network.nonsense[ann] = "<html>"
            case "no sid":
                network.nonsense[ann] = '{"sid": 5}'
            case "a list":
                network.nonsense[ann] = "[]"
        await office.hire("ann", ann)
        await office.hire("bob", "+12065550102")
        number = new_number()
        caller = await network.call(number)
        await caller.press("1")
        assert (await network.dialled()).to == ann
        second = await network.dialled()
        assert second.to == "+12065550102"
        await network.report(second, "busy")
        call_id = await office.call_from(number)
        cancelled = await office.event(call_id, "offer.cancelled")
        assert (cancelled["agent"], cancelled["data"]["reason"]) == ("ann", "failed")
        await office.event(call_id, "offer.rejected")
        assert (await office.agent("ann"))["state"] == "available"
        await asyncio.sleep(0.3)
        assert network.originations.empty()  # ann's line rests before it is tried again
        await caller.hang_up()

    async def test_a_hang_up_that_fails_does_not_hold_up_the_call(
        self, network: TwilioNetwork, office: Office
    ) -> None:
        caller, agent, call_id = await network.talk(office)
        network.update_status = 500
        status, _ = await office.ask("POST", f"/calls/{call_id}/transfer", {"to": "+14155550142"})
        assert status >= 500
        assert not caller.over.is_set()
        await caller.hang_up()
        assert await agent.closed() == 1000
        await office.agent_is("ann", "available")


async def test_nothing_was_unforeseen(service: Program) -> None:
    assert service.is_ready()
    assert "Traceback" not in service.log
    assert " ERROR " not in service.log
