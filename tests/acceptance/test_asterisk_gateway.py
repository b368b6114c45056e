"""Calls through Asterisk's AudioSocket, announced over HTTP, with agents dialled through ARI."""

import asyncio
import json
import statistics
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession

from support.asterisk import (
    ARI_PASSWORD,
    AUDIO,
    DTMF,
    ERROR,
    HANGUP,
    UUID_KIND,
    Asterisk,
    Channel,
    Originate,
    asterisk_settings,
    frame,
)
from support.office import Office
from support.program import ANNOUNCE_TOKEN, Program, running
from support.recordings import bursts_of, wave_channels
from support.sound import FRAME_BYTES, delay_ms, loudness, strength, tone

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLER_HZ, AGENT_HZ = 700.0, 1100.0
CALLED_NUMBER = "+13105550199"


@pytest.fixture(scope="module")
def service() -> Iterator[Program]:
    queues = [{"name": "sales", "ring_timeout_s": 7, "wrap_up_s": 0}]
    gateways = {"asterisk": asterisk_settings()}
    with running(gateways=gateways, queues=queues, recording={"format": "wav"}) as service:
        yield service


def announcement(uuid: UUID, number: str = "+12065550111") -> dict[str, object]:
    return {"uuid": str(uuid), "from": number, "to": CALLED_NUMBER}


async def announce(
    service: Program, body: object, token: str | None = ANNOUNCE_TOKEN, raw: bytes | None = None
) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    url = f"{service.url}/gateway/asterisk/calls"
    async with (
        ClientSession() as session,
        session.post(
            url, headers=headers, data=BytesIO(json.dumps(body).encode() if raw is None else raw)
        ) as answer,
    ):
        return answer.status, await answer.json()


_numbers = iter(range(100))


async def call(pbx: Asterisk, office: Office) -> tuple[Channel, str]:
    """A call that reached the menu: its channel and its id."""
    number = f"+122555501{next(_numbers):02d}"
    uuid = uuid4()
    status, body = await announce(office.program, announcement(uuid, number))
    assert (status, body) == (201, {"uuid": str(uuid)})
    channel = await pbx.channel(uuid)
    return channel, await office.call_from(number)


async def talk(pbx: Asterisk, office: Office) -> tuple[Channel, Channel, str, Originate]:
    """A caller with an agent: their channels and the call."""
    await office.hire("ann", "PJSIP/ann", "asterisk")
    caller, call_id = await call(pbx, office)
    caller.press("1")
    dialled = await pbx.dialled()
    agent = await pbx.answer(dialled)
    await office.event(call_id, "agent.connected")
    return caller, agent, call_id, dialled


class TestAnnouncement:
    async def test_it_is_taken_once(self, pbx: Asterisk, service: Program) -> None:
        body = announcement(uuid4())
        assert (await announce(service, body))[0] == 201
        status, answer = await announce(service, body)
        assert (status, answer["error"]["code"], answer["error"]["field"]) == (
            409,
            "announced_before",
            "uuid",
        )

    @pytest.mark.parametrize("token", [None, "", "announce-token-of-others", ANNOUNCE_TOKEN[:-1], "é"])
    async def test_a_wrong_token(self, pbx: Asterisk, service: Program, token: str | None) -> None:
        status, answer = await announce(service, announcement(uuid4()), token)
        assert (status, answer["error"]["code"]) == (401, "unauthorized")

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"uuid": "not-a-uuid"}, 422, "bad_uuid"),
            ({"uuid": 17}, 422, "bad_uuid"),
            ({"uuid": None}, 422, "bad_uuid"),
            ({"from": 12065550111}, 422, "bad_number"),
            ({"to": "1" * 65}, 422, "bad_number"),
            ({"to": None}, 422, "bad_number"),
            ({"from": "+1206\x005550111"}, 422, "bad_number"),
            ({"from": "\ud800"}, 422, "bad_number"),
        ],
    )
    async def test_wrong_fields(
        self, pbx: Asterisk, service: Program, change: dict[str, object], status: int, code: str
    ) -> None:
        answered, answer = await announce(service, announcement(uuid4()) | change)
        assert (answered, answer["error"]["code"]) == (status, code)
        assert answer["error"]["field"] == next(iter(change))

    @pytest.mark.parametrize(
        ("raw", "status"),
        [
            (b"", 400),
            (b"{", 400),
            (b"\xff\xfe", 400),
            (b"[" * 100_000, 400),
            (b"[]", 422),
            (b'"text"', 422),
            (b"null", 422),
            (b'{"uuid": "' + b"x" * 2_000_000 + b'"}', 413),
        ],
    )
    async def test_no_json_object(self, pbx: Asterisk, service: Program, raw: bytes, status: int) -> None:
        answered, answer = await announce(service, None, raw=raw)
        assert (answered, "code" in answer["error"]) == (status, True)

    async def test_a_uuid_in_capitals_is_the_same(self, pbx: Asterisk, service: Program) -> None:
        uuid = uuid4()
        body = announcement(uuid) | {"uuid": str(uuid).upper()}
        assert await announce(service, body) == (201, {"uuid": str(uuid)})
        channel = await pbx.channel(uuid)
        await channel.ears.anything()


