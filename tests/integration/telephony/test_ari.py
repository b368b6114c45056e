"""Asterisk's REST interface, as far as customers are dialled through it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession, web

from callcenter import config
from callcenter.errors import DialUnknownError, GatewayError
from callcenter.telephony.ari import Ari, channel_of
from callcenter.telephony.port import CallFate, FoundCall, Sought

TO, TOKEN = "+12025550142", str(uuid4())


class Pbx:
    """Channels by id, with their states; ``status`` is answered instead of anything else."""

    def __init__(self) -> None:
        self.channels: dict[str, str] = {}
        self.queries: list[dict[str, str]] = []
        self.status = 0

    async def create(self, request: web.Request) -> web.Response:
        channel = request.query["channelId"]
        self.queries.append(dict(request.query))
        if self.status:
            return web.json_response({}, status=self.status)
        if channel in self.channels:
            return web.json_response({"message": "Channel with given unique ID already exists"}, status=409)
        self.channels[channel] = "Ring"
        return web.json_response({"id": channel, "state": "Down"})

    async def get(self, request: web.Request) -> web.Response:
        state = self.channels.get(request.match_info["id"])
        if self.status or state is None:
            return web.json_response({"message": "Channel not found"}, status=self.status or 404)
        return web.json_response({"id": request.match_info["id"], "state": state})

    async def delete(self, request: web.Request) -> web.Response:
        gone = self.channels.pop(request.match_info["id"], None) is None
        return web.Response(status=404 if gone else 204)


@pytest.fixture
def pbx() -> Pbx:
    return Pbx()


@pytest.fixture
async def ari(pbx: Pbx) -> AsyncIterator[Ari]:
    app = web.Application()
    app.router.add_post("/ari/channels", pbx.create)
    app.router.add_get("/ari/channels/{id}", pbx.get)
    app.router.add_delete("/ari/channels/{id}", pbx.delete)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = config.Asterisk(
        ari_url=f"http://127.0.0.1:{runner.addresses[0][1]}/ari", customer_endpoint="PJSIP/{number}@trunk"
    )
    async with ClientSession() as session:
        yield Ari(settings, session)
    await runner.cleanup()


def sought(attempt_id: UUID, call_ref: str = "") -> Sought:
    return Sought(attempt_id, call_ref, TO, datetime.now(UTC))


async def test_the_attempt_is_the_channel(ari: Ari, pbx: Pbx) -> None:
    attempt_id = uuid4()
    assert await ari.dial(TO, "+12025550199", TOKEN, 20, attempt_id) == channel_of(attempt_id)
    assert pbx.queries[0]["endpoint"] == f"PJSIP/{TO}@trunk"
    assert await ari.find(sought(attempt_id)) == FoundCall(CallFate.RINGING, channel_of(attempt_id))
    pbx.channels[channel_of(attempt_id)] = "Up"
    assert (await ari.find(sought(attempt_id))).fate is CallFate.TALKING
    await ari.hang_up(channel_of(attempt_id))
    await ari.hang_up(channel_of(attempt_id))
    assert await ari.find(sought(attempt_id)) == FoundCall(CallFate.GONE)


async def test_one_attempt_is_dialled_once(ari: Ari, pbx: Pbx) -> None:
    attempt_id = uuid4()
    await ari.dial(TO, "", TOKEN, 20, attempt_id)
    with pytest.raises(DialUnknownError):
        await ari.dial(TO, "", TOKEN, 20, attempt_id)
    assert len(pbx.channels) == 1


@pytest.mark.parametrize(("status", "is_unknown"), [(400, False), (401, False), (500, True), (503, True)])
async def test_a_refusal_and_an_answer_that_tells_nothing(
    ari: Ari, pbx: Pbx, status: int, is_unknown: bool
) -> None:
    pbx.status = status
    with pytest.raises(GatewayError) as refused:
        await ari.dial(TO, "", TOKEN, 20, uuid4())
    assert isinstance(refused.value, DialUnknownError) == is_unknown
    with pytest.raises(GatewayError):
        await ari.find(sought(uuid4()))


async def test_no_customer_is_dialled_without_an_endpoint(ari: Ari, pbx: Pbx) -> None:
    bare = Ari(ari.settings.model_copy(update={"customer_endpoint": ""}), ari.session)
    with pytest.raises(GatewayError, match="customer_endpoint"):
        await bare.dial(TO, "", TOKEN, 20, uuid4())
    await bare.dial("PJSIP/ann", "", TOKEN, 20, None)
    assert pbx.queries[0]["endpoint"] == "PJSIP/ann"
