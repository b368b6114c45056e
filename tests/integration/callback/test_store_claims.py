import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from callback.errors import FenceLostError, NotFoundError, RefusedError, TransitionError
from callback.refusal import Refusal
from callback.request import Mode, Result
from callback.state import State, Step
from callback.store import Store
from callcenter.storage.pool import Database
from support.claiming import agent_has_come, claimed, dialled, dialling, fall_due, run_out
from support.wishes import BY, requested, steps_of

ME, OTHER = uuid4(), uuid4()


def soon(seconds: float = 60) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def test_each_is_claimed_once(store: Store) -> None:
    made = {(await requested(store)).callback_id for _ in range(20)}
    await fall_due(store)

    claims = await asyncio.gather(*(store.claim(uuid4(), 30, ids=list(made), limit=3) for _ in range(50)))

    taken = [claim.callback.callback_id for some in claims for claim in some]
    assert len(taken) == len(set(taken)) == 20


async def test_many_claimers_of_one_callback(store: Store) -> None:
    callback = await requested(store)
    await fall_due(store)

    claims = await asyncio.gather(*(store.claim(uuid4(), 30, ids=[callback.callback_id]) for _ in range(50)))

    assert sum(map(len, claims)) == 1
    assert (await store.get(callback.callback_id)).fence == 1


async def test_what_is_not_due_is_not_claimed(store: Store) -> None:
    callback = await requested(store, in_s=3600)
    assert await fall_due(store) == []
    assert await store.claim(ME, 30, ids=[callback.callback_id]) == []


async def test_the_first_in_line_is_claimed_first(store: Store) -> None:
    now = datetime.now(UTC)
    late = await requested(store, mode=Mode.CUSTOMER_FIRST, arrived_at=now)
    early = await requested(store, mode=Mode.CUSTOMER_FIRST, arrived_at=now - timedelta(minutes=5))
    urgent = await requested(store, mode=Mode.CUSTOMER_FIRST, arrived_at=now, priority=1)
    await requested(store, mode=Mode.AGENT_FIRST, priority=9)
    await requested(store, mode=Mode.CUSTOMER_FIRST, queue="help", priority=9)
    await fall_due(store)

    claims = await store.claim(ME, 30, queue="sales", limit=5)

    assert [claim.callback.callback_id for claim in claims] == [
        urgent.callback_id,
        early.callback_id,
        late.callback_id,
    ]
    assert await store.first_due() == ["help"]


async def seven() -> int:
    return 7


async def test_no_more_are_in_flight_than_may_be(store: Store) -> None:
    for _ in range(30):
        await requested(store, mode=Mode.CUSTOMER_FIRST)
    await fall_due(store)

    claims = await asyncio.gather(
        *(store.claim(uuid4(), 30, queue="sales", at_once=seven, limit=3) for _ in range(20))
    )

    mine = [claim for some in claims for claim in some]
    assert len(mine) == 7 == await store.in_flight("sales")
    attempt = await dialled(store, mine[0])
    await store.reached(mine[0], attempt.attempt_id)
    await store.step(mine[0], Step.WAIT)
    assert await store.in_flight("sales") == 7
    await store.step(mine[0], Step.BRIDGE)
    assert await store.in_flight("sales") == 6
    assert len(await store.claim(ME, 30, queue="sales", at_once=seven, limit=3)) == 1


async def test_agent_first_from_claim_to_end(store: Store) -> None:
    claim = await claimed(store)
    await agent_has_come(store, claim)
    attempt = await dialled(store, claim)
    await store.dialled(claim, attempt.attempt_id, "CA1")
    await store.reached(claim, attempt.attempt_id)
    await store.step(claim, Step.BRIDGE)

    ended = await store.over(claim, attempt.attempt_id, Result.BRIDGED, Step.COMPLETE, counted=True)

    assert (ended.state, ended.attempts, ended.ended_by, ended.worker) == (State.COMPLETED, 1, "worker", None)
    assert await steps_of(store, ended.callback_id) == [
        "request",
        "queue",
        "fall_due",
        "claim",
        "reserve",
        "accept",
        "dial",
        "answer",
        "bridge",
        "complete",
    ]
    kept = (await store.attempts_of(ended.callback_id))[0]
    assert (kept.number_of, kept.call_ref, kept.result, kept.counted) == (1, "CA1", Result.BRIDGED, True)
    assert None not in (kept.answered_at, kept.bridged_at, kept.ended_at)
    assert kept.fence == claim.fence
    assert await store.open_attempt(ended.callback_id) is None


async def test_a_retry_keeps_the_place_and_counts(store: Store) -> None:
    claim, attempt = await dialling(store)
    at = soon()

    waiting = await store.over(
        claim, attempt.attempt_id, Result.BUSY, Step.RETRY, counted=True, not_before=at, apologise=True
    )

    assert (waiting.state, waiting.attempts, waiting.not_before) == (State.RETRY_WAIT, 1, at)
    assert (waiting.arrived_at, waiting.priority) == (claim.callback.arrived_at, claim.callback.priority)
    assert waiting.apologise
    with pytest.raises(FenceLostError):
        await store.step(claim, Step.BRIDGE)


