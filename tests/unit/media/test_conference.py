"""Two hear each other straight; with a third, sums come every 20 ms of whoever hears them."""

import asyncio
import struct
from collections.abc import Awaitable, Callable

from callcenter.media.bridge import BridgeSide
from callcenter.media.conference import Conference
from callcenter.media.frame import FRAME_BYTES
from support.virtual_time import now, run

TWO = {"caller": {"agent"}, "agent": {"caller"}}
BARGED = {"caller": {"agent", "eve"}, "agent": {"caller", "eve"}, "eve": {"caller", "agent"}}


def frame(value: int) -> bytes:
    return struct.pack("<h", value) * (FRAME_BYTES // 2)


class Room:
    """Parties who note when they hear what."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.conference = Conference(0.0, tasks)
        self.heard: dict[str, list[tuple[int, bytes]]] = {}
        self.sides: dict[str, BridgeSide] = {}
        self.began_s = now()

    def enter(self, *names: str) -> None:
        for name in names:
            self.heard[name] = []
            self.sides[name] = BridgeSide(0.0, self._nobody, ())
            self.conference.seat(name, self.sides[name], self._ear(name))

    def values(self, name: str) -> list[int]:
        return [int(struct.unpack_from("<h", pcm16)[0]) for _, pcm16 in self.heard[name]]

    def times_ms(self, name: str) -> list[int]:
        return [at for at, _ in self.heard[name]]

    def _ear(self, name: str) -> Callable[[bytes], Awaitable[None]]:
        async def hear(pcm16: bytes) -> None:
            self.heard[name].append((round((now() - self.began_s) * 1000), pcm16))

        return hear

    async def _nobody(self, pcm16: bytes) -> None:
        raise AssertionError("said before anybody was connected")


async def in_room(work: Callable[[Room], Awaitable[None]]) -> None:
    async with asyncio.TaskGroup() as tasks:
        room = Room(tasks)
        room.enter("caller", "agent")
        await work(room)
        room.conference.close()


def test_two_get_the_very_frames_at_once() -> None:
    async def work(room: Room) -> None:
        room.conference.connect(TWO)
        said = frame(5)
        await room.sides["caller"].hear(said, None)
        assert room.heard["agent"][0][1] is said
        assert room.times_ms("agent") == [0]
        assert room.heard["caller"] == []

    run(in_room(work))


def test_a_third_is_summed_on_the_listeners_clock() -> None:
    async def work(room: Room) -> None:
        room.enter("eve")
        room.conference.connect(BARGED)
        for _ in range(3):
            await room.sides["caller"].hear(frame(1), None)
            await room.sides["agent"].hear(frame(20), None)
            await room.sides["eve"].hear(frame(300), None)
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        assert room.values("caller") == [320] * 3
        assert room.values("agent") == [301] * 3
        assert room.values("eve") == [21] * 3
        assert room.times_ms("agent") == [20, 40, 60]

    run(in_room(work))


def test_who_is_silent_is_left_out_and_who_comes_late_is_dropped() -> None:
    async def work(room: Room) -> None:
        room.enter("eve")
        room.conference.connect(BARGED)
        for value in range(1, 8):  # 140 ms at once: the oldest 60 are gone
            await room.sides["agent"].hear(frame(value), None)
        await asyncio.sleep(0.3)
        assert room.values("caller") == [4, 5, 6, 7]

    run(in_room(work))


def test_without_the_third_it_is_as_before() -> None:
    async def work(room: Room) -> None:
        room.enter("eve")
        room.conference.connect(BARGED)
        await asyncio.sleep(0.05)
        room.conference.unseat("eve")
        room.conference.connect(TWO)
        said = frame(9)
        await room.sides["agent"].hear(said, None)
        assert room.heard["caller"][-1][1] is said

    run(in_room(work))


def test_who_is_heard_by_nobody_can_speak() -> None:
    async def work(room: Room) -> None:
        room.conference.connect({"agent": {"caller"}})
        await room.sides["agent"].hear(frame(1), None)
        assert room.heard["caller"] == []

    run(in_room(work))


def test_a_listener_who_fails_harms_nobody_else() -> None:
    async def work(room: Room) -> None:
        room.enter("eve")

        async def fail(_pcm16: bytes) -> None:
            raise OSError("broken")

        room.conference.seat("eve", room.sides["eve"], fail)
        room.conference.connect(BARGED)
        await room.sides["caller"].hear(frame(1), None)
        await asyncio.sleep(0.1)
        assert room.values("agent") == [1]

    run(in_room(work))
