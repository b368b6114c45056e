"""When legs are pumped, on virtual time."""

import asyncio
import logging

import pytest

from callcenter.media.pacer import GRID_S, Pacer
from support.virtual_time import now, run


class Pumped:
    """Asks to be pumped every ``every_s``, ``times`` times; ``None`` for never again."""

    def __init__(self, every_s: float | None = None, times: int = 1_000_000, fails: bool = False) -> None:
        self.at: list[float] = []
        self._every_s = every_s
        self._times = times
        self._fails = fails

    async def pump(self, now_s: float) -> float | None:
        self.at.append(now_s)
        if self._fails:
            raise RuntimeError("a leg that broke")
        if self._every_s is None or len(self.at) >= self._times:
            return None
        return now_s + self._every_s


def test_at_once_and_then_when_asked_for() -> None:
    async def work() -> None:
        began = now()
        leg = Pumped(0.02, times=5)
        async with Pacer() as pacer:
            pacer.wake(leg)
            await asyncio.sleep(1)
        assert leg.at == pytest.approx([began + 0.02 * number for number in range(5)])

    run(work())


def test_deadlines_do_not_drift() -> None:
    async def work() -> None:
        began = now()
        leg = Pumped(0.02)
        async with Pacer() as pacer:
            pacer.wake(leg)
            await asyncio.sleep(20.001)
        assert len(leg.at) == 1001
        assert leg.at[-1] == pytest.approx(began + 20)

    run(work())


def test_earliest_first_and_close_ones_in_one_round() -> None:
    async def work() -> None:
        order: list[str] = []

        class Named:
            def __init__(self, name: str) -> None:
                self.name = name

            async def pump(self, now_s: float) -> float | None:
                order.append(f"{self.name} {now() - began:.3f}")
                return None

        began = now()
        async with Pacer() as pacer:
            for name, due_s in (("late", 0.05), ("soon", 0.01), ("sooner", 0.01 + GRID_S / 2)):
                pacer.wake(Named(name), began + due_s)
            await asyncio.sleep(1)
        assert [entry.split()[0] for entry in order] == ["soon", "sooner", "late"]
        assert order[0].split()[1] == order[1].split()[1]

    run(work())


def test_a_leg_is_never_told_a_time_before_it_was_due() -> None:
    async def work() -> None:
        began = now()
        leg = Pumped()
        async with Pacer() as pacer:
            pacer.wake(leg, began + 0.012)
            pacer.wake(Pumped(), began + 0.01)
            await asyncio.sleep(1)
        assert leg.at[0] >= began + 0.012

    run(work())


def test_a_new_due_time_replaces_the_old_one() -> None:
    async def work() -> None:
        began = now()
        leg = Pumped()
        async with Pacer() as pacer:
            pacer.wake(leg, began + 0.5)
            pacer.wake(leg, began + 0.1)
            await asyncio.sleep(1)
        assert leg.at == pytest.approx([began + 0.1], abs=GRID_S)

    run(work())


def test_who_sleeps_is_woken() -> None:
    async def work() -> None:
        leg = Pumped()
        async with Pacer() as pacer:
            pacer.wake(leg)
            await asyncio.sleep(1)
            assert len(leg.at) == 1
            pacer.wake(leg)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert len(leg.at) == 2

    run(work())


def test_a_wake_in_the_middle_of_a_pump_is_not_lost() -> None:
    async def work() -> None:
        class Slow(Pumped):
            async def pump(self, now_s: float) -> float | None:
                await super().pump(now_s)
                if len(self.at) == 1:
                    pacer.wake(self)
                    await asyncio.sleep(0.01)
                return None

        leg = Slow()
        async with Pacer() as pacer:
            pacer.wake(leg)
            await asyncio.sleep(0.1)
        assert len(leg.at) == 2

    run(work())


def test_who_was_removed_is_left_alone() -> None:
    async def work() -> None:
        leg, never = Pumped(0.02), Pumped()
        async with Pacer() as pacer:
            pacer.wake(leg)
            await asyncio.sleep(0.05)
            pacer.remove(leg)
            pacer.remove(never)
            count = len(leg.at)
            await asyncio.sleep(1)
            assert len(leg.at) == count

    run(work())


def test_a_leg_that_breaks_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        broken, sound = Pumped(fails=True), Pumped(0.02)
        async with Pacer() as pacer:
            pacer.wake(broken)
            pacer.wake(sound)
            await asyncio.sleep(0.101)
            pacer.wake(broken)
            await asyncio.sleep(0.1)
        assert (len(broken.at), len(sound.at)) == (2, 11)

    with caplog.at_level(logging.ERROR):
        run(work())
    assert len(caplog.records) == 2


def test_many_legs() -> None:
    async def work() -> None:
        legs = [Pumped(0.02) for _ in range(200)]
        began = now()
        async with Pacer() as pacer:
            for number, leg in enumerate(legs):
                pacer.wake(leg, began + number * 0.0001)
            await asyncio.sleep(1.0)
        assert {len(leg.at) for leg in legs} <= {49, 50, 51}

    run(work())


def test_nothing_runs_after_the_end() -> None:
    async def work() -> None:
        leg = Pumped(0.02)
        async with Pacer() as pacer:
            pacer.wake(leg)
            await asyncio.sleep(0.1)
        count = len(leg.at)
        await asyncio.sleep(1)
        assert len(leg.at) == count
        assert len(asyncio.all_tasks()) == 1

    run(work())