class TestConnection:
    async def test_a_uuid_that_nobody_announced(self, pbx: Asterisk) -> None:
        channel = await pbx.channel()
        await channel.closed(1)
        assert loudness(channel.ears.sound_since(0)) < -100

    async def test_a_second_connection_for_a_call(self, pbx: Asterisk, office: Office) -> None:
        uuid = uuid4()
        await announce(office.program, announcement(uuid, "+12265550101"))
        first = await pbx.channel(uuid)
        await first.ears.anything()
        second = await pbx.channel(uuid)
        await second.closed(1)
        await first.ears.anything()
        assert not first.over.is_set()

    async def test_a_frame_comes_every_20_ms_from_the_first_moment(
        self, pbx: Asterisk, office: Office
    ) -> None:
        """Asterisk gives up after 2 s without traffic; a caller who says nothing still gets frames."""
        uuid = uuid4()
        await announce(office.program, announcement(uuid, "+12265550102"))
        channel = await pbx.connect()
        channel.mouth.hold_breath = True
        channel.introduce(uuid)
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(2.5)
        times = [piece.at for piece in channel.ears.pieces]
        assert times[0] - began < 0.5
        steps_ms = [(after - before) * 1000 for before, after in pairwise(times)]
        assert statistics.median(steps_ms) == pytest.approx(20, abs=3)
        assert max(steps_ms) < 200
        seconds = (len(times) - 1) * 0.02
        assert seconds == pytest.approx(times[-1] - times[0], abs=0.1)
        assert not channel.over.is_set()
        assert channel.complaints == []

    async def test_the_caller_hangs_up(self, pbx: Asterisk, office: Office) -> None:
        channel, call_id = await call(pbx, office)
        await channel.ears.anything()
        await channel.hang_up()
        ended = await office.event(call_id, "call.ended")
        assert ended["data"]["cause"] == "caller_hangup"

    async def test_the_service_hangs_up(self, pbx: Asterisk, office: Office) -> None:
        channel, call_id = await call(pbx, office)
        await office.command(call_id, "hangup")
        await channel.closed(1)
        assert channel.hung_up
        assert channel.complaints == []

    @pytest.mark.parametrize("kind", [HANGUP, ERROR])
    async def test_a_hangup_or_error_frame_ends_the_call(
        self, pbx: Asterisk, office: Office, kind: int
    ) -> None:
        channel, call_id = await call(pbx, office)
        channel.write(frame(kind, b"\x01" if kind == ERROR else b""))
        await channel.closed(1)
        assert (await office.event(call_id, "call.ended"))["data"]["cause"] == "caller_hangup"

    @pytest.mark.parametrize(
        ("kind", "length", "line"),
        [
            (0x12, 640, "the channel's format is slin16; configure it as slin (8 kHz)"),
            (0x16, 1920, "the channel's format is slin48; configure it as slin (8 kHz)"),
            (AUDIO, 160, "the first audio frame has 160 bytes, so the channel sends µ-law"),
            (AUDIO, 321, "an audio frame of 321 bytes"),
            (UUID_KIND, 16, "a second UUID frame"),
            (DTMF, 2, "a DTMF frame of 2 bytes"),
            (0x42, 0, "a frame of unknown kind 0x42"),
        ],
    )
    async def test_what_cannot_be_understood_is_said_in_the_log(
        self, pbx: Asterisk, office: Office, kind: int, length: int, line: str
    ) -> None:
        uuid = uuid4()
        number = f"+122755501{kind % 100:02d}" if length != 321 else "+12275550199"
        await announce(office.program, announcement(uuid, number))
        channel = await pbx.connect()
        channel.write(frame(UUID_KIND, uuid.bytes))
        call_id = await office.call_from(number)
        channel.write(frame(kind, bytes(length)))
        await channel.closed(1)
        await office.event(call_id, "call.ended")
        assert f"audiosocket: leg {uuid}: {line}" in office.program.log