async def test_a_stale_fence_cannot_write(store: Store) -> None:
    claim = await claimed(store, ME, mode=Mode.CUSTOMER_FIRST)
    await run_out(store, claim.callback.callback_id)
    assert [one.callback_id for one in await store.release_lost(10)] == [claim.callback.callback_id]
    (second,) = await store.claim(OTHER, 30, ids=[claim.callback.callback_id])
    assert second.fence > claim.fence

    with pytest.raises(FenceLostError):
        await dialled(store, claim)
    with pytest.raises(FenceLostError):
        await store.step(claim, Step.RELEASE)
    assert await store.renew(ME, 30, {claim.callback.callback_id: claim.fence}) == set()

    attempt = await dialled(store, second)
    for late in (
        store.reached(claim, attempt.attempt_id),
        store.over(claim, attempt.attempt_id, Result.BUSY, Step.RETRY, counted=True),
        store.dialled(claim, attempt.attempt_id, "x"),
    ):
        with pytest.raises(FenceLostError):
            await late
    assert (await store.get(claim.callback.callback_id)).state is State.DIALING


async def test_who_gave_it_back_has_it_no_more(store: Store) -> None:
    claim = await claimed(store, mode=Mode.CUSTOMER_FIRST)
    await store.step(claim, Step.RELEASE)
    assert (await store.step(claim, Step.RELEASE)).state is State.DUE
    with pytest.raises(FenceLostError):
        await store.step(claim, Step.CANCEL)
    with pytest.raises(FenceLostError):
        await dialled(store, claim)


async def test_one_attempt_at_a_time(store: Store) -> None:
    claim, attempt = await dialling(store)

    again = await store.dial(
        claim, attempt_id=attempt.attempt_id, gateway="test", call_id=attempt.call_id, ring_timeout_s=20
    )

    assert again == attempt
    with pytest.raises(TransitionError):
        await dialled(store, claim)
    assert await store.attempts_of(claim.callback.callback_id) == [attempt]


async def test_many_diallers_of_one_claim_make_one_attempt(store: Store) -> None:
    claim = await claimed(store, mode=Mode.CUSTOMER_FIRST)

    answers = await asyncio.gather(*(dialled(store, claim) for _ in range(20)), return_exceptions=True)

    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert len(await store.attempts_of(claim.callback.callback_id)) == 1


async def test_what_ends_an_attempt_is_not_a_step_alone(store: Store) -> None:
    claim, _ = await dialling(store)
    with pytest.raises(TransitionError, match="attempt"):
        await store.step(claim, Step.RETRY, not_before=soon())


async def test_all_may_be_said_twice(store: Store) -> None:
    """After an outage nobody knows whether it was stored."""
    claim = await claimed(store)
    for step in (Step.RESERVE, Step.ACCEPT):
        assert await store.step(claim, step) == await store.step(claim, step)
    attempt = await dialled(store, claim)
    assert await store.reached(claim, attempt.attempt_id) == await store.reached(claim, attempt.attempt_id)
    assert await store.step(claim, Step.BRIDGE) == await store.step(claim, Step.BRIDGE)
    first, second = [
        await store.over(claim, attempt.attempt_id, Result.BRIDGED, Step.COMPLETE, counted=True)
        for _ in range(2)
    ]
    assert first == second
    assert (await steps_of(store, first.callback_id)).count("complete") == 1
    with pytest.raises(TransitionError):
        await store.over(claim, attempt.attempt_id, Result.BUSY, Step.RETRY, counted=True)
    with pytest.raises(NotFoundError):
        await store.over(claim, uuid4(), Result.BUSY, Step.RETRY, counted=True)


async def test_nobody_is_dialled_who_may_not_be(store: Store, database: Database) -> None:
    refusals = []
    for sql in (
        "INSERT INTO callback.do_not_call (number, added_by) SELECT number, 'eve' FROM callback.callback",
        "UPDATE callback.callback SET expires_at = clock_timestamp()",
        "UPDATE callback.callback SET number = ''",
    ):
        claim = await claimed(store, mode=Mode.CUSTOMER_FIRST)
        await database.execute(sql)
        with pytest.raises(RefusedError) as refused:
            await dialled(store, claim)
        refusals.append(refused.value.refusal)
        assert await store.attempts_of(claim.callback.callback_id) == []
        await store.step(claim, Step.REJECT, cause="test")
        await database.execute("TRUNCATE callback.do_not_call")
    assert refusals == [Refusal.DO_NOT_CALL, Refusal.EXPIRED, Refusal.NUMBER_INVALID]


