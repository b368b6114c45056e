import asyncio

from callcenter.call.party import Party
from callcenter.media.frame import PacedBy
from callcenter.media.pacer import Pacer
from callcenter.telephony.port import LegInfo


class SlowLeg:
    """A leg without marks whose sending can be held back."""

    info = LegInfo("leg", "gateway", "ref", "token", PacedBy.GATEWAY)

    def __init__(self) -> None:
        self.may_send = asyncio.Event()
        self.may_send.set()

    async def send_audio(self, pcm16: bytes) -> None:
        await self.may_send.wait()

    async def send_mark(self, name: str) -> bool:
        return False

    async def send_clear(self) -> None:
        pass

    async def close(self) -> None:
        pass


async def test_a_sound_that_ended_as_another_was_cut_off_is_known_to_have_ended() -> None:
    leg = SlowLeg()
    party = Party(leg, Pacer())
    first = asyncio.create_task(party.play(bytes(320)))
    await asyncio.sleep(0)
    now = asyncio.get_running_loop().time()
    await party.pump(now)
    second = asyncio.create_task(party.play(bytes(32_000)))
    await asyncio.sleep(0)
    leg.may_send.clear()
    pump = asyncio.create_task(party.pump(now + 1))
    await asyncio.sleep(0)
    await party.quiet()
    leg.may_send.set()
    await pump
    async with asyncio.timeout(1):
        assert await first
        assert not await second
