"""What a party hears and says, over legs of both kinds, on virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from callcenter.call.party import Party
from callcenter.media.frame import FRAME_BYTES, SILENCE, PacedBy
from callcenter.media.pacer import Pacer
from callcenter.media.playout import Losses
from callcenter.telephony.port import LegInfo
from support.virtual_time import now, run

SOUND = bytes([1, 0]) * 160


class FakeLeg:
    """Keeps what it is told, with the time. ``gate`` makes sending wait."""

    def __init__(self, paced_by: PacedBy, *, marks: bool = True) -> None:
        self.info = LegInfo("leg", "fake", "ref", "token", paced_by)
        self.sent: list[tuple[float, bytes]] = []
        self.marks: list[str] = []
        self.clears = 0
        self.closes = 0
        self.gate: asyncio.Event | None = None
        self._has_marks = marks

    async def send_audio(self, pcm16: bytes) -> None:
        if self.gate is not None:
            await self.gate.wait()
        self.sent.append((now(), pcm16))

    async def send_mark(self, name: str) -> bool:
        self.marks.append(name)
        return self._has_marks

    async def send_clear(self) -> None:
        self.clears += 1

    async def close(self) -> None:
        self.closes += 1

    @property
    def sound(self) -> bytes:
        return b"".join(pcm16 for _, pcm16 in self.sent)


@asynccontextmanager
async def party_on(leg: FakeLeg) -> AsyncIterator[Party]:
    async with Pacer() as pacer:
        yield Party(leg, pacer)


def gateway_leg() -> FakeLeg:
    return FakeLeg(PacedBy.GATEWAY)


class TestHearing:
    def test_what_all_parties_miss_is_added_up(self) -> None:
        async def work() -> None:
            losses = Losses()
            async with Pacer() as pacer:
                for _ in range(2):
                    await Party(gateway_leg(), pacer, losses).send(SOUND * 15)
            assert losses == Losses(dropped_ms=2 * 100)

        run(work())

    def test_a_sound_is_heard_when_its_mark_comes_back(self) -> None:
        async def work() -> None:
            leg = gateway_leg()
            async with party_on(leg) as party:
                playing = asyncio.create_task(party.play(SOUND * 10))
                await asyncio.sleep(0.15)
                assert leg.sound == SOUND * 10
                assert leg.marks == ["p1"]
                assert not playing.done()
                party.on_mark("p1")
                assert await playing is True

        run(work())

    def test_a_long_sound_is_sent_a_little_ahead_only(self) -> None:
        async def work() -> None:
            leg = gateway_leg()
            async with party_on(leg) as party:
                playing = asyncio.create_task(party.play(SOUND * 100))
                await asyncio.sleep(0.01)
                assert len(leg.sound) == 20 * FRAME_BYTES
                await asyncio.sleep(1)
                assert len(leg.sound) // FRAME_BYTES == pytest.approx(70, abs=5)
                playing.cancel()

        run(work())

    def test_without_marks_the_clock_says_when_it_was_heard(self) -> None:
        async def work() -> None:
            leg = FakeLeg(PacedBy.GATEWAY, marks=False)
            async with party_on(leg) as party:
                began = now()
                assert await party.play(SOUND * 10) is True
                assert now() - began == pytest.approx(0.2, abs=0.01)

        run(work())

    def test_where_we_pace_a_frame_goes_out_every_20_ms_whatever_happens(self) -> None:
        async def work() -> None:
            leg = FakeLeg(PacedBy.US)
            async with party_on(leg) as party:
                began = now()
                await asyncio.sleep(0.1)
                assert {pcm16 for _, pcm16 in leg.sent} == {SILENCE}
                assert await party.play(SOUND * 5) is True
                await asyncio.sleep(0.1)
                assert leg.marks == []
                frames = [pcm16 for _, pcm16 in leg.sent]
                assert frames.count(SOUND) == 5
                assert len(frames) == pytest.approx((now() - began) / 0.02 + 1.5, abs=0.6)
                steps = [b - a for (a, _), (b, _) in pairwise(leg.sent[3:])]
                assert steps == pytest.approx([0.02] * len(steps), abs=0.006)

        run(work())

    def test_sounds_are_heard_one_after_the_other(self) -> None:
        async def work() -> None:
            leg = FakeLeg(PacedBy.GATEWAY, marks=False)
            async with party_on(leg) as party:
                other = bytes([2, 0]) * 160
                assert all(await asyncio.gather(party.play(SOUND * 3), party.play(other * 3)))
                assert leg.sound == SOUND * 3 + other * 3

        run(work())

    def test_quiet_takes_back_what_was_sent(self) -> None:
        async def work() -> None:
            leg = gateway_leg()
            async with party_on(leg) as party:
                playing = asyncio.create_task(party.play(SOUND * 100))
                await asyncio.sleep(0.1)
                await party.quiet()
                assert await playing is False
                assert leg.clears == 1
                sent = len(leg.sent)
                await asyncio.sleep(1)
                assert len(leg.sent) == sent
                await party.quiet()
                assert leg.clears == 1

        run(work())

    def test_nothing_follows_a_clear_that_comes_while_sending(self) -> None:
        """The pacer is in the middle of several pieces when the caller presses a key."""

        async def work() -> None:
            leg = gateway_leg()
            async with party_on(leg) as party:
                leg.gate = asyncio.Event()
                playing = asyncio.create_task(party.play(SOUND * 20))
                await asyncio.sleep(0.01)
                await party.quiet()
                leg.gate.set()
                await asyncio.sleep(0.5)
                assert await playing is False
                assert len(leg.sent) == 1
                assert leg.marks == []

        run(work())

    def test_a_loop_goes_on_until_quiet_and_keeps_live_sound_out(self) -> None:
        async def work() -> None:
            leg = gateway_leg()
            live = bytes([9, 0]) * 160
            async with party_on(leg) as party:
                party.loop(SOUND * 3)
                await asyncio.sleep(1)
                await party.send(live)
                assert {leg.sound[at : at + 320] for at in range(0, len(leg.sound), 320)} == {SOUND}
                assert len(leg.sound) / FRAME_BYTES == pytest.approx(70, abs=5)
                await party.quiet()
                await party.send(live)
                assert leg.sent[-1] == (now(), live)

        run(work())


class TestSaying:
    def test_sound_goes_to_who_listens(self) -> None:
        async def work() -> None:
            heard: list[tuple[bytes, int | None]] = []

            async def listen(pcm16: bytes, at_ms: int | None) -> None:
                heard.append((pcm16, at_ms))

            async with party_on(gateway_leg()) as party:
                await party.on_audio(SOUND, 0)
                party.listen(listen)
                await party.on_audio(SOUND, 20)
                party.listen(None)
                await party.on_audio(SOUND, 40)
            assert heard == [(SOUND, 20)]

        run(work())

    def test_keys(self) -> None:
        async def work() -> None:
            keys: list[str] = []
            async with party_on(gateway_leg()) as party:
                party.on_dtmf("1")
                party.on_key = keys.append
                party.on_dtmf("#")
            assert keys == ["#"]

        run(work())


class TestTheEnd:
    def test_it_is_told_once_and_nothing_is_sent_any_more(self) -> None:
        async def work() -> None:
            leg = gateway_leg()
            gone: list[str] = []
            async with party_on(leg) as party:
                party.on_gone = gone.append
                playing = asyncio.create_task(party.play(SOUND * 100))
                await asyncio.sleep(0.1)
                sent = len(leg.sent)
                party.on_ended("closed")
                party.on_ended("lost")
                assert await playing is False
                assert await party.play(SOUND) is False
                party.loop(SOUND)
                await party.send(SOUND)
                await party.quiet()
                await asyncio.sleep(1)
            assert (gone, len(leg.sent), leg.clears) == (["closed"], sent, 0)

        run(work())

    def test_where_we_pace_the_silence_ends_too(self) -> None:
        async def work() -> None:
            leg = FakeLeg(PacedBy.US)
            async with party_on(leg) as party:
                await asyncio.sleep(0.1)
                party.on_ended("closed")
                sent = len(leg.sent)
                await asyncio.sleep(1)
            assert len(leg.sent) == sent > 0

        run(work())

    def test_hanging_up(self) -> None:
        async def work() -> None:
            leg = gateway_leg()
            async with party_on(leg) as party:
                await party.hang_up()
                assert (party.info, leg.closes) == (leg.info, 1)

        run(work())
