"""Those who are not the gateway: few places at the door, and no words of theirs in the log."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr
from yarl import URL

from callcenter import config
from callcenter.errors import LegRefusedError
from callcenter.telephony import audiosocket
from callcenter.telephony.audiosocket import AudioSocketGateway
from callcenter.telephony.handover import Handover
from callcenter.telephony.twilio import TwilioGateway, Urls


async def nobody(*_: object) -> Any:
    raise LegRefusedError("the leg is not expected")


async def connected(
    stack: contextlib.AsyncExitStack, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that is closed, whatever became of it, when the stack is left."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def close() -> None:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    stack.push_async_callback(close)
    return reader, writer


@pytest.fixture
async def handover(tmp_path: Path) -> AsyncIterator[Handover]:
    async with Handover(tmp_path, uuid4()) as opened:
        yield opened


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as opened:
        yield opened


async def test_connections_without_a_uuid_have_few_places(
    handover: Handover, session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audiosocket, "MAX_STRANGERS", 2)
    settings = config.Asterisk(port=0, token=SecretStr("0123456789abcdef"))
    gateway = AudioSocketGateway(settings, session, nobody, nobody, nobody, uuid4(), handover)
    async with gateway, asyncio.timeout(5), contextlib.AsyncExitStack() as opened:
        async with contextlib.AsyncExitStack() as strangers:
            for _ in range(2):
                await connected(strangers, gateway.port)
            reader, _ = await connected(strangers, gateway.port)
            assert await reader.read() == b""
            assert gateway.counters.refused == 1
        while gateway.counters.refused < 3:  # noqa: ASYNC110  # what is watched is a counter
            await asyncio.sleep(0.01)
        reader, writer = await connected(opened, gateway.port)
        writer.write(b"\x01\x00\x10" + UUID(int=1).bytes)
        assert await reader.read() == b"\x00\x00\x00"


async def test_a_path_cannot_forge_a_line_of_the_log(
    handover: Handover, session: ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    settings = config.Twilio(enabled=True, account_sid="AC1", auth_token=SecretStr("secret"))
    urls = Urls("http://127.0.0.1", "http://127.0.0.1", uuid4())
    gateway = TwilioGateway(settings, urls, session, nobody, nobody, nobody, nobody, handover)
    application = web.Application()
    application.add_routes(gateway.routes())
    caplog.set_level(logging.WARNING, "callcenter.telephony.twilio")
    async with TestClient(TestServer(application)) as client:
        path = URL("/gateway/twilio/status/a%0AERROR%20all%20is%20lost", encoded=True)
        assert (await client.post(path)).status == 403
    assert "status/a%0AERROR" in caplog.messages[-1]
    assert "\n" not in caplog.messages[-1]


async def test_the_name_of_a_call_leads_to_no_other_address(
    handover: Handover, session: ClientSession
) -> None:
    asked: list[str] = []

    async def rest(request: web.Request) -> web.Response:
        asked.append(request.raw_path)
        return web.json_response({})

    application = web.Application()
    application.add_routes([web.post("/{all:.*}", rest)])
    async with TestServer(application) as server:
        settings = config.Twilio(
            account_sid="AC1", auth_token=SecretStr("secret"), api_url=str(server.make_url(""))
        )
        urls = Urls("http://127.0.0.1", "http://127.0.0.1", uuid4())
        gateway = TwilioGateway(settings, urls, session, nobody, nobody, nobody, nobody, handover)
        await gateway.transfer("../../AC2/Calls/CA1?x", "+12025550142")
    assert asked == ["/2010-04-01/Accounts/AC1/Calls/..%2F..%2FAC2%2FCalls%2FCA1%3Fx.json"]
