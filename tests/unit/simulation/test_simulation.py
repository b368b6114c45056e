import math
from collections import Counter
from dataclasses import replace

import pytest

from callcenter.acd.policy import Need, QueueRule, Strategy
from callcenter.simulation import (
    AgentModel,
    Callbacks,
    CallerKind,
    DayModel,
    DayResult,
    Happened,
    LogNormal,
    Moment,
    QueueModel,
    Rings,
    Simulation,
    Stay,
)
from callcenter.simulation.draw import Drawn
from callcenter.staffing.erlang import erlang_a, erlang_c

ALL_DAY = ((0.0, 86_400.0),)
AT_ONCE = Rings(mean_s=1e-9)
PLAIN = CallerKind()


def agent(
    name: str, *queues: str, shifts: tuple[tuple[float, float], ...] = ALL_DAY, **skills: int
) -> AgentModel:
    return AgentModel(name, frozenset(queues or ["sales"]), shifts, skills)


def queue(name: str = "sales", rule: QueueRule | None = None) -> QueueModel:
    return QueueModel(name, (), LogNormal(100), rule=rule or QueueRule())


def caller(
    at_s: float,
    talk_s: float = 100,
    patience_s: float = math.inf,
    queue: str = "sales",
    kind: CallerKind = PLAIN,
) -> Drawn:
    return Drawn(at_s, queue, kind, patience_s, talk_s, wrap_up_s=10)


def day(
    agents: list[AgentModel], callers: list[Drawn], rings: Rings = AT_ONCE, *queues: QueueModel
) -> DayResult:
    return Simulation(DayModel(queues or (queue(),), tuple(agents), rings=rings), 1, callers).run()


def waits(result: DayResult) -> list[tuple[str, float]]:
    """How each caller ended and after how long, in the order of entry."""
    return [
        (stay.ended, round(stay.wait_s, 3)) for stay in sorted(result.stays, key=lambda stay: stay.entered_s)
    ]


def test_one_agent_serves_one_after_the_other() -> None:
    # Free at 110, the second has waited from 10; free again at 220, the third from 20. Busy 3 x 110 s.
    result = day([agent("a", shifts=((0, 500),))], [caller(0), caller(10), caller(20)])
    assert waits(result) == [("answered", 0), ("answered", 100), ("answered", 200)]
    assert result.asa_s == pytest.approx(100)
    assert result.service_level(100.5) == pytest.approx(2 / 3)
    assert result.occupancy == pytest.approx(330 / 500)


def test_who_gives_up_leaves_the_place_to_the_next() -> None:
    result = day([agent("a")], [caller(0), caller(10, patience_s=50), caller(20)])
    assert waits(result) == [("answered", 0), ("abandoned", 50), ("answered", 90)]
    assert result.abandonment == pytest.approx(1 / 3)
    assert result.service_level(90.5, short_abandon_s=50) == 1


def test_priority_goes_first() -> None:
    result = day([agent("a")], [caller(0), caller(10), caller(20, kind=CallerKind(priority=1))])
    assert waits(result) == [("answered", 0), ("answered", 210), ("answered", 90)]


def test_one_line_over_the_queues_of_an_agent() -> None:
    line = [caller(0), caller(10, queue="billing"), caller(20)]
    result = day([agent("a", "sales", "billing")], line, AT_ONCE, queue(), queue("billing"))
    assert waits(result) == [("answered", 0), ("answered", 100), ("answered", 200)]


def test_the_longest_wait_of_others_does_not_hold_up_a_queue() -> None:
    # Twenty wait in billing, which nobody serves; the one in sales gets the agent of sales all the same.
    line = [caller(n, queue="billing", patience_s=500) for n in range(20)] + [caller(100)]
    result = day([agent("a")], line, AT_ONCE, queue(), queue("billing"))
    assert waits(result)[-1] == ("answered", 0)


def test_skills_are_waited_for_until_they_relax() -> None:
    french = CallerKind(needs=(Need(0, {"fr": 2}), Need(60, {"fr": 1})))
    result = day([agent("a", fr=1)], [caller(0, kind=french)])
    assert waits(result) == [("answered", 60)]


