"""One party's sound on its way to the other, the recorder and the recognizer."""

import pytest

from callcenter.media.bridge import TAP_BYTES, BridgeSide

FRAME = bytes([1, 0]) * 160


class Side:
    """A bridge side with ears and two taps, and the clock it looks at."""

    def __init__(self, started_s: float = 0.0) -> None:
        self.now_s = 1000.0
        self.heard: list[bytes] = []
        self.tapped: list[tuple[int, int]] = []
        self._other_tap: list[tuple[int, int]] = []
        self.side = BridgeSide(1000.0 - started_s, self._hear, (self._tap, self._tap_too))

    def monotonic(self) -> float:
        return self.now_s

    async def arrive(self, at_ms: int | None, pcm16: bytes = FRAME) -> None:
        """Sound arrives when its last sample was spoken, stamped or not."""
        self.now_s = self.now_s + 0.02 if at_ms is None else 1000.02 + at_ms / 1000
        await self.side.hear(pcm16, at_ms)

    def runs(self) -> list[tuple[int, int]]:
        """Beginning and length of what the taps got in one piece or in pieces that follow each other."""
        self.side.close()
        assert self.tapped == self._other_tap
        runs: list[tuple[int, int]] = []
        for at, samples in self.tapped:
            if runs and sum(runs[-1]) == at:
                runs[-1] = (runs[-1][0], runs[-1][1] + samples)
            else:
                runs.append((at, samples))
        return runs

    async def _hear(self, pcm16: bytes) -> None:
        self.heard.append(pcm16)

    def _tap(self, pcm16: bytes, position: int) -> None:
        self.tapped.append((position, len(pcm16) // 2))

    def _tap_too(self, pcm16: bytes, position: int) -> None:
        self._other_tap.append((position, len(pcm16) // 2))


@pytest.fixture
def side(monkeypatch: pytest.MonkeyPatch) -> Side:
    side = Side()
    monkeypatch.setattr("callcenter.media.bridge.time", side)
    return side


async def test_sound_is_passed_on_as_it_came(side: Side) -> None:
    for at_ms in (0, 20, 40):
        await side.arrive(at_ms)
        assert len(side.heard) == at_ms // 20 + 1
    assert side.heard == [FRAME] * 3
    assert side.side.gap_ms == 0


async def test_the_taps_get_all_of_it_with_its_position(side: Side) -> None:
    for number in range(13):
        await side.arrive(20 * number)
    assert all(2 * samples <= TAP_BYTES for _, samples in side.tapped)
    assert side.runs() == [(0, 13 * 160)]
    side.side.close()
    assert side.runs() == [(0, 13 * 160)]


async def test_time_counts_from_the_calls_start(monkeypatch: pytest.MonkeyPatch) -> None:
    side = Side(started_s=10)
    monkeypatch.setattr("callcenter.media.bridge.time", side)
    await side.arrive(None)
    assert side.runs() == [(80_000, 160)]


async def test_while_closed_nothing_is_heard_but_time_goes_on(side: Side) -> None:
    await side.arrive(0)
    side.side.close()
    assert side.tapped == [(0, 160)]
    for at_ms in range(20, 220, 20):
        await side.arrive(at_ms)
    side.side.reopen()
    await side.arrive(220)
    assert len(side.heard) == 2
    assert side.runs() == [(0, 160), (11 * 160, 160)]
    assert side.side.gap_ms == 0


async def test_a_frame_that_comes_twice_is_heard_once(side: Side) -> None:
    for at_ms in (0, 20, 40, 20, 60):
        await side.arrive(at_ms)
    assert len(side.heard) == 4
    assert side.runs() == [(0, 640)]


async def test_what_never_arrived_is_counted(side: Side) -> None:
    for at_ms in (0, 20, 140, 160):
        await side.arrive(at_ms)
    assert side.side.gap_ms == 100
    assert side.runs() == [(0, 320), (1120, 320)]


async def test_without_stamps_a_pause_is_seen_on_our_clock(side: Side) -> None:
    await side.arrive(None)
    side.now_s += 1.0
    await side.arrive(None)
    assert side.runs() == [(0, 160), (8160, 160)]
    assert side.side.gap_ms == 1000


async def test_short_pieces_follow_each_other(side: Side) -> None:
    for _ in range(4):
        await side.arrive(None, FRAME[:276])
    ((_, samples),) = side.runs()
    assert samples == 4 * 138