async def test_a_lease_is_renewed_by_who_has_it(store: Store) -> None:
    mine, theirs = await claimed(store, ME), await claimed(store, OTHER)
    ids = {one.callback.callback_id: one.fence for one in (mine, theirs)} | {uuid4(): 1}

    assert await store.renew(ME, 300, ids) == {mine.callback.callback_id}

    renewed = await store.get(mine.callback.callback_id)
    assert renewed.lease_until is not None
    assert renewed.lease_until - mine.lease_until > timedelta(seconds=200)
    assert await store.renew(ME, 30, {mine.callback.callback_id: mine.fence + 1}) == set()
    await store.step(mine, Step.RELEASE)
    assert await store.renew(ME, 30, ids) == {mine.callback.callback_id}  # given back is not lost
    assert (await store.get(mine.callback.callback_id)).lease_until is None


async def test_a_lost_worker_that_had_dialled_nobody_loses_it_to_the_line(store: Store) -> None:
    states = []
    for steps in ((), (Step.RESERVE,), (Step.RESERVE, Step.ACCEPT)):
        claim = await claimed(store)
        for step in steps:
            await store.step(claim, step)
        await run_out(store, claim.callback.callback_id)
        states.append(claim.callback.callback_id)

    back = await store.release_lost(10)

    assert {one.callback_id for one in back} == set(states)
    assert {one.state for one in back} == {State.DUE}
    assert await store.take_lost(ME, 30, 10) == []
    assert await store.release_lost(10) == []


async def test_a_lost_worker_that_had_dialled_is_asked_after(store: Store) -> None:
    claim, attempt = await dialling(store, OTHER)
    fresh, _ = await dialling(store, OTHER)
    await run_out(store, claim.callback.callback_id)
    assert await store.release_lost(10) == []

    taken = await asyncio.gather(*(store.take_lost(uuid4(), 30, 10) for _ in range(10)))

    (mine,) = [one for some in taken for one in some]
    assert mine.callback.state is State.RECONCILING
    assert await store.open_attempt(mine.callback.callback_id) == attempt
    with pytest.raises(FenceLostError):
        await store.over(claim, attempt.attempt_id, Result.BUSY, Step.RETRY, counted=True)
    await run_out(store, mine.callback.callback_id)
    (next_one,) = await store.take_lost(ME, 30, 10)
    assert next_one.fence > mine.fence
    settled = await store.over(
        next_one, attempt.attempt_id, Result.UNKNOWN, Step.RETRY, counted=True, not_before=soon()
    )
    assert settled.state is State.RETRY_WAIT
    assert (await steps_of(store, settled.callback_id)).count("lose") == 1
    assert (await store.get(fresh.callback.callback_id)).state is State.DIALING


async def test_who_does_not_know_how_it_went_says_so(store: Store) -> None:
    claim, _ = await dialling(store, ME)

    await store.step(claim, Step.LOSE)

    (taken,) = await store.take_lost(OTHER, 30, 10)
    assert taken.callback.callback_id == claim.callback.callback_id
    with pytest.raises(FenceLostError):
        await store.step(claim, Step.LOSE)


async def test_what_the_network_tells_counts_once(store: Store) -> None:
    _, attempt = await dialling(store)

    told = await asyncio.gather(
        *(store.gateway_event(attempt.attempt_id, "e1", "ringing") for _ in range(20))
    )

    assert told.count(True) == 1
    assert await store.gateway_event(attempt.attempt_id, "e2", "answered")
    assert not await store.gateway_event(uuid4(), "e1", "ringing")


async def test_cancelling_races_with_dialling(store: Store) -> None:
    """Either nobody is dialled, or it is too late to cancel: never both."""

    async def race() -> tuple[bool, bool]:
        claim = await claimed(store, mode=Mode.CUSTOMER_FIRST)

        async def cancel() -> bool:
            try:
                await store.cancel(claim.callback.callback_id, by=BY)
            except TransitionError:
                return False
            return True

        async def dial() -> bool:
            try:
                await dialled(store, claim)
            except FenceLostError:
                return False
            return True

        cancelled, rung = await asyncio.gather(cancel(), dial())
        return cancelled, rung

    for _ in range(20):
        assert sum(await race()) == 1


async def test_an_erased_customer_is_not_tried_again(store: Store) -> None:
    claim, attempt = await dialling(store)
    number = claim.callback.number
    assert await store.erase(number, by="user eve") == 1
    assert (await store.get(claim.callback.callback_id)).number == number

    ended = await store.over(
        claim, attempt.attempt_id, Result.BUSY, Step.RETRY, counted=True, not_before=soon()
    )

    assert (ended.state, ended.cause, ended.number) == (State.EXHAUSTED, "erased", "")


async def test_the_attempts_of_others_are_not_mine(store: Store) -> None:
    claim, _ = await dialling(store)
    _, other = await dialling(store)
    with pytest.raises(NotFoundError):
        await store.over(claim, other.attempt_id, Result.BUSY, Step.RETRY, counted=True)
    assert isinstance(other.attempt_id, UUID)
