"""What became of customers whom a lost worker had dialled: the network is asked, nobody dialled blindly."""

import asyncio
import logging
import random
from dataclasses import dataclass

from callback.options import Options, RulesOf
from callback.outcome import after_attempt
from callback.ports import Fate, Found, Network
from callback.request import Attempt, Claim, Result
from callback.state import Step
from callback.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settle:
    """It is over. ``dialled``: the customer's telephone rang, for all that is known."""

    result: Result
    dialled: bool = True


@dataclass(frozen=True, slots=True)
class HangUp:
    """Somebody is on the line, and nobody of us; look again then."""


@dataclass(frozen=True, slots=True)
class Wait:
    """It is not over, or might not be."""


def decide(found: Found, attempt: Attempt, age_s: float, margin_s: float) -> Settle | HangUp | Wait:
    """What to do about an attempt of a lost worker, ``age_s`` after it was written. Pure."""
    fate = found.fate
    rings = age_s < attempt.ring_timeout_s + margin_s
    # A worker that has lost its claim, and not the call, cannot note that it was bridged.
    is_bridged = attempt.bridged_at is not None or found.talked
    match fate:
        case Fate.RINGING:
            return Wait() if rings else HangUp()
        case Fate.TALKING:
            # The agent may be with the customer: the gateway can hold a conversation without us.
            return Wait() if is_bridged else HangUp()
        case Fate.UNKNOWN if rings:
            return Wait()
        case Fate.NEVER if age_s < margin_s:
            # The lost worker's request may still be on its way.
            return Wait()
        case _ if is_bridged:
            return Settle(Result.BRIDGED)
        case Fate.NEVER:
            return Settle(Result.LOST, dialled=False)
        case _:
            return Settle(_RESULTS[fate])


_RESULTS = {
    Fate.BUSY: Result.BUSY,
    Fate.NO_ANSWER: Result.NO_ANSWER,
    Fate.FAILED: Result.FAILED,
    Fate.ANSWERED: Result.LOST,
    Fate.UNKNOWN: Result.UNKNOWN,
}


class Reconciler:
    """Brings claimed callbacks from ``RECONCILING`` to where they belong.

    ``settled`` counts the attempts that were brought to their end, ``unknown`` those among them of which the
    network could not tell; each of these is an error in the log.
    """

    def __init__(self, store: Store, network: Network, rules: RulesOf, options: Options) -> None:
        self._store = store
        self._network = network
        self._rules = rules
        self._options = options
        self.settled = 0
        self.unknown = 0

    async def settle(self, claim: Claim) -> None:
        """Ask until it is over; raises ``FenceLostError``."""
        attempt = await self._store.open_attempt(claim.callback.callback_id)
        if attempt is None:
            now = await self._store.now()
            log.error("callback %s: lost without an attempt", claim.callback.callback_id)
            await self._store.step(claim, Step.RETRY, not_before=now, cause=Result.LOST.value)
            return
        while True:
            found = await self._asked(claim, attempt)
            age_s = (await self._store.now() - attempt.started_at).total_seconds()
            match decide(found, attempt, age_s, self._options.margin_s):
                case Settle() as settled:
                    await self._record(claim, attempt, settled)
                    return
                case HangUp():
                    await self._hang_up(attempt, found)
                case Wait():
                    pass
            await asyncio.sleep(self._options.ask_s)

    async def _asked(self, claim: Claim, attempt: Attempt) -> Found:
        try:
            return await self._network.fate(claim.callback, attempt)
        except Exception:
            log.exception("attempt %s: the network does not tell", attempt.attempt_id)
            return Found(Fate.UNKNOWN)

    async def _hang_up(self, attempt: Attempt, found: Found) -> None:
        try:
            await self._network.hang_up(attempt, found.call_ref or attempt.call_ref)
        except Exception:
            log.exception("attempt %s: could not be hung up", attempt.attempt_id)

    async def _record(self, claim: Claim, attempt: Attempt, settled: Settle) -> None:
        callback = claim.callback
        if settled.result is Result.UNKNOWN:
            self.unknown += 1
            log.error("attempt %s of callback %s: fate unknown", attempt.attempt_id, callback.callback_id)
        following = after_attempt(
            settled.result,
            callback,
            self._rules(callback.queue),
            await self._store.now(),
            random.random(),  # noqa: S311  # scatter, no secret
            dialled=settled.dialled,
        )
        await self._store.over(
            claim,
            attempt.attempt_id,
            settled.result,
            following.step,
            counted=following.counted,
            not_before=following.not_before,
            cause=following.cause,
            apologise=following.apologise or None,
        )
        self.settled += 1
        log.info(
            "callback %s: attempt %s of a lost worker was %s",
            callback.callback_id,
            attempt.attempt_id,
            settled.result.value,
        )
