"""How late the machine was meanwhile."""

from callcenter.simulator.lateness import Lateness


def test_the_worst_of_what_was_under_way_counts() -> None:
    lateness = Lateness()
    lateness.note(10.0, 10.3)
    lateness.note(20.0, 21.5)
    lateness.note(30.0, 30.01)  # no more than it takes
    assert lateness.worst_s(0, 9) == 0
    assert round(lateness.worst_s(10.1, 15), 3) == 0.3
    assert lateness.worst_s(5, 20) == 1.5
    assert lateness.worst_s(21.6, 40) == 0
