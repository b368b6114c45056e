"""Who may call: signatures on webhooks and media sockets, and everything once only."""

from collections.abc import Callable, Iterator

import pytest
from websockets.exceptions import InvalidStatus

from support.numbers import new_number, new_sid
from support.office import Office
from support.program import AUTH_TOKEN, Program, running
from support.twilio_network import CALLED_NUMBER, TwilioNetwork, signature, twilio_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def service() -> Iterator[Program]:
    queues = [{"name": "sales", "ring_timeout_s": 7, "wrap_up_s": 0}]
    with running(gateways={"twilio": twilio_settings()}, queues=queues) as service:
        yield service


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

    async def test_the_default_port_may_be_signed_too(self, make_program: Callable[..., Program]) -> None:
        """Behind a public address the signed URL is the public one, with or without its port."""
        program = make_program(gateways={"twilio": twilio_settings()})
        program.settings["server"]["public_url"] = "https://cc.example.com"
        program.start()
        async with TwilioNetwork(program) as network:
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


async def test_the_log_is_clean(service: Program) -> None:
    """Runs last: neither errors nor secrets nor the numbers of callers."""
    log = service.log
    assert "Traceback" not in log
    assert " ERROR " not in log
    assert AUTH_TOKEN not in log
    assert "+12065550101" not in log
