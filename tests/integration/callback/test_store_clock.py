import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from callback.policy import Dial, Expire, PutOff, Reject, Verdict
from callback.request import Callback, Mode
from callback.state import State
from callback.store import Store
from callback.store.clock import Fallen
from callcenter.storage.pool import Database
from support.claiming import claimed, fall_due
from support.wishes import a_slot, requested, steps_of

NOBODY = UUID(int=0)


def now() -> datetime:
    return datetime.now(UTC)


def always(*_: object) -> Verdict:
    return Dial()


async def tick(store: Store, limit: int = 100, paused: tuple[str, ...] = (), rate: float = 1e6) -> Fallen:
    return await store.fall_due(limit, paused, rate_per_s=rate, judge=always)


async def test_each_falls_due_once_and_is_logged(store: Store) -> None:
    made = {(await requested(store)).callback_id for _ in range(20)}

    looks = await asyncio.gather(*(tick(store, limit=3) for _ in range(30)))

    fallen = [callback_id for look in looks for callback_id in look.due]
    while len(fallen) < 20:
        fallen += (await tick(store)).due
    assert set(fallen) == made
    assert len(fallen) == 20
    for callback_id in made:
        assert (await steps_of(store, callback_id)).count("fall_due") == 1


async def test_the_next_time_is_told(store: Store) -> None:
    assert (await tick(store)).next_s is None
    await requested(store, in_s=3600)
    slot = a_slot(in_s=600)
    await requested(store, slot=slot, in_s=600)
    next_s = (await tick(store)).next_s
    assert next_s is not None
    assert 595 < next_s < 601
    later_s = (await tick(store, paused=("sales",))).next_s
    assert later_s is None


async def test_the_first_in_line_fall_due_first(store: Store) -> None:
    late = await requested(store, arrived_at=now())
    early = await requested(store, arrived_at=now() - timedelta(hours=1))
    urgent = await requested(store, priority=5)
    order = [(await tick(store, limit=1)).due for _ in range(3)]
    assert order == [[urgent.callback_id], [early.callback_id], [late.callback_id]]


async def test_a_backlog_is_no_stampede(store: Store) -> None:
    for _ in range(30):
        await requested(store)
    looks = await asyncio.gather(*(tick(store, rate=7) for _ in range(20)))
    assert sum(len(look.due) for look in looks) == 7


async def test_nothing_of_paused_queues(store: Store) -> None:
    await requested(store, queue="help")
    mine = await requested(store)
    assert (await tick(store, paused=("help",))).due == [mine.callback_id]


@pytest.mark.parametrize(
    ("verdict", "state", "step"),
    [
        (PutOff(now() + timedelta(hours=5), "closed"), State.QUEUED, "queue"),
        (PutOff(now() + timedelta(seconds=30), "paused"), State.QUEUED, None),
        (Expire("closed"), State.EXPIRED, "expire"),
        (Reject("number_invalid"), State.REJECTED, "reject"),
    ],
    ids=["put-off", "put-off-a-little", "expire", "reject"],
)
async def test_who_may_not_be_dialled(store: Store, verdict: Verdict, state: State, step: str | None) -> None:
    callback = await requested(store)
    fallen = await store.fall_due(10, (), rate_per_s=1e6, judge=lambda *_: verdict)
    assert fallen.due == []
    after = await store.get(callback.callback_id)
    assert after.state is state
    assert after.arrived_at == callback.arrived_at
    assert (await steps_of(store, callback.callback_id))[2:] == ([] if step is None else [step])
    if isinstance(verdict, PutOff):
        assert after.not_before == verdict.until


async def test_a_slot_that_is_put_off_stays_a_slot(store: Store) -> None:
    callback = await requested(store, slot=a_slot())
    later = now() + timedelta(hours=5)
    await store.fall_due(10, (), rate_per_s=1e6, judge=lambda *_: PutOff(later, "closed"))
    after = await store.get(callback.callback_id)
    assert (after.state, after.not_before) == (State.SCHEDULED, later)


async def test_the_judge_hears_of_forbidden_numbers(store: Store, database: Database) -> None:
    callback = await requested(store)
    await database.execute(
        "INSERT INTO callback.do_not_call (number, added_by) VALUES ($1, 'eve')", callback.number
    )
    heard: list[bool] = []

    def judge(_: Callback, at: datetime, forbidden: bool) -> Verdict:
        assert abs(at - now()) < timedelta(seconds=5)
        heard.append(forbidden)
        return Dial()

    await store.fall_due(10, (), rate_per_s=1e6, judge=judge)
    await store.review(10, NOBODY, judge)
    assert heard == [True, True]


async def test_what_is_due_is_looked_at_again(store: Store) -> None:
    made = sorted([(await requested(store)).callback_id for _ in range(7)])
    await fall_due(store)
    seen: list[UUID] = []

    def judge(callback: Callback, *_: object) -> Verdict:
        seen.append(callback.callback_id)
        return PutOff(now() + timedelta(hours=5), "closed") if len(seen) == 1 else Dial()

    at: UUID | None = NOBODY
    while at is not None:
        at = await store.review(3, at, judge)

    assert seen == made
    first = await store.get(made[0])
    assert first.state is State.QUEUED
    assert (await store.get(made[1])).state is State.DUE


async def test_who_waited_too_long_expires(store: Store) -> None:
    over = now() - timedelta(seconds=1)
    gone = [
        await requested(store, expires_at=over),
        await requested(store, expires_at=over, slot=a_slot()),
    ]
    due = await requested(store)
    await fall_due(store)
    stays = await requested(store)
    async with store._transaction() as connection:
        await connection.execute(
            "UPDATE callback.callback SET expires_at = $2 WHERE callback_id = $1", due.callback_id, over
        )

    expired = await asyncio.gather(*(store.expire(10) for _ in range(5)))

    ended = [one for some in expired for one in some]
    assert {one.callback_id for one in ended} == {one.callback_id for one in (*gone, due)}
    assert all((one.state, one.ended_by, one.cause) == (State.EXPIRED, "clock", "expired") for one in ended)
    assert (await store.get(stays.callback_id)).is_open
    assert await store.claim(UUID(int=1), 30, ids=[due.callback_id]) == []


async def test_what_a_worker_has_does_not_expire_by_itself(store: Store) -> None:
    claim = await claimed(store, expires_at=now() + timedelta(milliseconds=300), mode=Mode.CUSTOMER_FIRST)
    await asyncio.sleep(0.35)
    assert await store.expire(10) == []
    assert (await store.get(claim.callback.callback_id)).state is State.CLAIMED


async def test_one_process_looks_at_a_time(store: Store, database: Database) -> None:
    await requested(store)
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('callback.clock', 0))")
        assert await tick(store) == Fallen(is_ours=False)
    assert len((await tick(store)).due) == 1
