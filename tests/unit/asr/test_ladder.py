import pytest

from asr.ladder import Ladder, Rung


@pytest.mark.parametrize(
    ("wait_s", "busy", "rung"),
    [
        (0.0, 0.0, Rung.ALL),
        (0.2, 0.5, Rung.FEWER_PARTIALS),
        (0.0, 0.8, Rung.FEWER_PARTIALS),
        (0.4, 0.5, Rung.NO_PARTIALS),
        (0.0, 1.0, Rung.NO_PARTIALS),
        (1.0, 1.0, Rung.WORD_TIMES_LATER),
        (60.0, 1.0, Rung.FINALS_LATER),
    ],
)
def test_the_rung_is_that_of_the_pressure(wait_s: float, busy: float, rung: Rung) -> None:
    ladder = Ladder()
    assert ladder.update(0.0, wait_s, busy) is rung
    assert list(ladder.climbs.values()) == [0] + [1] * rung + [0] * (4 - rung)


def test_it_climbs_at_once_and_comes_down_one_rung_after_the_other() -> None:
    ladder = Ladder()
    assert ladder.update(0.0, 60.0, 1.0) is Rung.FINALS_LATER
    seen = [ladder.update(0.5 * step, 0.0, 0.0) for step in range(1, 20)]
    assert seen == sorted(seen, reverse=True)
    assert seen[3] is Rung.FINALS_LATER
    assert seen[4] is Rung.WORD_TIMES_LATER
    assert seen[-1] is Rung.ALL


def test_pressure_in_between_keeps_the_rung() -> None:
    ladder = Ladder()
    ladder.update(0.0, 0.4, 0.0)
    for step in range(1, 100):
        assert ladder.update(step, 0.2, 0.0) is Rung.NO_PARTIALS
    assert ladder.climbs[Rung.NO_PARTIALS] == 1
