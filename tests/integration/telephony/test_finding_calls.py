"""What became of a customer's call, asked of the simulator's network as of Twilio."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from callcenter import config
from callcenter.errors import DialUnknownError, GatewayError
from callcenter.simulator.calls import Account, PhoneCall
from callcenter.simulator.gateway import Gateway
from callcenter.telephony.port import CallFate, DialResult, FoundCall, Sought
from callcenter.telephony.twilio_rest import TwilioRest, dial_result

ACCOUNT = Account("AC1", "secret")
TO = "+12025550142"
TWIML = '<Response><Connect><Stream url="ws://127.0.0.1:9/x"/></Connect></Response>'


@pytest.fixture
async def rings() -> list[PhoneCall]:
    return []


@pytest.fixture
async def network(rings: list[PhoneCall]) -> AsyncIterator[Gateway]:
    async def ring(call: PhoneCall) -> None:
        rings.append(call)

    async with Gateway(ACCOUNT, "http://127.0.0.1:9", ring) as gateway:
        yield gateway


@pytest.fixture
async def rest(network: Gateway) -> AsyncIterator[TwilioRest]:
    settings = config.Twilio(
        enabled=True,
        account_sid=ACCOUNT.sid,
        auth_token=SecretStr(ACCOUNT.token),
        api_url=network.url,
        request_timeout_s=0.5,
    )
    async with ClientSession() as session:
        yield TwilioRest(settings, session)


def form(to: str = TO, **more: str) -> list[tuple[str, str]]:
    return [*({"To": to, "From": "+12025550199", "Twiml": TWIML, "Timeout": "5"} | more).items()]


def sought(call_ref: str = "", since: datetime | None = None, to: str = TO) -> Sought:
    return Sought(uuid4(), call_ref, to, since or datetime.now(UTC))


async def becomes(rest: TwilioRest, what: Sought, fate: CallFate) -> FoundCall:
    async with asyncio.timeout(5):
        while (found := await rest.find(what)).fate is not fate:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found


async def test_one_that_rings_is_found_by_its_sid_and_by_its_number(rest: TwilioRest) -> None:
    sid = await rest.dial(form())
    assert await becomes(rest, sought(sid), CallFate.RINGING) == FoundCall(CallFate.RINGING, sid)
    assert await rest.find(sought()) == FoundCall(CallFate.RINGING, sid)
    assert (await rest.find(sought(to="+12025550143"))).fate is CallFate.GONE


async def test_what_was_dialled_before_is_another_one(rest: TwilioRest) -> None:
    await rest.dial(form())
    later = datetime.now(UTC) + timedelta(seconds=90)
    assert (await rest.find(sought(since=later))).fate is CallFate.GONE


async def test_one_that_is_busy_or_was_hung_up(rest: TwilioRest, rings: list[PhoneCall]) -> None:
    sid = await rest.dial(form())
    await becomes(rest, sought(sid), CallFate.RINGING)
    rings[0].reject()
    await becomes(rest, sought(sid), CallFate.BUSY)
    other = await rest.dial(form())
    await becomes(rest, sought(other), CallFate.RINGING)
    await rest.change(other, [("Status", "completed")], gone_is_fine=True)
    await becomes(rest, sought(other), CallFate.NO_ANSWER)


async def test_of_several_one_that_is_not_over(rest: TwilioRest, rings: list[PhoneCall]) -> None:
    first = await rest.dial(form())
    second = await rest.dial(form())
    await becomes(rest, sought(second), CallFate.RINGING)
    rings[1].reject()
    await becomes(rest, sought(second), CallFate.BUSY)
    assert (await rest.find(sought())).call_ref == first
    known = replace(sought(), others=frozenset({first}))  # somebody else's, who talks or is being rung
    assert (await rest.find(known)).call_ref == second
    assert (await rest.find(replace(known, others=frozenset({first, second})))).fate is CallFate.GONE


async def test_an_answer_that_is_lost_is_no_refusal(rest: TwilioRest, network: Gateway) -> None:
    network.dial_faults.lost_answers = 1
    network.dial_faults.hang_s = 1
    with pytest.raises(DialUnknownError):
        await rest.dial(form())
    assert (await rest.find(sought())).fate is CallFate.RINGING
    network.rest_faults.errors = 1
    with pytest.raises(DialUnknownError):
        await rest.dial(form())


async def test_one_that_never_rings(rest: TwilioRest, network: Gateway, rings: list[PhoneCall]) -> None:
    network.dial_faults.never_ring = 1
    sid = await rest.dial(form())
    await asyncio.sleep(0.1)
    assert rings == []
    assert (await rest.find(sought(sid))).fate is CallFate.RINGING
    await rest.change(sid, [("Status", "completed")], gone_is_fine=True)
    assert (await rest.find(sought(sid))).fate is CallFate.NO_ANSWER


async def test_a_refusal_is_one(rest: TwilioRest) -> None:
    with pytest.raises(GatewayError) as refused:
        await rest.dial(form(Timeout="0"))
    assert not isinstance(refused.value, DialUnknownError)


async def test_an_unknown_sid_and_a_network_that_is_away(rest: TwilioRest, network: Gateway) -> None:
    assert (await rest.find(sought("CA0"))).fate is CallFate.GONE
    network.rest_faults.errors = 1
    with pytest.raises(GatewayError):
        await rest.find(sought("CA0"))


@pytest.mark.parametrize(
    ("status", "sip", "result"),
    [
        ("busy", "486", DialResult.BUSY),
        ("no-answer", "", DialResult.NO_ANSWER),
        ("failed", "404", DialResult.INVALID),
        ("failed", "503", DialResult.FAILED),
        ("completed", "200", None),
        ("ringing", "", None),
    ],
)
def test_what_status_callbacks_say(status: str, sip: str, result: DialResult | None) -> None:
    assert dial_result({"CallStatus": status, "SipResponseCode": sip}) is result