def test_the_shift_begins_and_ends_but_not_in_a_call() -> None:
    result = day([agent("a", shifts=((30, 100), (500, 600)))], [caller(0), caller(90), caller(95)])
    # From 30 to 140, over the end of the shift; from 500 to 610, over the end of the last one.
    assert waits(result) == [("answered", 30), ("answered", 410), ("waiting", 515)]
    assert result.signed_in_s == pytest.approx(110 + 110)


def test_a_missed_ring_costs_its_time_and_the_agent_a_break() -> None:
    rings = Rings(mean_s=1e-9, missed_share=1, timeout_s=20, break_s=40, exclude_s=30)
    result = day([agent("a")], [caller(0, patience_s=90)], rings)
    # Rings until 20, break until 60, rings until 80, break until 120.
    assert waits(result) == [("abandoned", 90)]
    assert result.occupied_s == pytest.approx(40)


def test_who_gives_up_while_it_rings_frees_the_agent() -> None:
    rings = Rings(missed_share=1, timeout_s=20)
    assert waits(day([agent("a")], [caller(0, patience_s=5)], rings)) == [("abandoned", 5)]
    assert day([agent("a")], [caller(0, patience_s=5)], rings).occupied_s == pytest.approx(5)


def test_ring_all_rings_all_and_the_others_are_free_again() -> None:
    all_at_once = queue(rule=QueueRule(Strategy.RING_ALL))
    model = DayModel((all_at_once,), tuple(agent(name) for name in "abc"), rings=Rings(mean_s=3))
    seen = Counter[Happened]()
    for moment in Simulation(model, 1, [caller(0)]).moments():
        seen[moment.what] += 1
    assert seen[Happened.OFFERED] == 3
    assert seen[Happened.ANSWERED] == 1
    assert seen[Happened.FREED] == 3


def test_who_enters_is_told_how_many_stand_before() -> None:
    model = DayModel((queue(),), (agent("a"),), rings=AT_ONCE)
    vip = CallerKind(priority=3)
    line = [caller(0), caller(1), caller(2), caller(3, kind=vip), caller(4)]
    told = [m.ahead for m in Simulation(model, 1, line).moments() if m.what is Happened.ENTERED]
    assert told == [0, 0, 1, 0, 3]


def random_day(agents: int) -> DayModel:
    sales = QueueModel("sales", (120.0, 180.0, 90.0), LogNormal(180, 1), LogNormal(20, 0.5), patience_s=120)
    support = QueueModel("support", (80.0, 60.0, 150.0), LogNormal(240, 1), patience_s=200)
    served = [("sales",), ("support",), ("sales", "support")]
    shifts = [((0.0, 5400.0),), ((1800.0, 5400.0),)]
    staff = tuple(agent(f"a{n}", *served[n % 3], shifts=shifts[n % 2]) for n in range(agents))
    return DayModel((sales, support), staff, rings=Rings(missed_share=0.05))


