"""What must not happen, whatever comes in: a crash, a call that hangs, an agent who is never freed."""

import asyncio
import json
import os
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support import storm
from support.asterisk import AUDIO, DTMF, UUID_KIND, Asterisk, asterisk_settings, audio_port, frame
from support.numbers import new_number
from support.office import Office
from support.program import Program, running
from support.sound import tone
from support.twilio_network import TwilioNetwork, signature, twilio_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLER_HZ = 700.0


@pytest.fixture(scope="module")
def service() -> Iterator[Program]:
    gateways = {"twilio": twilio_settings(), "asterisk": asterisk_settings()}
    queues = [{"name": "sales", "ring_timeout_s": 7, "wrap_up_s": 0}]
    with running(gateways=gateways, queues=queues) as service:
        yield service


Waits = dict[str, asyncio.Task[float]]


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def waits(network_of_all: TwilioNetwork, service: Program) -> AsyncIterator[Waits]:
    """Connections that say too little, opened when the module begins: what becomes of them takes a while."""
    url = f"ws://127.0.0.1:{service.port}/gateway/twilio/media"
    port = audio_port(service)
    silent, talkative = await network_of_all.open(url), await network_of_all.open(url)
    await talkative.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
    tasks = {
        "no start": asyncio.create_task(socket_life(silent, 1008), name="no start"),
        "only connected": asyncio.create_task(socket_life(talkative, 1008), name="only connected"),
        "no UUID": asyncio.create_task(connection_life(port, b""), name="no UUID"),
        "half a UUID": asyncio.create_task(
            connection_life(port, frame(UUID_KIND, bytes(16))[:10]), name="half"
        ),
    }
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def socket_life(ws: ClientConnection, code: int) -> float:
    began = asyncio.get_running_loop().time()
    with pytest.raises(ConnectionClosed):
        await ws.recv()
    assert ws.close_code == code
    return asyncio.get_running_loop().time() - began


async def connection_life(port: int, data: bytes) -> float:
    began = asyncio.get_running_loop().time()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    assert await reader.read() in (b"", bytes(3))  # at most the hang-up frame
    writer.close()
    return asyncio.get_running_loop().time() - began


def large(message: str, size: int) -> str:
    return message.replace("LARGE", "A" * size)


MEDIA = '{"event":"media","media":{"track":"inbound","chunk":"1","timestamp":"20","payload":"LARGE"}}'
START = '{"event":"start","start":{"streamSid":"MZ1","callSid":"CA1","mediaFormat":%s,"customParameters":%s}}'
FORMAT = '{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}'

NOT_ALLOWED = {
    "no JSON": "{not json",
    "cut off": MEDIA[:40],
    "empty": "",
    "a list": "[]",
    "a number": "17",
    "null": "null",
    "nested too deep": "[" * 50_000,
    "no event": "{}",
    "an event that is a number": '{"event":5}',
    "media that is a text": '{"event":"media","media":"AAAA"}',
    "no payload": '{"event":"media","media":{"track":"inbound"}}',
    "no base64": MEDIA.replace("LARGE", "!!!"),
    "too much sound": large(MEDIA, 40_000),
    "a key that is none": '{"event":"dtmf","dtmf":{"digit":"x"}}',
    "two keys at once": '{"event":"dtmf","dtmf":{"digit":"12"}}',
    "a mark without a name": '{"event":"mark","mark":{}}',
    "another stream's media": MEDIA.replace('"media",', '"media","streamSid":"MZother",', 1),
    "a second start": START % (FORMAT, "{}"),
    "an odd time stamp": MEDIA.replace('"20"', '"-20"'),
    "a number of 5000 digits": '{"event":"media","media":{"payload":"AAAA","timestamp":%s}}' % ("9" * 5000),
}


