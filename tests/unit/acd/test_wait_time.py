import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.acd.wait_time import (
    UNAVAILABLE,
    AgentGroup,
    Estimate,
    Line,
    Method,
    Ring,
    estimate,
    gamma_quantile,
    moments,
)
from callcenter.acd.wait_words import Announced, announcement, rounded_up, sentence

AT_ONCE = Ring(0, 0)


def pool(agents: int, *queues: str, free: int = 0) -> AgentGroup:
    return AgentGroup(frozenset(queues or ["sales"]), agents, free)


def test_one_agent_and_nobody_ahead_is_one_handle_time() -> None:
    assert moments("sales", {"sales": Line(0, service_s=100)}, [pool(1)]) == (100, 10_000)


def test_two_ahead_who_may_hang_up() -> None:
    # Ten agents with 200 s are free every 20 s. Two ahead: one of them goes, too, every 100 s: 1 / 0.06 s;
    # one ahead: 1 / 0.055 s; oneself: 20 s.
    line = Line(2, service_s=200, abandon_per_s=1 / 200)
    mean_s, variance = moments("sales", {"sales": line}, [pool(10)])
    assert mean_s == pytest.approx(1 / 0.06 + 1 / 0.055 + 20)
    assert mean_s == pytest.approx(54.848, abs=0.001)
    assert variance == pytest.approx(1 / 0.06**2 + 1 / 0.055**2 + 20**2)


def test_who_waits_for_a_callback_is_ahead_and_does_not_hang_up() -> None:
    line = Line(2, virtual=2, service_s=200, abandon_per_s=1 / 200)
    assert moments("sales", {"sales": line}, [pool(10)])[0] == pytest.approx(60)


def test_one_pool_for_two_queues_is_one_line() -> None:
    # Three ahead in two queues, an agent free every 10 s: the caller is the fourth.
    lines = {"sales": Line(1, service_s=100), "billing": Line(2, service_s=100)}
    assert moments("sales", lines, [pool(10, "sales", "billing")]) == pytest.approx((40, 400))


def test_agents_who_serve_another_queue_count_as_a_fraction() -> None:
    # Sales alone gets a call every 20 s; of the shared ones half as long as one waits in billing.
    lines = {"sales": Line(0, service_s=100), "billing": Line(1, service_s=100)}
    mean_s, _ = moments("sales", lines, [pool(5, "sales"), pool(5, "sales", "billing")])
    assert mean_s == pytest.approx(1 / (0.05 + 0.05 / 2))


def test_whose_line_is_empty_leaves_the_shared_agents() -> None:
    lines = {"sales": Line(0, service_s=100), "billing": Line(0, service_s=100)}
    mean_s, _ = moments("sales", lines, [pool(5, "sales"), pool(5, "sales", "billing")])
    assert mean_s == pytest.approx(10)


def test_handle_times_of_an_agents_queues_count_by_their_calls() -> None:
    # Three calls of 100 s to one of 300 s: 150 s on average.
    lines = {"sales": Line(0, service_s=100, volume=3), "support": Line(0, service_s=300, volume=1)}
    assert moments("sales", lines, [pool(1, "sales", "support")])[0] == pytest.approx(150)


def test_callers_who_will_overtake_take_agents() -> None:
    line = Line(0, service_s=100, overtaking_per_s=0.04)
    assert moments("sales", {"sales": line}, [pool(10)])[0] == pytest.approx(1 / 0.06)


def test_more_overtake_than_are_served_and_still_there_is_an_end() -> None:
    line = Line(3, service_s=100, overtaking_per_s=5)
    assert moments("sales", {"sales": line}, [pool(10)])[0] == pytest.approx(400)


def test_an_agent_who_is_free_leaves_the_ring_alone() -> None:
    made = estimate("sales", {"sales": Line(0, service_s=100)}, [pool(1, free=1)], Ring(4, 0))
    assert (made.method, made.p50_s, made.p90_s) == (Method.FORMULA, 4, 4)


