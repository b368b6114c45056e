import random

import pytest

from asr.recognizer import Speech, Urgency
from asr.schedule import Costs, Job, Plan, Schedule

SHORT, LONG = Plan("lane", 400), Plan("lane", 1500)


def job(name: str, urgency: Urgency = Urgency.FINAL, plan: Plan = SHORT, deadline_s: float = 0.0) -> Job[str]:
    return Job(Speech(b"", "en", urgency, deadline_s), plan, name, urgency)


def costs(row_s: float) -> Costs:
    known = Costs()
    for plan in (SHORT, LONG):
        known.measured(plan, 1, row_s)
    return known


def schedule(
    *jobs: Job[str], row_s: float = 0.01, batch_s: float = 1.0, max_rows: int = 100
) -> Schedule[str]:
    made: Schedule[str] = Schedule(costs(row_s), batch_s, max_rows)
    for one in jobs:
        made.add(one)
    return made


def names(batch: list[Job[str]]) -> list[str]:
    return [one.ticket for one in batch]


def test_finals_go_before_partials_and_these_before_what_can_wait() -> None:
    made = schedule(
        job("later", Urgency.LATER, LONG),
        job("partial", Urgency.PARTIAL, Plan("greedy", 400)),
        job("final", Urgency.FINAL, deadline_s=99),
    )
    assert [names(made.take()) for _ in range(4)] == [["final"], ["partial"], ["later"], []]


def test_the_earliest_deadline_goes_first_and_then_who_came_first() -> None:
    made = schedule(job("b", deadline_s=2), job("a", deadline_s=1), job("c", deadline_s=2), max_rows=1)
    assert [names(made.take()) for _ in range(3)] == [["a"], ["b"], ["c"]]


def test_only_one_lane_and_one_length_go_together() -> None:
    made = schedule(
        job("a"), job("long", plan=LONG), job("b"), job("other", plan=Plan("hot words", 400)), job("c")
    )
    assert names(made.take()) == ["a", "b", "c"]
    assert names(made.take()) == ["long"]
    assert names(made.take()) == ["other"]


@pytest.mark.parametrize(("row_s", "rows"), [(0.01, 10), (0.1, 3), (0.4, 1)])
def test_a_batch_takes_no_longer_than_it_may(row_s: float, rows: int) -> None:
    made = schedule(*(job(str(number)) for number in range(20)), row_s=row_s, batch_s=0.31, max_rows=10)
    assert len(made.take()) == rows


def test_idle_workers_share_what_waits() -> None:
    made = schedule(*(job(str(number)) for number in range(7)))
    assert [len(made.take(idle)) for idle in (2, 1)] == [4, 3]


def test_cancelled_work_is_passed_over_and_not_counted() -> None:
    jobs = [job(str(number)) for number in range(4)]
    made = schedule(*jobs)
    made.cancel(jobs[0])
    made.cancel(jobs[0])
    made.cancel(jobs[2])
    assert made.waiting(Urgency.FINAL) == 2
    assert made.work_s(Urgency.FINAL) == pytest.approx(0.02)
    taken = made.take()
    made.cancel(taken[0])
    assert names(taken) == ["1", "3"]
    assert made.waiting(Urgency.FINAL) == 0
    assert made.take() == []


def test_costs_are_learned_and_guessed_by_length_before() -> None:
    known = Costs()
    guess = known.row_s(LONG)
    assert guess == pytest.approx(known.row_s(SHORT) * 1500 / 400)
    known.measured(SHORT, 4, 0.4)
    assert known.row_s(SHORT) == pytest.approx(0.1)
    assert known.row_s(LONG) != guess
    for _ in range(50):
        known.measured(SHORT, 2, 0.4)
    assert known.row_s(SHORT) == pytest.approx(0.2, rel=0.01)


def test_nothing_is_lost_or_done_twice() -> None:
    rng = random.Random(7)
    jobs = [
        job(str(number), rng.choice([*Urgency]), rng.choice([SHORT, LONG]), rng.random())
        for number in range(300)
    ]
    made = schedule(*jobs, row_s=0.05)
    gone = {one.ticket for one in rng.sample(jobs, 50)}
    for one in jobs:
        if one.ticket in gone:
            made.cancel(one)
    taken: list[str] = []
    while batch := made.take(rng.randint(1, 3)):
        assert len({one.plan for one in batch}) == 1
        taken += names(batch)
    assert sorted(taken) == sorted({one.ticket for one in jobs} - gone)
    assert all(made.waiting(urgency) == 0 for urgency in Urgency)
