import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import mean

import pytest

from callcenter.simulator.calls import Account, PhoneCall, Status
from callcenter.simulator.ears import find
from callcenter.simulator.faults import Fault
from callcenter.simulator.gateway import Gateway
from callcenter.simulator.line import Line
from callcenter.simulator.speech import FRAME_BYTES, encode_frames, utter
from callcenter.simulator.voices import Voice

ACCOUNT = Account("AC1", "secret")
CALLER, DIALLED, AGENT = "+12125550101", "+13125550100", "+12065550100"
VOICE = Voice("en-us", 175, 50, 50, 0)
HELLO = utter("Thank you for your patience.", VOICE)


@asynccontextmanager
async def network(service, on_dialled=None) -> AsyncIterator[Gateway]:
    async def ignore(_call: PhoneCall) -> None:
        return

    async with Gateway(ACCOUNT, service.url, on_dialled or ignore) as gateway:
        service.gateway_url = gateway.url
        yield gateway


async def soon(condition, within_s: float = 3.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - looks at the far end from outside
            await asyncio.sleep(0.005)


async def line_of(call: PhoneCall) -> Line:
    async with asyncio.timeout(3):
        await call.connected.wait()
    assert call.line is not None
    return call.line


async def test_a_call_is_announced_signed_and_opens_its_stream(service) -> None:
    async with network(service) as gateway:
        call = gateway.place_call(CALLER, DIALLED)
        await line_of(call)
        await soon(lambda: service.legs)
        call.hang_up()
        await asyncio.wait_for(call.ended.wait(), 3)
        await soon(lambda: service.legs[0].messages[-1]["event"] == "stop")
    assert service.bad_signatures == []
    (_, form) = service.forms[0]
    assert form == {
        "CallSid": call.sid,
        "AccountSid": "AC1",
        "From": CALLER,
        "To": DIALLED,
        "Direction": "inbound",
        "CallStatus": "ringing",
    }
    start = service.legs[0].messages[0]["start"]
    assert (start["callSid"], start["customParameters"]) == (call.sid, {"token": CALLER})
    assert call.status is Status.COMPLETED
    assert not call.broken


async def test_frames_leave_every_20_ms(service) -> None:
    async with network(service) as gateway:
        calls = [gateway.place_call(f"+121255501{index:02d}", DIALLED) for index in range(8)]
        await asyncio.gather(*(line_of(call) for call in calls))
        await asyncio.sleep(2.0)
        for leg in service.legs:
            gaps = [after - before for before, after in zip(leg.arrivals, leg.arrivals[1:], strict=False)]
            assert mean(gaps) == pytest.approx(0.020, abs=0.0005)
        late = sorted(late for call in calls for late in call.line.figures.lateness_ms)
        assert late[len(late) * 99 // 100] < 15.0


async def test_what_is_said_comes_back_from_an_echo(service) -> None:
    service.echo = True
    async with network(service) as gateway:
        line = await line_of(gateway.place_call(CALLER, DIALLED))
        saying = line.say(HELLO)
        await asyncio.wait_for(saying.done.wait(), 5)
        await asyncio.sleep(0.3)
        assert saying.complete
        assert saying.first_frame is not None
        begun = line.time_of(saying.first_frame)
        match = find(HELLO.ulaw, line.heard(begun, begun + HELLO.duration_s + 0.3))
        assert match.score > 0.9
        assert 0 < match.delay_ms < 100


async def test_marks_return_in_order_when_their_sound_has_been_played(service) -> None:
    service.echo = True
    async with network(service) as gateway:
        await line_of(gateway.place_call(CALLER, DIALLED))
        await soon(lambda: service.legs)
        leg, loop = service.legs[0], asyncio.get_running_loop()
        service.echo = False
        begun = loop.time()
        for name in ("a", "b"):
            for frame in encode_frames(bytes(FRAME_BYTES * 10)):
                await leg.play(frame)
            await leg.send("mark", mark={"name": name})
        await soon(lambda: marks(leg) == ["a", "b"])
        assert 0.36 < loop.time() - begun < 0.7
        await leg.send("mark", mark={"name": "at once"})
        await soon(lambda: marks(leg)[-1] == "at once", 0.2)


async def test_clear_silences_at_once_and_returns_pending_marks(service) -> None:
    service.echo = True
    async with network(service) as gateway:
        line = await line_of(gateway.place_call(CALLER, DIALLED))
        await soon(lambda: service.legs)
        leg = service.legs[0]
        service.echo = False
        await leg.play(base64.b64encode(bytes(8000 * 10)).decode())
        await leg.send("mark", mark={"name": "never played"})
        await soon(lambda: line.voiced_frames > 5)
        await leg.send("clear")
        await soon(lambda: marks(leg) == ["never played"], 0.3)
        await soon(lambda: line.quiet_frames > 5, 0.4)


async def test_keys_reach_the_service(service) -> None:
    async with network(service) as gateway:
        line = await line_of(gateway.place_call(CALLER, DIALLED))
        for digit in "7*#":
            await line.press(digit)
        await soon(lambda: service.legs)
        await soon(lambda: [m["dtmf"]["digit"] for m in service.legs[0].messages[1:]] == ["7", "*", "#"])


async def test_the_service_ends_the_stream_and_the_next_verb_runs(service) -> None:
    service.twiml_after = f"<Dial>{AGENT}</Dial>"
    async with network(service) as gateway:
        call = gateway.place_call(CALLER, DIALLED)
        await line_of(call)
        await soon(lambda: service.legs)
        await service.legs[0].ws.close()
        await asyncio.wait_for(call.ended.wait(), 3)
        assert call.transferred_to == AGENT
        status, _ = await service.rest(f"Calls/{call.sid}.json", {"Status": "completed"})
        assert status == 404


async def test_a_redirect_stops_the_stream(service) -> None:
    async with network(service) as gateway:
        call = gateway.place_call(CALLER, DIALLED)
        await line_of(call)
        twiml = f"<Response><Dial>{AGENT}</Dial></Response>"
        assert (await service.rest(f"Calls/{call.sid}.json", {"Twiml": twiml}))[0] == 200
        await asyncio.wait_for(call.ended.wait(), 3)
        assert call.transferred_to == AGENT
        assert service.legs[0].messages[-1]["event"] == "stop"


async def test_a_service_that_fails_makes_a_failed_call(service) -> None:
    service.twiml_after = "<Broken"
    async with network(service) as gateway:
        call = gateway.place_call(CALLER, DIALLED)
        await asyncio.wait_for(call.ended.wait(), 3)
        assert call.status is Status.FAILED
        assert gateway.figures.bad_twiml == 1


# Dialling.

EVERYTHING = {"StatusCallbackEvent": "initiated ringing answered completed"}


def statuses(service) -> list[str]:
    return [form["CallStatus"] for kind, form in service.forms if kind == "status"]


def marks(leg) -> list[str]:
    return [message["mark"]["name"] for message in leg.messages if message["event"] == "mark"]


async def dialled(service, act, timeout: str = "2", *, events: bool = True) -> list[str]:
    """Have an agent dialled, let ``act`` happen on the call; the reported statuses."""
    seen: list[PhoneCall] = []

    async def ring(call: PhoneCall) -> None:
        seen.append(call)
        await act(call)

    async with network(service, ring) as gateway:
        form = [
            ("To", AGENT),
            ("From", CALLER),
            ("Twiml", service.twiml("agent")),
            ("StatusCallback", f"{service.url}/status/agent"),
            ("Timeout", timeout),
        ]
        if events:
            form += [("StatusCallbackEvent", name) for name in EVERYTHING["StatusCallbackEvent"].split()]
        status, body = await service.rest("Calls.json", form)
        assert status == 201
        assert body["sid"].startswith("CA")
        await soon(lambda: seen and seen[0].ended.is_set(), 5)
        assert gateway.figures.failed_posts == 0
    assert service.bad_signatures == []
    return statuses(service)


async def test_an_agent_answers_and_the_service_hangs_up(service) -> None:
    async def act(call: PhoneCall) -> None:
        await asyncio.sleep(0.05)
        call.answer()
        await line_of(call)
        await soon(lambda: service.legs)
        assert (await service.rest(f"Calls/{call.sid}.json", {"Status": "completed"}))[0] == 200

    assert await dialled(service, act) == ["queued", "ringing", "in-progress", "completed"]
    assert service.legs[0].parameters == {"token": "agent"}


async def test_an_agent_refuses(service) -> None:
    async def act(call: PhoneCall) -> None:
        call.reject()

    assert (await dialled(service, act))[-1] == "busy"


async def test_an_agent_does_not_answer_in_time(service) -> None:
    async def act(call: PhoneCall) -> None:
        await call.ended.wait()

    assert await dialled(service, act, timeout="1", events=False) == ["no-answer"]


async def test_the_service_takes_a_ringing_call_back(service) -> None:
    async def act(call: PhoneCall) -> None:
        await service.rest(f"Calls/{call.sid}.json", {"Status": "completed"})

    assert (await dialled(service, act))[-1] == "canceled"


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"To": AGENT, "From": CALLER},
        {"To": AGENT, "From": CALLER, "Twiml": "<Response/>", "Url": "http://127.0.0.1/"},
        {"To": AGENT, "From": CALLER, "Twiml": "nonsense"},
        {"To": AGENT, "From": CALLER, "Twiml": "<Response/>", "Timeout": "soon"},
        {"To": AGENT, "From": CALLER, "Twiml": "<Response/>", "StatusCallbackEvent": "sung"},
    ],
)
async def test_a_bad_request_to_dial_is_refused(service, form: dict[str, str]) -> None:
    async with network(service):
        status, body = await service.rest("Calls.json", form)
        assert status == 400
        assert body["message"]


