"""What follows an attempt: the table of results, retries and their pauses. Pure; chance is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from callback.hours import first_chance
from callback.refusal import Refusal
from callback.request import Callback, Result
from callback.rules import Rules
from callback.state import State, Step

BRIDGE_REDIALS = 1
"""How often a customer is dialled again at once because the connection broke."""

NOT_THE_CUSTOMERS = frozenset(
    {
        Result.INVALID,  # no telephone rang
        Result.POSTPONED,  # a promise was made that has to be kept
        Result.AGENT_GONE,  # our fault
        Result.BRIDGE_FAILED,  # our fault, the first time
        Result.MERGED,
    }
)
"""Results that use up none of the customer's attempts."""


@dataclass(frozen=True, slots=True)
class Next:
    """What is to be done after an attempt; as ``Store.over`` takes it.

    ``counted``: the attempt is one of those that a customer gets. ``not_before`` is set for ``RETRY`` and
    ``SCHEDULE``; the terms of the latter are ``policy.snoozed``. ``redial``: this is the one that follows a
    broken connection at once.
    """

    step: Step
    counted: bool
    cause: str = ""
    not_before: datetime | None = None
    apologise: bool = False
    redial: bool = False


def counts(result: Result, *, dialled: bool = True) -> bool:
    """Whether a result uses up an attempt: the customer was really dialled, and the fault was not ours."""
    return dialled and result not in NOT_THE_CUSTOMERS


def after_attempt(
    result: Result,
    callback: Callback,
    rules: Rules,
    now: datetime,
    random_fraction: float,
    *,
    dialled: bool = True,
    message_left: bool = False,
) -> Next:
    """What follows. ``dialled``: the network took the call; ``message_left``: the machine heard it all."""
    counted = counts(result, dialled=dialled)
    match result:
        case Result.BRIDGED:
            return Next(Step.COMPLETE, counted)
        case Result.INVALID:
            return Next(Step.REJECT, counted, Refusal.NUMBER_INVALID.value)
        case Result.CANCELLED:
            return Next(Step.CANCEL, counted, "key")
        case Result.MERGED:
            return Next(Step.MERGE, counted)
        case Result.MACHINE if message_left and rules.machine == "message_complete":
            return Next(Step.COMPLETE, counted, "message")
        case Result.POSTPONED:
            return Next(Step.SCHEDULE, counted, "key", now + timedelta(seconds=rules.snooze_s))
        case Result.BRIDGE_FAILED if callback.bridge_redials < BRIDGE_REDIALS:
            return Next(Step.RETRY, counted, result.value, now, apologise=True, redial=True)
        case Result.BRIDGE_FAILED:
            counted = dialled
        case _:
            pass
    if counted and callback.attempts + 1 >= callback.attempts_max:
        return Next(Step.EXHAUST, counted, result.value)
    pause_s = _pause_s(result, callback, rules) * (1 + rules.retry.jitter * random_fraction)
    at = now + timedelta(seconds=pause_s)
    not_before = first_chance(rules.calendar, rules.dialling, callback.zone, at) or at
    apologise = result in _SORRY and callback.state is not State.DIALING
    return Next(Step.RETRY, counted, result.value, not_before, apologise=apologise)


_SORRY = frozenset({Result.AGENT_GONE, Result.ABANDONED, Result.BRIDGE_FAILED, Result.LOST})
"""We failed; a customer who had picked up hears that we are sorry."""


def _pause_s(result: Result, callback: Callback, rules: Rules) -> float:
    retry = rules.retry
    match result:
        case Result.BUSY:
            return retry.busy_s
        case Result.NO_ANSWER | Result.ABANDONED:
            return retry.no_answer_s
        case Result.MACHINE:
            return retry.machine_s
        case Result.NOT_CONFIRMED:
            return retry.not_confirmed_s
        case Result.AGENT_GONE:
            # At once; but a customer who was rung up in vain twice gets a rest.
            return rules.earliest_s if callback.apologise else 0.0
        case Result.LOST:
            return rules.earliest_s
        case _:
            return retry.failed_s