def test_without_handle_times_the_last_caller_served_has_to_do() -> None:
    made = estimate("sales", {"sales": Line(3)}, [pool(2)], AT_ONCE, last_served_s=60)
    # A gamma of shape 4 and mean 60: (1 - 1/36)^3 * 60, and (1 - 1/36 + 1.2816/6)^3 * 60.
    assert made.method is Method.LAST_SERVED
    assert made.p50_s == pytest.approx(55.14, abs=0.01)
    assert made.p90_s == pytest.approx(100.05, abs=0.01)


def test_without_any_history_or_without_agents_nothing_is_said() -> None:
    assert estimate("sales", {}, [pool(2)], AT_ONCE) == Estimate(Method.NONE, agents=2)
    assert estimate("sales", {"sales": Line(0, service_s=9)}, [pool(3, "billing")], AT_ONCE) == UNAVAILABLE
    assert announcement(UNAVAILABLE) is None


def test_handle_times_of_nothing_and_waits_of_days_are_not_told() -> None:
    made = estimate("sales", {"sales": Line(0, service_s=0.0)}, [pool(1)], AT_ONCE, last_served_s=60)
    assert made.method is Method.LAST_SERVED
    made = estimate("sales", {"sales": Line(30, service_s=3600)}, [pool(1)], AT_ONCE)
    assert (made.method, made.p50_s, made.agents) == (Method.NONE, None, 1)


def test_a_long_line_is_reckoned_in_few_steps() -> None:
    exact = sum(1 / (0.1 + i * 0.001) for i in range(10_001))
    line = Line(10_000, service_s=100, abandon_per_s=0.001)
    assert moments("sales", {"sales": line}, [pool(10)])[0] == pytest.approx(exact, rel=0.02)


@given(st.integers(0, 60), st.integers(1, 50), st.floats(10, 900), st.floats(0, 0.02))
def test_a_place_further_back_waits_longer_and_more_agents_shorten_it(
    ahead: int, agents: int, service_s: float, abandon: float
) -> None:
    def mean_s(ahead: int, agents: int) -> float:
        line = Line(ahead, service_s=service_s, abandon_per_s=abandon)
        return moments("sales", {"sales": line}, [pool(agents)])[0]

    assert mean_s(ahead + 1, agents) > mean_s(ahead, agents) > mean_s(ahead, agents + 1) > 0


def test_quantiles_of_one_stage_are_those_of_the_exponential() -> None:
    assert gamma_quantile(100, 10_000, 0) == pytest.approx(100 * math.log(2), rel=0.02)
    assert gamma_quantile(100, 10_000, 1.28155) == pytest.approx(100 * math.log(10), rel=0.02)
    assert gamma_quantile(7, 0, 1.3) == 7


# What is said.


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, 10), (0.4, 10), (10, 10), (10.1, 20), (59, 60), (60, 60), (61, 120), (180, 180)]
)
def test_rounded_up_and_never_0(seconds: float, said: int) -> None:
    assert rounded_up(seconds) == said


def of(p50_s: float, p90_s: float, agents: int = 5) -> Estimate:
    return Estimate(Method.FORMULA, p50_s, p90_s, p50_s, agents)


def test_it_does_not_grow_unless_agents_have_left() -> None:
    first = announcement(of(100, 170))
    assert first == Announced(120, 180, 5)
    assert announcement(of(150, 400), first) == Announced(120, 180, 5)
    assert announcement(of(150, 400, agents=6), first) == Announced(120, 180, 6)
    assert announcement(of(150, 400, agents=4), first) == Announced(180, 420, 4)
    assert announcement(of(35, 150), first) == Announced(40, 180, 5)


@pytest.mark.parametrize(
    ("from_s", "to_s", "said"),
    [
        (120, 240, "between two and four minutes"),
        (20, 40, "between twenty and forty seconds"),
        (40, 120, "between forty seconds and two minutes"),
        (50, 60, "between fifty seconds and one minute"),
        (60, 180, "between one and three minutes"),
        (60, 60, "about one minute"),
        (10, 10, "about ten seconds"),
        (1500, 1980, "between 25 and 33 minutes"),
        (3000, 4200, "more than fifty minutes"),
        (3660, 4200, "more than one hour"),
    ],
)
def test_the_range_is_said_in_words(from_s: int, to_s: int, said: str) -> None:
    assert sentence(Announced(from_s, to_s, 1)) == f"Your estimated waiting time is {said}."
