"""Calls placed by ``streamdouble``, a simulator of Twilio's side that others wrote.

It sends no signature, so its calls go through a proxy that adds the one Twilio would send; the webhook that
comes before the media socket is sent, signed, by the test, and its token travels as a stream parameter.
"""

import asyncio
import json
import sys
import wave
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from support.numbers import new_number
from support.office import Office
from support.program import Program, running
from support.signing_proxy import SigningProxy
from support.sound import AUDIBLE_DBFS, loudness, sounds_at, tone
from support.twilio_network import TwilioNetwork, twilio_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAMDOUBLE = Path(sys.executable).with_name("streamdouble")
CALLER_HZ, AGENT_HZ = 700.0, 1100.0
MEDIA_PATH = "/gateway/twilio/media"


@dataclass
class Simulator:
    """Places calls with the command ``streamdouble``; ``folder`` takes its files."""

    network: TwilioNetwork
    office: Office
    proxy: SigningProxy
    folder: Path

    async def run(self, *arguments: str, url: str = "") -> tuple[int, str, str]:
        """Run the command to its end."""
        process = await asyncio.create_subprocess_exec(
            STREAMDOUBLE,
            *arguments,
            url or self.proxy.url + MEDIA_PATH,
            "--json",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(20):
            out, complaints = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), complaints.decode()

    async def call(self, *arguments: str) -> tuple[dict[str, Any], str]:
        """Announce a call and place it; returns the simulator's report and the call's id."""
        number = new_number()
        _, parameters = await self.network.announce(self.network.voice_form(number))
        status, out, complaints = await self.run(*arguments, "--param", f"token={parameters['token']}")
        assert status == 0, out + complaints
        report = dict(json.loads(out))
        assert report["violations"] == report["unknown_events"] == []
        return report, await self.office.call_from(number)

    async def scenario(self, *steps: object, options: tuple[str, ...] = ()) -> tuple[dict[str, Any], str]:
        """Place a call that goes by a script."""
        script = self.folder / "scenario.yaml"
        script.write_text(json.dumps({"name": "a test", "steps": list(steps)}))
        return await self.call("scenario", str(script), "--out", str(self.reply), *options)

    def wave(self, pcm16: bytes) -> str:
        path = self.folder / "caller.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(pcm16)
        return str(path)

    @property
    def reply(self) -> Path:
        return self.folder / "reply.wav"

    def heard(self) -> bytes:
        """What the caller heard."""
        with wave.open(str(self.reply)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
            return bytes(file.readframes(file.getnframes()))


@pytest.fixture(scope="module")
def service() -> Iterator[Program]:
    queues = [{"name": "sales", "ring_timeout_s": 7, "wrap_up_s": 0}]
    with running(gateways={"twilio": twilio_settings()}, queues=queues) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="module")
async def simulator(
    service: Program, network: TwilioNetwork, office: Office, tmp_path: Path
) -> AsyncIterator[Simulator]:
    async with SigningProxy("ws" + service.url.removeprefix("http")) as proxy:
        yield Simulator(network, office, proxy, tmp_path)


async def test_it_calls_and_hears_the_prompt(simulator: Simulator) -> None:
    options = ("--quiet-period", "0.5", "--max-first-audio-ms", "1000", "--max-gap-ms", "300")
    sound = simulator.wave(tone(CALLER_HZ, 0.3))
    report, call_id = await simulator.call("call", "--audio", sound, "--out", str(simulator.reply), *options)
    assert report["marks_received"] == report["marks_echoed"] == 1
    assert (report["timed_out"], report["closed_early"]) == (False, False)
    heard = simulator.heard()
    assert loudness(heard) > AUDIBLE_DBFS
    assert len(heard) / 16 == pytest.approx(report["audio_received_ms"], abs=1)
    assert (await simulator.office.event(call_id, "call.ended"))["data"]["cause"] == "caller_hangup"


async def test_a_key_cuts_the_prompt_and_brings_the_queue(simulator: Simulator) -> None:
    report, call_id = await simulator.scenario(
        {"wait_for": "audio"},
        {"dtmf": "1"},
        {"wait": 0.5},
        {"expect": "clear"},
        {"expect": "no_violations"},
        "hangup",
    )
    assert [one["passed"] for one in report["expectations"]] == [True, True]
    assert report["clears_received"] == 1
    office = simulator.office
    assert (await office.event(call_id, "ivr.input"))["data"]["value"] == "1"
    assert (await office.event(call_id, "queue.abandoned"))["queue"] == "sales"
    assert (await office.event(call_id, "call.ended"))["data"]["outcome"] == "short_abandoned"


async def test_the_service_says_goodbye_and_closes(simulator: Simulator) -> None:
    report, call_id = await simulator.scenario({"wait_for": "audio"}, {"dtmf": "9"}, {"wait": 3})
    assert (report["closed_by"], report["closed_early"]) == ("agent", True)
    assert report["marks_echoed"] == report["marks_received"] == 1
    assert (await simulator.office.event(call_id, "call.ended"))["data"]["cause"] == "completed"


@pytest.mark.parametrize("options", [(), ("--packet-loss", "0.1", "--jitter", "15", "--latency", "40")])
async def test_it_talks_to_an_agent(simulator: Simulator, options: tuple[str, ...]) -> None:
    """Over a good line, and over one that loses frames: the sound is kept in its place."""
    office, network = simulator.office, simulator.network
    await office.hire("ann", "+12065550101")
    sound = simulator.wave(tone(CALLER_HZ, 1.0))
    calling = asyncio.create_task(
        simulator.scenario(
            {"dtmf": "1"}, {"wait": 0.8}, {"say": sound}, {"wait": 0.4}, "hangup", options=options
        ),
        name="simulated caller",
    )
    agent = await network.answer(await network.dialled())
    await agent.heard.tone(CALLER_HZ)
    agent.mouth.say(tone(AGENT_HZ, 0.5))
    report, call_id = await calling
    await agent.closed()
    assert (report["frames_dropped"] > 0) == bool(options)
    heard = simulator.heard()
    tenths = [heard[at : at + 1600] for at in range(0, len(heard) - 1600, 1600)]
    assert 4 <= sum(sounds_at(tenth, AGENT_HZ) for tenth in tenths) <= 6
    assert not any(sounds_at(tenth, CALLER_HZ) for tenth in tenths)
    said_s = sum(0.02 for piece in agent.arrived.pieces if loudness(piece.pcm16) > AUDIBLE_DBFS)
    assert said_s == pytest.approx(0.9 if options else 1.0, abs=0.15 if options else 0.05)
    await office.event(call_id, "call.ended")
    gaps = [event for event in await office.events(call_id) if event["type"] == "media.gap"]
    assert bool(gaps) == bool(options)
    assert (await office.recording(call_id))["state"] == "done"


async def test_without_a_signature_it_is_refused(simulator: Simulator, service: Program) -> None:
    sound = simulator.wave(tone(CALLER_HZ, 0.1))
    url = "ws" + service.url.removeprefix("http") + MEDIA_PATH
    status, _, complaints = await simulator.run("call", "--audio", sound, url=url)
    assert status != 0
    assert "403" in complaints


@pytest.mark.parametrize("parameters", [(), ("--param", "token=" + "0" * 64)])
async def test_without_its_token_it_is_refused(simulator: Simulator, parameters: tuple[str, ...]) -> None:
    sound = simulator.wave(tone(CALLER_HZ, 0.1))
    status, out, _ = await simulator.run("call", "--audio", sound, *parameters)
    assert status != 0
    assert json.loads(out)["media_frames_received"] == 0