class TestMessages:
    @pytest.mark.parametrize("name", NOT_ALLOWED)
    async def test_what_is_not_allowed_ends_the_leg(
        self, network: TwilioNetwork, office: Office, name: str
    ) -> None:
        number = new_number()
        caller = await network.call(number)
        call_id = await office.call_from(number)
        await caller.ws.send(NOT_ALLOWED[name])
        assert await caller.closed(2) == 1007
        assert (await office.event(call_id, "call.ended"))["data"]["cause"] == "caller_hangup"

    @pytest.mark.parametrize(
        "message",
        [
            '{"event":"news","news":{"that":"nobody knows"}}',
            '{"event":"mark","mark":{"name":"never asked for"}}',
            '{"event":"media","media":{"track":"outbound","payload":"AAAA"}}',
            '{"event":"media","media":{"payload":""}}',
            '{"event":"media","media":{"payload":"AAAA","timestamp":999999999999}}',
            '{"event":"connected"}',
        ],
    )
    async def test_what_is_only_odd_does_no_harm(self, network: TwilioNetwork, message: str) -> None:
        caller = await network.call(new_number())
        await caller.ws.send(message)
        await caller.ws.send(message)
        await caller.heard.anything()
        assert not caller.over.is_set()

    @pytest.mark.parametrize(
        ("name", "code"),
        [("binary", 1007), ("oversized", 1009), ("not UTF-8", 1007), ("opcode", 1002)],
    )
    async def test_frames_that_are_none(
        self, network: TwilioNetwork, office: Office, name: str, code: int
    ) -> None:
        number = new_number()
        caller = await network.call(number)
        call_id = await office.call_from(number)
        match name:
            case "binary":
                await caller.ws.send(bytes(160))
            case "oversized":
                await caller.ws.send(large(MEDIA, 70_000))
            case "not UTF-8":
                caller.ws.transport.write(masked(0x1, b'{"event":"\xff"}'))
            case "opcode":
                caller.ws.transport.write(masked(0x7, b"{}"))
        assert await caller.closed(3) == code
        await office.event(call_id, "call.ended")

    async def test_a_frame_that_is_cut_off(self, network: TwilioNetwork, office: Office) -> None:
        caller, agent, call_id = await network.talk(office)
        caller.mouth.hold_breath = True
        await asyncio.sleep(0.05)
        caller.ws.transport.write(masked(0x1, MEDIA.encode())[:30])
        caller.ws.transport.abort()
        assert await agent.closed() == 1000
        assert (await office.event(call_id, "conversation.ended"))["data"]["by"] == "customer"
        await office.agent_is("ann", "available")

    @pytest.mark.parametrize(
        "first",
        [
            "{not json",
            "[]",
            MEDIA.replace("LARGE", "AAAA"),
            '{"event":"stop"}',
            START % (FORMAT, '{"token":17}'),
            START % (FORMAT, '{"token":"%s"}' % ("t" * 2000)),
            START % (FORMAT, '{"token":"\\u0000"}'),
            START % (FORMAT, '{"token":"\\ud800"}'),
            START % (FORMAT.replace("8000", "16000"), "{}"),
            START % (FORMAT.replace("mulaw", "l16"), "{}"),
            START % ("null", "{}"),
            bytes(160),
        ],
    )
    async def test_a_stream_that_begins_wrong(self, network: TwilioNetwork, first: str | bytes) -> None:
        ws = await network.open(f"ws://127.0.0.1:{network.program.port}/gateway/twilio/media")
        await ws.send(first)
        assert await socket_life(ws, 1008) < 1

    @pytest.mark.parametrize("parameters", [{}, {"token": ""}, {"token": "0" * 64}, {"other": "x"}])
    async def test_a_stream_without_its_token(
        self, network: TwilioNetwork, parameters: dict[str, str]
    ) -> None:
        url, _ = await network.announce(network.voice_form(new_number()))
        stream = await network.stream(url, "CA1", parameters)
        assert await stream.closed(1) == 1008
        assert stream.arrived.pieces == []

    async def test_an_agents_address_of_another_process(self, network: TwilioNetwork) -> None:
        for node in ("not-a-uuid", str(uuid4())):
            with pytest.raises(InvalidStatus) as refusal:
                await network.open(f"ws://127.0.0.1:{network.program.port}/gateway/twilio/media/{node}")
            assert refusal.value.response.status_code == 404


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's WebSocket frame; the mask is zeros, which changes nothing (RFC 6455, section 5.3)."""
    assert len(payload) < 126
    return bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload


class TestRequests:
    @pytest.mark.parametrize(
        ("headers", "body", "status"),
        [
            ({}, b"", 403),
            ({"Content-Type": "application/json"}, b'{"CallSid": "CA1"}', 403),
            ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\nnonsense", 403),
            ({"Content-Type": "multipart/form-data"}, b"--x", 403),
            ({"Content-Type": "application/x-www-form-urlencoded; charset=nonsense"}, b"a=b", 403),
            ({"Content-Type": "application/x-www-form-urlencoded"}, b"From=%FF%FE&&=&=%", 403),
            ({"Content-Type": "application/x-www-form-urlencoded"}, b"a" * 3_000_000, 413),
            ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=b&" * 1000, 400),
            ({"X-Twilio-Signature": "é"}, b"", 403),
        ],
    )
    async def test_a_webhook_that_is_no_form(
        self, network: TwilioNetwork, headers: dict[str, str], body: bytes, status: int
    ) -> None:
        answer = await plain_request(network.program.port, "/gateway/twilio/voice", headers, body)
        assert answer == status

    async def test_a_bearer_token_that_is_no_text(self, network: TwilioNetwork) -> None:
        raw = b"POST /gateway/asterisk/calls HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \xff\xfe\r\n\r\n"
        assert await exchange(network.program.port, raw) == 401

    async def test_a_status_of_nobody(self, network: TwilioNetwork) -> None:
        for reference in ("0" * 64, "nonsense", "%00", "é"):
            path = f"/gateway/twilio/status/{reference}"
            form = {"CallSid": "CA1", "CallStatus": "busy"}
            url = network.program.url + path.replace("é", "%C3%A9")
            status, _, _ = await network.post(path, form, signature(url, form))
            assert status == 204


