"""What a worker makes of the network's answer about a customer whom a lost worker had dialled."""

from datetime import timedelta
from uuid import UUID

import pytest

from callback.ports import Fate, Found
from callback.reconcile import HangUp, Settle, Wait, decide
from callback.request import Attempt, Result
from support.callbacks import NOON

RINGS_S, MARGIN_S = 20.0, 10.0
EARLY, LATE = 5.0, 31.0


def attempt(*, bridged: bool = False) -> Attempt:
    return Attempt(
        attempt_id=UUID(int=1),
        callback_id=UUID(int=2),
        number_of=1,
        fence=1,
        worker=UUID(int=3),
        gateway="test",
        call_id=UUID(int=4),
        call_ref="",
        ring_timeout_s=RINGS_S,
        started_at=NOON,
        answered_at=NOON + timedelta(seconds=5) if bridged else None,
        bridged_at=NOON + timedelta(seconds=6) if bridged else None,
        ended_at=None,
        result=None,
        counted=False,
    )


@pytest.mark.parametrize(
    ("fate", "age_s", "expected"),
    [
        (Fate.RINGING, EARLY, Wait()),
        (Fate.RINGING, LATE, HangUp()),
        (Fate.TALKING, EARLY, HangUp()),
        (Fate.UNKNOWN, EARLY, Wait()),
        (Fate.UNKNOWN, LATE, Settle(Result.UNKNOWN)),
        (Fate.NEVER, EARLY, Wait()),
        (Fate.NEVER, LATE, Settle(Result.LOST, dialled=False)),
        (Fate.BUSY, EARLY, Settle(Result.BUSY)),
        (Fate.NO_ANSWER, EARLY, Settle(Result.NO_ANSWER)),
        (Fate.FAILED, EARLY, Settle(Result.FAILED)),
        (Fate.ANSWERED, EARLY, Settle(Result.LOST)),
    ],
)
def test_a_customer_who_has_met_nobody(fate: Fate, age_s: float, expected: object) -> None:
    assert decide(Found(fate), attempt(), age_s, MARGIN_S) == expected


@pytest.mark.parametrize("noted", [True, False])
def test_who_has_talked_is_not_hung_up_on_nor_called_again(noted: bool) -> None:
    """Whether the lost worker could note it, or only the call knows."""

    def decided(fate: Fate) -> object:
        return decide(Found(fate, talked=not noted), attempt(bridged=noted), LATE, MARGIN_S)

    assert decided(Fate.TALKING) == Wait()
    for fate in (Fate.ANSWERED, Fate.NO_ANSWER, Fate.UNKNOWN, Fate.NEVER):
        assert decided(fate) == Settle(Result.BRIDGED)