class TestMenu:
    async def test_a_prompt_is_heard_and_a_key_chooses(self, pbx: Asterisk, office: Office) -> None:
        channel, call_id = await call(pbx, office)
        await channel.ears.anything()
        channel.press("1")
        assert (await office.event(call_id, "queue.entered"))["queue"] == "sales"
        assert (await office.event(call_id, "ivr.input"))["data"]["value"] == "1"
        await channel.ears.anything()
        await channel.hang_up()
        await office.event(call_id, "queue.abandoned")

    async def test_a_key_in_the_middle_of_other_frames(self, pbx: Asterisk, office: Office) -> None:
        """TCP has no messages: frames come cut anywhere and several at once."""
        channel, call_id = await call(pbx, office)
        channel.stop_talking()
        data = frame(AUDIO, tone(500, 0.02)) + frame(DTMF, b"9") + frame(AUDIO, bytes(276)) + frame(AUDIO)
        for byte in data[:5]:
            channel.write(bytes([byte]))
            await asyncio.sleep(0.002)
        channel.write(data[5:330])
        await asyncio.sleep(0.02)
        channel.write(data[330:])
        ended = await office.event(call_id, "call.ended")
        assert (ended["data"]["cause"], ended["data"]["outcome"]) == ("completed", "self_served")
        await channel.closed(1)


class TestAnAgent:
    async def test_how_an_agent_is_dialled(self, pbx: Asterisk, office: Office) -> None:
        await office.hire("ann", "PJSIP/ann", "asterisk")
        caller, call_id = await call(pbx, office)
        caller.press("1")
        query = (await pbx.dialled()).query
        assert set(query) == {
            *("endpoint", "context", "extension", "priority"),
            *("callerId", "timeout", "channelId", "formats"),
        }
        assert (query["endpoint"], query["context"], query["priority"]) == (
            "PJSIP/ann",
            "callcenter-agent",
            "1",
        )
        assert (query["timeout"], query["formats"]) == ("7", "slin")
        assert query["callerId"] == (await office.get(f"/calls/{call_id}"))["from"]
        assert query["extension"] not in query["channelId"]
        await caller.hang_up()
        await office.event(call_id, "queue.abandoned")
        await office.agent_is("ann", "available")
        assert pbx.deleted == [query["channelId"]]

    async def test_both_hear_each_other_at_once(self, pbx: Asterisk, office: Office) -> None:
        caller, agent, call_id, _ = await talk(pbx, office)
        there = await delay_ms(caller.mouth, agent.ears, CALLER_HZ)
        back = await delay_ms(agent.mouth, caller.ears, AGENT_HZ)
        assert max(there, back) < 100
        await agent.hang_up()
        await caller.closed(1)
        assert caller.hung_up
        assert (await office.event(call_id, "conversation.ended"))["data"]["by"] == "agent"
        await office.agent_is("ann", "available")
        assert caller.complaints == agent.complaints == []

    async def test_hold_and_resume(self, pbx: Asterisk, office: Office) -> None:
        caller, agent, call_id, _ = await talk(pbx, office)
        await office.command(call_id, "hold")
        await caller.ears.anything()
        held = asyncio.get_running_loop().time()
        caller.mouth.say(tone(CALLER_HZ, 0.4))
        await asyncio.sleep(0.5)
        silence = agent.ears.sound_since(held)
        assert len(silence) > 15 * FRAME_BYTES
        assert loudness(silence) < -60
        await office.command(call_id, "resume")
        assert await delay_ms(agent.mouth, caller.ears, AGENT_HZ, bursts=1) < 500

    async def test_a_transfer_is_not_possible(self, pbx: Asterisk, office: Office) -> None:
        caller, agent, call_id, _ = await talk(pbx, office)
        status, answer = await office.ask("POST", f"/calls/{call_id}/transfer", {"to": "+14155550142"})
        assert status >= 500
        assert "code" in answer["error"]
        assert await delay_ms(caller.mouth, agent.ears, CALLER_HZ, bursts=1) < 500

    async def test_ari_refuses(self, pbx: Asterisk, office: Office) -> None:
        pbx.failures["PJSIP/ann"] = 500
        await office.hire("ann", "PJSIP/ann", "asterisk")
        await office.hire("bob", "PJSIP/bob", "asterisk")
        caller, call_id = await call(pbx, office)
        caller.press("1")
        assert (await pbx.dialled()).query["endpoint"] == "PJSIP/ann"
        second = await pbx.dialled()
        assert second.query["endpoint"] == "PJSIP/bob"
        await pbx.answer(second)
        await office.event(call_id, "agent.connected")
        assert (await office.event(call_id, "offer.cancelled"))["data"]["reason"] == "failed"


