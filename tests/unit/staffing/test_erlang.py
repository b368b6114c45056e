import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.errors import UsageError
from callcenter.staffing.erlang import agents_needed, erlang_a, erlang_b, erlang_c, with_shrinkage


def test_erlang_b_by_hand() -> None:
    # a = 2: B(1) = 2/3, B(2) = 2·(2/3) / (2 + 2·(2/3)) = 0.4, B(3) = 2·0.4 / (3 + 2·0.4) = 4/19.
    assert [erlang_b(n, 2) for n in (0, 1, 2, 3)] == pytest.approx([1, 2 / 3, 0.4, 4 / 19])


def test_erlang_c_fixture_of_the_textbooks() -> None:
    # 360 calls in half an hour of 240 s: 48 Erlang.
    queue = erlang_c(55, 360 * 240 / 1800, 240)
    assert queue.occupancy == pytest.approx(0.8727, abs=5e-5)
    assert queue.wait_probability == pytest.approx(0.2387, abs=5e-5)
    assert queue.asa_s == pytest.approx(8.18, abs=5e-3)
    assert queue.service_level(15) == pytest.approx(0.8459, abs=5e-5)


@pytest.mark.parametrize(("agents", "level"), [(13, 0.7956), (14, 0.8884)])
def test_erlang_c_of_ten_erlang(agents: int, level: float) -> None:
    assert erlang_c(agents, 10, 180).service_level(20) == pytest.approx(level, abs=5e-5)


@pytest.mark.parametrize(
    ("agents", "waits", "abandons", "wait_s"), [(10, 0.4969, 0.1375, 16.50), (12, 0.2798, 0.0616, 7.39)]
)
def test_erlang_a_of_ten_erlang(agents: int, waits: float, abandons: float, wait_s: float) -> None:
    queue = erlang_a(agents, 10, 180, 120)
    assert queue.wait_probability == pytest.approx(waits, abs=5e-5)
    assert queue.abandonment == pytest.approx(abandons, abs=5e-5)
    assert queue.asa_s == pytest.approx(wait_s, abs=5e-3)


def test_the_service_level_with_patience_by_hand() -> None:
    # One agent, rates 1 of arrival, service and patience: the states 0, 1, 2, ... have weights 1/k!, so
    # state 1 + j has 1/(1 + j)! / e. With j ahead, j + 1 stages of rates 2, 3, ... lead to the agent with
    # probability 1/(j + 2); within t these are over with probability 1 - e^(-2t) for j = 0.
    queue = erlang_a(1, 1, 1, 1)
    assert queue.wait_probability == pytest.approx(1 - 1 / math.e)
    assert queue.service_level(0) == pytest.approx(1 / math.e)
    assert queue.service_level(1e6) == pytest.approx(1 - queue.abandonment)
    first = 1 / math.e + (1 - math.exp(-2 * 0.01)) / 2 / math.e
    assert queue.service_level(0.01) == pytest.approx(first, abs=1e-4)


def test_more_load_than_agents() -> None:
    queue = erlang_c(10, 12, 180)
    assert (queue.wait_probability, queue.asa_s, queue.service_level(20)) == (1, math.inf, 0)
    patient = erlang_a(10, 12, 180, 600)
    # Who is not served hangs up: at least the two Erlang that nobody can take.
    assert patient.abandonment == pytest.approx(2 / 12, abs=0.05)
    assert patient.abandonment > 2 / 12


def test_nobody_calls() -> None:
    assert erlang_b(5, 0) == 0
    assert erlang_c(5, 0, 180).service_level(20) == 1
    assert erlang_a(5, 0, 180, 120).service_level(20) == 1
    assert agents_needed(0, 180, 0.8, 20) == 0


@pytest.mark.parametrize("load", [1_000.0, 50_000.0])
def test_large_centers_stay_numbers(load: float) -> None:
    agents = int(load) + int(math.sqrt(load))
    assert 0 < erlang_c(agents, load, 200).wait_probability < 0.3
    queue = erlang_a(agents, load, 200, 300)
    assert 0 < queue.wait_probability < 0.3
    assert 0 < queue.abandonment < 0.01
    assert 0.7 < queue.service_level(20) <= 1
    assert erlang_a(int(load * 0.5), load, 200, 300).abandonment == pytest.approx(0.5, abs=0.01)


def test_patience_without_end_is_erlang_c() -> None:
    endless, c = erlang_a(13, 10, 180, 1e9), erlang_c(13, 10, 180)
    assert endless.wait_probability == pytest.approx(c.wait_probability, rel=1e-5)
    assert endless.service_level(20) == pytest.approx(c.service_level(20), rel=1e-5)


def test_agents_needed() -> None:
    assert agents_needed(10, 180, 0.8, 20) == 14
    assert agents_needed(10, 180, 0.79, 20) == 13
    assert agents_needed(48, 240, 0.8458, 15) == 55
    # Who hangs up needs no agent.
    assert agents_needed(10, 180, 0.8, 20, patience_s=120) == 12


@given(st.floats(0.1, 300), st.floats(0.05, 0.99), st.sampled_from([None, 60.0, 600.0]))
def test_the_number_needed_is_the_least_that_is_enough(
    load: float, target: float, patience: float | None
) -> None:
    def level(agents: int) -> float:
        if patience is None:
            return erlang_c(agents, load, 200).service_level(20)
        return erlang_a(agents, load, 200, patience).service_level(20)

    needed = agents_needed(load, 200, target, 20, patience)
    assert level(needed) >= target
    assert needed == 1 or level(needed - 1) < target


def test_shrinkage() -> None:
    assert with_shrinkage(14, 0.3) == 20
    assert with_shrinkage(7, 0.3) == 10
    assert with_shrinkage(0, 0.3) == 0
    with pytest.raises(UsageError, match="shrinkage must be at least 0 and below 1, not 1"):
        with_shrinkage(3, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 180, 0.8, 20), "load must be between"),
        ((math.nan, 180, 0.8, 20), "load must be between"),
        ((10, 0, 0.8, 20), "handle time must be above 0 s, not 0"),
        ((10, 180, 1.2, 20), "target must lie between 0 and 1, not 1.2"),
        ((10, 180, 0.8, -5), "time to answer must be 0 s or more, not -5"),
        ((10, 180, 0.8, 20, -120), "patience must be above 0 s, not -120"),
    ],
)
def test_what_cannot_be_reckoned(arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        agents_needed(*arguments)