async def plain_request(port: int, path: str, headers: dict[str, str], body: bytes) -> int:
    lines = [f"POST {path} HTTP/1.1", "Host: here", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return await exchange(port, "\r\n".join([*lines, "", ""]).encode() + body)


async def exchange(port: int, request: bytes) -> int:
    """Send bytes; returns the status of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(3):
        status = int((await reader.readline()).split()[1])
    writer.transport.abort()
    return status


class TestAudioSocket:
    @pytest.mark.parametrize(
        "first",
        [
            b"GET / HTTP/1.1\r\n\r\n",
            frame(AUDIO, bytes(320)),
            frame(UUID_KIND, bytes(15)),
            frame(UUID_KIND, bytes(16)),
            struct.pack(">BH", UUID_KIND, 0xFFFF),
            b"\xff" * 100,
            os.urandom(1000),
        ],
    )
    async def test_a_connection_that_begins_wrong(self, service: Program, first: bytes) -> None:
        assert await connection_life(audio_port(service), first) < 1

    @pytest.mark.parametrize("data", [b"", b"\x10\x01", frame(AUDIO, bytes(320))[:100], frame(DTMF, b"x")])
    async def test_a_connection_that_breaks_off(self, pbx: Asterisk, office: Office, data: bytes) -> None:
        uuid, number = uuid4(), new_number()
        await pbx.announce(uuid, number)
        channel = await pbx.connect()
        channel.write(frame(UUID_KIND, uuid.bytes))
        call_id = await office.call_from(number)
        channel.write(data)
        await asyncio.sleep(0.05)
        channel.reset()
        assert (await office.event(call_id, "call.ended"))["data"]["cause"] == "caller_hangup"

    async def test_the_largest_frame_there_is(self, pbx: Asterisk, office: Office) -> None:
        uuid, number = uuid4(), new_number()
        await pbx.announce(uuid, number)
        channel = await pbx.channel(uuid)
        call_id = await office.call_from(number)
        channel.stop_talking()
        channel.write(frame(AUDIO, bytes(65534)))
        await channel.ears.anything()
        channel.press("9")
        assert (await office.event(call_id, "call.ended"))["data"]["cause"] == "completed"


class TestStorm:
    async def test_a_call_goes_on_through_a_thousand_garbage_connections(
        self, network: TwilioNetwork, office: Office, service: Program
    ) -> None:
        caller, agent, call_id = await network.talk(office)
        loop = asyncio.get_running_loop()
        caller.mouth.say(tone(CALLER_HZ, 60))
        await agent.arrived.tone(CALLER_HZ)
        files = open_files(service)
        began = loop.time()
        thrower = await asyncio.create_subprocess_exec(
            sys.executable, storm.__file__, str(service.port), str(audio_port(service)), "1000"
        )
        async with asyncio.timeout(30):
            assert await thrower.wait() == 0
        ended = loop.time()
        assert agent.arrived.longest_pause(began, ended) < 0.2
        assert len(agent.arrived.sound_since(began)) / 16000 == pytest.approx(ended - began, abs=0.3)
        assert "media.gap" not in await office.types(call_id)
        await asyncio.sleep(0.5)
        assert open_files(service) < files + 60  # those that say nothing are given their time
        await caller.hang_up()
        await office.event(call_id, "call.ended")


def open_files(service: Program) -> int:
    assert service.process is not None
    return len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))


class TestPatience:
    """Runs after the others, so that the waiting was done meanwhile."""

    @pytest.mark.parametrize(
        ("name", "least_s", "most_s"),
        [("no start", 9.5, 12), ("only connected", 9.5, 12), ("no UUID", 4.5, 7), ("half a UUID", 4.5, 7)],
    )
    async def test_who_says_too_little_is_let_go(
        self, waits: Waits, name: str, least_s: float, most_s: float
    ) -> None:
        assert least_s < await waits[name] < most_s

    async def test_nothing_was_unforeseen(self, service: Program) -> None:
        assert service.is_ready()
        assert "Traceback" not in service.log
        assert " ERROR " not in service.log