class TestRecording:
    async def test_a_pause_stays_a_pause(self, pbx: Asterisk, office: Office) -> None:
        """No frames come while a caller is silent; in the recording that time is zeros, and time is kept."""
        caller, agent, call_id, _ = await talk(pbx, office)
        caller.mouth.say(tone(CALLER_HZ, 0.4))
        caller.mouth.hold_breath = True
        await asyncio.sleep(1.4)
        caller.mouth.say(tone(CALLER_HZ, 0.4))
        agent.mouth.say(tone(AGENT_HZ, 0.4))
        await asyncio.sleep(0.6)
        await caller.hang_up()
        recording = await office.recording(call_id)
        left, right = wave_channels(await office.sound(recording))
        assert len(left) == len(right)
        first, second = bursts_of(left)
        (answer,) = bursts_of(right)
        assert first[1] - first[0] == pytest.approx(0.4, abs=0.03)
        assert second[0] - first[0] == pytest.approx(1.4, abs=0.06)
        assert second[0] == pytest.approx(answer[0], abs=0.06)
        gap = left[round(first[1] * 8000) + 160 : round(second[0] * 8000) - 160]
        assert len(gap) > 6000
        assert not gap.any()
        assert strength(left.tobytes(), CALLER_HZ) > strength(left.tobytes(), AGENT_HZ) + 30
        gaps = {
            event["leg"]: event["data"]["ms"]
            for event in await office.events(call_id)
            if event["type"] == "media.gap"
        }
        assert gaps["caller"] == pytest.approx(1000, abs=100)

    async def test_short_frames_are_put_together(self, pbx: Asterisk, office: Office) -> None:
        caller, agent, call_id, _ = await talk(pbx, office)
        caller.stop_talking()
        began = asyncio.get_running_loop().time()
        sound = tone(CALLER_HZ, 0.5)
        for at in range(0, len(sound), 276):
            caller.write(frame(AUDIO, sound[at : at + 276]))
            await asyncio.sleep(276 / 16000)
        await asyncio.sleep(0.2)
        heard = agent.ears.sound_since(began)
        assert strength(heard, CALLER_HZ) > loudness(heard)
        assert agent.complaints == []
        await caller.hang_up()
        left, _ = wave_channels(await office.sound(await office.recording(call_id)))
        assert sum(end - begin for begin, end in bursts_of(left)) == pytest.approx(0.5, abs=0.03)


async def test_the_log_is_clean(service: Program) -> None:
    """Runs last: neither errors nor secrets."""
    log = service.log
    assert "Traceback" not in log
    assert " ERROR " not in log
    assert ANNOUNCE_TOKEN not in log
    assert ARI_PASSWORD not in log
