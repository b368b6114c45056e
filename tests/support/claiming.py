"""Callbacks that are due and claimed, for tests."""

from datetime import datetime
from uuid import UUID, uuid4

from callback.policy import Dial, Reject, Verdict
from callback.request import Attempt, Callback, Claim, Mode
from callback.state import Step
from callback.store import Store
from support.wishes import requested


async def fall_due(store: Store) -> list[UUID]:
    """Let all that is ripe fall due, as fast as it goes."""

    def judge(_: Callback, __: datetime, forbidden: bool) -> Verdict:
        return Reject("do_not_call") if forbidden else Dial()

    fallen = await store.fall_due(100_000, (), rate_per_s=1e6, judge=judge)
    return fallen.due


async def claimed(store: Store, worker: UUID | None = None, lease_s: float = 30, **values: object) -> Claim:
    """A callback that was asked for, is due and was claimed."""
    callback = await requested(store, **values)
    await fall_due(store)
    claims = await store.claim(worker or uuid4(), lease_s, ids=[callback.callback_id])
    assert len(claims) == 1
    return claims[0]


async def dialling(store: Store, worker: UUID | None = None, lease_s: float = 30) -> tuple[Claim, Attempt]:
    """A customer who is being dialled, customer first."""
    claim = await claimed(store, worker, lease_s, mode=Mode.CUSTOMER_FIRST)
    return claim, await dialled(store, claim)


async def dialled(store: Store, claim: Claim, ring_timeout_s: float = 20) -> Attempt:
    return await store.dial(
        claim, attempt_id=uuid4(), gateway="test", call_id=uuid4(), ring_timeout_s=ring_timeout_s
    )


async def agent_has_come(store: Store, claim: Claim) -> None:
    await store.step(claim, Step.RESERVE)
    await store.step(claim, Step.ACCEPT)


async def run_out(store: Store, callback_id: UUID) -> None:
    """Let the lease of a claim be over."""
    async with store._transaction() as connection:
        await connection.execute(
            "UPDATE callback.callback SET lease_until = clock_timestamp() - interval '1 second'"
            " WHERE callback_id = $1",
            callback_id,
        )