async def test_a_wrong_password_and_an_unknown_call_are_refused(service) -> None:
    async with network(service):
        assert (await service.rest("Calls.json", {}, token="wrong"))[0] == 401
        status, body = await service.rest("Calls/CAunknown.json", {"Status": "completed"})
        assert (status, body["code"]) == (404, 20404)


# Faults.


async def test_a_line_that_dies_in_mid_word(service) -> None:
    async with network(service) as gateway:
        call = gateway.place_call(CALLER, DIALLED, Fault.DROP_MID_WORD)
        line = await line_of(call)
        saying = line.say(HELLO)
        await asyncio.wait_for(call.ended.wait(), 5)
        assert call.broken
        assert not saying.complete
        assert saying.done.is_set()
        await soon(lambda: service.legs[0].ws.closed)
        assert "stop" not in [message["event"] for message in service.legs[0].messages]


async def test_a_line_without_media(service) -> None:
    async with network(service) as gateway:
        await line_of(gateway.place_call(CALLER, DIALLED, Fault.NO_MEDIA))
        await asyncio.sleep(0.2)
        assert service.legs[0].arrivals == []


async def test_garbage_among_the_frames(service) -> None:
    heard: list[str] = []

    async def tolerant(leg, message) -> None:
        heard.append(message if isinstance(message, str) else message["event"])

    service.heard = tolerant
    service.loads = lambda text: json.loads(text) if text.startswith('{"event"') else "garbage"
    async with network(service) as gateway:
        await line_of(gateway.place_call(CALLER, DIALLED, Fault.GARBAGE))
        await soon(lambda: heard.count("garbage") >= 2 and heard.count("media") > 20)


async def test_a_rest_interface_that_fails_and_hangs(service) -> None:
    async with network(service) as gateway:
        gateway.rest_faults.errors = 1
        assert (await service.rest("Calls.json", {}))[0] == 500
        gateway.rest_faults.hangs, gateway.rest_faults.hang_s = 1, 0.5
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(service.rest("Calls.json", {}), 0.2)
        assert (await service.rest("Calls.json", {}))[0] == 400


async def test_what_the_service_says_wrong_is_counted(service) -> None:
    async with network(service) as gateway:
        call = gateway.place_call(CALLER, DIALLED)
        await line_of(call)
        await soon(lambda: service.legs)
        await service.legs[0].ws.send_str("{nonsense")
        await service.legs[0].ws.send_bytes(b"\xff")
        await soon(lambda: call.line.figures.protocol_errors == 2)
        call.hang_up()
        await asyncio.wait_for(call.ended.wait(), 3)
        assert gateway.figures.protocol_errors == 2