def test_the_same_seed_gives_the_same_day() -> None:
    first, again, other = (Simulation(random_day(60), seed).run() for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_the_same_callers_come_whatever_the_staffing() -> None:
    def entries(agents: int) -> set[tuple[str, float]]:
        return {(stay.queue, stay.entered_s) for stay in Simulation(random_day(agents), 7).run().stays}

    assert entries(40) == entries(80)


def test_nobody_is_lost_and_no_agent_is_in_two_calls() -> None:
    entered, ended, busy, last_s = Counter[int](), Counter[int](), set[str](), 0.0
    for moment in Simulation(random_day(40), 3).moments():
        assert moment.at_s >= last_s
        last_s = moment.at_s
        match moment:
            case Moment(what=Happened.ENTERED):
                entered[moment.caller] += 1
            case Moment(what=Happened.ANSWERED | Happened.ABANDONED):
                ended[moment.caller] += 1
            case Moment(what=Happened.OFFERED):
                assert moment.agent_id not in busy
                busy.add(moment.agent_id)
            case Moment(what=Happened.FREED | Happened.MISSED):
                busy.remove(moment.agent_id)
    assert set(entered.values()) == {1}
    assert entered == ended
    assert not busy


def exponential_day(calls_per_s: float, aht_s: float, agents: int, patience_s: float) -> DayResult:
    """A stationary day of exponential handle times, without its first hour."""
    hours = 40

    def draw(rng_seed: int) -> list[Drawn]:
        import numpy as np

        rng = np.random.default_rng(rng_seed)
        at_s = np.cumsum(rng.exponential(1 / calls_per_s, int(hours * 3600 * calls_per_s)))
        talk_s = rng.exponential(aht_s, len(at_s))
        patience = rng.exponential(1, len(at_s)) * patience_s
        return [
            Drawn(float(at), "sales", PLAIN, float(wait), float(talk), 0.0)
            for at, talk, wait in zip(at_s, talk_s, patience, strict=True)
        ]

    staff = tuple(agent(f"a{n}", shifts=((0, hours * 4000.0),)) for n in range(agents))
    model = DayModel((queue(),), staff, rings=AT_ONCE)
    return Simulation(model, 1, draw(5)).run().of(lambda stay: stay.entered_s > 3600)


def test_a_stationary_day_agrees_with_erlang_c() -> None:
    exact = erlang_c(13, 100 * 180 / 1800, 180)
    result = exponential_day(100 / 1800, 180, 13, math.inf)
    assert result.service_level(20) == pytest.approx(exact.service_level(20), abs=0.03)
    assert result.asa_s == pytest.approx(exact.asa_s, rel=0.2)


def test_a_stationary_day_agrees_with_erlang_a() -> None:
    exact = erlang_a(10, 100 * 180 / 1800, 180, 120)
    result = exponential_day(100 / 1800, 180, 10, 120)
    assert result.abandonment == pytest.approx(exact.abandonment, abs=0.015)
    assert sum(stay.wait_s for stay in result.stays) / result.offered == pytest.approx(exact.asa_s, rel=0.1)


def test_figures_without_anybody_are_none() -> None:
    empty = DayResult(())
    assert (empty.service_level(20), empty.asa_s, empty.abandonment, empty.occupancy) == (None,) * 4


def test_intervals_count_by_entry() -> None:
    stays = (
        Stay("sales", 10, "answered", 1),
        Stay("sales", 1799, "abandoned", 50),
        Stay("sales", 1800, "answered", 2),
    )
    first, second = DayResult(stays).by_interval(1800, 2)
    assert (first.offered, first.answered, second.offered) == (2, 1, 1)


# Callbacks.

ALWAYS = Callbacks(accepts=1, too_long=1, menu_s=20, earliest_s=0, answers=1, pick_up_s=0)


def called_back(
    agents: list[AgentModel], callers: list[Drawn], callbacks: Callbacks, expected_s: float | None = 1000
) -> DayResult:
    sales = QueueModel("sales", (), LogNormal(100), callbacks=callbacks)
    model = DayModel((sales,), tuple(agents), rings=AT_ONCE)
    # The first caller finds a free agent: there is nothing to expect.
    day = Simulation(model, 1, callers, lambda moment: expected_s if moment.caller > 1 else 0)
    return day.run()


def test_who_asks_for_a_callback_keeps_the_place_in_line() -> None:
    result = called_back([agent("a")], [caller(0), caller(10), caller(20, patience_s=math.inf)], ALWAYS)
    assert waits(result) == [("answered", 0), ("called_back", 100), ("called_back", 200)]
    assert [stay.on_line_s for stay in result.stays] == pytest.approx([0, 20, 20], abs=1e-3)
    assert (result.answered, result.offered, result.service_level(20)) == (1, 3, 1)


def test_live_and_virtual_callers_are_served_in_order_of_arrival() -> None:
    line = [caller(0), *(caller(10 * n) for n in range(1, 9))]
    half = called_back([agent("a")], line, replace(ALWAYS, accepts=0.5, too_long=0.5))
    assert {stay.ended for stay in half.stays} == {"answered", "called_back"}
    assert [stay.entered_s for stay in half.stays] == sorted(stay.entered_s for stay in half.stays)


def test_who_waits_for_a_callback_does_not_give_up() -> None:
    result = called_back([agent("a")], [caller(0), caller(10, patience_s=50), caller(20, 50)], ALWAYS)
    assert waits(result)[1] == ("called_back", 100)
    assert called_back([agent("a")], [caller(0), caller(10, patience_s=15)], ALWAYS).abandonment == 0.5


def test_a_callback_is_offered_by_the_expected_wait_and_where_it_is_known() -> None:
    for expected_s in (None, 180):
        result = called_back([agent("a")], [caller(0), caller(10)], ALWAYS, expected_s)
        assert waits(result)[1] == ("answered", 100)


def test_patience_decides_with_the_wait_that_is_told() -> None:
    hurried = replace(ALWAYS, accepts=0, too_long=1)
    result = called_back([agent("a")], [caller(0), caller(10), caller(20, patience_s=900)], hurried)
    assert waits(result) == [("answered", 0), ("answered", 100), ("called_back", 200)]


def test_the_key_in_place_of_hanging_up() -> None:
    by_key = replace(ALWAYS, accepts=0, too_long=0, by_key=1)
    result = called_back([agent("a")], [caller(0), caller(10, patience_s=50)], by_key, None)
    assert waits(result)[1] == ("called_back", 100)
    assert result.stays[1].held_s == pytest.approx(50)


def test_who_may_not_be_dialled_yet_is_passed_over_and_keeps_the_place() -> None:
    later = replace(ALWAYS, accepts=0, too_long=1, earliest_s=300)
    line = [caller(0), caller(10, patience_s=900), caller(20), caller(30), caller(40), caller(50)]
    result = called_back([agent("a")], line, later)
    # Dialled from 330 on, when the agent is free next: before those who came later.
    assert [stay.entered_s for stay in result.stays] == [0, 20, 30, 10, 40, 50]


def test_a_customer_who_does_not_pick_up_costs_the_ring_and_is_tried_again_at_the_old_place() -> None:
    never = replace(ALWAYS, answers=0, ring_s=20, retry_s=100, attempts=2)
    result = called_back([agent("a")], [caller(0), caller(10), caller(20, patience_s=math.inf)], never)
    # Rung at 110 for 20 s; the next from 130; again at 230, after that one's second, and given up.
    ended = {stay.entered_s: (stay.ended, stay.attempts) for stay in result.stays}
    assert ended == {0: ("answered", 0), 10: ("unreached", 2), 20: ("unreached", 2)}
    assert result.occupied_s == pytest.approx(110 + 4 * 20)


def test_agents_and_callers_are_all_accounted_for_with_callbacks() -> None:
    model = random_day(30)
    some = Callbacks(offer_after_s=20, by_key=0.5, answers=0.7, retry_s=120)
    queues = tuple(replace(one, callbacks=some) for one in model.queues)
    simulation = Simulation(replace(model, queues=queues), 3, expected_s=lambda moment: 10.0 * moment.ahead)
    entered, ended, busy = set[int](), Counter[int](), set[str]()
    for moment in simulation.moments():
        match moment.what:
            case Happened.ENTERED:
                entered.add(moment.caller)
            case Happened.ANSWERED | Happened.ABANDONED | Happened.CALLED_BACK:
                ended[moment.caller] += 1
            case Happened.UNREACHED if not moment.ahead:
                ended[moment.caller] += 1
            case Happened.OFFERED:
                assert moment.agent_id not in busy
                busy.add(moment.agent_id)
            case Happened.FREED | Happened.MISSED:
                busy.remove(moment.agent_id)
    assert not busy
    assert set(ended.values()) == {1}
    left = len(entered) - len(ended)
    result = simulation.result(0)
    kinds = Counter(stay.ended for stay in result.stays)
    assert (kinds["waiting"], result.offered) == (left, len(entered))
    assert min(kinds["called_back"], kinds["unreached"], kinds["abandoned"], kinds["answered"]) > 0
